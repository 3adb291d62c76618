"""From a charger's numbers to readings in SI units."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.driver.capability import Status
from app.model.reading import Measurand, Reading, StateChange


@dataclass(frozen=True, slots=True)
class Field:
    """Where a value stands (keys and list indexes), what it measures, and its factor to the SI unit."""

    path: tuple[str | int, ...]
    measurand: Measurand
    factor: float = 1.0
    phase: str = ""
    connector: int = 1


def number_of(value: Any) -> float | None:
    """Return a finite number below 1e12, or ``None``; ``false`` and texts are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # compared first: an integer of hundreds of digits can't become a float at all
    return float(value) if abs(value) < 1e12 else None


def at(found: Any, path: Iterable[str | int]) -> Any:
    """Return what stands at a path, ``None`` where there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(step, int) and isinstance(found, Sequence) and not isinstance(found, str | bytes):
            found = found[step] if -len(found) <= step < len(found) else None
        else:
            return None
    return found


def readings(found: Any, fields: Iterable[Field], now: datetime) -> tuple[Reading, ...]:
    """Return the readings of an answer; what is absent or absurd is left out."""
    return tuple(
        Reading(
            unit_id="",
            measurand=field.measurand,
            value=round(number * field.factor, 6),
            at=now,
            connector=field.connector,
            phase=field.phase,
        )
        for field in fields
        if (number := number_of(at(found, field.path))) is not None
    )


class News:
    """What differs from what was told before: for ``Meters`` of units that must be asked again and again."""

    def __init__(self) -> None:
        self._values: dict[tuple[Measurand, int, str], float] = {}
        self._states: dict[int, tuple[str, str]] = {}

    def of(
        self, readings: Iterable[Reading], state: str, detail: str, now: datetime, connector: int = 1
    ) -> list[Reading | StateChange]:
        """Return a change of state and the readings that changed, and remember them."""
        found: list[Reading | StateChange] = []
        if state and self._states.get(connector) != (state, detail):
            self._states[connector] = (state, detail)
            found.append(StateChange(unit_id="", connector=connector, state=state, at=now, detail=detail))
        for reading in readings:
            key = (reading.measurand, reading.connector, reading.phase)
            if self._values.get(key) != reading.value:
                self._values[key] = reading.value
                found.append(reading)
        return found


async def changes(look: Callable[[], Awaitable[Status]], pause_s: float) -> AsyncIterator[Reading | StateChange]:
    """Ask again and again, ``pause_s`` seconds apart; yield what differs from what was told before."""
    news = News()
    while True:
        found = await look()
        for item in news.of(found.readings, found.state, found.detail, datetime.now(UTC)):
            yield item
        await asyncio.sleep(pause_s)
