"""Close the job: what is true now, in one place, for the report."""

from __future__ import annotations

from dataclasses import replace

from app.driver.capability import SetsBackend
from app.errors import LinkError, NotSupported
from app.jobs.stepping import StepRun, is_dialled_in
from app.model.job import StepState, Strength
from app.model.unit import Adoption


async def run(step: StepRun) -> None:
    """Read the address one last time where possible, mark the unit as ours, and sum up."""
    backend = step.backend.without_secret()
    if step.has_own(SetsBackend):
        await _read_once_more(step)
    unit = step.bench.finder.units.get(step.job.unit_id)
    if unit is not None:
        step.bench.finder.update(replace(unit, adoption=Adoption.OURS, backend=backend))
    skipped = [item.kind.value for item in step.job.steps if item.state is StepState.SKIPPED]
    done = sum(item.state is StepState.DONE for item in step.job.steps)
    detail = f"left out: {', '.join(skipped)}" if skipped else ""
    step.note(f"{done + 1} of {len(step.job.steps)} steps are done.", detail=detail)


async def _read_once_more(step: StepRun) -> None:
    try:
        async with step.open(SetsBackend) as session:
            found = None if is_dialled_in(session) else await session.ask(SetsBackend).read_backend()
    except (LinkError, NotSupported):
        step.note("Its settings can't be read any more from here.", strength=Strength.OPEN)
        return
    if found is not None:
        known = found.without_secret()
        step.note(f"It is set to {known.url} as “{known.identity}”.", facts={"backend_after": known})
