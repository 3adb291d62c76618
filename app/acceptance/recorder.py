"""Keep the frames of one identity while its acceptance test runs, and wake whoever waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.acceptance.take import Message, read
from app.feed import Feed
from app.model.acceptance import Mark
from app.model.frame import Frame
from app.model.observation import Ended

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

MAX_FRAMES = 5_000
"""Frames kept of one case [OURS]; more are counted, not kept."""
MAX_TEXT = 16_000_000
"""Characters of all frames of one case [OURS]; what comes then is counted, not kept."""
MAX_STORED = 1_000_000
"""Characters of all frames of one case in the result; of what comes then the numbers and actions remain [OURS]."""
MAX_MARKS = 500
MAX_KEPT_TEXT = 16_384
"""Characters kept of one frame's text; the whole stands in the traffic [OURS]."""


class Recorder:
    """What is captured now. One case at a time: ``restart`` forgets the one before."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.messages: list[Message] = []
        self.marks: list[Mark] = []
        self.dropped = 0
        self._text = 0
        self._last_seq = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def last_seq(self) -> int:
        """Return the number of the newest frame."""
        return self._last_seq

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Return what was captured, texts bounded."""
        return tuple(_bounded(message.frame for message in self.messages))

    def restart(self) -> None:
        """Begin an empty recording."""
        self.messages, self.marks, self.dropped, self._text = [], [], 0, 0

    def mark(self, name: str, text: str = "", /, **facts: object) -> Mark:
        """Note a moment that is no frame."""
        told = {key: str(value)[:200] for key, value in facts.items()}
        mark = Mark(name=name, at=datetime.now(UTC), text=text[:500], facts=told, seq=self._last_seq)
        if len(self.marks) < MAX_MARKS:
            self.marks.append(mark)
        self.wake()
        return mark

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, is_there: Callable[[], bool], real_s: float) -> bool:
        """Wait until something captured fits; false where the time is over first."""
        try:
            async with asyncio.timeout(real_s):
                while not is_there():
                    await self._news()
        except TimeoutError:
            return is_there()
        return True

    async def watch_frames(self, feed: Feed[Frame]) -> None:
        """Take in frames until cancelled."""
        with feed.subscribe(MAX_FRAMES) as frames:
            async for frame in frames:
                if frame.identity == self.identity:
                    self._take(frame)

    async def watch_arrivals(self, feed: Feed[Endpoint]) -> None:
        """Note every new connection until cancelled."""
        with feed.subscribe() as arrivals:
            async for endpoint in arrivals:
                if endpoint.identity == self.identity:
                    self.mark("connected", f"connection {endpoint.connection}", connection=endpoint.connection)

    async def watch_endings(self, feed: Feed[Ended]) -> None:
        """Note how every connection ended until cancelled."""
        with feed.subscribe() as endings:
            async for ended in endings:
                if ended.identity == self.identity:
                    self._ended(ended)

    def _ended(self, ended: Ended) -> None:
        self.mark(
            "ended",
            f"connection {ended.connection} ended with {ended.code}",
            connection=ended.connection,
            code=ended.code,
            by_us=ended.is_by_us,
            lasted_s=f"{ended.lasted_s:.3f}",
            pings=ended.pings,
            pongs=ended.pongs,
            peer_pings=ended.peer_pings,
            fault=ended.fault,
        )

    def _take(self, frame: Frame) -> None:
        self._last_seq = frame.seq
        if len(self.messages) >= MAX_FRAMES or self._text + len(frame.text) > MAX_TEXT:
            self.dropped += 1
        else:
            self._text += len(frame.text)
            self.messages.append(read(frame))
        self.wake()

    async def _news(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


def _bounded(frames: Iterable[Frame]) -> Iterator[Frame]:
    left = MAX_STORED
    for frame in frames:
        room = min(MAX_KEPT_TEXT, left)
        left -= min(room, len(frame.text))
        whole = frame.raw is None and len(frame.text) <= room
        yield frame if whole else replace(frame, raw=None, text=frame.text[:room])
