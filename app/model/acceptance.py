"""An acceptance test of a charger, as values: what was asked, what was seen, and what that proves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from app.model.frame import Frame

MAX_WORDS = 300
"""Characters kept of a sentence's halves: what was seen comes from the charger."""


class Verdict(Enum):
    """What a case says about the unit."""

    PASS = "PASS"
    PARTIAL = "PARTIAL"
    """It does what matters, but not all that the standard or good practice asks."""
    FAIL = "FAIL"
    NOT_APPLICABLE = "NOT APPLICABLE"
    """The unit does not claim to offer this; nothing was sent."""
    NOT_ASKED = "NOT ASKED"
    """It could not be tried: nobody was there, the unit was away, the run was stopped."""


class Answer(Enum):
    """What a person says to a prompt; ``NONE``: the countdown ended without a word."""

    DONE = "done"
    SKIP = "skip"
    CANNOT = "cannot"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One sentence of a judgement, with the frames that prove it.

    ``text`` says what is expected, ``seen`` what was there; ``is_must`` false = unmet it makes PARTIAL, not FAIL.
    """

    text: str
    is_met: bool
    is_must: bool = True
    seen: str = ""
    seqs: tuple[int, ...] = ()
    is_of_engine: bool = False
    """It tells how the case was cut short; no judge can find that again."""

    @property
    def sentence(self) -> str:
        """Return expectation and observation in one line."""
        return f"{self.text} — {self.seen}" if self.seen else self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment that is no frame: what we did to the connection, what a person said, how a connection ended.

    ``seq`` is that of the last frame captured before it.
    """

    name: str
    at: datetime
    text: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Something a person has to do now. ``kind`` names it for programs, ``until`` ends the countdown (UTC)."""

    number: int
    kind: str
    title: str
    text: str
    until: datetime
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case. ``frames`` and ``marks`` are all that was captured, so that it can be judged again."""

    case_id: str
    title: str
    clause: str
    verdict: Verdict
    reason: str = ""
    """Why it is NOT APPLICABLE or NOT ASKED."""
    checks: tuple[Check, ...] = ()
    started_at: datetime
    ended_at: datetime
    frames: tuple[Frame, ...] = ()
    marks: tuple[Mark, ...] = ()
    unrestored: tuple[str, ...] = ()
    """What could not be put back as it was, in words."""
    pace: float = 1.0
    """Real seconds per second of the case; less than one only where simulated units run faster."""

    @property
    def evidence(self) -> tuple[int, ...]:
        """Return the sequence numbers of all frames that prove something, in order."""
        return tuple(sorted({seq for check in self.checks for seq in check.seqs}))

    @property
    def took_s(self) -> float:
        """Return how long it took."""
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One suite on one unit, finished or as far as it came."""

    id: str
    identity: str
    suite: str
    suite_title: str
    version: str
    started_at: datetime
    ended_at: datetime | None = None
    unit: Mapping[str, str] = field(default_factory=dict)
    """Vendor, model, serial and firmware as its BootNotification said."""
    results: tuple[CaseResult, ...] = ()
    stopped: str = ""
    """Why it ended early."""
    program: str = ""
    """Version of the program that asked."""

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict: FAIL, PARTIAL, NOT ASKED, else PASS."""
        found = {result.verdict for result in self.results}
        if self.stopped or not found:
            found.add(Verdict.NOT_ASKED)
        worst_first = (Verdict.FAIL, Verdict.PARTIAL, Verdict.NOT_ASKED, Verdict.PASS)
        return next((verdict for verdict in worst_first if verdict in found), Verdict.NOT_APPLICABLE)

    def count(self, verdict: Verdict) -> int:
        """Count the cases with that verdict."""
        return sum(result.verdict is verdict for result in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run stands: the newest of these tells everything."""

    run: RunResult
    planned: tuple[str, ...]
    """Case ids in order."""
    current: str = ""
    """The case that runs, empty between cases."""
    step: str = ""
    """What is going on, in words."""
    prompt: Prompt | None = None
    is_over: bool = False


def must(text: str, is_met: bool, seen: str = "", *seqs: int) -> Check:
    """State what the standard demands."""
    return Check(text=text[:MAX_WORDS], is_met=bool(is_met), seen=seen[:MAX_WORDS], seqs=tuple(sorted({*seqs} - {0})))


def should(text: str, is_met: bool, seen: str = "", *seqs: int) -> Check:
    """State what the standard recommends, or what a good unit does."""
    return Check(
        text=text[:MAX_WORDS],
        is_met=bool(is_met),
        is_must=False,
        seen=seen[:MAX_WORDS],
        seqs=tuple(sorted({*seqs} - {0})),
    )


def verdict_of(checks: Iterable[Check]) -> Verdict:
    """Return FAIL where a must is unmet, PARTIAL where a should is, NOT ASKED where nothing was checked."""
    found = tuple(checks)
    if not found:
        return Verdict.NOT_ASKED
    if any(not check.is_met and check.is_must for check in found):
        return Verdict.FAIL
    return Verdict.PASS if all(check.is_met for check in found) else Verdict.PARTIAL
