"""The log on disk, and the trace a crash of the interpreter leaves for the next start."""

from __future__ import annotations

import faulthandler
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

LOG_BYTES = 1_000_000
LOG_FILES = 4
CRASH_LIMIT = 100_000
"""Characters of an old crash that are shown."""

CHATTY = ("asyncio", "zeroconf", "websockets", "aiohttp", "qasync", "keyring")


class LogFile:
    """Writes the program's log into ``<home>/log`` while open. ``last_crash`` is what the run before left, or empty."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "log"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._crash_path = self.folder / "crash.txt"
        self.last_crash = self._keep_old_crash()
        self._crash_file: IO[str] = self._crash_path.open("w", encoding="utf-8")
        faulthandler.enable(self._crash_file)
        self._writer = RotatingFileHandler(
            self.folder / "rehome.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8", delay=True
        )
        self._writer.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        self._old_level = root.level
        root.setLevel(logging.INFO)
        root.addHandler(self._writer)
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)

    def _keep_old_crash(self) -> str:
        if not self._crash_path.exists():
            return ""
        text = self._crash_path.read_text(encoding="utf-8", errors="replace")[:CRASH_LIMIT]
        if text.strip():
            (self.folder / "crash-previous.txt").write_text(text, encoding="utf-8")
        return text.strip()

    def close(self) -> None:
        """Stop writing. Idempotent."""
        root = logging.getLogger()
        root.removeHandler(self._writer)
        root.setLevel(self._old_level)
        self._writer.close()
        faulthandler.disable()
        self._crash_file.close()
