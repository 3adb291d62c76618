"""Stored frames: written in batches by the writer thread, read back page by page."""

from __future__ import annotations

import functools
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from app.model.frame import Direction, Frame, FrameKind
from app.model.masking import mask_secrets
from app.model.query import FramePage, TrafficQuery
from app.storage.faults import storing
from app.storage.writer import Batch

PAGE_LIMIT = 2_000
FIRST_WINDOW = 4_000
"""Rows looked at in one go; doubled while that is fast, so that a search never stalls the window."""

SLICE_S = 0.01
BUDGET_S = 0.05
"""How long one ``scan`` may search; it must stay far below the 100 ms a window may stall."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "seq, at, identity, connection, direction, kind, uid, action, text, raw, notes"
_SEARCHED = ("text", "action", "identity")
"""Where a free text is looked for: an answer does not carry its action in its text."""
INSERT = f"INSERT OR IGNORE INTO traffic ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def microseconds(at: datetime) -> int:
    """Return a UTC time as the database keeps it."""
    return (at - _EPOCH) // timedelta(microseconds=1)


@functools.lru_cache(maxsize=2)
def _same_microseconds(at: datetime) -> int:
    """A request and its answer mostly share their time."""
    return microseconds(at)


def moment(stamp: int) -> datetime:
    """Return the UTC time of a stored stamp."""
    return _EPOCH + timedelta(microseconds=stamp)


class Sink(Protocol):
    """Who takes batches: the writer thread."""

    dropped: int

    def put(self, batch: Batch, /) -> None:
        """Take a batch; never waits."""
        ...

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until everything handed over is on disk."""
        ...


