"""What a charger's triage tells: the verdict, what it rests on, what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.model.backend import Backend
from app.model.profile import Evidence, Grade, OneWayDoor, Verdict
from app.model.unit import Unit


class Answering(Enum):
    """Whether a charger's present backend answers, as asked from this computer."""

    UNASKED = "unasked"
    YES = "yes"
    """It takes WebSocket handshakes: it may still be in service."""
    REFUSES = "refuses"
    """Something answers there, but takes no charger."""
    NO = "no"
    """Its name is gone, or nothing answers although this computer has internet."""
    CANT_TELL = "can't tell"
    """Nothing answers, and neither does anything else: this computer is offline."""


class Hand(Enum):
    """Who does it."""

    REHOME = "rehome"
    PERSON = "person"
    """A person, in the vendor's app, portal or page."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One reason for a verdict, with how well it is founded. ``seen``: observed on this very charger."""

    text: str
    grade: Grade
    source: str = ""
    is_seen: bool = False

    @classmethod
    def of(cls, text: str, evidence: Evidence) -> Ground:
        """Make a ground from a fact of a profile."""
        return cls(text=text, grade=evidence.grade, source=evidence.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareCheck:
    """A firmware limit of the family, and whether this charger is within it (``None`` = not known)."""

    text: str
    is_met: bool | None
    ground: Ground
    update: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A way that is left: what it is, when it works and fails, what can go wrong."""

    way: str
    title: str
    works_when: str
    fails_when: str
    risk: str
    ground: Ground
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of one charger when it is judged.

    ``wanted`` is the new backend, if one is chosen. ``present`` is what it dials now, as far as it or its dump told.
    ``is_locked``: it asked for a login that nobody has given. ``is_charging``: a session runs. ``offers`` are names of
    capabilities it proved; ``None`` = it was not opened. ``codes`` are findings that stand against it.
    """

    unit: Unit
    wanted: Backend | None = None
    present: Backend | None = None
    answering: Answering = Answering.UNASKED
    is_locked: bool = False
    is_charging: bool = False
    is_dialled_in: bool = False
    offers: frozenset[str] | None = None
    codes: frozenset[str] = frozenset()
    trouble: str = ""
    """Why it could not be asked."""
    told: tuple[Ground, ...] = ()
    """What its records of earlier days tell, such as the security profile of a configuration read once."""
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one charger. ``grade`` is that of the weakest ground the verdict rests on."""

    unit: Unit
    family: str
    verdict: Verdict
    headline: str
    hand: Hand
    grounds: tuple[Ground, ...]
    first: tuple[str, ...] = ()
    """What must be done before, in order; with the verdict ``after`` at least one."""
    needs: tuple[str, ...] = ()
    minutes: int | None = None
    visits: int | None = None
    is_time_assumed: bool = False
    """Not even planned for the family: counted from its restarts and redials."""
    doors: tuple[OneWayDoor, ...] = ()
    firmware: tuple[FirmwareCheck, ...] = ()
    options: tuple[Option, ...] = ()
    unknowns: tuple[str, ...] = ()
    present: Backend | None = None
    answering: Answering = Answering.UNASKED
    judged_at: datetime | None = None
    links: tuple[str, ...] = ()
    """Interfaces over which it was reached."""
    is_done: bool = False
    """It dials the new backend already."""
    wanted: Backend | None = None
    """The new backend it was judged for, without the secret."""
    is_asked: bool = False
    """Whether it was asked, as far as it was in reach; otherwise judged on what was known of it."""
    is_missing: bool = False
    """The site's list names it, but nobody has seen it."""

    @property
    def grade(self) -> Grade:
        """Return the grade of the weakest ground."""
        order = [Grade.PROVED, Grade.SOURCE, Grade.REPORTED, Grade.UNVERIFIED]
        return max((ground.grade for ground in self.grounds), key=order.index, default=Grade.UNVERIFIED)
