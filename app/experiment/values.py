"""What an experiment shows of itself while it runs and when it is over. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from app.model.experiment import EXPERIMENTS, Experiment, Outcome
from app.model.finding import Finding


class State(Enum):
    """How far a round is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One setting that is tried. ``mark`` is what was seen as the judges know it, ``seen`` the same in words."""

    setting: str
    state: State = State.WAITING
    mark: str = ""
    seen: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What was measured: seconds in an experiment's own time, counts."""


class Verdict(NamedTuple):
    """What follows from the rounds: the ``sign`` of an outcome, or none and ``why`` nothing follows."""

    sign: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom an experiment is about: an identity, an address without port, or both; ``url`` of a backend."""

    identity: str = ""
    host: str = ""
    url: str = ""

    @property
    def title(self) -> str:
        """Return what to call it."""
        return self.identity or self.host or self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An experiment in progress or over. ``sign`` is empty where nothing follows; ``why`` then says why."""

    experiment_id: str
    subject: Subject
    rounds: tuple[Round, ...]
    started_at: datetime
    ended_at: datetime | None = None
    sign: str = ""
    why: str = ""
    finding: Finding | None = None

    @property
    def experiment(self) -> Experiment:
        """Return which one it is."""
        return EXPERIMENTS[self.experiment_id]

    @property
    def outcome(self) -> Outcome | None:
        """Return how it ended; ``None`` while it runs and where nothing follows."""
        return self.experiment.outcome(self.sign) if self.sign else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where an experiment stands. ``until`` is when the present wait is over at the latest."""

    result: Result
    step: str = ""
    until: datetime | None = None
    is_over: bool = False

    def left_s(self, now: datetime) -> float:
        """Return how long the present wait may still take, seconds."""
        return max(0.0, (self.until - now).total_seconds()) if self.until is not None else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """How long a second of an experiment is: one second, except where simulated units live faster.

    ``least_s`` keeps waits from shrinking below what a busy computer needs to answer at all.
    """

    pace: float = 1.0
    least_s: float = 0.0

    def real(self, seconds: float) -> float:
        """Return the real time of a wait that ends as soon as something happens."""
        return max(seconds * self.pace, self.least_s)

    def exactly(self, seconds: float) -> float:
        """Return the real time of a wait or rhythm that is what is measured."""
        return seconds * self.pace

    def told(self, real_s: float) -> float:
        """Return a measured time in the experiment's own seconds."""
        return real_s / self.pace


AS_IT_IS = Tempo()
