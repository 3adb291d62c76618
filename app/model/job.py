"""One visit to one unit, as events. The Job is a fold of them; nothing else is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any


class StepKind(Enum):
    """The steps of the guided job, in order."""

    IDENTIFY = "identify"
    BACK_UP = "back-up"
    CHOOSE = "choose"
    PLAN = "plan"
    APPLY = "apply"
    RESTART = "restart"
    PROVE = "prove"
    SWITCH = "switch"
    SESSION = "session"
    HAND_OVER = "hand-over"


STEPS = tuple(StepKind)


class StepState(Enum):
    """Where a step stands."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    NEEDS_INPUT = "needs-input"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class JobState(Enum):
    """Where a job stands. ``PAUSED`` = nobody works on it, it can be resumed."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    ABANDONED = "abandoned"


class EventKind(Enum):
    """What a job event records. ``INTENT`` stands on disk before the unit is touched."""

    CREATED = "created"
    STARTED = "step-started"
    INTENT = "intent"
    WROTE = "wrote"
    EVIDENCE = "evidence"
    FINDING = "finding"
    INPUT = "input"
    DONE = "step-done"
    SKIPPED = "step-skipped"
    FAILED = "step-failed"
    PAUSED = "paused"
    RESUMED = "resumed"
    UNDO_STARTED = "undo-started"
    UNDO_DONE = "undo-done"
    ABANDONED = "abandoned"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One line of a job's history. ``data`` is JSON (no secrets); ``seq`` counts from 1 within the job."""

    job_id: str
    seq: int
    at: datetime
    kind: EventKind
    step: StepKind | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Evidence of a step, as a person reads it: what was seen, when, and the redacted text that shows it."""

    text: str
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step as folded from the events."""

    kind: StepKind
    state: StepState = StepState.WAITING
    proofs: tuple[Proof, ...] = ()
    note: str = ""
    """Why it was skipped, failed or waits."""
    advice: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a running step is doing right now (never stored). Deadline and amber time drive the countdown."""

    job_id: str
    step: StepKind
    text: str
    done: int = 0
    total: int = 0
    started_at: datetime | None = None
    expected_s: float | None = None
    patience_s: float | None = None
