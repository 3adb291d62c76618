"""Known units, so that a site shows at start."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import orjson

from app.model.coding import decode, encode
from app.model.unit import Unit
from app.storage.faults import storing


class UnitStore:
    """The last known state of every unit ever seen. Holds no secret."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def save(self, unit: Unit) -> None:
        """Store or replace a unit."""
        if unit.backend is not None:
            unit = replace(unit, backend=unit.backend.without_secret())
        seen_at = unit.last_seen_at.isoformat() if unit.last_seen_at else ""
        text = orjson.dumps(encode(unit)).decode()
        with storing():
            self._connection.execute(
                "INSERT OR REPLACE INTO units (unit_id, seen_at, unit) VALUES (?, ?, ?)", (unit.unit_id, seen_at, text)
            )

    def forget(self, unit_id: str) -> None:
        """Delete a unit; nothing happens where it is unknown."""
        with storing():
            self._connection.execute("DELETE FROM units WHERE unit_id = ?", (unit_id,))

    def all(self) -> tuple[Unit, ...]:
        """Return every known unit, newest first, each marked as not present. Unreadable ones are left out."""
        with storing():
            rows = self._connection.execute("SELECT unit FROM units ORDER BY seen_at DESC").fetchall()
        return tuple(unit for (text,) in rows if (unit := _unit(text)) is not None)


def _unit(text: str) -> Unit | None:
    try:
        unit = decode(Unit, orjson.loads(text))
    except ValueError:
        return None
    return replace(unit, ways=tuple(replace(way, is_present=False) for way in unit.ways))
