"""The database's shape: its mark, its version, and the numbered steps from one version to the next."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

APPLICATION_ID = 0x52484D45
"""``RHME``; tells our files from any other SQLite database (PRAGMA application_id)."""

FOLDER = Path(__file__).parent / "migrations"

_NAME = re.compile(r"(\d{4})_\w+\.sql\Z")


def migrations(folder: Path = FOLDER) -> tuple[tuple[int, str], ...]:
    """Return (version, SQL) of every migration in order. The version of a file is its number."""
    found = []
    for file in sorted(folder.iterdir()):
        match = _NAME.match(file.name)
        if match:
            found.append((int(match[1]), file.read_text(encoding="utf-8")))
    return tuple(found)


def latest(folder: Path = FOLDER) -> int:
    """Return the version this program writes."""
    return max(version for version, _ in migrations(folder))


def migrate(connection: sqlite3.Connection, folder: Path = FOLDER, mark: int = APPLICATION_ID) -> None:
    """Bring an open database up to date, each step in one transaction of its own; ``mark`` is its application id."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.execute(f"PRAGMA application_id = {mark}")
    for number, script in migrations(folder):
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
