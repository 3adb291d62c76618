"""What may happen to a job, and what then stands in its history. Pure.

Commands go in, events come out; ``fold`` turns events back into the Job::

    ACTIVE ⇄ PAUSED ──► DONE ──┐
      │        │               ├──► UNDOING ──► UNDONE
      │        └───────────────┤
      └──► ABANDONED ◄─────────┘

Three rules hold for every history: nothing is written before a valid backup is stored, no step is done without
evidence, and the backup is never taken again once something was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import Any

from app.errors import JobError
from app.jobs.commands import (
    Abandon,
    Acknowledge,
    Back,
    Choose,
    Command,
    Complete,
    Fail,
    FailUndo,
    Finish,
    FinishUndo,
    Intend,
    NeedInput,
    Note,
    Pause,
    Plan,
    Report,
    Resume,
    Skip,
    Start,
    StartUndo,
    Wrote,
)
from app.jobs.fold import applied, created, fold
from app.model.coding import encode
from app.model.job import (
    STEPS,
    EventKind,
    Job,
    JobEvent,
    JobState,
    StepKind,
    StepState,
    Target,
)

__all__ = ["Job", "applied", "create", "created", "decide", "fold"]

UNSKIPPABLE = frozenset({StepKind.IDENTIFY, StepKind.CHOOSE, StepKind.HAND_OVER})
"""Without these there is no job."""

WRITERS = {StepKind.APPLY: Target.ENDPOINT, StepKind.SWITCH: Target.BACKEND}
"""The only steps that change a unit, and for which target."""

_OPEN = (JobState.ACTIVE, JobState.PAUSED)


_Draft = tuple[EventKind, StepKind | None, Mapping[str, Any]]


def create(*, job_id: str, at: datetime, unit_id: str, unit_title: str, profile_id: str, version: str) -> JobEvent:
    """Return the first event of a new job."""
    data = {"unit_id": unit_id, "unit_title": unit_title, "profile_id": profile_id, "version": version}
    return JobEvent(job_id=job_id, seq=1, at=at, kind=EventKind.CREATED, data=data)


def decide(job: Job, command: Command, at: datetime) -> JobEvent:
    """Return the event that a command makes; raises JobError where it is not lawful now."""
    kind, step, data = _decide(command, job)
    return JobEvent(job_id=job.id, seq=job.seq + 1, at=at, kind=kind, step=step, data=data)


def _refuse(message: str, advice: str) -> JobError:
    return JobError(message, advice)


def _need_open(job: Job) -> None:
    if job.state not in _OPEN:
        raise _refuse(f"This job is {job.state.value}.", "Start a new job for this charger.")


def _need_running(job: Job, step: StepKind) -> None:
    if job.state is not JobState.ACTIVE or job.step(step).state is not StepState.RUNNING:
        raise _refuse(f"The step “{step.value}” is not running.", "Continue the job first.")


def _need_idle(job: Job) -> None:
    running = next((step for step in job.steps if step.state is StepState.RUNNING), None)
    if running is not None:
        raise _refuse(f"The step “{running.kind.value}” is running.", "Pause the job first.")


@singledispatch
def _decide(command: Any, _job: Job) -> _Draft:
    raise TypeError(f"unknown command {command!r}")


@_decide.register
def _start(command: Start, job: Job) -> _Draft:
    if job.state is not JobState.ACTIVE:
        raise _refuse(f"This job is {job.state.value}.", "Continue it first.")
    _need_idle(job)
    if job.current is not command.step:
        now = job.current.value if job.current else "none"
        raise _refuse(f"“{command.step.value}” is not the next step; the next is “{now}”.", "Go on in order.")
    return EventKind.STARTED, command.step, {}


@_decide.register
def _note(command: Note, job: Job) -> _Draft:
    if command.step is None:
        _need_undoing(job)
    else:
        _need_running(job, command.step)
    data: dict[str, Any] = {"text": command.text, "detail": command.detail, "strength": command.strength.value}
    if command.facts:
        data["facts"] = encode(command.facts)
    return EventKind.EVIDENCE, command.step, data


@_decide.register
def _report(command: Report, job: Job) -> _Draft:
    _need_running(job, command.step)
    return EventKind.FINDING, command.step, {"finding": encode(command.finding)}


@_decide.register
def _plan(command: Plan, job: Job) -> _Draft:
    _need_running(job, StepKind.PLAN)
    data = {
        "changes": encode(tuple(command.changes)),
        "restarts": command.restarts,
        "doors": encode(tuple(command.doors)),
        "undo_limits": encode(tuple(command.undo_limits)),
    }
    return EventKind.PLANNED, StepKind.PLAN, data


@_decide.register
def _intend(command: Intend, job: Job) -> _Draft:
    change = command.change
    if not job.has_backup:
        raise _refuse("Nothing is written without a backup.", "Go back to the backup.")
    if command.step is None:
        _need_undoing(job)
    else:
        _need_running(job, command.step)
    wanted = Target.UNDO if command.step is None else WRITERS.get(command.step)
    if change.target is not wanted:
        raise _refuse("This step does not write that.", "Report this as a fault of the program.")
    if command.step is not None and job.open_doors:
        raise _refuse("A one-way door is not acknowledged.", "Acknowledge it under “Plan”.")
    data = {
        "key": change.key, "before": change.before, "after": change.after, "target": change.target.value,
        "is_secret": change.is_secret, "needs_restart": change.needs_restart, "order": change.order,
    }  # fmt: skip
    return EventKind.INTENT, command.step, data


@_decide.register
def _wrote(command: Wrote, job: Job) -> _Draft:
    if not any(write.key == command.key and write.is_open for write in job.writes):
        raise _refuse(f"No write of “{command.key}” was announced.", "Report this as a fault of the program.")
    data = {
        "key": command.key, "is_accepted": command.is_accepted, "read_back": command.read_back,
        "needs_restart": command.needs_restart, "note": command.note,
    }  # fmt: skip
    return EventKind.WROTE, command.step, data


@_decide.register
def _complete(command: Complete, job: Job) -> _Draft:
    _need_running(job, command.step)
    if not any(proof.text for proof in job.step(command.step).proofs):
        raise _refuse(f"“{command.step.value}” has no evidence yet.", "Run the step again.")
    if command.step is StepKind.CHOOSE and job.backend is None:
        raise _refuse("No backend is chosen.", "Choose the backend first.")
    return EventKind.DONE, command.step, {"note": command.note}


@_decide.register
def _fail(command: Fail, job: Job) -> _Draft:
    _need_running(job, command.step)
    return EventKind.FAILED, command.step, {"message": command.message, "advice": command.advice}


@_decide.register
def _need_input(command: NeedInput, job: Job) -> _Draft:
    _need_running(job, command.step)
    return EventKind.NEEDS_INPUT, command.step, {"message": command.message, "advice": command.advice}


@_decide.register
def _skip(command: Skip, job: Job) -> _Draft:
    _need_open(job)
    if job.state is not JobState.ACTIVE or job.step(command.step).state is not StepState.RUNNING:
        _need_idle(job)
    if command.step in UNSKIPPABLE:
        raise _refuse(f"“{command.step.value}” can't be left out.", "Do it, or abandon the job.")
    if job.current is not command.step:
        raise _refuse(f"“{command.step.value}” is not the next step.", "Go on in order.")
    if not command.reason.strip():
        raise _refuse("A step is only left out with a reason.", "Say why, in a few words.")
    return EventKind.SKIPPED, command.step, {"reason": command.reason.strip()}


@_decide.register
def _back(command: Back, job: Job) -> _Draft:
    _need_open(job)
    _need_idle(job)
    index = STEPS.index(command.step)
    if job.current is not None and index > STEPS.index(job.current):
        raise _refuse(f"“{command.step.value}” is still ahead.", "Go on in order.")
    if job.has_written and index <= STEPS.index(StepKind.BACK_UP):
        raise _refuse(
            "The charger was already written to: a new backup would hold our own values.",
            "Undo this job first, then start a new one.",
        )
    return EventKind.REOPENED, command.step, {}


@_decide.register
def _choose(command: Choose, job: Job) -> _Draft:
    _need_open(job)
    _need_idle(job)
    if job.step(StepKind.CHOOSE).is_over:
        raise _refuse("A backend is already chosen.", "Go back to “choose” first.")
    data = {"backend": encode(command.backend.without_secret()), "has_secret": bool(command.backend.secret)}
    return EventKind.INPUT, StepKind.CHOOSE, data


@_decide.register
def _acknowledge(command: Acknowledge, job: Job) -> _Draft:
    _need_open(job)
    unknown = sorted(set(command.doors) - {door.id for door in job.doors})
    if unknown:
        raise _refuse(f"“{unknown[0]}” is no one-way door of this job.", "Look at the plan again.")
    return EventKind.INPUT, StepKind.PLAN, {"acknowledged": sorted(set(command.doors))}


@_decide.register
def _pause(command: Pause, job: Job) -> _Draft:
    if job.state is not JobState.ACTIVE:
        raise _refuse(f"This job is {job.state.value}.", "There is nothing to pause.")
    return EventKind.PAUSED, None, {"reason": command.reason}


@_decide.register
def _resume(_command: Resume, job: Job) -> _Draft:
    if job.state is not JobState.PAUSED:
        raise _refuse(f"This job is {job.state.value}.", "There is nothing to continue.")
    return EventKind.RESUMED, None, {}


def _need_undoing(job: Job) -> None:
    if job.state is not JobState.UNDOING:
        raise _refuse("No undo is running.", "Start the undo first.")


@_decide.register
def _start_undo(_command: StartUndo, job: Job) -> _Draft:
    if not job.has_written:
        raise _refuse("This job has changed nothing, so there is nothing to undo.", "Abandon it instead.")
    if not job.can_undo:
        raise _refuse(f"This job is {job.state.value}; it can't be undone.", "Start a new job for this charger.")
    _need_idle(job)
    return EventKind.UNDO_STARTED, None, {}


@_decide.register
def _fail_undo(command: FailUndo, job: Job) -> _Draft:
    _need_undoing(job)
    return EventKind.UNDO_FAILED, None, {"message": command.message, "advice": command.advice}


@_decide.register
def _finish_undo(command: FinishUndo, job: Job) -> _Draft:
    _need_undoing(job)
    if not any(proof.text for proof in job.undo_proofs):
        raise _refuse("The undo has no evidence yet.", "Run the undo again.")
    return EventKind.UNDO_DONE, None, {"limits": encode(tuple(command.limits))}


@_decide.register
def _abandon(command: Abandon, job: Job) -> _Draft:
    if job.is_final:
        raise _refuse(f"This job is {job.state.value}.", "There is nothing to abandon.")
    _need_idle(job)
    return EventKind.ABANDONED, None, {"reason": command.reason}


@_decide.register
def _finish(_command: Finish, job: Job) -> _Draft:
    if job.state is not JobState.ACTIVE or job.current is not None:
        raise _refuse("Not all steps are over.", "Go on with the job.")
    return EventKind.FINISHED, None, {}
