"""A trace that was opened: its frames and evidence in a database of its own, which goes when it is closed."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from app.errors import StoreError
from app.model.frame import Frame
from app.model.trace import Record
from app.storage.evidence import INSERT as ADD_EVIDENCE
from app.storage.evidence import EvidenceStore, rows_of
from app.storage.faults import storing
from app.storage.schema import migrate
from app.storage.traffic import INSERT as ADD_FRAME
from app.storage.traffic import TrafficStore, frame_row
from app.storage.writer import Batch

_NOT_NEEDED = ("traffic_identity", "traffic_action", "traffic_kind", "traffic_at")
"""A recording is read by number only; without these it is written three times as fast."""


class _Nobody:
    """Stands where the writer thread stands: a recording is written at once."""

    dropped = 0

    def put(self, _: Batch) -> None:
        """Take nothing."""
        raise StoreError("A recording is not written to.", "Close it to record live traffic.")

    def flush(self, timeout_s: float = 0.0) -> None:
        """Do nothing: there is nothing waiting."""


class RecordingStore:
    """Frames and evidence of one opened file. Close it; what it made on disk is then gone."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rehome-trace-", ignore_cleanup_errors=True)
        with contextlib.ExitStack() as undo, storing():
            undo.callback(self._folder.cleanup)
            self._connection = sqlite3.connect(Path(self._folder.name) / "trace.db", isolation_level=None)
            undo.callback(self._connection.close)
            self._connection.execute("PRAGMA journal_mode = OFF")
            self._connection.execute("PRAGMA synchronous = OFF")
            migrate(self._connection)
            for index in _NOT_NEEDED:
                self._connection.execute(f"DROP INDEX {index}")
            undo.pop_all()
        self.traffic = TrafficStore(self._connection, _Nobody(), str)
        self.evidence = EvidenceStore(self._connection, _Nobody(), str)

    def add(self, frames: Sequence[Frame], records: Sequence[Record]) -> None:
        """Write a batch; raises DiskFull, StoreError."""
        with storing():
            self._connection.execute("BEGIN")
            self._connection.executemany(ADD_FRAME, (frame_row(frame, frame.text) for frame in frames))
            self._connection.executemany(ADD_EVIDENCE, rows_of(records))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Forget it. Idempotent."""
        self._connection.close()
        self._folder.cleanup()

    def __enter__(self) -> RecordingStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
