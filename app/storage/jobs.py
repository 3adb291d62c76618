"""Job events: on disk before ``append`` returns."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

import orjson

from app.errors import DamagedFile, StoreError
from app.model.coding import encode
from app.model.job import EventKind, JobEvent, StepKind
from app.storage.faults import storing


class JobStore:
    """The histories of all jobs."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def append(self, event: JobEvent) -> None:
        """Store one event with full sync; raises DiskFull, StoreError (then nothing was stored)."""
        row = (
            event.job_id,
            event.seq,
            event.at.isoformat(),
            event.kind.value,
            event.step.value if event.step else None,
            orjson.dumps(encode(event.data)).decode(),
        )
        try:
            with storing():
                self._connection.execute(
                    "INSERT INTO job_events (job_id, seq, at, kind, step, data) VALUES (?, ?, ?, ?, ?, ?)", row
                )
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError):
                raise StoreError("This job was changed by another program.", "Restart Rehome.") from error
            raise

    def events(self, job_id: str) -> tuple[JobEvent, ...]:
        """Return a job's history in order; empty where there is no such job."""
        sql = "SELECT job_id, seq, at, kind, step, data FROM job_events WHERE job_id = ? ORDER BY seq"
        with storing():
            rows = self._connection.execute(sql, (job_id,)).fetchall()
        return tuple(_event(row) for row in rows)

    def ids(self) -> tuple[str, ...]:
        """List all jobs, oldest first."""
        sql = "SELECT job_id FROM job_events WHERE seq = 1 ORDER BY at, job_id"
        with storing():
            return tuple(job_id for (job_id,) in self._connection.execute(sql))


def _event(row: tuple[Any, ...]) -> JobEvent:
    job_id, seq, at, kind, step, data = row
    try:
        return JobEvent(
            job_id=job_id,
            seq=seq,
            at=datetime.fromisoformat(at),
            kind=EventKind(kind),
            step=StepKind(step) if step else None,
            data=orjson.loads(data),
        )
    except ValueError as error:
        raise DamagedFile(
            f"Event {seq} of job {job_id} can't be read: {error}.", "Send the database to support."
        ) from error
