"""Backups of units' settings, secrets masked."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import orjson

from app.errors import DamagedFile
from app.model.coding import decode, encode
from app.model.secret import MASK
from app.model.setting import Setting, Snapshot
from app.storage.faults import storing


class BackupStore:
    """One snapshot per job. The secrets themselves belong in the vault, under ``backup/<job_id>/<key>``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def save(self, job_id: str, snapshot: Snapshot) -> None:
        """Store a job's backup with every secret replaced by the mask."""
        masked = replace(snapshot, settings=tuple(_masked(setting) for setting in snapshot.settings))
        text = orjson.dumps(encode(masked)).decode()
        with storing():
            self._connection.execute(
                "INSERT OR REPLACE INTO backups (job_id, taken_at, snapshot) VALUES (?, ?, ?)",
                (job_id, snapshot.taken_at.isoformat(), text),
            )

    def load(self, job_id: str) -> Snapshot | None:
        """Return a job's backup as stored (secrets masked), if there is one; raises DamagedFile."""
        sql = "SELECT snapshot FROM backups WHERE job_id = ?"
        with storing():
            row = self._connection.execute(sql, (job_id,)).fetchone()
        if row is None:
            return None
        try:
            return decode(Snapshot, orjson.loads(row[0]))
        except ValueError as error:
            raise DamagedFile(
                f"The backup of job {job_id} can't be read: {error}.", "Send the database to support."
            ) from error


def _masked(setting: Setting) -> Setting:
    return replace(setting, value=MASK) if setting.is_secret and setting.value else setting
