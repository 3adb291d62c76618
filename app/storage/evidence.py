"""Stored evidence beside the frames: handshakes, knocks, endings, findings, human steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, cast, get_args

import orjson

from app.errors import DamagedFile
from app.model.coding import decode, encode
from app.model.trace import Evidence, Record
from app.storage.faults import storing
from app.storage.traffic import Sink, microseconds, moment
from app.storage.writer import Batch

PAGE = 500
MAX_DATA = 262_144
"""Longest JSON of one record, in characters; a longer one is not kept (a handshake is 16 kB at most)."""

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Evidence)}
"""Kinds of evidence by the name under which they are kept."""

INSERT = "INSERT INTO evidence (at, kind, identity, connection, data) VALUES (?, ?, ?, ?, ?)"

FORGET = (
    "DELETE FROM evidence WHERE at < (SELECT at FROM traffic ORDER BY seq LIMIT 1) AND NOT (kind = 'Handshake'"
    " AND EXISTS (SELECT 1 FROM traffic AS t WHERE t.identity = evidence.identity"
    " AND t.connection = evidence.connection))"
)
"""Evidence goes with the frames of its time; a handshake stays as long as a frame of its connection."""


class EvidenceStore:
    """Records in the order in which they came. ``redact`` masks known secrets; it runs in the writer's thread."""

    def __init__(self, connection: sqlite3.Connection, writer: Sink, redact: Callable[[str], str]) -> None:
        self._connection = connection
        self._writer = writer
        self._redact = redact

    def add(self, records: Sequence[Record]) -> None:
        """Hand records to the writer; never waits."""
        if records:
            kept = tuple(records)
            batch = Batch(table="evidence", sql=INSERT, rows=lambda: rows_of(kept, self._redact), count=len(kept))
            self._writer.put(batch)

    def count(self) -> int:
        """Return the number of stored records."""
        with storing():
            (number,) = self._connection.execute("SELECT count(*) FROM evidence").fetchone()
        return int(number)

    def between(
        self, since: datetime | None = None, until: datetime | None = None, *, kinds: Collection[type] = ()
    ) -> Iterator[Record]:
        """Go through the records of a time in order, page by page; raises DamagedFile for one that can't be read."""
        low = microseconds(since) if since is not None else -(1 << 62)
        high = microseconds(until) if until is not None else 1 << 62
        names = [kind.__name__ for kind in kinds] or list(KINDS)
        marks = ", ".join("?" * len(names))
        sql = (
            f"SELECT seq, at, kind, identity, connection, data FROM evidence WHERE (at, seq) > (?, ?) AND at <= ?"
            f" AND kind IN ({marks}) ORDER BY at, seq LIMIT {PAGE}"
        )
        edge = (low - 1, 1 << 62)
        while True:
            with storing():
                rows = self._connection.execute(sql, (*edge, high, *names)).fetchall()
            for row in rows:
                yield _record(row)
            if len(rows) < PAGE:
                return
            edge = (rows[-1][1], rows[-1][0])


def rows_of(records: Sequence[Record], redact: Callable[[str], str] = str) -> Iterator[tuple[Any, ...]]:
    """Turn records into rows of the table."""
    for record in records:
        data = redact(orjson.dumps(encode(record.evidence)).decode())
        if len(data) <= MAX_DATA:
            kind = type(record.evidence).__name__
            yield microseconds(record.at), kind, encode(record.identity), record.connection, data


def evidence_of(kind: str, data: Any) -> Evidence:
    """Build a piece of evidence from its kind and its JSON; raises ValueError."""
    wanted = KINDS.get(kind)
    if wanted is None:
        raise ValueError(f"unknown kind of evidence “{kind[:40]}”")
    return cast(Evidence, decode(wanted, data))


def _record(row: tuple[Any, ...]) -> Record:
    seq, at, kind, identity, connection, data = row
    try:
        evidence = evidence_of(kind, orjson.loads(data))
    except ValueError as error:
        raise DamagedFile(f"Evidence {seq} can't be read: {error}.", "Send the database to support.") from error
    return Record(at=moment(at), evidence=evidence, identity=identity, connection=connection)
