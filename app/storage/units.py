"""Known units, so that a site shows at start."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

import orjson

from app.model.coding import decode, encode
from app.model.unit import Unit, UnitChange
from app.storage.faults import storing


class UnitStore:
    """The last known state of every unit ever seen. Holds no secret."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def save(self, unit: Unit) -> None:
        """Store or replace a unit."""
        self.update([UnitChange(unit=unit)])

    def update(self, changes: Iterable[UnitChange]) -> None:
        """Store what changed and delete what is gone, all of it or nothing (one sync to disk)."""
        with storing(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                if change.is_gone:
                    self._connection.execute("DELETE FROM units WHERE unit_id = ?", (change.unit.unit_id,))
                else:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO units (unit_id, seen_at, unit) VALUES (?, ?, ?)", _row(change.unit)
                    )

    def all(self) -> tuple[Unit, ...]:
        """Return every known unit, newest first, each marked as not present. Unreadable ones are left out."""
        with storing():
            rows = self._connection.execute("SELECT unit FROM units ORDER BY seen_at DESC").fetchall()
        return tuple(unit for (text,) in rows if (unit := _unit(text)) is not None)


def _row(unit: Unit) -> tuple[str, str, str]:
    if unit.backend is not None:
        unit = replace(unit, backend=unit.backend.without_secret())
    seen_at = unit.last_seen_at.isoformat() if unit.last_seen_at else ""
    return unit.unit_id, seen_at, orjson.dumps(encode(unit)).decode()


def _unit(text: str) -> Unit | None:
    try:
        unit = decode(Unit, orjson.loads(text))
    except ValueError:
        return None
    return replace(unit, ways=tuple(replace(way, is_present=False) for way in unit.ways))
