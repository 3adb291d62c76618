"""How much is listened to: a bound for every source, and for all strangers together. Pure."""

from __future__ import annotations

from collections import OrderedDict

STRANGER_RATE = 20.0
"""Datagrams a second from one address that name no box known there [OURS]."""
STRANGER_BURST = 600.0
"""At once: a whole site behind one address that starts after a power cut [OURS]."""
ALL_RATE, ALL_BURST = 500.0, 2000.0
"""The same of all addresses together [OURS]."""
SOURCES = 2048
"""Addresses whose count is kept; then the one not heard for longest goes."""


class Bucket:
    """Lets ``burst`` through at once and ``rate`` a second for good. Times are seconds of any clock."""

    __slots__ = ("_at_s", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: float, at_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at_s = at_s

    def takes(self, at_s: float) -> bool:
        """Say whether another one may pass, and count it."""
        self._left = min(self._burst, self._left + max(0.0, at_s - self._at_s) * self._rate)
        self._at_s = at_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Door:
    """Lets strangers in, so many for each address and so many in all."""

    def __init__(self) -> None:
        self._all = Bucket(ALL_RATE, ALL_BURST, 0.0)
        self._sources: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def takes(self, host: str, at_s: float) -> bool:
        """Say whether another datagram of a stranger at that address is looked at."""
        bucket = self._sources.get(host)
        if bucket is None:
            bucket = self._sources[host] = Bucket(STRANGER_RATE, STRANGER_BURST, at_s)
            if len(self._sources) > SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(host)
        return bucket.takes(at_s) and self._all.takes(at_s)
