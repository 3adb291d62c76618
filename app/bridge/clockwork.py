"""One clock for all stations of a process: no task and no timer for each of them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

GRAIN_S = 0.05
"""Alarms this near each other ring together: 500 stations wake the process at most 20 times a second [OURS]."""
LOOK_S = 1.0
"""How soon a clock that was set is noticed [OURS]."""
SET_S = 2.0
"""A wall clock that moved so far against the steady one was set."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Alarm:
    """Rings once at a time; ``ring`` gets the time then. Made by ``Clockwork.alarm``."""

    __slots__ = ("_clockwork", "at", "planned", "ring")

    def __init__(self, clockwork: Clockwork, ring: Callable[[datetime], None]) -> None:
        self._clockwork = clockwork
        self.ring = ring
        self.at: datetime | None = None
        self.planned: datetime | None = None
        """When the clockwork looks at it next."""

    def set(self, at: datetime) -> None:
        """Ring at a time; an earlier order is forgotten."""
        self.at = at
        if self.planned is None or at < self.planned:
            self._clockwork._plan(self, at)

    def off(self) -> None:
        """Don't ring."""
        self.at = None


class Clockwork:
    """Rings alarms by the wall clock, however often that is set. ``run`` is started by its owner."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self.now = now
        self._heap: list[tuple[datetime, int, Alarm]] = []
        self._numbers = itertools.count()
        self._sooner = asyncio.Event()
        self._sleeps_until: datetime | None = None

    def alarm(self, ring: Callable[[datetime], None]) -> Alarm:
        """Make an alarm, not set yet. ``ring`` may set it again; it must not raise."""
        return Alarm(self, ring)

    async def run(self) -> None:
        """Ring, until cancelled."""
        apart = self._apart()
        while True:
            await self._sleep()
            moved = self._apart() - apart
            if abs(moved.total_seconds()) > SET_S:
                apart += moved
                self._ring(None)
            else:
                self._ring(self.now())

    def _plan(self, alarm: Alarm, at: datetime) -> None:
        alarm.planned = at
        heapq.heappush(self._heap, (at, next(self._numbers), alarm))
        if self._sleeps_until is not None and at < self._sleeps_until:
            self._sooner.set()

    async def _sleep(self) -> None:
        await asyncio.sleep(GRAIN_S)
        self._sooner.clear()
        left_s = LOOK_S - GRAIN_S
        if self._heap:
            left_s = min(left_s, (self._heap[0][0] - self.now()).total_seconds())
        if left_s <= 0:
            return
        self._sleeps_until = self.now() + timedelta(seconds=left_s)
        try:
            async with asyncio.timeout(left_s):
                await self._sooner.wait()
        except TimeoutError:
            return
        finally:
            self._sleeps_until = None

    def _ring(self, until: datetime | None) -> None:
        """Ring all alarms up to a time; without one all there are: the clock was set, and each plans anew."""
        due: list[Alarm] = []
        while self._heap and (until is None or self._heap[0][0] <= until):
            at, _, alarm = heapq.heappop(self._heap)
            if alarm.planned != at:
                continue
            alarm.planned = None
            if alarm.at is not None and (until is None or alarm.at <= until):
                due.append(alarm)
            elif alarm.at is not None:
                self._plan(alarm, alarm.at)
        now = self.now()
        for alarm in due:
            alarm.at = None
            alarm.ring(now)

    def _apart(self) -> timedelta:
        return self.now() - datetime.fromtimestamp(time.monotonic(), UTC)
