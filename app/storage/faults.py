"""Translate SQLite's exceptions, once, at the edge."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import DamagedFile, DiskFull, StoreError

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


def translated(error: sqlite3.Error) -> StoreError:
    """Return what an SQLite error means to a technician."""
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    if code in _FULL:
        return DiskFull(
            f"The data folder can't take more: {error}.",
            "Free some space on this disk, then try again. Nothing is lost.",
        )
    if code in _DAMAGED:
        return DamagedFile(
            f"The database is damaged: {error}.", "Keep the file for support and move it away; a new one is made."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError("The database is in use by another program.", "Close the other program, then try again.")
    return StoreError(f"The database refused: {error}.", "Try again; if it stays, send the log to support.")


@contextmanager
def storing() -> Iterator[None]:
    """Raise StoreError, DiskFull or DamagedFile where SQLite raises its own."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error) from error
