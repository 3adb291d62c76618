"""The bridge's log: lines for people, or JSON for collectors; to the terminal, or to files that are turned over."""

from __future__ import annotations

import logging
import logging.handlers
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from app.errors import StoreError

SIZE, COUNT = 5_000_000, 5
"""Bytes of one log file, and how many are kept."""


class JsonLines(logging.Formatter):
    """One JSON object a line: ``at`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, and what the caller added."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        document: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["error"] = self.formatException(record.exc_info)
        return orjson.dumps(document, default=str).decode()


def configure(*, is_json: bool, path: Path | None = None, level: int = logging.INFO) -> logging.Handler:
    """Send all log records to stderr, or to files; returns the handler, to be removed at the end. Raises StoreError."""
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handler = logging.handlers.RotatingFileHandler(path, maxBytes=SIZE, backupCount=COUNT, encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"The log {path} can't be written: {error.strerror}.", "Give another folder, or log to the terminal."
            ) from error
    handler.setFormatter(
        JsonLines() if is_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    return handler
