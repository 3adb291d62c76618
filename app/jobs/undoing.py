"""The way back: every value this job wrote gets its old value from the backup, as far as the unit allows."""

from __future__ import annotations

from app.driver.capability import ReadsSettings, Reboots, SetsBackend
from app.driver.session import Session
from app.errors import JobError, LinkError, LinkLost, NotReachable, NotSupported, Refused
from app.jobs import sealing
from app.jobs.fallback import tries_addresses
from app.jobs.stepping import StepRun
from app.model.job import Strength, Target, UndoLimit
from app.model.setting import Change, Snapshot


async def undo(step: StepRun) -> tuple[UndoLimit, ...]:
    """Restore and verify; return what could not be brought back. Raises LinkError, VerifyFailed, JobError."""
    stored = step.store.backups.load(step.job_id)
    if stored is None:
        raise JobError("The backup of this job is gone.", "Set the charger by hand; its old address is in the report.")
    backup = sealing.restored(step.job_id, stored, step.vault)
    try:
        async with step.open(SetsBackend) as session:
            limits = await _restore(step, session, backup)
    except (NotReachable, LinkLost) as error:
        raise NotReachable(
            "The charger can't be reached from here to undo.",
            "Connect it again. If it has no interface of its own, only the backend it dials now can send it back.",
        ) from error
    return limits


async def _restore(step: StepRun, session: Session, backup: Snapshot) -> tuple[UndoLimit, ...]:
    present = await session.ask(ReadsSettings).read_settings()
    changes, limits = way_back(step, present, backup)
    needs_restart = False
    for number, change in enumerate(changes, start=1):
        step.progress(f"Restoring “{change.key}”", done=number - 1, total=len(changes))
        result = await step.write(session, change, Target.UNDO)
        needs_restart = needs_restart or result.needs_restart or change.needs_restart
        _tell(step, change, result.read_back is not None)
    if not changes and limits:
        step.note("Nothing else was written that could be brought back.", strength=Strength.OPEN)
    elif not changes:
        step.note("The charger holds its old values.")
    elif tries_addresses(step.profile):
        text = "If its old backend does not accept it any more, it goes back to the present address by itself."
        step.note(text, strength=Strength.OPEN)
    for limit in limits:
        step.note(f"“{limit.key}” could not be brought back.", detail=limit.reason, strength=Strength.OPEN)
    if needs_restart:
        await _restart(step, session)
    return limits


def _tell(step: StepRun, change: Change, is_read: bool) -> None:
    before, after = change.shown()
    text = f"“{change.key}” restored" + (", read back and equal." if is_read else "; the charger does not show it.")
    strength = Strength.PROVED if is_read else Strength.CLAIMED
    step.note(text, detail=f"{before or '(empty)'} → {after or '(empty)'}", strength=strength)


def way_back(step: StepRun, present: Snapshot, backup: Snapshot) -> tuple[list[Change], tuple[UndoLimit, ...]]:
    """Return the writes that bring the old values back, the address last, and what can't be brought back."""
    orders: dict[str, int] = {}
    for write in step.job.writes:
        if write.target is not Target.UNDO:
            orders[write.key] = max(write.order, orders.get(write.key, 0))
    changes, limits = [], {limit.key: limit for limit in step.job.undo_limits if limit.key in orders}
    for key in sorted(orders, key=lambda key: orders[key]):
        old, now = backup.get(key), present.get(key)
        if key in limits:
            continue
        if old is None or old.value is None:
            reason = "Its old value is not known any more (no keyring)." if old is not None and old.is_secret else (
                "Its old value is not known: the charger did not show it."
            )  # fmt: skip
            limits[key] = UndoLimit(key=key, reason=reason)
        elif now is None or now.value != old.value:
            changes.append(
                Change(
                    key=key,
                    before=now.value if now is not None else None,
                    after=old.value,
                    is_secret=old.is_secret,
                    needs_restart=old.needs_restart,
                    order=orders[key],
                    reason="as it was found",
                )
            )
    return changes, tuple(limits.values())


async def _restart(step: StepRun, session: Session) -> None:
    try:
        await step.to_the_end("restart", session.ask(Reboots).restart())
        step.note("The charger took the order to restart.")
    except (NotSupported, LinkError, Refused):
        step.note("Switch the charger off and on: it needs a restart.", strength=Strength.OPEN)
