"""The time a 1.6 station tells: the backend's where ours can't be right (OCPP 1.6 §4.2, §4.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.bridge.session import Memory
from app.ocpp.stamps import read, written

OFF_S = 60.0
"""Farther from the backend's time our clock counts as wrong: a small computer without a battery wakes up in the past
(connection-failures, CLOCK; a technician's bad drift, commissioning §3) [OURS]."""
FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What a backend may believably say."""
_KEY = "clock offset"


class Clock16:
    """Our clock, and how far the backend's is from it; kept over restarts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.offset = _kept(memory.get(_KEY))

    def at(self, now: datetime) -> datetime:
        """Return a moment of our clock as it is told."""
        return now + self.offset

    def text(self, now: datetime) -> str:
        """Return a moment of our clock as OCPP writes it."""
        return written(self.at(now))

    def told(self, text: object, now: datetime) -> None:
        """Learn the backend's time."""
        try:
            theirs = read(text) if isinstance(text, str) else None
        except ValueError:
            return
        if theirs is None or not FIRST <= theirs <= LAST:
            return
        apart = theirs - now
        offset = apart if abs(apart.total_seconds()) > OFF_S else timedelta()
        if abs((offset - self.offset).total_seconds()) > 1.0:
            self.offset = offset
            self._memory.put(_KEY, str(offset.total_seconds()) if offset else None)


def _kept(text: str | None) -> timedelta:
    try:
        return timedelta(seconds=float(text)) if text else timedelta()
    except (ValueError, OverflowError):
        return timedelta()
