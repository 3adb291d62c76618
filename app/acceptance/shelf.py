"""Keep finished and half-finished runs: one JSON file each, written whole or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import orjson

from app.errors import StoreError
from app.model.acceptance import RunResult
from app.model.coding import decode, encode

log = logging.getLogger(__name__)

SIZE_LIMIT = 64_000_000
"""Bytes of a run that is read again; a full run has about 2 MB [OURS]."""
HEAD = 4096
"""Bytes in which the identity of a run is found: an identity has at most some hundred characters."""
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

    def runs(self, identity: str = "", limit: int = 1000) -> tuple[RunResult, ...]:
        """Return runs (of one unit), the newest first; files that can't be read are left out."""
        return tuple(islice(self._each(identity), limit))

    def newest(self, identity: str) -> RunResult | None:
        """Return the newest run of a unit that is over."""
        return next((run for run in self._each(identity) if run.ended_at is not None), None)

    def _each(self, identity: str) -> Iterator[RunResult]:
        """Read one after the other: their names begin with the time."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True):
            try:
                if identity and not _may_be_of(path, identity):
                    continue
                run = load(path)
            except StoreError as error:
                log.info("%s is left out: %s", path.name, error.message)
                continue
            if not identity or run.identity == identity:
                yield run

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


def _may_be_of(path: Path, identity: str) -> bool:
    """Look into the head of a file, where the identity stands, before all of it is read."""
    try:
        with path.open("rb") as file:
            return orjson.dumps(encode(identity)) in file.read(HEAD)
    except OSError as error:
        raise StoreError(f"{path.name} can't be read: {error.strerror or error}.", "Check its rights.") from error


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