class TrafficStore:
    """Frames by their sequence number. ``redact`` masks known secrets; it runs in the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, writer: Sink, redact: Callable[[str], str]) -> None:
        self._connection = connection
        self._writer = writer
        self._redact = redact

    def add(self, frames: Sequence[Frame]) -> None:
        """Hand frames to the writer; never waits. Passwords in them are masked before they are stored."""
        if frames:
            kept = tuple(frames)
            batch = Batch(table="traffic", sql=INSERT, rows=lambda: self._rows(kept), count=len(kept))
            self._writer.put(batch)

    def flush(self) -> None:
        """Wait until everything handed over is on disk; raises DiskFull, StoreError."""
        self._writer.flush()

    @property
    def dropped(self) -> int:
        """Return how many frames or samples were lost because the disk took none."""
        return self._writer.dropped

    def count(self) -> int:
        """Return the number of stored frames."""
        with storing():
            (number,) = self._connection.execute("SELECT count(*) FROM traffic").fetchone()
        return int(number)

    def last_seq(self) -> int:
        """Return the highest sequence number on disk, 0 when there is none."""
        return self._edges()[1]

    def identities(self) -> tuple[str, ...]:
        """List every identity with stored frames."""
        found: list[str] = []
        with storing():
            while True:
                sql = "SELECT min(identity) FROM traffic WHERE identity > ?"
                (name,) = self._connection.execute(sql, (found[-1] if found else "",)).fetchone()
                if name is None:
                    return tuple(found)
                found.append(name)

    def page(
        self, query: TrafficQuery, *, before: int | None = None, after: int | None = None, limit: int = 200
    ) -> list[Frame]:
        """Return up to ``limit`` matching frames, oldest first: the newest ones, or those next to a sequence number.

        Searches until it has them all; a window uses ``scan``, which never takes long.
        """
        frames: list[Frame] = []
        while True:
            found = self.scan(query, before=before, after=after, limit=limit - len(frames))
            frames = [*frames, *found.frames] if after is not None else [*found.frames, *frames]
            if found.is_end or len(frames) >= limit:
                return frames
            before, after = (None, found.edge) if after is not None else (found.edge, None)

    def scan(
        self,
        query: TrafficQuery,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 200,
        budget_s: float = BUDGET_S,
    ) -> FramePage:
        """Return what a bounded search finds: going back from ``before`` (or the end), or forward from ``after``."""
        where, values = _conditions(query)
        oldest, newest = self._edges()
        found: list[Frame] = []
        windows = _Windows(oldest, newest, before, after, budget_s)
        limit = max(1, min(limit, PAGE_LIMIT))
        for low, high in windows:
            order = "ASC" if after is not None else "DESC"
            sql = f"SELECT {_COLUMNS} FROM traffic WHERE seq >= ? AND seq <= ?{where} ORDER BY seq {order} LIMIT ?"
            with storing():
                rows = self._connection.execute(sql, (low, high, *values, limit - len(found))).fetchall()
            found += map(_frame, rows)
            if len(found) >= limit:
                windows.stop_at(found[-1].seq)
        frames = tuple(found) if after is not None else tuple(reversed(found))
        return FramePage(frames=frames, edge=windows.edge, is_end=windows.is_end)

    def _edges(self) -> tuple[int, int]:
        with storing():
            row = self._connection.execute("SELECT (SELECT min(seq) FROM traffic), (SELECT max(seq) FROM traffic)")
            oldest, newest = row.fetchone()
        return oldest or 0, newest or 0

    def _rows(self, frames: Iterable[Frame]) -> Iterator[tuple[Any, ...]]:
        for frame in frames:
            text = frame.text if frame.text.isascii() else frame.text.encode(errors="replace").decode()
            yield frame_row(frame, self._redact(mask_secrets(text)))


def frame_row(frame: Frame, text: str) -> tuple[Any, ...]:
    """Return a frame as a row of the table, with the text that is to be kept."""
    return (
        frame.seq, _same_microseconds(frame.at), frame.identity, frame.connection, frame.direction._value_,
        frame.kind._value_, frame.uid, frame.action, text, frame.raw, " ".join(frame.notes) if frame.notes else "",
    )  # fmt: skip


class _Windows:
    """Stretches of sequence numbers to look at one after the other, growing while they are fast."""

    def __init__(self, oldest: int, newest: int, before: int | None, after: int | None, budget_s: float) -> None:
        self._is_forward = after is not None
        self._low = max(oldest, (after or 0) + 1) if after is not None else oldest
        self._high = newest if before is None else min(newest, before - 1)
        self._until = time.perf_counter() + budget_s
        self._size = FIRST_WINDOW
        self._stopped: int | None = None

    @property
    def is_end(self) -> bool:
        return self._low > self._high or self._high == 0

    @property
    def edge(self) -> int:
        if self._stopped is not None:
            return self._stopped
        return self._low - 1 if self._is_forward else self._high + 1

    def stop_at(self, seq: int) -> None:
        self._stopped = seq
        if self._is_forward:
            self._low = seq + 1
        else:
            self._high = seq - 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while not self.is_end and self._stopped is None:
            began = time.perf_counter()
            low, high = self._window()
            if self._is_forward:
                self._low = high + 1
            else:
                self._high = low - 1
            yield low, high
            now = time.perf_counter()
            if now >= self._until:
                return
            self._size = self._size * 2 if now - began < SLICE_S / 2 else max(FIRST_WINDOW, self._size // 2)

    def _window(self) -> tuple[int, int]:
        if self._is_forward:
            return self._low, min(self._high, self._low + self._size - 1)
        return max(self._low, self._high - self._size + 1), self._high


def _conditions(query: TrafficQuery) -> tuple[str, list[Any]]:
    tests: list[tuple[str, Any]] = []
    words: list[str] = []
    if query.identity:
        tests.append(("identity = ?", query.identity))
    if query.action:
        tests.append(("action = ?", query.action))
    if query.direction is not None:
        tests.append(("direction = ?", query.direction.value))
    if query.kind is not None:
        tests.append(("kind = ?", query.kind.value))
    if query.since is not None:
        tests.append(("at >= ?", microseconds(query.since)))
    if query.until is not None:
        tests.append(("at <= ?", microseconds(query.until)))
    if query.text:
        escaped = query.text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        words = [f"%{escaped}%"] * len(_SEARCHED)
    where = "".join(f" AND {test}" for test, _ in tests)
    if words:
        where += " AND (" + " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in _SEARCHED) + ")"
    return where, [*(value for _, value in tests), *words]


def _frame(row: tuple[Any, ...]) -> Frame:
    seq, at, identity, connection, direction, kind, uid, action, text, raw, notes = row
    return Frame(
        seq=seq,
        at=moment(at),
        identity=identity,
        connection=connection,
        direction=Direction(direction),
        text=text,
        kind=FrameKind(kind),
        uid=uid,
        action=action,
        raw=raw,
        notes=tuple(notes.split()),
    )
