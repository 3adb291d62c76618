"""Rescued sessions as rows, and the state of a charger's queue in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ui.i18n import worded
from ui.models.listing import Field
from ui.models.plain import moment_text, visible

STATES = {
    "complete": "Whole",
    "open": "Never ended",
    "without start": "Without its start",
    "samples only": "Readings only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One session, its card as a pseudonym. Energy in Wh."""

    number: int
    transaction: str
    card: str
    connector: int
    began: datetime | None
    ended: datetime | None
    energy_wh: float | None
    state: str
    is_kept: bool
    has_believable_times: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How a charger's queue stands. ``quiet_s``: since the last kept message, or since it connected."""

    is_connected: bool
    messages: int = 0
    quiet_s: float = 0.0
    needed_s: float = 0.0
    stuck: str = ""

    @property
    def is_dry(self) -> bool:
        """Say whether nothing old came for long enough."""
        return self.is_connected and not self.stuck and self.quiet_s >= self.needed_s


def lines(rows: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Read the rows of a ledger, the newest heard first."""
    found = [
        Line(
            number=number,
            transaction=str(row["transaction"]),
            card=str(row["card"]),
            connector=int(row["connector"]),
            began=_time(row["started_at"]),
            ended=_time(row["stopped_at"]),
            energy_wh=row["energy_wh"],
            state=str(row["state"]),
            is_kept=bool(row["is_replayed"]),
            has_believable_times=bool(row["has_believable_times"]),
        )
        for number, row in enumerate(rows)
    ]
    return found[::-1]


def state_words(queue: Queue) -> tuple[str, str]:
    """Say how a queue stands, with a tone."""
    if not queue.is_connected:
        return worded("Not connected: when it dials again, its queue goes on here."), "text2"
    if queue.stuck:
        text = "It sends {what} again and again although it is answered. Restart it; if that does not help, lower the "
        return worded(text + "number of its attempts under Settings.", what=visible(queue.stuck, 80)), "fault"
    if queue.is_dry:
        return worded("Its queue is empty: it can be moved without losing anything."), "good"
    left = f"{max(1.0, queue.needed_s - queue.quiet_s):.0f}"
    if queue.messages:
        text = "Kept messages taken: {count}. Empty in {left} s if nothing old comes any more."
        return worded(text, count=str(queue.messages), left=left), "working"
    return worded("Waiting whether it has something to tell: {left} s.", left=left), "working"


def energy_text(energy_wh: float | None) -> str:
    """Write an energy."""
    return f"{energy_wh / 1000:.3f} kWh" if energy_wh is not None else "–"


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _times_tone(line: Line) -> str:
    return "" if line.has_believable_times else "attention"


LINE_FIELDS: tuple[Field[Line], ...] = (
    Field("Began", lambda line: moment_text(line.began), 23, _times_tone),
    Field("Ended", lambda line: moment_text(line.ended), 23, _times_tone),
    Field("Energy", lambda line: energy_text(line.energy_wh), 12),
    Field("Card", lambda line: visible(line.card, 40), 20, lambda _: "text2", is_mono=True, help="A pseudonym"),
    Field("Place", lambda line: f"{line.connector}", 7),
    Field(
        "Told",
        lambda line: worded(STATES.get(line.state, line.state)),
        16,
        lambda line: "" if line.state == "complete" else "attention",
    ),
    Field("Kept", lambda line: worded("yes") if line.is_kept else "–", 7, help="For a backend that was not there"),
    Field("Session", lambda line: visible(line.transaction, 40), 12, is_mono=True),
)
