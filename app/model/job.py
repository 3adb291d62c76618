"""One visit to one unit, as events. The Job is a fold of them; nothing else is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from app.model.backend import Backend
from app.model.finding import Finding


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
    NEEDS_INPUT = "step-needs-input"
    REOPENED = "step-reopened"
    PLANNED = "planned"
    UNDO_FAILED = "undo-failed"


class Target(Enum):
    """What a write is for: our own endpoint (the rehearsal), the real backend, or the way back."""

    ENDPOINT = "endpoint"
    BACKEND = "backend"
    UNDO = "undo"


class Strength(Enum):
    """How far a proof reaches."""

    PROVED = "proved"
    """We saw it ourselves."""
    CLAIMED = "claimed"
    """The charger says so."""
    OPEN = "open"
    """Not proved; said so that nobody believes it was."""


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
    strength: Strength = Strength.PROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A one-way door on this job's way: it must be acknowledged before anything is written."""

    id: str
    text: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """One planned write as it may be shown and stored: the exact strings, secrets masked."""

    key: str
    before: str
    after: str
    target: Target
    is_secret: bool = False
    needs_restart: bool = False
    is_one_way: bool = False
    order: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write as far as it is known. Between ``intended_at`` and ``ended_at`` the unit may hold either value."""

    key: str
    before: str
    after: str
    target: Target
    intended_at: datetime
    is_secret: bool = False
    order: int = 0
    ended_at: datetime | None = None
    is_accepted: bool | None = None
    read_back: str | None = None
    needs_restart: bool = False
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Say whether nobody knows if the unit took it."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoLimit:
    """Something undo can't bring back, and why."""

    key: str
    reason: str


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
    findings: tuple[Finding, ...] = ()

    @property
    def is_over(self) -> bool:
        """Say whether the job may go on to the next step."""
        return self.state in (StepState.DONE, StepState.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One visit to one unit, folded from its events (``app.jobs.machine.fold``). Holds no secret.

    ``plan`` lists the planned writes for both targets in write order. ``facts`` are what the steps found out:
    ``identity``, ``backup``, ``arrival``, ``session`` … as JSON. ``note`` and ``advice`` say why the job stands.
    """

    id: str
    unit_id: str
    unit_title: str
    profile_id: str
    version: str
    state: JobState
    steps: tuple[Step, ...]
    created_at: datetime
    updated_at: datetime
    seq: int
    """Number of the last event."""
    backend: Backend | None = None
    """The chosen real backend, without its secret."""
    has_secret: bool = False
    """Whether the chosen backend has a password (it lies in the vault)."""
    backend_before: Backend | None = None
    plan: tuple[ShownChange, ...] = ()
    restarts: int = 0
    doors: tuple[Door, ...] = ()
    acknowledged: frozenset[str] = frozenset()
    writes: tuple[Write, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    undo_limits: tuple[UndoLimit, ...] = ()
    undo_proofs: tuple[Proof, ...] = ()
    note: str = ""
    advice: str = ""

    def step(self, kind: StepKind) -> Step:
        """Return that step."""
        return self.steps[STEPS.index(kind)]

    @property
    def current(self) -> StepKind | None:
        """Return the first step that is neither done nor skipped; ``None`` at the end."""
        return next((step.kind for step in self.steps if not step.is_over), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """List the findings of all steps."""
        return tuple(finding for step in self.steps for finding in step.findings)

    @property
    def is_final(self) -> bool:
        """Say whether nothing can be done with it any more, except undo of a finished one."""
        return self.state in (JobState.DONE, JobState.UNDONE, JobState.ABANDONED)

    @property
    def has_backup(self) -> bool:
        """Say whether a valid backup was stored."""
        return self.step(StepKind.BACK_UP).state is StepState.DONE

    @property
    def has_written(self) -> bool:
        """Say whether the unit may have been changed."""
        return bool(self.writes)

    @property
    def can_undo(self) -> bool:
        """Say whether undo has something to do."""
        return self.has_written and self.has_backup and self.state not in (JobState.UNDONE, JobState.ABANDONED)

    @property
    def open_doors(self) -> tuple[Door, ...]:
        """List the one-way doors nobody has acknowledged yet."""
        return tuple(door for door in self.doors if door.id not in self.acknowledged)

    @property
    def done_count(self) -> int:
        """Count the steps that are over."""
        return sum(step.is_over for step in self.steps)

    def changes(self, target: Target) -> tuple[ShownChange, ...]:
        """List the planned writes for one target, in write order."""
        return tuple(change for change in self.plan if change.target is target)


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
