"""Open a trace of any kind: recognise what it is, then give its entries one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from app.errors import StoreError
from app.model.frame import Frame
from app.model.trace import Entry, Flaw, Seal, TraceFormat, TraceInfo
from app.trace import own
from app.trace.capture import CaptureReader
from app.trace.chain import Flaws
from app.trace.files import LineReader
from app.trace.logs import LogReader, sample_of
from app.trace.openformat import OpenReader, is_record
from app.trace.wire import is_capture

SAMPLE_BYTES = 4_194_304
"""How much of a file is looked at to recognise it."""

STRETCH = 200
"""Lines after which reading gives way, whatever was in them."""

MOST_ENTRIES = 10_000_000
"""Frames and records taken from one file."""


class Reader(Protocol):
    """What reads the lines of one format."""

    flaws: Flaws
    unread: int

    def take(self, line: bytes | None, number: int) -> Iterator[Entry]:
        """Read one line."""
        ...


@dataclass(slots=True)
class _Tally:
    frames: int = 0
    records: dict[str, int] = field(default_factory=dict)
    identities: dict[str, None] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None

    def add(self, entry: Entry) -> None:
        if isinstance(entry, Frame):
            self.frames += 1
        else:
            kind = type(entry.evidence).__name__
            self.records[kind] = self.records.get(kind, 0) + 1
        if entry.identity and len(self.identities) < 10_000:
            self.identities[entry.identity] = None
        self.first = entry.at if self.first is None else min(self.first, entry.at)
        self.last = entry.at if self.last is None else max(self.last, entry.at)


class TraceFile:
    """A trace file being read. Use as a context manager; iterate once; ``info`` is complete when that has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = LineReader(path)
        self._tally = _Tally()
        self._reader: Reader
        self.format = TraceFormat.LOG

    def __enter__(self) -> TraceFile:
        self._lines.__enter__()
        try:
            self._recognise()
        except BaseException:
            self._lines.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.__exit__()

    @property
    def done(self) -> float:
        """Return how much of the file was read, 0 to 1."""
        return self._lines.done

    def _recognise(self) -> None:
        start = self._lines.peek(SAMPLE_BYTES)
        if not start:
            raise StoreError(f"{self.path.name} is empty.", "Choose the file that holds the trace.")
        if is_capture(start):
            self.format, self._reader = TraceFormat.PCAPNG, CaptureReader()
            return
        document = _first_document(start)
        if document is not None and own.is_head(document):
            self.format, self._reader = TraceFormat.REHOME, own.TraceReader()
        elif is_record(document):
            self.format, self._reader = TraceFormat.OPEN, OpenReader()
        else:
            self._recognise_log(start)

    def _recognise_log(self, start: bytes) -> None:
        encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
        reader = LogReader(sample_of(start.decode(encoding, "replace").splitlines()))
        if not reader.is_recognised:
            raise StoreError(
                f"{self.path.name} is no trace: no OCPP message was found at its beginning.",
                "Rehome reads its own traces, OCPP Trace JSONL, captures without TLS, and text logs of backends.",
            )
        self.format, self._reader = TraceFormat.LOG, reader

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry in self.steps() if entry is not None)

    def steps(self) -> Iterator[Entry | None]:
        """Give the entries, and ``None`` now and then where a long stretch holds none: time for others."""
        for entry in self._entries():
            if entry is not None:
                self._tally.add(entry)
            yield entry
            if self._tally.frames >= MOST_ENTRIES:
                self._lines.cut = f"Only the first {MOST_ENTRIES:,} frames were read."
                return

    def _entries(self) -> Iterator[Entry | None]:
        if isinstance(self._reader, CaptureReader):
            yield from self._reader.entries(self._lines.read)
            self._lines.cut = self._lines.cut or self._reader.cut
            return
        last: bytes | None = b""
        for line in self._lines:
            if last and self.format is TraceFormat.REHOME and self._is_torn(line):
                self._lines.cut = f"The file ends in the middle of line {self._lines.number}."
                return
            yield from self._reader.take(line, self._lines.number)
            if not self._lines.number % STRETCH:
                yield None
            last = line
        if isinstance(self._reader, LogReader):
            yield from self._reader.finish()

    def _is_torn(self, line: bytes | None) -> bool:
        """Say whether this is a last line that was never finished."""
        return self._lines.is_last_open and line is not None and not line.endswith(b'"}')

    @property
    def info(self) -> TraceInfo:
        """Say what was read."""
        reader, tally = self._reader, self._tally
        head = reader.head if isinstance(reader, own.TraceReader) else {}
        return TraceInfo(
            name=self.path.name,
            format=self.format,
            dialect=self._dialect(),
            program=str(head.get("program", ""))[:200],
            adapter=str(head.get("adapter", ""))[:200],
            clock=self._clock(head),
            frames=tally.frames,
            records=tally.records,
            identities=tuple(sorted(tally.identities)),
            first_at=tally.first,
            last_at=tally.last,
            seal=self._seal(),
            hash=reader.chain.hash if isinstance(reader, own.TraceReader) else "",
            lines=self._lines.number,
            unread=reader.unread,
            flaws=self._flaws(),
            flaw_count=reader.flaws.count,
            cut=self._cut(),
        )

    def _flaws(self) -> tuple[Flaw, ...]:
        return tuple(self._reader.flaws.first)

    def _cut(self) -> str:
        if self._lines.cut or not isinstance(self._reader, own.TraceReader) or self._reader.is_ended:
            return self._lines.cut
        return f"The end is missing: the trace stops at line {self._lines.number}."

    def _seal(self) -> Seal:
        if not isinstance(self._reader, own.TraceReader):
            return Seal.NONE
        if self._reader.chain.breaks:
            return Seal.BROKEN
        return Seal.CUT if self._cut() else Seal.WHOLE

    def _clock(self, head: dict[str, Any]) -> str:
        if isinstance(self._reader, LogReader):
            return self._reader.clock
        return " ".join(str(head[key])[:100] for key in ("clock", "zone") if head.get(key))

    def _dialect(self) -> str:
        match self._reader:
            case own.TraceReader() as reader:
                return f"Rehome trace {reader.head.get('v', '?')}"
            case OpenReader() as reader:
                return f"OCPP Trace JSONL {reader.version}".strip()
            case LogReader() as reader:
                return reader.dialect
            case CaptureReader() as reader:
                return reader.dialect
        return ""


def _first_document(start: bytes) -> dict[str, Any] | None:
    line = start.lstrip(b"\xef\xbb\xbf \r\n\t").partition(b"\n")[0]
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
