"""Fold a job's events into the Job. Pure; never raises on a prefix of a lawful history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.model.backend import Backend
from app.model.coding import decode
from app.model.finding import Finding
from app.model.job import (
    STEPS,
    Door,
    EventKind,
    Job,
    JobEvent,
    JobState,
    Proof,
    ShownChange,
    Step,
    StepKind,
    StepState,
    Strength,
    Target,
    UndoLimit,
    Write,
)


def fold(events: Iterable[JobEvent]) -> Job:
    """Return the job these events make; raises ValueError when there is no CREATED event in front."""
    job: Job | None = None
    for event in events:
        job = created(event) if job is None else applied(job, event)
    if job is None:
        raise ValueError("a job without events")
    return job


def created(event: JobEvent) -> Job:
    """Return the job that a CREATED event begins."""
    if event.kind is not EventKind.CREATED:
        raise ValueError(f"a history begins with {event.kind.value}")
    data = event.data
    return _settled(
        Job(
            id=event.job_id,
            unit_id=str(data.get("unit_id", "")),
            unit_title=str(data.get("unit_title", "")),
            profile_id=str(data.get("profile_id", "")),
            version=str(data.get("version", "")),
            state=JobState.ACTIVE,
            steps=tuple(Step(kind=kind) for kind in STEPS),
            created_at=event.at,
            updated_at=event.at,
            seq=event.seq,
        )
    )


def applied(job: Job, event: JobEvent) -> Job:
    """Return the job after one more event."""
    job = _RULES[event.kind](job, event)
    return _settled(replace(job, updated_at=event.at, seq=event.seq))


def _settled(job: Job) -> Job:
    """Mark the first open step READY and all later ones WAITING."""
    current = job.current
    steps = []
    for step in job.steps:
        if step.kind is current and step.state is StepState.WAITING:
            step = replace(step, state=StepState.READY)
        elif step.kind is not current and step.state is StepState.READY:
            step = replace(step, state=StepState.WAITING)
        steps.append(step)
    return replace(job, steps=tuple(steps))


def _with_step(job: Job, kind: StepKind | None, **fields: Any) -> Job:
    if kind is None:
        return job
    return replace(job, steps=tuple(replace(step, **fields) if step.kind is kind else step for step in job.steps))


def _started(job: Job, event: JobEvent) -> Job:
    if event.step is None:
        return job
    fresh = Step(kind=event.step, state=StepState.RUNNING, started_at=event.at)
    steps = tuple(fresh if step.kind is event.step else step for step in job.steps)
    return replace(job, steps=steps, note="", advice="")


def _intent(job: Job, event: JobEvent) -> Job:
    data = event.data
    write = Write(
        key=str(data["key"]),
        before=str(data.get("before", "")),
        after=str(data.get("after", "")),
        target=Target(data["target"]),
        is_secret=bool(data.get("is_secret")),
        order=int(data.get("order", 0)),
        intended_at=event.at,
    )
    return replace(job, writes=(*job.writes, write))


def _wrote(job: Job, event: JobEvent) -> Job:
    data = event.data
    for index in range(len(job.writes) - 1, -1, -1):
        write = job.writes[index]
        if write.key == data["key"] and write.is_open:
            ended = replace(
                write,
                ended_at=event.at,
                is_accepted=bool(data.get("is_accepted")),
                read_back=data.get("read_back"),
                needs_restart=bool(data.get("needs_restart")),
                note=str(data.get("note", "")),
            )
            return replace(job, writes=(*job.writes[:index], ended, *job.writes[index + 1 :]))
    return job


def _evidence(job: Job, event: JobEvent) -> Job:
    job = _with_facts(job, event.data)
    if not event.data.get("text"):
        return job
    proof = Proof(
        text=str(event.data["text"]),
        detail=str(event.data.get("detail", "")),
        at=event.at,
        strength=Strength(event.data.get("strength", Strength.PROVED.value)),
    )
    if event.step is None:
        return replace(job, undo_proofs=(*job.undo_proofs, proof))
    return _with_step(job, event.step, proofs=(*job.step(event.step).proofs, proof))


def _with_facts(job: Job, data: Mapping[str, Any]) -> Job:
    facts = data.get("facts") or {}
    if not facts:
        return job
    before = facts.get("backend_before")
    if before is not None and job.backend_before is None:
        job = replace(job, backend_before=decode(Backend, before))
    return replace(job, facts={**job.facts, **facts})


def _finding(job: Job, event: JobEvent) -> Job:
    if event.step is None:
        return job
    finding = decode(Finding, event.data["finding"])
    return _with_step(job, event.step, findings=(*job.step(event.step).findings, finding))


def _input(job: Job, event: JobEvent) -> Job:
    data = event.data
    if "backend" in data:
        job = replace(job, backend=decode(Backend, data["backend"]), has_secret=bool(data.get("has_secret")))
        return _with_step(job, StepKind.CHOOSE, state=StepState.READY, note="", advice="")
    if "acknowledged" in data:
        ids = frozenset(str(item) for item in data["acknowledged"])
        job = replace(job, acknowledged=job.acknowledged | ids)
    return job


def _planned(job: Job, event: JobEvent) -> Job:
    data = event.data
    doors = tuple(decode(Door, item) for item in data.get("doors", ()))
    return replace(
        job,
        plan=tuple(decode(ShownChange, item) for item in data.get("changes", ())),
        restarts=int(data.get("restarts", 0)),
        doors=doors,
        acknowledged=job.acknowledged & {door.id for door in doors},
        undo_limits=tuple(decode(UndoLimit, item) for item in data.get("undo_limits", ())),
    )


def _done(job: Job, event: JobEvent) -> Job:
    return _with_step(job, event.step, state=StepState.DONE, ended_at=event.at, note=str(event.data.get("note", "")))


def _skipped(job: Job, event: JobEvent) -> Job:
    reason = str(event.data.get("reason", ""))
    return _with_step(job, event.step, state=StepState.SKIPPED, ended_at=event.at, note=reason, advice="")


def _stopped(state: StepState) -> Callable[[Job, JobEvent], Job]:
    def rule(job: Job, event: JobEvent) -> Job:
        note, advice = str(event.data.get("message", "")), str(event.data.get("advice", ""))
        job = _with_step(job, event.step, state=state, note=note, advice=advice, ended_at=event.at)
        return replace(job, note=note, advice=advice)

    return rule


def _reopened(job: Job, event: JobEvent) -> Job:
    first = STEPS.index(event.step) if event.step is not None else len(STEPS)
    steps = [step if index < first else Step(kind=step.kind) for index, step in enumerate(job.steps)]
    return replace(job, steps=tuple(steps), note="", advice="")


def _paused(job: Job, event: JobEvent) -> Job:
    reason = str(event.data.get("reason", ""))
    running = next((step for step in job.steps if step.state is StepState.RUNNING), None)
    if running is not None:
        job = _with_step(job, running.kind, state=StepState.READY, note=reason)
    return replace(job, state=JobState.PAUSED, note=reason, advice="")


def _state(state: JobState) -> Callable[[Job, JobEvent], Job]:
    def rule(job: Job, event: JobEvent) -> Job:
        return replace(job, state=state, note=str(event.data.get("reason", "")), advice="")

    return rule


def _undo_started(job: Job, _event: JobEvent) -> Job:
    steps = tuple(
        replace(step, state=StepState.READY) if step.state is StepState.RUNNING else step for step in job.steps
    )
    return replace(job, state=JobState.UNDOING, steps=steps, undo_proofs=(), note="", advice="")


def _undo_ended(state: JobState) -> Callable[[Job, JobEvent], Job]:
    def rule(job: Job, event: JobEvent) -> Job:
        data = event.data
        limits = tuple(decode(UndoLimit, item) for item in data["limits"]) if "limits" in data else job.undo_limits
        note, advice = str(data.get("message", "")), str(data.get("advice", ""))
        return replace(job, state=state, undo_limits=limits, note=note, advice=advice)

    return rule


_RULES: Mapping[EventKind, Callable[[Job, JobEvent], Job]] = {
    EventKind.CREATED: lambda job, _event: job,
    EventKind.STARTED: _started,
    EventKind.INTENT: _intent,
    EventKind.WROTE: _wrote,
    EventKind.EVIDENCE: _evidence,
    EventKind.FINDING: _finding,
    EventKind.INPUT: _input,
    EventKind.DONE: _done,
    EventKind.SKIPPED: _skipped,
    EventKind.FAILED: _stopped(StepState.FAILED),
    EventKind.NEEDS_INPUT: _stopped(StepState.NEEDS_INPUT),
    EventKind.REOPENED: _reopened,
    EventKind.PLANNED: _planned,
    EventKind.PAUSED: _paused,
    EventKind.RESUMED: _state(JobState.ACTIVE),
    EventKind.UNDO_STARTED: _undo_started,
    EventKind.UNDO_FAILED: _undo_ended(JobState.UNDOING),
    EventKind.UNDO_DONE: _undo_ended(JobState.UNDONE),
    EventKind.ABANDONED: _state(JobState.ABANDONED),
    EventKind.FINISHED: _state(JobState.DONE),
}
