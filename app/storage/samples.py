"""Stored meter readings and connector states."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from app.model.reading import Measurand, Reading, Sampled, Samples, StateChange
from app.model.reading import Row as Sample
from app.storage.faults import storing
from app.storage.traffic import microseconds, moment
from app.storage.writer import Batch, Row, Writer

SERIES_LIMIT = 50_000
"""Values returned at most for one series; the newest are kept."""

_READING = "INSERT INTO readings (unit_id, measurand, at, connector, phase, value) VALUES (?, ?, ?, ?, ?, ?)"
_STATE = "INSERT INTO states (unit_id, connector, at, state, error, detail) VALUES (?, ?, ?, ?, ?, ?)"


class SampleStore:
    """Readings and states of all units, written in batches."""

    def __init__(self, connection: sqlite3.Connection, writer: Writer) -> None:
        self._connection = connection
        self._writer = writer

    def add(self, samples: Sequence[Sampled]) -> None:
        """Hand samples to the writer; never waits. A value that is no finite number is left out."""
        kept = [item for item in samples if not isinstance(item, StateChange)]
        states: list[Row] = [_state_row(item) for item in samples if isinstance(item, StateChange)]
        if kept:
            # Working messages out takes time; the writer's thread has it.
            rows = functools.partial(_all_rows, kept)
            self._writer.put(Batch(table="readings", sql=_READING, rows=rows, count=len(kept)))
        if states:
            self._writer.put(Batch(table="states", sql=_STATE, rows=lambda: states, count=len(states)))

    def series(
        self, unit_id: str, measurand: Measurand, since: datetime, until: datetime | None = None
    ) -> tuple[Reading, ...]:
        """Return one unit's readings of a measurand, oldest first."""
        sql = (
            "SELECT at, connector, phase, value FROM readings WHERE unit_id = ? AND measurand = ? AND at >= ?"
            f" AND at <= ? ORDER BY at DESC LIMIT {SERIES_LIMIT}"
        )
        with storing():
            rows = self._connection.execute(sql, (unit_id, measurand.value, *_span(since, until))).fetchall()
        return tuple(
            Reading(unit_id=unit_id, measurand=measurand, value=value, at=moment(at), connector=connector, phase=phase)
            for at, connector, phase, value in reversed(rows)
        )

    def readings(self, unit_id: str, since: datetime, until: datetime | None = None) -> tuple[Reading, ...]:
        """Return all of one unit's readings, series after series."""
        return tuple(item for kind in Measurand for item in self.series(unit_id, kind, since, until))

    def states(self, unit_id: str, since: datetime, until: datetime | None = None) -> tuple[StateChange, ...]:
        """Return one unit's state changes, oldest first."""
        sql = (
            "SELECT at, connector, state, error, detail FROM states WHERE unit_id = ? AND at >= ? AND at <= ?"
            f" ORDER BY at DESC LIMIT {SERIES_LIMIT}"
        )
        with storing():
            rows = self._connection.execute(sql, (unit_id, *_span(since, until))).fetchall()
        return tuple(
            StateChange(unit_id=unit_id, connector=connector, state=state, at=moment(at), error=error, detail=detail)
            for at, connector, state, error, detail in reversed(rows)
        )


def _span(since: datetime, until: datetime | None) -> tuple[int, int]:
    return microseconds(since), microseconds(until) if until is not None else 2**62


def _all_rows(items: Iterable[Sampled]) -> Iterator[Row]:
    return (row for item in items for row in _reading_rows(item))


def _reading_rows(item: Sampled) -> list[Row]:
    if isinstance(item, Samples):
        rows: Sequence[Sample] = item.rows
    elif isinstance(item, Reading):
        rows = ((item.measurand, item.value, item.at, item.connector, item.phase),)
    else:
        return []
    return [
        (item.unit_id, measurand.value, microseconds(at), connector, _clean(phase), value)
        for measurand, value, at, connector, phase in rows
        if -1e300 < value < 1e300
    ]


def _state_row(item: StateChange) -> Row:
    at = microseconds(item.at)
    return item.unit_id, item.connector, at, _clean(item.state), _clean(item.error), _clean(item.detail)


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()
