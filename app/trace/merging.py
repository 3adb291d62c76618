"""Frames and the evidence beside them, as one stream in the order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.model.frame import Frame, Handshake
from app.model.observation import Ended
from app.model.query import TrafficQuery
from app.model.trace import Entry, ProgramStart, Record
from app.storage.evidence import EvidenceStore
from app.storage.traffic import TrafficStore

Passes = Callable[[Frame], bool]

PAGE = 500
SEARCH_S = 0.012
"""How long one read may search before the window gets its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes into a file. Empty = everything; ``passes`` is a finer filter of the frames (the window's)."""

    identity: str = ""
    since: datetime | None = None
    until: datetime | None = None
    last_seq: int | None = None
    passes: Passes | None = None
    secret_keys: frozenset[str] = frozenset()

    def about(self) -> dict[str, Any]:
        """Return the choice as the file's head tells it."""
        return {
            "identity": self.identity,
            "since": self.since.isoformat() if self.since else "",
            "until": self.until.isoformat() if self.until else "",
            "filtered": self.passes is not None,
        }


def entries(
    selection: Selection, traffic: TrafficStore, evidence: EvidenceStore, until: int
) -> Iterator[tuple[Entry | None, float]]:
    """Give the selected entries and how far it is, 0 to 1; ``None`` = nothing yet, a search goes on."""
    records = (record for record in evidence.between(selection.since, selection.until) if _is_wanted(record, selection))
    if selection.since is not None:
        yield from _before(selection, evidence, selection.since)
    waiting = next(records, None)
    for frame, part in _frames(selection, traffic, until):
        while waiting is not None and frame is not None and waiting.at <= frame.at:
            yield waiting, part
            waiting = next(records, None)
        yield frame, part
    while waiting is not None:
        yield waiting, 1.0
        waiting = next(records, None)


def _is_wanted(record: Record, selection: Selection) -> bool:
    return not selection.identity or record.identity in ("", selection.identity)


def _before(selection: Selection, evidence: EvidenceStore, since: datetime) -> Iterator[tuple[Entry | None, float]]:
    """Give what was in force when the selection begins: the program, and how the open connections had begun."""
    start: Record | None = None
    opened: dict[tuple[str, int], Record] = {}
    last = since - timedelta(microseconds=1)
    for record in evidence.between(None, last, kinds=(ProgramStart, Handshake, Ended)):
        yield None, 0.0
        if isinstance(record.evidence, ProgramStart):
            start, opened = record, {}
        elif isinstance(record.evidence, Ended):
            opened.pop((record.identity, record.connection), None)
        elif record.connection and _is_wanted(record, selection):
            opened[record.identity, record.connection] = record
    for kept in (start, *opened.values()):
        yield kept, 0.0


def _frames(selection: Selection, traffic: TrafficStore, until: int) -> Iterator[tuple[Frame | None, float]]:
    query = TrafficQuery(identity=selection.identity, since=selection.since, until=selection.until)
    after = 0
    while True:
        page = traffic.scan(query, after=after, limit=PAGE, budget_s=SEARCH_S)
        after = page.edge
        part = min(1.0, after / max(1, until))
        for frame in page.frames:
            if frame.seq <= until and (selection.passes is None or selection.passes(frame)):
                yield frame, part
        yield None, part
        if page.is_end or after >= until:
            return
