"""Bring a unit to a target: read what it holds, write only what is missing, the address last, and read it back."""

from __future__ import annotations

from app.diagnosis.applied import not_applied
from app.driver.capability import ReadsSettings, SetsBackend
from app.driver.session import Session
from app.errors import StepBlocked, VerifyFailed
from app.jobs.planning import needed
from app.jobs.stepping import StepRun
from app.model.backend import Backend
from app.model.guidance import render
from app.model.job import Strength, Target
from app.model.profile import Profile


async def point_at(step: StepRun, session: Session, backend: Backend, target: Target) -> int:
    """Write what is missing for this backend and return how many values that were; raises AppError."""
    snapshot = await session.ask(ReadsSettings).read_settings()
    changes = needed(await session.ask(SetsBackend).plan_backend(backend, snapshot))
    for number, change in enumerate(changes, start=1):
        step.progress(f"Writing “{change.key}”", done=number - 1, total=len(changes))
        result = await step.write(session, change, target)
        before, after = change.shown()
        read = "read back and equal" if result.read_back is not None else "accepted; the charger does not show it"
        strength = Strength.PROVED if result.read_back is not None else Strength.CLAIMED
        text = f"“{change.key}” written: {read}."
        step.note(text, detail=f"{before or '(empty)'} → {after or '(empty)'}", strength=strength)
    return len(changes)


async def holds(step: StepRun, session: Session, backend: Backend, when: str = "") -> bool:
    """Read the backend address again and note the result; ``False`` where the unit holds another one."""
    found = await session.ask(SetsBackend).read_backend()
    if found is None:
        step.note("The charger does not tell which address it holds.", strength=Strength.OPEN)
        return True
    wanted, known = backend.without_secret(), found.without_secret()
    if found.same_target(backend):
        step.note(f"Read back: it is set to {known.url} as “{known.identity}”.", detail=known.full_url)
        return True
    finding = not_applied("the backend address", wanted.full_url, known.full_url, when=when)
    if finding is not None:
        step.found(finding)
    return False


def unkept(when: str) -> VerifyFailed:
    """Return the error of a unit that does not keep what was written."""
    return VerifyFailed(
        f"The charger holds another backend address {when}: it did not keep what was written.",
        "Some models need a restart first, cut long addresses, or are set back by their vendor's cloud or app.",
    )


def by_hand(step: StepRun, backend: Backend) -> StepBlocked:
    """Note what a person has to type at a unit that can't be repointed from here; return the error that says so."""
    typed = {"step": step.kind.value if step.kind else "", "url": backend.url, "identity": backend.identity}
    step.note("", facts={"by_hand": typed})
    return StepBlocked("This charger can't be pointed elsewhere from here.", typing_advice(step.profile, backend))


def typing_advice(profile: Profile | None, backend: Backend) -> str:
    """Say in one line what to type where; never a password."""
    after = "Then leave this step out, with that as the reason."
    if profile is None or profile.guide is None:
        both = f"address {backend.url} · identity {backend.identity}"
        return f"Type this into its own menu or app: {both}. {after}"
    guidance = render(profile, backend)
    shown = [line for line in guidance.lines if line.text and not line.is_file]
    fields = " · ".join(f"{line.label}: {'(the password)' if line.is_secret else line.text}" for line in shown)
    return f"Type this ({guidance.place}): {fields}. {after}"
