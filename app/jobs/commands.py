"""What can be asked of a job. Values only; ``machine.decide`` says whether it is lawful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.model.backend import Backend
from app.model.finding import Finding
from app.model.job import Door, ShownChange, StepKind, Strength, UndoLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin the current step (also again, after a failure or a pause)."""

    step: StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Record evidence of the running step, or facts alone (no text). ``step=None`` = evidence of the undo."""

    step: StepKind | None
    text: str = ""
    detail: str = ""
    strength: Strength = Strength.PROVED
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Record a finding of the running step."""

    step: StepKind
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Record what will be written; only while PLAN runs."""

    changes: Sequence[ShownChange]
    restarts: int
    doors: Sequence[Door] = ()
    undo_limits: Sequence[UndoLimit] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intend:
    """Say what is about to be written. ``step=None`` = the undo writes."""

    step: StepKind | None
    change: ShownChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrote:
    """Say what became of the intended write. ``read_back`` is masked where it is a secret."""

    step: StepKind | None
    key: str
    is_accepted: bool
    read_back: str | None = None
    needs_restart: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """End the running step well."""

    step: StepKind
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """End the running step badly; it can be started again."""

    step: StepKind
    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedInput:
    """Stop the running step until a person has done something."""

    step: StepKind
    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Leave a step out, with the reason."""

    step: StepKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """Reopen a step and all after it."""

    step: StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """Name the real backend (its secret goes to the vault, not here)."""

    backend: Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Accept one-way doors."""

    doors: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Stop working on it for now."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Work on it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartUndo:
    """Begin (or begin again) to put back what was there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailUndo:
    """The way back could not be finished; it can be started again."""

    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishUndo:
    """Everything that can be put back is back."""

    limits: Sequence[UndoLimit] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Abandon:
    """Give the job up where it stands."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Close a job all of whose steps are over."""


Command = (
    Start
    | Note
    | Report
    | Plan
    | Intend
    | Wrote
    | Complete
    | Fail
    | NeedInput
    | Skip
    | Back
    | Choose
    | Acknowledge
    | Pause
    | Resume
    | StartUndo
    | FailUndo
    | FinishUndo
    | Abandon
    | Finish
)
