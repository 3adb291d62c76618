"""What the bridge must not forget: one SQLite file, written by one thread, read where a head is needed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.bridge.changes import Changes, Row, SessionRow, Tally
from app.bridge.message import Outbox
from app.bridge.session import Memory, Sessions
from app.bridge.shelf import KeptMemory, Shelf
from app.errors import StoreError
from app.storage.faults import storing, translated
from app.storage.inspection import inspect
from app.storage.lock import FileLock
from app.storage.schema import latest, migrate

log = logging.getLogger(__name__)

APPLICATION_ID = 0x52484252
"""``RHBR``; tells a bridge's state from any other SQLite database (PRAGMA application_id)."""

FOLDER = Path(__file__).parent / "migrations"

FLUSH_LIMIT_S = 30.0
"""How long ``flush`` waits for the disk: a worn SD card can stall for seconds, a dead one for ever."""

SOON_S = 1.0
"""How often what nobody waits for is written."""

RETRY_S = 5.0
"""The pause before a disk that refused is tried again."""

BUSY_S = 5.0

AT_ONCE = 8
"""How many of those who waited for one write go on in one turn of the loop."""


class StateStore:
    """The queues, sessions and memories of all charge points of one bridge. Open it with ``StateStore.open``.

    What was put is on disk when ``flush`` returns, not before; ``run`` flushes by itself every second. Until then it
    lies in memory, in order, and can be read. Where the disk refuses, nothing that was flushed is lost, and the next
    flush tries everything again.

    One thread writes, on a connection of its own; the loop's thread only reads, which in WAL mode waits for nobody.
    """

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, lock: FileLock) -> None:
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehome-state")
        self._wanted = asyncio.Event()
        self._under_way: asyncio.Future[None] | None = None
        self._turns: list[asyncio.Future[None]] = []
        self._writing = Changes()
        self._made = self._kept = 0
        """How many changes were noted, how many of them are on disk."""
        self._last_seq = 0
        self._goal = (0, 0)
        """Up to which message, and which change, the write under way goes."""
        self._is_closed = False
        self.changes = Changes()
        self.trouble: StoreError | None = None
        """Why nothing is being written; ``None`` = all is well."""
        self._shelves: dict[str, Shelf] = {}
        self._stations: dict[int, Shelf] = {}
        self._memories: dict[str, KeptMemory] = {}
        self._load()

    @classmethod
    def open(cls, path: Path) -> StateStore:
        """Open or make the file.

        Raises NewerFile and DamagedFile (the file is then byte for byte as before), StoreError where another process
        uses it or the folder can't be written, DiskFull.
        """
        lock = FileLock(path.with_name(path.name + ".lock"))
        with contextlib.ExitStack() as undo:
            lock.take()
            undo.callback(lock.release)
            inspect(path, latest(FOLDER), mark=APPLICATION_ID, precious=("stations", "sessions", "memory"))
            _make_private(path)
            with storing():
                writer = undo.enter_context(contextlib.closing(_connect(path)))
                migrate(writer, FOLDER, APPLICATION_ID)
                reader = undo.enter_context(contextlib.closing(_connect(path)))
                store = cls(writer, reader, lock)
            undo.pop_all()
        return store

    async def close(self) -> None:
        """Write what is left and close the file in order. Idempotent. Raises StoreError where it can't be written."""
        if self._is_closed:
            return
        try:
            await self.flush()
        finally:
            self._is_closed = True
            self._thread.shutdown(wait=self._under_way is None)
            if self._under_way is None:
                self._writer.close()
                self._reader.close()
            self._lock.release()

    # One charge point

    def outbox(self, identity: str) -> Outbox:
        """Return the queue of a charge point, the same at each call."""
        return self._shelf(identity)

    def sessions(self, identity: str) -> Sessions:
        """Return the sessions of a charge point."""
        return self._shelf(identity).sessions

    def memory(self, identity: str) -> Memory:
        """Return the memory of a charge point."""
        if identity not in self._memories:
            station = self._shelf(identity).station
            with storing():
                rows = self._reader.execute("SELECT key, value FROM memory WHERE station = ?", (station,)).fetchall()
            self._memories[identity] = KeptMemory(self, station, dict(rows))
        return self._memories[identity]

    def delivered(self, identity: str) -> int:
        """Return how many kept messages the backend has answered, ever."""
        return self._shelf(identity).tally.delivered

    def metered_wh(self, identity: str) -> int:
        """Return the energy of all sessions that have ended, ever."""
        return self._shelf(identity).tally.metered_wh

    def dropped(self, identity: str) -> int:
        """Return how many meter values found no room while the disk took nothing."""
        return self._shelf(identity).tally.dropped

    @property
    def waiting(self) -> Mapping[str, int]:
        """Return how many messages wait, by identity; also of charge points the site's file no longer names."""
        return {identity: len(shelf) for identity, shelf in self._shelves.items() if len(shelf)}

    # Writing

    async def flush(self) -> None:
        """Return once everything put so far is on disk. All who wait share one write.

        Raises DiskFull or another StoreError where the disk refuses; what was put stays in memory and is tried again.
        """
        goal = self._made
        if self._kept >= goal:
            return
        while self._kept < goal:
            write = self._under_way or self._begin()
            if write.done():  # its callback waits for its turn in the loop, which this one would never give back
                self._ended(write)
                continue
            try:
                async with asyncio.timeout(FLUSH_LIMIT_S):
                    await asyncio.shield(write)
            except TimeoutError as error:
                raise StoreError(
                    "The disk takes too long to keep the bridge's state.",
                    "Check the disk or SD card; worn ones stall before they fail. Charging goes on.",
                ) from error
            except sqlite3.Error as error:
                raise translated(error) from error
        await self._turn()

    async def _turn(self) -> None:
        """Let those who shared a write go on a few at a time: 500 at once would keep boxes waiting for answers."""
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._turns.append(mine)
        if len(self._turns) == 1:
            loop.call_soon(self._let_go)
        await mine

    def _let_go(self) -> None:
        for turn in self._turns[:AT_ONCE]:
            if not turn.done():
                turn.set_result(None)
        del self._turns[:AT_ONCE]
        if self._turns:
            asyncio.get_running_loop().call_soon(self._let_go)

    async def run(self) -> None:
        """Write every second what nobody waits for; ends only when cancelled. ``trouble`` says why it can't."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.flush()
            except StoreError as error:
                log.warning("The bridge's state can't be written: %s", error)
                self._wanted.set()
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(SOON_S)

    def _begin(self) -> asyncio.Future[None]:
        """Hand over what has changed to the thread."""
        self._writing, self.changes = self.changes, Changes()
        self._goal = (self._last_seq, self._made)
        write = asyncio.get_running_loop().run_in_executor(self._thread, self._writing.write, self._writer)
        write.add_done_callback(self._ended)
        self._under_way = write
        return write

    def _ended(self, write: asyncio.Future[None]) -> None:
        if write is not self._under_way:
            return
        self._under_way = None
        through, made = self._goal
        error = write.exception()
        if error is None:
            written, self._kept, self.trouble = self._writing, made, None
            for station in {row.station for row in written.puts.values()}:
                self._stations[station].settled(through)
        else:
            self.changes = self._writing.followed_by(self.changes)
            self.trouble = translated(error) if isinstance(error, sqlite3.Error) else None
        self._writing = Changes()

    # What the shelves ask

    def noted(self) -> None:
        """Learn that ``changes`` has something that should be on disk soon."""
        self._made += 1
        self._wanted.set()

    def next_seq(self) -> int:
        """Return a number above all given so far."""
        self._last_seq += 1
        return self._last_seq

    def rows(self, station: int, after: int, limit: int) -> list[Row]:
        """Read messages from the disk."""
        sql = (
            "SELECT seq, station, uid, action, at, session, attempts, payload FROM outbox"
            " WHERE station = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        with storing():
            return [Row(*row) for row in self._reader.execute(sql, (station, after, limit)).fetchall()]

    def session(self, number: str) -> SessionRow | None:
        """Return a session as it was saved last, also if it is not on disk yet."""
        for changes in (self.changes, self._writing):
            if number in changes.sessions:
                return changes.sessions[number]
            if number in changes.gone:
                return None
        sql = "SELECT number, station, is_open, last_seq, session FROM sessions WHERE number = ?"
        with storing():
            row = self._reader.execute(sql, (number,)).fetchone()
        return None if row is None else SessionRow(*row)

    def _shelf(self, identity: str) -> Shelf:
        if identity not in self._shelves:
            station = max(self._stations, default=0) + 1
            self.changes.stations[station] = identity
            self._add(identity, Shelf(self, station, Tally()))
            self.noted()
        return self._shelves[identity]

    def _add(self, identity: str, shelf: Shelf) -> None:
        self._shelves[identity] = shelf
        self._stations[shelf.station] = shelf

    def _load(self) -> None:
        read = self._reader.execute
        self._writer.execute(_SWEEP)
        waiting = dict(read("SELECT station, count(*) FROM outbox GROUP BY station").fetchall())
        (self._last_seq,) = read(_LAST).fetchone()
        for station, identity, *tally in read("SELECT * FROM stations").fetchall():
            self._add(identity, Shelf(self, station, Tally(*tally), below=waiting.get(station, 0)))
        for row in read("SELECT * FROM sessions WHERE is_open = 1").fetchall():
            self._stations[row[1]].sessions.resumed(SessionRow(*row))


_SWEEP = """DELETE FROM sessions WHERE is_open = 0 AND NOT EXISTS (
    SELECT 1 FROM outbox WHERE outbox.station = sessions.station AND outbox.seq <= sessions.last_seq)"""
"""Sessions that were saved once more after their last message was delivered."""

_LAST = "SELECT max(coalesce((SELECT max(seq) FROM outbox), 0), coalesce((SELECT max(last_seq) FROM sessions), 0))"


def _make_private(path: Path) -> None:
    """Let the owner alone read who charged when; SQLite gives the files beside it the same rights."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"{path.name} can't be opened: {error.strerror}.", "Check its rights and owner.") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -4000")
        connection.execute("PRAGMA journal_size_limit = 16000000")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
