"""A trace opened for reading: paged like the live traffic, with its times at hand for a scrubber."""

from __future__ import annotations

import asyncio
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from app.model.frame import Frame, Handshake, Knock
from app.model.observation import Ended, TlsFailed
from app.model.trace import Entry, Record, TraceInfo
from app.ocpp.masking import masked_loosely
from app.storage.evidence import EvidenceStore
from app.storage.recording import RecordingStore
from app.storage.traffic import TrafficStore, microseconds, moment
from app.trace.reading import TraceFile

SLICE_S = 0.012
"""How long a load works before the window gets its turn (a stall is felt from 100 ms on, a frame lasts 16)."""

BREATH_S = 0.001
BATCH = 256

COMINGS = (Handshake, Ended, Knock, TlsFailed)
MOST_COMINGS = 100_000

Told = Callable[[int, float], None]
"""Takes the number of frames so far and the part of the work that is done, 0 to 1."""


def _batch(entries: Iterator[Entry | None]) -> list[Entry | None]:
    """Take a few entries, fewer where a stretch without any goes by; empty = there are no more."""
    batch: list[Entry | None] = []
    for entry in entries:
        batch.append(entry)
        if entry is None or len(batch) >= BATCH:
            break
    return batch


class Recording:
    """The entries of one file. ``seq`` of its frames ascends; ``at`` of the timeline never goes back.

    Where a file's own frame numbers ascend they are kept (findings quote them), else frames are numbered anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info: TraceInfo
        self._store = RecordingStore()
        self._seqs = array("q")
        self._times = array("q")
        self.comings: list[Record] = []
        """Who came, who left, and who knocked; the first of them, all are in the store."""

    @classmethod
    async def load(cls, path: Path, told: Told = lambda _count, _part: None) -> Recording:
        """Read a file in small slices; cancelling leaves nothing behind. Raises StoreError, NewerFile, DiskFull."""
        recording = cls(path)
        try:
            with TraceFile(path) as file:
                await recording._fill(file, told)
                recording.info = file.info
        except BaseException:
            recording.close()
            raise
        return recording

    async def _fill(self, file: TraceFile, told: Told) -> None:
        entries = file.steps()
        until = time.perf_counter() + SLICE_S
        while batch := _batch(entries):
            self._add(batch)
            if time.perf_counter() >= until:
                told(len(self._seqs), file.done)
                await asyncio.sleep(BREATH_S)
                until = time.perf_counter() + SLICE_S
        told(len(self._seqs), 1.0)

    def _add(self, batch: list[Entry | None]) -> None:
        frames = [self._numbered(entry) for entry in batch if isinstance(entry, Frame)]
        records = [entry for entry in batch if isinstance(entry, Record)]
        comings = [record for record in records if isinstance(record.evidence, COMINGS)]
        self.comings += comings[: max(0, MOST_COMINGS - len(self.comings))]
        self._store.add(frames, records)

    def _numbered(self, frame: Frame) -> Frame:
        last = self._seqs[-1] if self._seqs else 0
        at = microseconds(frame.at)
        if frame.seq <= last:
            frame = replace(frame, seq=last + 1)
        text = masked_loosely(frame.text)  # a foreign file was masked by nobody
        if text != frame.text:
            frame = replace(frame, text=text, raw=None)
        self._seqs.append(frame.seq)
        self._times.append(max(at, self._times[-1]) if self._times else at)
        return frame

    def close(self) -> None:
        """Forget the recording. Idempotent."""
        self._store.close()

    @property
    def traffic(self) -> TrafficStore:
        """Return the frames, to be read page by page."""
        return self._store.traffic

    @property
    def evidence(self) -> EvidenceStore:
        """Return what stands beside the frames."""
        return self._store.evidence

    @property
    def count(self) -> int:
        """Return the number of frames."""
        return len(self._seqs)

    @property
    def start_at(self) -> datetime:
        """Return when the first thing happened."""
        return min((self.info.first_at, *self._first_frame()), default=moment(0)) if self.info.first_at else moment(0)

    @property
    def end_at(self) -> datetime:
        """Return when the last thing happened."""
        return self.info.last_at or moment(0)

    def _first_frame(self) -> tuple[datetime, ...]:
        return (moment(self._times[0]),) if self._times else ()

    def seq_until(self, at: datetime) -> int:
        """Return the number of the last frame up to a time, 0 where none was yet."""
        place = bisect_right(self._times, microseconds(at))
        return self._seqs[place - 1] if place else 0

    def next_seq(self, seq: int) -> int | None:
        """Return the number of the frame behind another."""
        place = bisect_right(self._seqs, seq)
        return self._seqs[place] if place < len(self._seqs) else None

    def previous_seq(self, seq: int) -> int:
        """Return the number of the frame before another, 0 where it is the first."""
        place = bisect_left(self._seqs, seq)
        return self._seqs[place - 1] if place else 0

    def place_of(self, seq: int) -> int:
        """Return how many frames there are up to a number."""
        return bisect_right(self._seqs, seq)

    def busy(self, parts: int) -> list[float]:
        """Return how many frames there are in equal parts of the time, the busiest being 1."""
        counts = [0] * parts
        start, end = microseconds(self.start_at), microseconds(self.end_at)
        width = max(1, end - start) / parts
        low = 0
        for place in range(parts):
            high = bisect_right(self._times, int(start + width * (place + 1)))
            counts[place], low = high - low, high
        most = max(counts)
        return [(count / most) ** 0.5 if most else 0.0 for count in counts]

    def time_of(self, seq: int) -> datetime | None:
        """Return when a frame came, on the timeline; ``None`` where there is no such frame."""
        place = bisect_left(self._seqs, seq)
        if place >= len(self._seqs) or self._seqs[place] != seq:
            return None
        return moment(self._times[place])
