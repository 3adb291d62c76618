"""Frames as rows: pairing of request and answer, one-line summaries, folded noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.model.frame import Direction, Frame, FrameKind
from ui.i18n import worded
from ui.models.frame_filter import KIND_WORDS
from ui.models.frame_words import NO_KEYS, summary
from ui.models.plain import clock_text, latency_text, size_text, visible

NOISE = frozenset({"Heartbeat", "MeterValues"})
"""Actions that repeat by themselves and say little (OCPP 1.6 §4.6, §4.7)."""

PairKey = tuple[str, int, str, bool]


class Row:
    """One frame in the list, with what is only computed once it is painted.

    A counterpart is known by its number (``pair_seq``, 0 = none) and how long the answer took: rows that held each
    other would be freed only by the cyclic collector, whose full runs stall the window.
    """

    __slots__ = ("_keys", "_summary", "asked", "frame", "pair_seq", "took_s")

    def __init__(self, frame: Frame, keys: frozenset[str] = NO_KEYS) -> None:
        self.frame = frame
        self.asked: Frame | None = None
        self.pair_seq = 0
        self.took_s = 0.0
        self._keys = keys
        self._summary: str | None = None

    @property
    def seq(self) -> int:
        """Return the frame's number."""
        return self.frame.seq

    @property
    def last_seq(self) -> int:
        """Return the number of the last frame in it: the same."""
        return self.frame.seq

    @property
    def summary(self) -> str:
        """Say in one line what is in it."""
        if self._summary is None:
            self._summary = summary(self.frame, self.asked, self._keys)
        return self._summary

    @property
    def latency_s(self) -> float | None:
        """Return how long an answer took, ``None`` for a request or where the request is unknown."""
        return self.took_s if self.asked is not None else None

    def join(self, answer: Row) -> None:
        """Take note of the answer to this request, and it of this."""
        self.pair_seq, answer.pair_seq = answer.seq, self.seq
        self.took_s = answer.took_s = (answer.frame.at - self.frame.at).total_seconds()
        answer.asked = self.frame
        answer._summary = None

    @property
    def size(self) -> int:
        """Return the length on the wire in bytes."""
        frame = self.frame
        return len(frame.raw) if frame.raw is not None else len(frame.text.encode("utf-8", "surrogatepass"))


class Fold:
    """Repeated noise of one connection, shown as one line until it is opened."""

    __slots__ = ("is_open", "rows")

    def __init__(self, first: Row) -> None:
        self.rows: list[Row] = [first]
        self.is_open = False

    @property
    def frame(self) -> Frame:
        """Return the first frame."""
        return self.rows[0].frame

    @property
    def seq(self) -> int:
        """Return the first frame's number."""
        return self.rows[0].frame.seq

    @property
    def last_seq(self) -> int:
        """Return the last frame's number."""
        return self.rows[-1].frame.seq

    @property
    def summary(self) -> str:
        """Count what is folded and give the latest values."""
        counts: dict[str, int] = {}
        latest: Row | None = None
        for row in self.rows:
            if row.frame.kind is FrameKind.CALL:
                counts[row.frame.action] = counts.get(row.frame.action, 0) + 1
                latest = row if row.frame.action == "MeterValues" else latest
        words = [f"{count} × {action}" for action, count in counts.items()] or [f"{len(self.rows)} answers"]
        if latest is not None:
            words.append(latest.summary)
        return " · ".join([*words, f"until {clock_text(self.rows[-1].frame.at)[:8]}"])


Entry = Row | Fold


class Pairing:
    """Match answers to requests by connection, id and who asked. Holds rows only as long as the list does."""

    def __init__(self) -> None:
        self._open: dict[PairKey, Row] = {}

    def add(self, row: Row) -> None:
        """Take a row in and join it with its counterpart, whichever came first."""
        frame = row.frame
        if not frame.uid:
            return
        key = _pair_key(frame)
        other = self._open.get(key)
        if other is None or (other.frame.kind is FrameKind.CALL) == (frame.kind is FrameKind.CALL):
            self._open[key] = row
            return
        if frame.kind is FrameKind.CALL:
            row.join(other)
        else:
            other.join(row)

    def remove(self, row: Row) -> None:
        """Forget a row that leaves the list."""
        if row.frame.uid and self._open.get(key := _pair_key(row.frame)) is row:
            del self._open[key]

    def clear(self) -> None:
        """Forget all."""
        self._open.clear()


