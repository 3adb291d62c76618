"""What exactly will be written, twice: to our endpoint for the proof, then to the real backend. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.driver.capability import ReadsSettings, SetsBackend
from app.errors import NotSupported, StepBlocked, ValueRejected
from app.jobs import commands
from app.jobs.doors import NO_BACKUP, guarding, is_unread
from app.jobs.limits import warnings
from app.jobs.ourselves import our_backend
from app.jobs.planning import after, needed, undo_limits
from app.jobs.stepping import StepRun, is_dialled_in, shown
from app.jobs.steps.restart import introduces_itself_late
from app.model.backend import SecurityProfile
from app.model.job import Door, ShownChange, Strength, Target
from app.model.setting import Change


async def run(step: StepRun) -> None:
    """Let the driver render the exact strings for both targets and name what can't be undone."""
    step.progress("Working out the exact strings")
    try:
        first, then = await _rendered(step)
    except ValueRejected as error:
        raise StepBlocked(error.message, error.advice) from error
    except NotSupported:
        first = then = ()
        step.note("It can't be pointed elsewhere from here: both addresses are typed in by hand, and proved.")
    changes = [
        *(shown(change, Target.ENDPOINT, step.vault) for change in first),
        *(shown(change, Target.BACKEND, step.vault) for change in then),
    ]
    is_late = bool(then) and step.has_own(SetsBackend) and introduces_itself_late(step.profile)
    restarts = any(change.needs_restart for change in first) + (is_late or any(change.needs_restart for change in then))
    doors = tuple(_doors(step, changes))
    limits = undo_limits(changes, step.store.backups.load(step.job_id))
    step.plan(commands.Plan(changes=changes, restarts=restarts, doors=doors, undo_limits=limits))
    _tell(step, changes, restarts)
    for text, source in warnings(step.profile, step.unit.identity.firmware, is_by_hand=not changes):
        step.note(text, detail=source, strength=Strength.OPEN)
    if is_late:
        step.note("It is restarted after the switch, so that it introduces itself to the new backend.")
    open_doors = step.job.open_doors
    if open_doors:
        raise StepBlocked(
            f"{len(open_doors)} thing{'s' if len(open_doors) > 1 else ''} on the way can't be undone or is not proved.",
            "Read each of them and accept it, or go back and choose differently.",
        )


async def _rendered(step: StepRun) -> tuple[Sequence[Change], Sequence[Change]]:
    """Return the writes for our endpoint (none where the unit dials it already), and those for the real backend."""
    real = step.backend
    state = await step.bench.listen_somewhere()
    async with step.open(SetsBackend) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        sets = session.ask(SetsBackend)
        first: Sequence[Change] = ()
        if not is_dialled_in(session):
            first = needed(await sets.plan_backend(our_backend(state, step.unit, real), snapshot))
        return first, needed(await sets.plan_backend(real, after(snapshot, first)))


def _doors(step: StepRun, changes: Sequence[ShownChange]) -> Iterable[Door]:
    job = step.job
    yield from guarding(changes, step.profiles)
    if changes and is_unread(step.store.backups.load(step.job_id)):
        yield NO_BACKUP
    before = job.backend_before.security_profile if job.backend_before else SecurityProfile.NONE
    if job.backend is not None and job.backend.security_profile >= SecurityProfile.TLS_BASIC > before:
        yield Door(
            id="security-profile",
            text="A raised security profile can't be lowered over OCPP again.",
            source="OCPP 1.6 security white paper, A00.FR.005",
        )
    check = job.facts.get("backend_check", {})
    if check.get("verdict") in ("refused", "odd"):
        yield Door(
            id="backend-check",
            text=f"The new backend did not take this identity from here: {check.get('text', '')} The charger may be "
            "offline after the move.",
            source="checked from this computer",
        )


def _tell(step: StepRun, changes: Sequence[ShownChange], restarts: int) -> None:
    for target, name in ((Target.ENDPOINT, "this computer"), (Target.BACKEND, "the new backend")):
        own = [change for change in changes if change.target is target]
        lines = "\n".join(f"{change.key}: {change.before or '(empty)'} → {change.after or '(empty)'}" for change in own)
        if own:
            count = "One setting" if len(own) == 1 else f"{len(own)} settings"
            step.note(f"{count} to write to dial {name}; the address comes last.", detail=lines)
        else:
            step.note(f"Nothing needs to be written to dial {name}.")
    step.note("No restart is needed." if not restarts else f"Restarts needed: {restarts}.")
    for limit in step.job.undo_limits:
        step.note(f"Undo can't bring back “{limit.key}”.", detail=limit.reason, strength=Strength.OPEN)
