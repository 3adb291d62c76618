"""Keep finished and half-finished runs: one JSON file each, written whole or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import orjson

from app.errors import StoreError
from app.model.acceptance import RunResult
from app.model.coding import decode, encode

log = logging.getLogger(__name__)

SIZE_LIMIT = 64_000_000
"""Bytes of a run that is read again; a full run has about 2 MB [OURS]."""
SUFFIX = ".acceptance.json"


class Shelf:
    """The runs of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def store(self, run: RunResult) -> None:
        """Write a run as it stands. Raises StoreError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self._path(run.id), text(run))
        except OSError as error:
            raise StoreError(
                f"The acceptance run can't be written: {error.strerror or error}.",
                f"Check room and rights of {self.folder}.",
            ) from error

    def load(self, run_id: str) -> RunResult:
        """Read one run. Raises StoreError where there is none, or none that can be read."""
        if not run_id or Path(run_id).name != run_id:
            raise StoreError(f"There is no acceptance run “{run_id[:60]}”.", "Look at the list of runs.")
        return load(self._path(run_id))

    def runs(self, identity: str = "") -> tuple[RunResult, ...]:
        """Return all runs (of one unit), the newest first; files that can't be read are left out."""
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                run = load(path)
            except StoreError as error:
                log.info("%s is left out: %s", path.name, error.message)
                continue
            if not identity or run.identity == identity:
                found.append(run)
        return tuple(sorted(found, key=lambda run: run.started_at, reverse=True))

    def _path(self, run_id: str) -> Path:
        return self.folder / f"{run_id}{SUFFIX}"


def text(run: RunResult) -> bytes:
    """Return a run as JSON: everything, frames included."""
    return orjson.dumps(encode(run), option=orjson.OPT_INDENT_2)


def load(path: Path) -> RunResult:
    """Read a run from any file. Raises StoreError."""
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise StoreError(f"{path.name} is too large for an acceptance run.", "Choose another file.")
        return decode(RunResult, orjson.loads(path.read_bytes()))
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror or error}.", "Choose another file.") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path.name} is no acceptance run: {error}"[:300], "Choose another file.") from error


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
