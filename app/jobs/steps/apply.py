"""Point the unit at our own endpoint, for the proof."""

from __future__ import annotations

from app.driver.capability import SetsBackend
from app.errors import StepBlocked
from app.jobs.ourselves import our_backend
from app.jobs.stepping import StepRun, is_dialled_in
from app.jobs.writing import holds, point_at, unkept
from app.model.job import Target


async def run(step: StepRun) -> None:
    """Write what is missing, the address last, and read the address back."""
    if not step.job.has_backup:
        raise StepBlocked(
            "Nothing is written without a backup.", "Go back to the backup, or do this by hand and leave the step out."
        )
    wanted = step.backend
    state = await step.bench.listen_somewhere()
    async with step.open(SetsBackend) as session:
        if is_dialled_in(session):
            identity = str(session.address).removeprefix("ocpp:")
            step.note(f"It dials this computer already, as “{identity}”.", facts={"rehearsal": {"identity": identity}})
            return
        ours = our_backend(state, step.unit, wanted)
        step.note("", facts={"rehearsal": {"identity": ours.identity, "url": ours.url}})
        count = await point_at(step, session, ours, Target.ENDPOINT)
        if not count:
            step.note("Nothing had to be written.")
        if not await holds(step, session, ours):
            raise unkept("right after writing")