def _pair_key(frame: Frame) -> PairKey:
    asked_by_charger = (frame.direction is Direction.IN) == (frame.kind is FrameKind.CALL)
    return frame.identity, frame.connection, frame.uid, asked_by_charger


def is_noise(frame: Frame) -> bool:
    """Say whether a frame may be folded: routine, well-formed, without findings."""
    return frame.action in NOISE and not frame.notes and frame.kind in (FrameKind.CALL, FrameKind.RESULT)


class Folder:
    """Turn a run of rows into entries: noise joins the open fold of its connection, anything else closes it."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], Fold] = {}

    def add(self, row: Row) -> tuple[Entry | None, Fold | None]:
        """Return (new entry, fold that grew): one of both is ``None``."""
        key = (row.frame.identity, row.frame.connection)
        if not is_noise(row.frame):
            self._open.pop(key, None)
            return row, None
        fold = self._open.get(key)
        if fold is None:
            fold = self._open[key] = Fold(row)
            return fold, None
        fold.rows.append(row)
        return None, fold

    def forget(self, fold: Fold) -> None:
        """Let a fold that leaves the list, or was opened, grow no more."""
        key = (fold.frame.identity, fold.frame.connection)
        if self._open.get(key) is fold:
            del self._open[key]

    def clear(self) -> None:
        """Start anew."""
        self._open.clear()


def fold(rows: Iterable[Row]) -> list[Entry]:
    """Fold a closed list of rows."""
    folder = Folder()
    entries: list[Entry] = []
    for row in rows:
        entry, _ = folder.add(row)
        if entry is not None:
            entries.append(entry)
    return entries


# Columns


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the list: what it shows, how wide in average characters, whether to the right and in mono."""

    title: str
    text: Callable[[Entry], str]
    width: int
    is_number: bool = False
    is_mono: bool = False
    help: str = ""


def _unit_text(entry: Entry) -> str:
    return visible(entry.frame.identity, 64) or "(no identity)"


def _direction_text(entry: Entry) -> str:
    if isinstance(entry, Fold):
        return "⇄"
    return "→ in" if entry.frame.direction is Direction.IN else "← out"


def _kind_text(entry: Entry) -> str:
    return worded("Folded" if isinstance(entry, Fold) else KIND_WORDS[entry.frame.kind])


def _action_text(entry: Entry) -> str:
    if isinstance(entry, Fold):
        return " + ".join(sorted({row.frame.action for row in entry.rows[:200]}))
    return visible(entry.frame.action, 64)


def _size_text(entry: Entry) -> str:
    if isinstance(entry, Fold):
        return f"× {len(entry.rows)}"
    return size_text(entry.size)


def _latency_text(entry: Entry) -> str:
    if isinstance(entry, Fold):
        return ""
    return latency_text(seconds) if (seconds := entry.latency_s) is not None else ""


def _notes_text(entry: Entry) -> str:
    return "" if isinstance(entry, Fold) else visible(", ".join(entry.frame.notes), 64)


COLUMNS = (
    Column("Time", lambda entry: clock_text(entry.frame.at), 14, is_mono=True),
    Column("Charger", _unit_text, 16, is_mono=True, help="The identity the charger used in its address"),
    Column("Way", _direction_text, 6, help="→ in: from the charger · ← out: to the charger"),
    Column("Kind", _kind_text, 9, help="CALL, CALLRESULT, CALLERROR, or text that is none of these"),
    Column("Action", _action_text, 21),
    Column("Content", lambda entry: entry.summary, 48),
    Column("Size", _size_text, 8, is_number=True),
    Column("Took", _latency_text, 8, is_number=True, help="Time between a request and its answer"),
    Column("Findings", _notes_text, 16, help="What is not as the standard says"),
)
CONTENT = 5
NOTES = 8


def spoken(entry: Entry) -> str:
    """Say a whole row in words, for a screen reader."""
    texts = [column.text(entry) for column in COLUMNS]
    return ", ".join(text for text in texts if text)
