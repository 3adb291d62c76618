"""Readings as arrays that can be drawn at once. Imports numpy: load it with the plots, not before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.model.reading import Measurand, Reading

CAPACITY = 7200
"""Points kept per curve: two hours at one a second."""

GAP_S = 330.0
"""A longer silence is drawn as a gap (the slowest meters report every five minutes)."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurveKey:
    """What one curve shows."""

    measurand: Measurand
    connector: int = 1
    phase: str = ""


class Series:
    """One curve's points, oldest first, times in seconds since 1970. The newest ``capacity`` are kept.

    Points lie in one block twice the capacity, so that ``x`` and ``y`` are plain slices without a copy.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._x: Array = np.empty(capacity * 2)
        self._y: Array = np.empty(capacity * 2)
        self._start = 0
        self._end = 0
        self.is_dirty = False

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def x(self) -> Array:
        """Return the times."""
        return self._x[self._start : self._end]

    @property
    def y(self) -> Array:
        """Return the values; NaN marks a gap."""
        return self._y[self._start : self._end]

    @property
    def last(self) -> tuple[float, float] | None:
        """Return the newest time and value."""
        return (float(self._x[self._end - 1]), float(self._y[self._end - 1])) if self._end > self._start else None

    def append(self, at: float, value: float) -> None:
        """Add a point; one that is older than the newest, or the same again, is left out."""
        last = self.last
        if last is not None and (at < last[0] or (at, value) == last):
            return
        if last is not None and at - last[0] > GAP_S:
            self._push(last[0] + 0.001, float("nan"))
        self._push(at, value)
        self.is_dirty = True

    def at(self, moment: float) -> float | None:
        """Return the value in force at a time; ``None`` before the first point and in a gap."""
        place = int(np.searchsorted(self.x, moment, side="right")) - 1
        if place < 0:
            return None
        value = float(self.y[place])
        return None if np.isnan(value) else value

    def span(self, since: float, until: float) -> tuple[float, float] | None:
        """Return least and greatest value between two times."""
        first, last = np.searchsorted(self.x, (since, until))
        part = self.y[max(0, int(first) - 1) : int(last) + 1]
        part = part[np.isfinite(part)]
        return (float(part.min()), float(part.max())) if len(part) else None

    def _push(self, at: float, value: float) -> None:
        if self._end == len(self._x):
            keep = self.capacity - 1
            self._x[:keep] = self._x[self._end - keep : self._end]
            self._y[:keep] = self._y[self._end - keep : self._end]
            self._start, self._end = 0, keep
        self._x[self._end] = at
        self._y[self._end] = value
        self._end += 1
        self._start = max(self._start, self._end - self.capacity)


class SeriesStore:
    """All curves of one charger, made as readings for them arrive (at most ``LIMIT``)."""

    LIMIT = 64

    def __init__(self) -> None:
        self.series: dict[CurveKey, Series] = {}

    def add(self, readings: Iterable[Reading]) -> bool:
        """Take readings; say whether a new curve appeared."""
        count = len(self.series)
        for reading in readings:
            key = CurveKey(reading.measurand, reading.connector, reading.phase)
            series = self.series.get(key)
            if series is None:
                if len(self.series) >= self.LIMIT:
                    continue
                series = self.series[key] = Series()
            if np.isfinite(reading.value):
                series.append(reading.at.timestamp(), reading.value)
        return len(self.series) > count
