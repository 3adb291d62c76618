"""One restart, only where a written value needs it."""

from __future__ import annotations

from app.driver.capability import Reboots
from app.errors import LinkError, NotSupported, StepBlocked
from app.jobs.stepping import Skipped, StepRun
from app.model.job import Target


async def run(step: StepRun) -> Skipped | None:
    """Restart the unit if what was written for our endpoint takes effect only then."""
    if not needs_restart(step, Target.ENDPOINT):
        return Skipped(reason="Nothing that was written needs a restart.")
    await restart(step)
    return None


def needs_restart(step: StepRun, target: Target) -> bool:
    """Say whether something was written for a target that needs a restart."""
    return any(write.needs_restart for write in step.job.writes if write.target is target)


async def restart(step: StepRun) -> None:
    """Order a restart; raises StepBlocked where a person must do it."""
    step.progress("Restarting the charger", expected_s=step.timing.restart_s, patience_s=step.timing.patience_s)
    try:
        async with step.open_until(Reboots, patience_s=step.timing.restart_s) as session:
            await step.to_the_end("restart", session.ask(Reboots).restart())
    except (NotSupported, LinkError) as error:
        raise StepBlocked(
            "The charger needs a restart, and can't be restarted from here.",
            "Switch it off and on again; then leave this step out, with that as the reason.",
        ) from error
    step.note("The charger took the order to restart.", facts={"restarted_at": step.clock()})
