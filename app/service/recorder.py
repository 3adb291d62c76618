"""Two-way recording of a bridge: every frame into traces of our own format, a file a day, the oldest deleted."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from app import __version__
from app.feed import Feed
from app.model.frame import Frame
from app.model.trace import ProgramStart
from app.trace.own import TraceWriter

log = logging.getLogger(__name__)

SUFFIX = ".rehome-trace"
FLUSH_S = 1.0
QUEUE = 20_000
"""Frames that may wait for the disk; the oldest are dropped and counted."""
SIZE_LIMIT = 2_000_000_000
"""Bytes of all recordings together; a small box has a small card."""


class Recorder:
    """Writes what a feed brings. Run ``run`` as a task; ending it closes the file in order.

    A disk that is full, or a folder that is gone, is told once and never stops the bridge: recording is tried again
    with the next file.
    """

    def __init__(
        self,
        folder: Path,
        frames: Feed[Frame],
        *,
        site: str,
        keep_days: int,
        size_limit: int = SIZE_LIMIT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._frames = frames
        self._site = site
        self._keep = timedelta(days=keep_days)
        self._size_limit = size_limit
        self._now = now
        self._file: BinaryIO | None = None
        self._path = folder
        self._writer = TraceWriter()
        self._day: date | None = None
        self.trouble = ""
        self.dropped = 0

    @property
    def path(self) -> Path | None:
        """Return the file that is being written, ``None`` while there is none."""
        return self._path if self._file is not None else None

    async def run(self) -> None:
        """Record until cancelled."""
        waiting = self._frames.subscribe(QUEUE)
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                await asyncio.to_thread(self._write, waiting.take())
                self.dropped = waiting.dropped
        finally:
            self._write(waiting.take())
            self._end()
            waiting.close()

    def _write(self, frames: Sequence[Frame]) -> None:
        """Append frames; never raises."""
        try:
            if self._day != self._now().date():
                self._end()
                self._tidy()
            if not frames:
                return
            if self._file is None:
                self._begin()
            assert self._file is not None
            self._file.write(b"".join(self._writer.entry(frame) for frame in frames))
            self._file.flush()
            self.trouble = ""
        except OSError as error:
            self._failed(error)

    def _begin(self) -> None:
        now = self._now()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{now:%Y-%m-%dT%H-%M-%S.%f}{SUFFIX}"
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._day, self._writer = now.date(), TraceWriter()
        start = ProgramStart(program=f"rehome bridge {__version__}", clock=now.isoformat(), zone="UTC")
        self._file.write(self._writer.head(start, {"site": self._site}))

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            with file:
                file.write(self._writer.end())
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        """Say it once, and begin a new file as soon as there is room."""
        if not self.trouble:
            log.warning("recording stopped: %s", error.strerror or error)
        self.trouble = f"Nothing is recorded: {error.strerror or error}."
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as again:
                log.debug("the recording did not close: %s", again)

    def _tidy(self) -> None:
        """Delete what is too old, and the oldest beyond the size limit."""
        if not self._folder.is_dir():
            return
        files = sorted(self._folder.glob(f"*{SUFFIX}"), reverse=True)
        oldest, total = (self._now() - self._keep).strftime("%Y-%m-%d"), 0
        for path in files:
            total += path.stat().st_size
            if path.name[:10] < oldest or total > self._size_limit:
                path.unlink(missing_ok=True)
        self._day = self._now().date()
