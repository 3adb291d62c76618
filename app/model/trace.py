"""A trace: what was heard and said at an endpoint, with everything beside the frames that a later reader needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from app.model.finding import Finding
from app.model.frame import Frame, Handshake, Knock
from app.model.observation import (
    AdapterGone,
    Ended,
    Replaced,
    Returned,
    SelfTested,
    SettingsSeen,
    SignalSeen,
    TlsFailed,
    Unanswered,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanStep:
    """What a person was asked, or did: a job's question, an acceptance prompt, and what came of it."""

    source: str
    """Who asked: ``job 3f2a``, ``acceptance commissioning``."""
    title: str
    text: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStart:
    """The program that recorded from here on. ``clock`` is its local time with offset, ``zone`` the zone's name."""

    program: str
    adapter: str = ""
    clock: str = ""
    zone: str = ""


Evidence = (
    Handshake
    | Knock
    | TlsFailed
    | Ended
    | Replaced
    | Returned
    | Unanswered
    | SettingsSeen
    | SignalSeen
    | SelfTested
    | AdapterGone
    | Finding
    | HumanStep
    | ProgramStart
)
"""What is kept beside the frames. What the frames themselves tell (boots, drift, answers) is derived, not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One piece of evidence, when it came, and the connection it belongs to (0 = none)."""

    at: datetime
    evidence: Evidence
    identity: str = ""
    connection: int = 0


Entry = Frame | Record
"""One item of a trace, in the order of time."""


class TraceFormat(Enum):
    """What kind of file a trace came from, or is to become."""

    REHOME = "rehome-trace"
    OPEN = "ocpp-trace"
    LOG = "log"
    PCAPNG = "pcapng"


class Seal(Enum):
    """How the hash chain of a trace stands."""

    WHOLE = "whole"
    CUT = "cut"
    """Healthy as far as it goes, but its end is missing."""
    BROKEN = "broken"
    NONE = "none"
    """The format has no hash chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with a line of the file. Lines count from 1."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceInfo:
    """What a trace file is, and how well it was understood."""

    name: str
    format: TraceFormat
    dialect: str
    """The format in words: ``Rehome trace 1``, ``SteVe log``."""
    program: str = ""
    adapter: str = ""
    clock: str = ""
    frames: int = 0
    records: Mapping[str, int] = field(default_factory=dict)
    """Evidence beside the frames, by kind."""
    identities: tuple[str, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    seal: Seal = Seal.NONE
    hash: str = ""
    """The last link of the chain: names this very content."""
    lines: int = 0
    unread: int = 0
    """Lines that were not understood."""
    flaws: tuple[Flaw, ...] = ()
    """The first of them, and breaks of the chain."""
    flaw_count: int = 0
    cut: str = ""
    """Why the end is missing; empty = it is there, as far as the format can tell."""

    @property
    def is_sound(self) -> bool:
        """Say whether the file is whole and nothing in it was changed, as far as its format can tell."""
        return self.seal in (Seal.WHOLE, Seal.NONE) and not self.cut
