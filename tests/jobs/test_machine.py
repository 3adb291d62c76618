"""The pure machine: whatever is asked in whatever order, the three rules hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import JobError
from app.jobs import commands
from app.jobs.machine import applied, create, created, decide, fold
from app.model.backend import Backend
from app.model.finding import Finding, Severity
from app.model.job import (
    STEPS,
    Door,
    EventKind,
    Job,
    JobEvent,
    JobState,
    ShownChange,
    StepKind,
    StepState,
    Target,
    UndoLimit,
)
from app.model.secret import Secret

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BACKEND = Backend(url="ws://new.example/ocpp", identity="CP1", secret=Secret("s3cret-word"))
STEP = st.sampled_from(STEPS)
TARGETS = st.sampled_from(list(Target))


def change(target: Target, key: str = "url") -> ShownChange:
    return ShownChange(key=key, before="ws://old.example", after="ws://new.example", target=target)


COMMANDS: st.SearchStrategy[Any] = st.one_of(
    st.builds(commands.Start, step=STEP),
    st.builds(commands.Note, step=st.none() | STEP, text=st.sampled_from(["", "seen"])),
    st.builds(commands.Report, step=STEP, finding=st.just(Finding(code="NOT-APPLIED", severity=Severity.FAULT))),
    st.builds(
        commands.Plan,
        changes=st.just((change(Target.ENDPOINT), change(Target.BACKEND))),
        restarts=st.integers(0, 2),
        doors=st.just(()) | st.just((Door(id="d1", text="no way back"),)),
        undo_limits=st.just((UndoLimit(key="pass", reason="write-only"),)),
    ),
    st.builds(commands.Intend, step=st.none() | STEP, change=st.builds(change, TARGETS)),
    st.builds(commands.Wrote, step=st.none() | STEP, key=st.just("url"), is_accepted=st.booleans()),
    st.builds(commands.Complete, step=STEP),
    st.builds(commands.Fail, step=STEP, message=st.just("m"), advice=st.just("a")),
    st.builds(commands.NeedInput, step=STEP, message=st.just("m"), advice=st.just("a")),
    st.builds(commands.Skip, step=STEP, reason=st.sampled_from(["", "can't"])),
    st.builds(commands.Back, step=STEP),
    st.just(commands.Choose(backend=BACKEND)),
    st.builds(commands.Acknowledge, doors=st.sampled_from([(), ("d1",), ("nope",)])),
    st.just(commands.Pause(reason="later")),
    st.just(commands.Resume()),
    st.just(commands.StartUndo()),
    st.just(commands.FailUndo(message="m", advice="a")),
    st.just(commands.FinishUndo(limits=())),
    st.just(commands.Abandon(reason="enough")),
    st.just(commands.Finish()),
)


REFUSALS: list[JobError] = []


def new() -> JobEvent:
    return create(job_id="j", at=NOW, unit_id="u", unit_title="Unit", profile_id="p", version="1")


def play(asked: list[Any]) -> list[JobEvent]:
    """Ask everything; what is refused leaves no trace."""
    events = [new()]
    job = created(events[0])
    for number, command in enumerate(asked):
        try:
            event = decide(job, command, NOW + timedelta(seconds=number))
        except JobError as refusal:
            REFUSALS.append(refusal)
            continue
        job = applied(job, event)
        events.append(event)
    return events


def walk(job: Job, stop: StepKind, *, doors: tuple[Door, ...] = ()) -> Job:
    """Take a job lawfully up to (not into) a step."""

    def do(command: Any) -> None:
        nonlocal job
        job = applied(job, decide(job, command, NOW))

    while job.current is not None and job.current is not stop:
        step = job.current
        if step is StepKind.CHOOSE:
            do(commands.Choose(backend=BACKEND))
        do(commands.Start(step=step))
        if step is StepKind.PLAN:
            do(commands.Plan(changes=(change(Target.ENDPOINT),), restarts=0, doors=doors))
        if step in (StepKind.APPLY, StepKind.SWITCH):
            do(commands.Intend(step=step, change=change(Target.ENDPOINT if step is StepKind.APPLY else Target.BACKEND)))
            do(commands.Wrote(step=step, key="url", is_accepted=True, read_back="ws://new.example"))
        do(commands.Note(step=step, text="seen"))
        do(commands.Complete(step=step))
    return job


def check_rules(events: list[JobEvent]) -> None:
    backup_done = False
    for index, event in enumerate(events):
        job = fold(events[: index + 1])
        if event.kind is EventKind.DONE and event.step is StepKind.BACK_UP:
            backup_done = True
        if event.kind is EventKind.REOPENED and STEPS.index(event.step or STEPS[0]) <= 1:
            backup_done = False
            assert not job.has_written
        if event.kind is EventKind.INTENT:
            assert backup_done
        for step in job.steps:
            if step.state is StepState.DONE:
                assert any(proof.text for proof in step.proofs)
        open_steps = [step.kind for step in job.steps if not step.is_over]
        assert job.current is (open_steps[0] if open_steps else None)
        busy = [step for step in job.steps if step.state in (StepState.RUNNING, StepState.READY)]
        assert len(busy) <= 1
        assert all(step.kind is job.current for step in busy)
        if job.state is JobState.DONE:
            assert job.current is None
        assert job.seq == event.seq == index + 1


@settings(max_examples=300, deadline=None)
@given(asked=st.lists(COMMANDS, max_size=60))
def test_any_sequence_of_commands_keeps_the_rules(asked: list[Any]) -> None:
    REFUSALS.clear()
    check_rules(play(asked))
    assert all(refusal.message and refusal.advice for refusal in REFUSALS)


@settings(max_examples=200, deadline=None)
@given(stop=STEP, asked=st.lists(COMMANDS, max_size=30))
def test_any_sequence_from_the_middle_of_a_job_keeps_the_rules(stop: StepKind, asked: list[Any]) -> None:
    job = walk(created(new()), stop)
    for number, command in enumerate(asked):
        try:
            event = decide(job, command, NOW + timedelta(seconds=number))
        except JobError:
            continue
        if event.kind is EventKind.INTENT:
            assert job.has_backup
            assert event.step is None or not job.open_doors
        if event.kind is EventKind.DONE:
            assert job.step(event.step or STEPS[0]).proofs
        job = applied(job, event)


def test_a_lawful_walk_ends_done() -> None:
    job = walk(created(new()), None)  # type: ignore[arg-type]
    job = applied(job, decide(job, commands.Finish(), NOW))
    assert job.state is JobState.DONE
    assert job.done_count == len(STEPS)
    assert [write.target for write in job.writes] == [Target.ENDPOINT, Target.BACKEND]


def test_the_chosen_password_stands_in_no_event() -> None:
    job = walk(created(new()), StepKind.CHOOSE)
    event = decide(job, commands.Choose(backend=BACKEND), NOW)
    assert "s3cret-word" not in repr(event)
    job = applied(job, event)
    assert job.has_secret
    assert job.backend is not None
    assert not job.backend.secret


def test_nothing_is_written_without_a_backup() -> None:
    job = created(new())
    job = walk(job, StepKind.BACK_UP)
    job = applied(job, decide(job, commands.Skip(step=StepKind.BACK_UP, reason="it shows nothing"), NOW))
    job = walk(job, StepKind.APPLY)
    job = applied(job, decide(job, commands.Start(step=StepKind.APPLY), NOW))
    with pytest.raises(JobError, match="backup"):
        decide(job, commands.Intend(step=StepKind.APPLY, change=change(Target.ENDPOINT)), NOW)


def test_a_one_way_door_stops_every_write_until_it_is_acknowledged() -> None:
    job = walk(created(new()), StepKind.APPLY, doors=(Door(id="d1", text="no way back"),))
    job = applied(job, decide(job, commands.Start(step=StepKind.APPLY), NOW))
    intend = commands.Intend(step=StepKind.APPLY, change=change(Target.ENDPOINT))
    with pytest.raises(JobError, match="one-way"):
        decide(job, intend, NOW)
    job = applied(job, decide(job, commands.Acknowledge(doors=["d1"]), NOW))
    assert decide(job, intend, NOW).kind is EventKind.INTENT


def test_the_backup_is_not_taken_again_once_something_was_written() -> None:
    job = walk(created(new()), StepKind.PROVE)
    with pytest.raises(JobError, match="backup"):
        decide(job, commands.Back(step=StepKind.IDENTIFY), NOW)
    job = applied(job, decide(job, commands.Back(step=StepKind.CHOOSE), NOW))
    assert job.current is StepKind.CHOOSE
    assert job.has_backup
    assert job.step(StepKind.APPLY).state is StepState.WAITING


def test_running_a_step_again_forgets_its_old_evidence_and_findings() -> None:
    job = walk(created(new()), StepKind.PROVE)
    for command in (
        commands.Start(step=StepKind.PROVE),
        commands.Note(step=StepKind.PROVE, text="old"),
        commands.Report(step=StepKind.PROVE, finding=Finding(code="NOT-APPLIED", severity=Severity.FAULT)),
        commands.Fail(step=StepKind.PROVE, message="gone", advice="wait"),
        commands.Start(step=StepKind.PROVE),
    ):
        job = applied(job, decide(job, command, NOW))
    assert job.step(StepKind.PROVE).proofs == ()
    assert job.findings == ()


def test_a_write_cut_off_in_the_middle_stays_open_in_the_history() -> None:
    job = walk(created(new()), StepKind.APPLY)
    for command in (
        commands.Start(step=StepKind.APPLY),
        commands.Intend(step=StepKind.APPLY, change=change(Target.ENDPOINT)),
        commands.Fail(step=StepKind.APPLY, message="unit lost", advice="look for it"),
    ):
        job = applied(job, decide(job, command, NOW))
    assert [write.is_open for write in job.writes] == [True]
    assert job.state is JobState.ACTIVE
    assert job.step(StepKind.APPLY).note == "unit lost"
    assert job.can_undo


@pytest.mark.parametrize("step", [StepKind.IDENTIFY, StepKind.CHOOSE, StepKind.HAND_OVER])
def test_some_steps_cant_be_left_out(step: StepKind) -> None:
    job = walk(created(new()), step)
    with pytest.raises(JobError, match="can't be left out"):
        decide(job, commands.Skip(step=step, reason="no time"), NOW)


def test_a_history_that_does_not_begin_with_its_creation_is_refused() -> None:
    with pytest.raises(ValueError, match="begins"):
        fold([JobEvent(job_id="j", seq=1, at=NOW, kind=EventKind.STARTED, step=StepKind.IDENTIFY)])
    with pytest.raises(ValueError, match="without events"):
        fold([])
