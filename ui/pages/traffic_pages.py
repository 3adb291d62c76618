"""Read stored frames into the list: page by page, in slices that never stall the window."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

from app.model.frame import Frame
from app.model.query import FramePage, TrafficQuery
from ui.models.frame_filter import EVERYTHING, FrameFilter

PAGE = 300
SLICE_S = 0.015
"""How long one read may search (a stall the reader feels begins at 100 ms)."""

BREATH_S = 0.001
"""Between two reads the window gets its turn: a ``sleep(0)`` would come back before its timers and paints do."""


def query_of(filter_: FrameFilter) -> TrafficQuery:
    """Return what of a filter the store can check itself; the rest is checked here."""
    words = sorted((word for word in filter_.words if word.isascii()), key=len)
    return TrafficQuery(
        identity=next(iter(filter_.identities)) if len(filter_.identities) == 1 else "",
        action=next(iter(filter_.actions)) if len(filter_.actions) == 1 else "",
        direction=next(iter(filter_.directions)) if len(filter_.directions) == 1 else None,
        kind=next(iter(filter_.kinds)) if len(filter_.kinds) == 1 else None,
        text=words[-1] if words else "",
    )


class FrameSource(Protocol):
    """Where frames are read from: the store, or a recording that was opened."""

    def last_seq(self) -> int:
        """Return the newest frame's number."""
        ...

    def scan(
        self,
        query: TrafficQuery,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 200,
        budget_s: float = 0.05,
    ) -> FramePage:
        """Return what a bounded search finds."""
        ...


class StoredFrames:
    """The frames of a source under one filter."""

    def __init__(self, source: FrameSource) -> None:
        self._store = source
        self.filter: FrameFilter = EVERYTHING

    @property
    def last_seq(self) -> int:
        """Return the newest stored frame's number."""
        return self._store.last_seq()

    async def older(self, before: int | None, limit: int = PAGE) -> FramePage:
        """Return up to ``limit`` frames before a number (``None`` = the newest), searching as far as it takes."""
        found: list[Frame] = []
        while True:
            page = self._scan(before=before, limit=limit)
            found[:0] = self._passing(page)
            if page.is_end or len(found) >= limit:
                return FramePage(frames=tuple(found), edge=page.edge, is_end=page.is_end)
            before = page.edge
            await asyncio.sleep(BREATH_S)

    async def newer(self, after: int, limit: int = PAGE) -> FramePage:
        """Return up to ``limit`` frames after a number."""
        found: list[Frame] = []
        async for page in self.pages(after, limit):
            found += page.frames
            if page.is_end or len(found) >= limit:
                return FramePage(frames=tuple(found), edge=page.edge, is_end=page.is_end)
        return FramePage(frames=tuple(found), edge=after, is_end=True)

    async def pages(self, after: int, limit: int = PAGE) -> AsyncIterator[FramePage]:
        """Go forward through everything that passes, in small reads with room for the window between them."""
        while True:
            page = self._scan(after=after, limit=limit)
            yield FramePage(frames=tuple(self._passing(page)), edge=page.edge, is_end=page.is_end)
            if page.is_end:
                return
            after = page.edge
            await asyncio.sleep(BREATH_S)

    def seq_at(self, at: datetime) -> int:
        """Return the number of the first frame at or after a time, by halving (numbers follow time)."""
        low, high = 1, self.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            page = self._store.scan(TrafficQuery(), after=middle - 1, limit=1, budget_s=SLICE_S)
            if not page.frames or page.frames[0].at >= at:
                high = middle
            else:
                low = page.frames[0].seq + 1
        return low

    def _passing(self, page: FramePage) -> list[Frame]:
        tests = self.filter.tests()
        return [frame for frame in page.frames if all(test(frame) for test in tests)]

    def _scan(self, *, before: int | None = None, after: int | None = None, limit: int) -> FramePage:
        return self._store.scan(query_of(self.filter), before=before, after=after, limit=limit, budget_s=SLICE_S)
