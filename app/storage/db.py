"""The database: one SQLite file in WAL mode, used by one program at a time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from app.storage.backups import BackupStore
from app.storage.cards import CardStore
from app.storage.console import ConsoleStore
from app.storage.edits import EditStore
from app.storage.evidence import FORGET, EvidenceStore
from app.storage.faults import storing
from app.storage.inspection import inspect
from app.storage.jobs import JobStore
from app.storage.lock import FileLock
from app.storage.samples import SampleStore
from app.storage.schema import latest, migrate
from app.storage.traffic import TrafficStore
from app.storage.units import UnitStore
from app.storage.writer import BUSY_S, Bound, Writer

KEEP_FRAMES = 1_000_000
KEEP_SAMPLES = 2_000_000
EVIDENCE_SHARE = 5
"""One record beside this many frames at most: where nothing but knocks comes, they must not fill the disk."""


class Store:
    """Everything Rehome keeps. Open it with ``Store.open``; leave it with ``close``.

    Job events, edits, units and backups are on disk when their call returns (synchronous=FULL). Traffic and samples go
    through a writer thread in batches (synchronous=NORMAL) and can lose the last moment at a power cut.
    """

    def __init__(self, connection: sqlite3.Connection, writer: Writer, lock: FileLock, redact: Callable[[str], str]):
        self._connection = connection
        self._writer = writer
        self._lock = lock
        self.jobs = JobStore(connection)
        self.traffic = TrafficStore(connection, writer, redact)
        self.evidence = EvidenceStore(connection, writer, redact)
        self.samples = SampleStore(connection, writer)
        self.units = UnitStore(connection)
        self.backups = BackupStore(connection)
        self.edits = EditStore(connection)
        self.cards = CardStore(connection)
        self.console = ConsoleStore(connection)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        keep_frames: int = KEEP_FRAMES,
        keep_samples: int = KEEP_SAMPLES,
        redact: Callable[[str], str] = str,
    ) -> Store:
        """Open or make a database.

        Raises NewerFile and DamagedFile (the file is then byte for byte as before), StoreError where another program
        uses it or the folder can't be written, DiskFull. ``redact`` masks secrets in frames before they are stored.
        """
        lock = FileLock(path.with_name(path.name + ".lock"))
        with contextlib.ExitStack() as undo:
            lock.take()
            undo.callback(lock.release)
            inspect(path, latest())
            connection = _connect(path)
            undo.callback(connection.close)
            with storing():
                migrate(connection)
            bounds = [
                Bound(table="traffic", key="seq", keep=keep_frames, also=FORGET),
                Bound(table="evidence", key="seq", keep=max(1, keep_frames // EVIDENCE_SHARE)),
                Bound(table="readings", key="rowid", keep=keep_samples),
                Bound(table="states", key="rowid", keep=keep_samples),
            ]
            writer = Writer(path, bounds)
            undo.pop_all()
        return cls(connection, writer, lock, redact)

    def close(self) -> None:
        """Write what is left and close the file in order. Idempotent."""
        self._writer.close()
        self._connection.close()
        self._lock.release()


def _connect(path: Path) -> sqlite3.Connection:
    with storing(), contextlib.ExitStack() as undo:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        undo.callback(connection.close)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16000")
        undo.pop_all()
    return connection
