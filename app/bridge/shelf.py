"""What is kept of one charge point: its queue, its sessions, its memory. Heads in memory, the rest on disk."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Protocol

from app.bridge.changes import Changes, Row, SessionRow, Tally
from app.bridge.message import Message
from app.bridge.session import Session

WINDOW = 8
"""Messages read from the disk at once. A charge point sends one at a time, so few need to be at hand."""

PENDING_LIMIT = 20_000
"""Messages kept in memory, of all charge points, while the disk takes none; further meter values are dropped then and
counted, starts and stops of sessions never."""

_SESSIONS_KNOWN = 4

_FIELDS = tuple(field.name for field in fields(Session))


class Disk(Protocol):
    """What a shelf asks of the store behind it."""

    @property
    def changes(self) -> Changes:
        """Return what is to be written next."""
        ...

    def next_seq(self) -> int:
        """Return a number above all given so far."""
        ...

    def noted(self) -> None:
        """Learn that ``changes`` has something that should be on disk soon."""
        ...

    def rows(self, station: int, after: int, limit: int) -> list[Row]:
        """Read messages from the disk."""
        ...

    def session(self, number: str) -> SessionRow | None:
        """Return a session as it was saved last, also if it is not on disk yet."""
        ...


class Shelf:
    """One charge point's queue (``Outbox``), with what must stay in step with it."""

    def __init__(self, disk: Disk, station: int, tally: Tally, *, below: int = 0) -> None:
        self._disk = disk
        self.station = station
        self.tally = tally
        self.sessions = KeptSessions(disk, self)
        self._window: deque[Row] = deque()
        self._below = below
        """Messages on disk behind the window."""
        self._tail: deque[Row] = deque()
        """Messages that are not known to be on disk."""
        self._reached = 0
        """The last message that was in the window, or left without ever being there."""
        self._head: Message | None = None

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._window) + self._below + len(self._tail)

    def put(self, message: Message) -> None:
        """Append a message. While the disk takes nothing and too much waits for it, meter values are dropped."""
        if len(self._disk.changes.puts) >= PENDING_LIMIT and _is_sample(message):
            self.count(dropped=1)
            return
        row = Row(
            seq=self._disk.next_seq(),
            station=self.station,
            uid=message.uid,
            action=message.action,
            at=message.at.isoformat(),
            session=message.session,
            attempts=message.attempts,
            payload=json.dumps(message.payload, separators=(",", ":")),
        )
        self._tail.append(row)
        self._disk.changes.puts[row.seq] = row
        if row.session:
            self.sessions.spoken_of(row.session, row.seq)
        self._disk.noted()

    def head(self) -> Message | None:
        """Return the oldest message, the same object until it is done. Raises StoreError where it can't be read."""
        if self._head is None:
            row = self._first()
            self._head = None if row is None else _message(row)
        return self._head

    def attempted(self, message: Message) -> None:
        """Note that it was sent once more. Goes to the disk with the next change that is worth a write."""
        message.attempts += 1
        row = self._first()
        if row is not None and row.uid == message.uid:
            self._disk.changes.attempts[row.seq] = message.attempts

    def done(self, message: Message) -> None:
        """Forget the oldest message. Any other is left as it is, so that an answer that comes twice does no harm."""
        row = self._first()
        if row is None or row.uid != message.uid:
            return
        (self._window or self._tail).popleft()
        self._reached = max(self._reached, row.seq)
        self._head = None
        self._disk.changes.finish(row.seq)
        self.count(delivered=1)
        if row.session:
            self.sessions.told(row.session, row.seq)

    def settled(self, through: int) -> None:
        """Learn that all messages up to a number are on disk."""
        while self._tail and self._tail[0].seq <= through:
            row = self._tail.popleft()
            if self._below or len(self._window) >= WINDOW:
                self._below += 1
            else:
                self._window.append(row)
                self._reached = row.seq

    def count(self, *, delivered: int = 0, metered_wh: int = 0, dropped: int = 0) -> None:
        """Add to what is counted."""
        tally = self.tally
        self.tally = Tally(tally.delivered + delivered, tally.metered_wh + metered_wh, tally.dropped + dropped)
        self._disk.changes.tallies[self.station] = self.tally
        self._disk.noted()

    def _first(self) -> Row | None:
        if not self._window and self._below:
            rows = self._disk.rows(self.station, self._reached, min(WINDOW, self._below))
            self._window.extend(rows)
            self._below = self._below - len(rows) if rows else 0
            self._reached = rows[-1].seq if rows else self._reached
        return next(iter(self._window or self._tail), None)


