"""What has changed since the state was last written: collected in memory, written in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class _Many(Protocol):
    def __call__(self, sql: str, rows: Iterable[tuple[object, ...]], /) -> object: ...


class Row(NamedTuple):
    """One kept message, as it lies in the table ``outbox``."""

    seq: int
    station: int
    uid: str
    action: str
    at: str
    session: str
    attempts: int
    payload: str


class SessionRow(NamedTuple):
    """One session, as it lies in the table ``sessions``."""

    number: str
    station: int
    is_open: int
    last_seq: int
    session: str


class Tally(NamedTuple):
    """What is counted of a charge point: messages delivered, Wh of ended sessions, meter values that found no room."""

    delivered: int = 0
    metered_wh: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Changes:
    """Changes in no order but that of the messages: a later one of the same thing replaces the earlier."""

    stations: dict[int, str] = field(default_factory=dict)
    puts: dict[int, Row] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    values: dict[tuple[int, str], str | None] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)

    def finish(self, seq: int) -> None:
        """Note that a message is done; one that never reached the disk need not go there."""
        self.attempts.pop(seq, None)
        if self.puts.pop(seq, None) is None:
            self.done.add(seq)

    def keep(self, row: SessionRow) -> None:
        """Note a session as it is now."""
        self.gone.discard(row.number)
        self.sessions[row.number] = row

    def forget(self, number: str) -> None:
        """Note that a session is over and told."""
        self.sessions.pop(number, None)
        self.gone.add(number)

    def followed_by(self, later: Changes) -> Changes:
        """Take the changes made since into this one, and return it."""
        self.stations |= later.stations
        self.puts |= later.puts
        self.attempts |= later.attempts
        for seq in later.done:
            self.finish(seq)
        self.done |= later.done  # a disk that failed may have kept them all the same
        for row in later.sessions.values():
            self.keep(row)
        for number in later.gone:
            self.forget(number)
        self.values |= later.values
        self.tallies |= later.tallies
        return self

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything in one transaction. Raises sqlite3.Error; nothing is written then."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(connection.executemany)
            connection.execute("COMMIT")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _write(self, many: _Many) -> None:
        new = ((station, name, *Tally()) for station, name in self.stations.items())
        many("INSERT OR IGNORE INTO stations VALUES (?, ?, ?, ?, ?)", new)
        many("DELETE FROM outbox WHERE seq = ?", ((seq,) for seq in self.done))
        many("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.puts.values())
        tried = ((count, seq) for seq, count in self.attempts.items())
        many("UPDATE outbox SET attempts = ? WHERE seq = ?", tried)
        many("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", self.sessions.values())
        many("DELETE FROM sessions WHERE number = ?", ((number,) for number in self.gone))
        kept = ((*key, value) for key, value in self.values.items() if value is not None)
        many("INSERT OR REPLACE INTO memory VALUES (?, ?, ?)", kept)
        forgotten = (key for key, value in self.values.items() if value is None)
        many("DELETE FROM memory WHERE station = ? AND key = ?", forgotten)
        counted = ((*tally, station) for station, tally in self.tallies.items())
        many("UPDATE stations SET delivered = ?, metered_wh = ?, dropped = ? WHERE station = ?", counted)
