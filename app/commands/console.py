"""What a command says: results on stdout (text or JSON), progress and trouble on stderr."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from app.errors import AppError
from app.model.secret import MASK, Secret


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options every command has."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--home", type=Path, help="folder for data and settings")


class OutputGone(AppError):
    """Nobody reads what the command prints any more (``rehome serve | head``)."""


class Console:
    """Where a command's output goes. ``is_json``: one JSON document per result, nothing else on stdout."""

    def __init__(self, *, is_json: bool, is_quiet: bool = False) -> None:
        self.is_json = is_json
        self._has_result = False
        self._is_quiet = is_quiet

    def result(self, value: Any, text: str) -> None:
        """Print the one result: ``value`` as JSON, or ``text``."""
        self._has_result = True
        _put(json.dumps(plain(value), ensure_ascii=False, indent=2) if self.is_json else text)

    def line(self, value: Any, text: str) -> None:
        """Print one of many results: a JSON document on one line, or ``text``."""
        _put(json.dumps(plain(value), ensure_ascii=False) if self.is_json else text)

    def progress(self, text: str) -> None:
        """Say what is going on."""
        if not self._is_quiet:
            print(visible(text), file=sys.stderr, flush=True)

    def trouble(self, error: AppError, *, is_final: bool = True) -> None:
        """Say what failed and what to do next; with ``is_final`` it is the JSON result too, where there is no other."""
        print(f"{visible(error.message)}\n  → {visible(error.advice)}", file=sys.stderr, flush=True)
        if self.is_json and is_final and not self._has_result:
            print(
                json.dumps({"error": {"kind": type(error).__name__, "message": error.message, "advice": error.advice}})
            )


def _put(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError as error:
        # What is still in the buffer must not fail again when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputGone("Nobody reads the output any more.", "Run the command without a pipe.") from error


def plain(value: Any) -> Any:
    """Turn values into what JSON knows. Secrets become a mask."""
    if isinstance(value, Secret):
        return MASK if value else ""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def visible(text: str) -> str:
    """Show control characters of a charger's text instead of obeying them."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns."""
    shown = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in [tuple(head), *shown]) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [tuple(head), *shown]
    ]
    return "\n".join(line.rstrip() for line in lines)
