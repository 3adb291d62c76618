"""Settings written by hand: on disk before the charger sees them. Secrets are masked."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson

from app.errors import DamagedFile
from app.model.coding import decode, encode
from app.model.edit import Edit, EditState
from app.model.secret import MASK
from app.model.unit import Claim
from app.storage.faults import storing

LISTED = 500
"""Edits of one charger that are listed at most."""

_COLUMNS = "id, unit_id, at, key, before, after, is_secret, undo_limit, driver_id, claims, state, read_back, note"


class EditStore:
    """All edits. Every call is on disk when it returns (synchronous=FULL)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, edit: Edit) -> None:
        """Store a new edit; raises StoreError, DiskFull (then nothing was stored)."""
        with storing():
            self._connection.execute(f"INSERT INTO edits ({_COLUMNS}) VALUES ({', '.join('?' * 13)})", _row(edit))

    def settle(self, edit: Edit) -> None:
        """Store what became of an edit: its state, what was read back, and the note."""
        read_back = _masked(edit.read_back, is_secret=edit.is_secret)
        with storing():
            self._connection.execute(
                "UPDATE edits SET state = ?, read_back = ?, note = ? WHERE id = ?",
                (edit.state.value, encode(read_back), encode(edit.note), edit.id),
            )

    def get(self, edit_id: str) -> Edit | None:
        """Return an edit; raises DamagedFile where it can't be read."""
        with storing():
            row = self._connection.execute(f"SELECT {_COLUMNS} FROM edits WHERE id = ?", (edit_id,)).fetchone()
        return _edit(row) if row is not None else None

    def unit_ids(self) -> frozenset[str]:
        """Return the ids of all units that were ever edited."""
        with storing():
            return frozenset(unit_id for (unit_id,) in self._connection.execute("SELECT DISTINCT unit_id FROM edits"))

    def of(self, unit_ids: Collection[str], limit: int = LISTED) -> tuple[Edit, ...]:
        """Return the edits of a unit known under these ids, the newest first."""
        marks = ", ".join("?" * len(unit_ids))
        sql = f"SELECT {_COLUMNS} FROM edits WHERE unit_id IN ({marks}) ORDER BY seq DESC LIMIT ?"
        with storing():
            rows = self._connection.execute(sql, (*unit_ids, limit)).fetchall()
        return tuple(_edit(row) for row in rows)


def _masked(value: str | None, *, is_secret: bool) -> str | None:
    return MASK if is_secret and value else value


def _row(edit: Edit) -> tuple[Any, ...]:
    return (
        edit.id,
        edit.unit_id,
        edit.at.isoformat(),
        encode(edit.key),
        encode(_masked(edit.before, is_secret=edit.is_secret)),
        encode(_masked(edit.after, is_secret=edit.is_secret)),
        edit.is_secret,
        edit.limit,
        edit.driver_id,
        orjson.dumps(encode(sorted(edit.claims, key=str))).decode(),
        edit.state.value,
        encode(_masked(edit.read_back, is_secret=edit.is_secret)),
        encode(edit.note),
    )


def _edit(row: tuple[Any, ...]) -> Edit:
    edit_id, unit_id, at, key, before, after, is_secret, limit, driver_id, claims, state, read_back, note = row
    try:
        return Edit(
            id=edit_id,
            unit_id=unit_id,
            at=datetime.fromisoformat(at),
            key=key,
            before=before,
            after=after,
            is_secret=bool(is_secret),
            limit=limit,
            driver_id=driver_id,
            claims=decode(frozenset[Claim], orjson.loads(claims)),
            state=EditState(state),
            read_back=read_back,
            note=note,
        )
    except ValueError as error:
        raise DamagedFile(f"The edit {edit_id} can't be read: {error}.", "Send the database to support.") from error
