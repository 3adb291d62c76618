"""Let one program at a time use a database."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.errors import StoreError


class FileLock:
    """An operating-system lock beside the database; it ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> None:
        """Take the lock; raises StoreError where another program holds it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(
                f"The data folder can't be written: {error.strerror}.", "Check its permissions or choose another."
            ) from error
        try:
            _lock(self._file)
        except OSError as error:
            os.close(self._file)
            self._file = None
            raise StoreError(
                "Another Rehome uses this data folder already.",
                "Close the other one, or start this one with another folder (REHOME_HOME).",
            ) from error

    def release(self) -> None:
        """Give the lock back. Idempotent. The empty file stays: deleting it would let two programs in."""
        if self._file is None:
            return
        os.close(self._file)
        self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