@dataclass(slots=True)
class _Known:
    session: Session
    last_seq: int
    was_open: bool


class KeptSessions:
    """The sessions of one charge point (``Sessions``): the one that runs and those just asked for are in memory."""

    def __init__(self, disk: Disk, shelf: Shelf) -> None:
        self._disk = disk
        self._shelf = shelf
        self._known: dict[str, _Known] = {}
        self._running = ""
        self._over = ""

    def running(self) -> Session | None:
        """Return the session that runs, also one from before a restart."""
        known = self._find(self._running) if self._running else None
        return known.session if known else None

    def get(self, number: str) -> Session | None:
        """Return a session that runs or whose messages have not all been delivered."""
        known = self._find(number)
        return known.session if known else None

    def save(self, session: Session) -> None:
        """Keep a session as it is now."""
        if session.number == self._over:
            return
        # one that runs is at hand, or new: a disk that can't be read keeps no car from its session
        known = self._known.get(session.number) if session.is_open else self._find(session.number)
        known = known or self._remember(_Known(session, 0, True))
        known.session = session
        if session.is_open:
            self._running = session.number
        elif known.was_open:
            self._ended(known)
        self._write(known)

    def resumed(self, row: SessionRow) -> None:
        """Take up the session that ran when the store was closed."""
        self._running = row.number
        self._remember(_known(row))

    def spoken_of(self, number: str, seq: int) -> None:
        """Learn that a message of a session was queued."""
        known = self._find(number)
        if known is not None:
            known.last_seq = seq
            self._write(known)

    def told(self, number: str, seq: int) -> None:
        """Learn that a message of a session was delivered; a session that has ended is forgotten after its last."""
        known = self._find(number)
        if known is not None and not known.session.is_open and known.last_seq <= seq:
            del self._known[number]
            self._over = number
            self._disk.changes.forget(number)

    def _ended(self, known: _Known) -> None:
        session = known.session
        known.was_open = False
        if self._running == session.number:
            self._running = ""
        stop_wh = session.last_wh if session.stop_wh is None else session.stop_wh
        self._shelf.count(metered_wh=max(0, stop_wh - session.start_wh))

    def _write(self, known: _Known) -> None:
        session = known.session
        values = {name: getattr(session, name) for name in _FIELDS}
        text = json.dumps(values, separators=(",", ":"), default=datetime.isoformat)
        row = SessionRow(session.number, self._shelf.station, int(known.was_open), known.last_seq, text)
        self._disk.changes.keep(row)
        self._disk.noted()

    def _find(self, number: str) -> _Known | None:
        known = self._known.get(number)
        if known is None and number != self._over and (row := self._disk.session(number)) is not None:
            known = self._remember(_known(row))
        return known

    def _remember(self, known: _Known) -> _Known:
        self._known[known.session.number] = known
        others = [number for number in self._known if number not in (self._running, known.session.number)]
        for number in others[: max(0, len(self._known) - _SESSIONS_KNOWN)]:
            del self._known[number]
        return known


class KeptMemory:
    """The small values of one charge point (``Memory``), all in memory."""

    def __init__(self, disk: Disk, station: int, values: dict[str, str]) -> None:
        self._disk = disk
        self._station = station
        self._values = values

    def get(self, key: str) -> str | None:
        """Return a value."""
        return self._values.get(key)

    def put(self, key: str, value: str | None) -> None:
        """Keep a value, or forget it."""
        if value is not None:
            value = value.encode(errors="replace").decode()  # half a character would stop every write
        if self._values.get(key) == value:
            return
        if value is None:
            del self._values[key]
        else:
            self._values[key] = value
        self._disk.changes.values[self._station, key] = value
        self._disk.noted()


def _is_sample(message: Message) -> bool:
    """Say whether a message can be missed without a session's energy becoming wrong."""
    return message.action == "MeterValues" or message.payload.get("eventType") == "Updated"


def _message(row: Row) -> Message:
    return Message(
        action=row.action,
        payload=json.loads(row.payload),
        at=datetime.fromisoformat(row.at),
        is_kept=True,
        session=row.session,
        uid=row.uid,
        attempts=row.attempts,
    )


def _known(row: SessionRow) -> _Known:
    values = json.loads(row.session)
    told = {name: values[name] for name in _FIELDS if name in values}
    times = {name: datetime.fromisoformat(value) for name, value in told.items() if name.endswith("_at") and value}
    return _Known(Session(**told | times), row.last_seq, bool(row.is_open))
