"""Point the unit at our own endpoint, for the proof."""

from __future__ import annotations

from app.driver.capability import SetsBackend
from app.errors import NotSupported, StepBlocked
from app.jobs.ourselves import our_backend
from app.jobs.stepping import StepRun, is_dialled_in
from app.jobs.writing import by_hand, holds, point_at, unkept
from app.model.backend import Backend
from app.model.job import Target


async def run(step: StepRun) -> None:
    """Write what is missing, the address last, and read the address back."""
    if not step.job.has_backup:
        raise StepBlocked(
            "Nothing is written without a backup.", "Go back to the backup, or do this by hand and leave the step out."
        )
    ours = our_backend(await step.bench.listen_somewhere(), step.unit, step.backend)
    try:
        await _point(step, ours)
    except NotSupported as error:
        if (identity := step.dials_us_as) is None:
            step.note("", facts={"rehearsal": {"identity": ours.identity, "url": ours.url}})
            raise by_hand(step, ours) from error
        _tell_dialled_in(step, identity)


def _tell_dialled_in(step: StepRun, identity: str) -> None:
    step.note(f"It dials this computer already, as “{identity}”.", facts={"rehearsal": {"identity": identity}})


async def _point(step: StepRun, ours: Backend) -> None:
    async with step.open(SetsBackend) as session:
        if is_dialled_in(session):
            _tell_dialled_in(step, str(session.address).removeprefix("ocpp:"))
            return
        step.note("", facts={"rehearsal": {"identity": ours.identity, "url": ours.url}})
        count = await point_at(step, session, ours, Target.ENDPOINT)
        if not count:
            step.note("Nothing had to be written.")
        if not await holds(step, session, ours):
            raise unkept("right after writing")
