"""Jobs as the wizard's tests need them: everything before the current step done, everything after it waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from app.model.job import STEPS, Job, JobState, Step, StepKind, StepState

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def a_job(current: StepKind | None, step: Step | None = None, **changes: object) -> Job:
    place = len(STEPS) if current is None else STEPS.index(current)
    steps = [Step(kind=kind, state=StepState.DONE if n < place else StepState.WAITING) for n, kind in enumerate(STEPS)]
    if step is not None:
        steps[place] = step
    job = Job(
        id="job-1",
        unit_id="unit-1",
        unit_title="Garage 1",
        profile_id="openevse-wifi",
        version="1",
        state=JobState.ACTIVE,
        steps=tuple(steps),
        created_at=NOW,
        updated_at=NOW,
        seq=1,
    )
    return replace(job, **changes)  # type: ignore[arg-type]
