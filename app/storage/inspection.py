"""Look at a database file without touching it, before it is opened."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.errors import DamagedFile, NewerFile, StoreError
from app.storage.schema import APPLICATION_ID

MAGIC = b"SQLite format 3\x00"
"""SQLite file format §1.3."""

FULL_CHECK_LIMIT = 64_000_000
"""Bytes up to which the whole file is checked; a larger one only where jobs, edits and backups lie."""

_PRECIOUS = ("job_events", "backups", "edits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first page says of the file."""

    page_size: int
    pages: int
    user_version: int
    application_id: int


def inspect(path: Path, newest: int, *, mark: int = APPLICATION_ID, precious: tuple[str, ...] = _PRECIOUS) -> None:
    """Raise NewerFile, DamagedFile or StoreError if this program must not open the file. Changes nothing.

    A missing or empty file is fine: it becomes a new database. ``mark`` is the application id it must bear;
    ``precious`` tables are checked in large files too.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            return
        header = _newest_header(path)
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror}.", "Check the folder's permissions.") from error
    if header.application_id not in (mark, 0) or (header.application_id == 0 and header.user_version):
        raise _damaged(path, "it belongs to another program")
    if header.user_version > newest:
        raise NewerFile(
            f"{path.name} was written by a newer Rehome (format {header.user_version}, this one knows {newest}).",
            "Update Rehome, or choose another data folder. The file was not touched.",
        )
    _check(path, precious)


def _damaged(path: Path, why: str) -> DamagedFile:
    return DamagedFile(
        f"{path.name} is not a healthy Rehome database: {why}.",
        "Keep the file for support and move it away; Rehome then starts with an empty one. It was not touched.",
    )


def _newest_header(path: Path) -> Header:
    with path.open("rb") as file:
        first = file.read(100)
    if len(first) < 100 or not first.startswith(MAGIC):
        raise _damaged(path, "its first bytes are not those of a database")
    header = _parse(first)
    size = path.stat().st_size
    log = _log(path)
    if header.page_size < 512 or header.page_size & (header.page_size - 1):
        raise _damaged(path, "its page size is impossible")
    if log is None and size < header.pages * header.page_size:
        raise _damaged(path, "its end is missing")
    page = _first_page_in_log(log) if log is not None else None
    return _parse(page) if page is not None and page.startswith(MAGIC) else header


def _parse(page: bytes) -> Header:
    (size,) = struct.unpack_from(">H", page, 16)
    (pages,) = struct.unpack_from(">I", page, 28)
    (version,) = struct.unpack_from(">I", page, 60)
    (mark,) = struct.unpack_from(">I", page, 68)
    return Header(page_size=65536 if size == 1 else size, pages=pages, user_version=version, application_id=mark)


def _log(path: Path) -> Path | None:
    """Return the write-ahead log if it holds anything."""
    log = path.with_name(path.name + "-wal")
    return log if log.exists() and log.stat().st_size > 32 else None


def _first_page_in_log(log: Path) -> bytes | None:
    """Return the newest committed copy of page 1 in a write-ahead log (SQLite file format §4.1)."""
    newest = pending = None
    with log.open("rb") as file:
        head = file.read(32)
        (page_size,) = struct.unpack_from(">I", head, 8)
        if not 512 <= page_size <= 65536:
            return None
        while len(frame := file.read(24)) == 24 and frame[8:16] == head[16:24]:
            number, commit = struct.unpack_from(">II", frame)
            if number == 1:
                pending = file.read(100)
                file.seek(page_size - 100, 1)
            else:
                file.seek(page_size, 1)
            if commit:
                newest = pending
    return newest


def _check(path: Path, precious: tuple[str, ...]) -> None:
    log = _log(path)
    try:
        if log is None:
            _quick_check(path, f"{path.absolute().as_uri()}?mode=ro&immutable=1", precious)
        elif path.stat().st_size + log.stat().st_size <= FULL_CHECK_LIMIT:
            _check_copy(path, log, precious)
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _check_copy(path: Path, log: Path, precious: tuple[str, ...]) -> None:
    """Check a file that was not closed in order, on a copy: opening it would already change it."""
    with tempfile.TemporaryDirectory(prefix="rehome-check-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(log.name))
        _quick_check(path, copy.as_uri(), precious)


def _quick_check(path: Path, uri: str, precious: tuple[str, ...]) -> None:
    is_small = path.stat().st_size <= FULL_CHECK_LIMIT
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        scopes = [""] if is_small else [f"('{name}')" for name in precious if name in tables]
        for scope in scopes:
            (answer,) = connection.execute(f"PRAGMA quick_check{scope}").fetchone()
            if answer != "ok":
                raise _damaged(path, answer.splitlines()[-1][:200])
