"""One restart, only where it is needed, and seen to happen."""

from __future__ import annotations

import asyncio

from app.driver.capability import Reboots, ReportsStatus
from app.driver.session import Session
from app.errors import Busy, LinkError, NotSupported, StepBlocked
from app.jobs.stepping import Skipped, StepRun
from app.model.address import OcppAddress
from app.model.job import Strength, Target
from app.model.profile import Profile

NO_BOOT_AFTER_CHANGE = "no-boot-after-change"
"""Quirk of units that don't introduce themselves to a new backend until they are restarted."""

LOOK_S = 0.25


async def run(step: StepRun) -> Skipped | None:
    """Restart the unit if what was written for our endpoint takes effect only then."""
    if not needs_restart(step, Target.ENDPOINT):
        return Skipped(reason="Nothing that was written needs a restart.")
    await restart(step)
    return None


def needs_restart(step: StepRun, target: Target) -> bool:
    """Say whether something was written for a target that needs a restart."""
    return any(write.needs_restart for write in step.job.writes if write.target is target)


def introduces_itself_late(profile: Profile | None) -> bool:
    """Say whether the family must be restarted to send a BootNotification to a new backend."""
    return profile is not None and any(quirk.id == NO_BOOT_AFTER_CHANGE for quirk in profile.quirks)


async def restart(step: StepRun) -> None:
    """Order a restart and see the unit go; raises StepBlocked where a person must do it."""
    step.progress("Restarting the charger", expected_s=step.timing.restart_s, patience_s=step.timing.patience_s)
    try:
        async with step.open_until(Reboots, patience_s=step.timing.restart_s) as session:
            step.note("", facts={"restarted_at": step.clock()})
            await step.to_the_end("restart", session.ask(Reboots).restart())
            step.note("The charger took the order to restart.")
            has_gone = await _goes(step, session)
    except LinkError as error:
        raise StepBlocked(
            "The charger is not in reach, so it can't be restarted now.",
            "Give it power and network again, then continue: it is restarted then. What was written is on it still; "
            "the way back is “Undo”.",
        ) from error
    except NotSupported as error:
        raise StepBlocked(
            "The charger needs a restart, and can't be restarted from here.",
            "Switch it off and on again; then leave this step out, with that as the reason.",
        ) from error
    if has_gone:
        step.note("It went away to restart.")
    else:
        step.note("It was not seen to go away; it may not have restarted.", strength=Strength.OPEN)


async def _goes(step: StepRun, session: Session) -> bool:
    """Watch until the unit stops answering; ``False`` where it never does within its restart time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + step.timing.restart_s
    address = session.address
    link = step.bench.server.endpoint(address.identity) if isinstance(address, OcppAddress) else None
    while loop.time() < deadline:
        if link is not None and not link.is_open:
            return True
        try:
            if link is None and session.has(ReportsStatus):
                await session.ask(ReportsStatus).status()
        except (LinkError, Busy):
            return True
        await asyncio.sleep(min(LOOK_S, step.timing.restart_s / 50))
    return False
