"""One thread that writes traffic and samples in batches, on its own connection."""

from __future__ import annotations

import contextlib
import functools
import itertools
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import StoreError
from app.storage.faults import translated

Row = Sequence[Any]

PENDING_LIMIT = 200_000
"""Rows kept in memory while the disk takes none; more are dropped and counted."""

TRIM_BLOCK = 2_000
"""Rows deleted per transaction, so that a job event never waits long for the lock."""

AT_ONCE = 100
"""Rows written by one statement. Each statement lets go of the interpreter's lock and has to get it back; row by row
that costs the window more than the writing."""

RETRY_S = 1.0
BUSY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Values for one INSERT into a table. ``rows`` makes the rows in the writer's thread."""

    table: str
    sql: str
    rows: Callable[[], Iterable[Row]]
    count: int


@dataclass(slots=True, kw_only=True)
class Bound:
    """A table that keeps only its newest rows, by an ascending integer key."""

    table: str
    key: str
    keep: int
    rows: int = field(default=-1)
    also: str = ""
    """What else goes when rows went: one statement."""

    def trim(self, connection: sqlite3.Connection) -> bool:
        """Delete one block of the oldest rows if there are a tenth too many; say whether more is left to do."""
        if self.rows < 0:
            (self.rows,) = connection.execute(f"SELECT count(*) FROM {self.table}").fetchone()
        excess = self.rows - self.keep
        if excess < min(TRIM_BLOCK, self.keep // 10 + 1):
            return False
        oldest = f"SELECT {self.key} FROM {self.table} ORDER BY {self.key} LIMIT {min(excess, TRIM_BLOCK)}"
        self.rows -= connection.execute(f"DELETE FROM {self.table} WHERE {self.key} IN ({oldest})").rowcount
        if self.also:
            connection.execute(self.also)
        return True


def _insert(connection: sqlite3.Connection, batch: Batch) -> int:
    """Insert all rows of a batch; returns how many were added."""
    rows, added = iter(batch.rows()), 0
    while block := list(itertools.islice(rows, AT_ONCE)):
        flat = [value for row in block for value in row]
        added += connection.execute(_widened(batch.sql, len(block)), flat).rowcount
    return added


@functools.lru_cache(maxsize=1_000)
def _widened(sql: str, count: int) -> str:
    """Return an ``INSERT … VALUES (…)`` for that many rows."""
    head, word, values = sql.rpartition("VALUES ")
    return head + word + ", ".join([values] * count)


class Writer:
    """Takes batches at once and writes them soon. ``trouble`` says why nothing is being written."""

    def __init__(self, path: Path, bounds: Sequence[Bound]) -> None:
        self._path = path
        self._bounds = {bound.table: bound for bound in bounds}
        self._queue: queue.SimpleQueue[Batch | threading.Event] = queue.SimpleQueue()
        self._waiting: list[Batch] = []
        self._pending = 0
        self._lock = threading.Lock()
        self._is_closing = False
        self.trouble: StoreError | None = None
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="rehome-writer", daemon=True)
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Hand over a batch; never waits."""
        with self._lock:
            if self._pending + batch.count > PENDING_LIMIT:
                self.dropped += batch.count
                return
            self._pending += batch.count
        self._queue.put(batch)

    def flush(self, timeout_s: float = 5.0) -> None:
        """Wait until everything handed over is on disk; raises StoreError where it can't be written."""
        done = threading.Event()
        self._queue.put(done)
        if not done.wait(timeout_s):
            raise StoreError("The database is too slow to take the traffic.", "Wait a moment, then try again.")
        if self.trouble is not None:
            raise self.trouble

    def close(self, timeout_s: float = 3.0) -> None:
        """Write what is left and end the thread. Idempotent."""
        self._is_closing = True
        self._queue.put(threading.Event())
        self._thread.join(timeout_s)

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        with contextlib.closing(connection):
            connection.execute("PRAGMA synchronous = NORMAL")
            while not self._is_closing:
                self._round(connection, self._drain(block=True))
            self._round(connection, self._drain(block=False))

    def _drain(self, *, block: bool) -> list[threading.Event]:
        """Move everything queued to ``_waiting``; return the events of those who wait for a flush."""
        asked: list[threading.Event] = []
        wait = RETRY_S if self._waiting else None
        while True:
            try:
                item = self._queue.get(block=block, timeout=wait)
            except queue.Empty:
                return asked
            block = False
            if isinstance(item, threading.Event):
                asked.append(item)
            else:
                self._waiting.append(item)

    def _round(self, connection: sqlite3.Connection, asked: list[threading.Event]) -> None:
        try:
            if self._waiting:
                self._write(connection)
            self._trim(connection)
            self.trouble = None
        except sqlite3.Error as error:
            self.trouble = translated(error)
            with contextlib.suppress(sqlite3.Error):
                connection.rollback()
            if not isinstance(error, sqlite3.OperationalError):
                self.dropped += sum(batch.count for batch in self._waiting)
                self._forget()
        for event in asked:
            event.set()

    def _write(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        added = [(batch.table, _insert(connection, batch)) for batch in self._waiting]
        connection.execute("COMMIT")
        for table, count in added:
            bound = self._bounds[table]
            bound.rows += count if bound.rows >= 0 else 0
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._pending -= sum(batch.count for batch in self._waiting)
        self._waiting.clear()

    def _trim(self, connection: sqlite3.Connection) -> None:
        for bound in self._bounds.values():
            while bound.trim(connection) and self._queue.empty() and not self._is_closing:
                pass
