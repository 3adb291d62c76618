"""Our own trace format, ``.rehome-trace``: one JSON object a line, hash-chained (``app.trace.chain``). Pure.

``head`` comes first, ``end`` last; in between, in the order of time, ``frame`` lines and one line for every piece of
evidence, its kind being the class in ``app.model.trace`` or beside it. See docs/traces.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from app.errors import NewerFile
from app.model.coding import encode
from app.model.frame import Direction, Frame, FrameKind
from app.model.trace import Entry, ProgramStart, Record
from app.storage.evidence import KINDS, evidence_of
from app.trace.chain import START, ChainCheck, Flaws, sealed

FORMAT = "rehome-trace"
VERSION = 1
MAX_SEQ = 1 << 53
TEXT_LIMIT = 524_288
"""Longest text of a frame that is taken, in characters (the endpoint keeps 262,144)."""


class TraceWriter:
    """Turns entries into sealed lines. Begin with ``head``, close with ``end``."""

    def __init__(self) -> None:
        self.hash = START
        self.frames = 0
        self.records = 0
        self._lines = 0

    def head(self, start: ProgramStart, about: dict[str, Any]) -> bytes:
        """Return the first line. ``about`` tells what was chosen: identity, since, until."""
        document = encode(start)
        del document["$"]
        return self._line({"kind": "head", "format": FORMAT, "v": VERSION, **document, "about": about})

    def entry(self, entry: Entry) -> bytes:
        """Return the line of a frame or a record."""
        if isinstance(entry, Frame):
            self.frames += 1
            return self._line(_frame_document(entry))
        self.records += 1
        data = encode(entry.evidence)
        del data["$"]
        return self._line(
            {
                "kind": type(entry.evidence).__name__,
                "at": entry.at.isoformat(),
                "id": encode(entry.identity),
                "conn": entry.connection,
                "data": data,
            }
        )

    def end(self) -> bytes:
        """Return the last line: with it the trace is known to be whole."""
        return self._line({"kind": "end", "frames": self.frames, "records": self.records})

    def _line(self, document: dict[str, Any]) -> bytes:
        self._lines += 1
        line, self.hash = sealed(orjson.dumps({"n": self._lines, **document}), self.hash)
        return line


def _frame_document(frame: Frame) -> dict[str, Any]:
    document = {
        "kind": "frame",
        "seq": frame.seq,
        "at": frame.at.isoformat(),
        "id": encode(frame.identity),
        "conn": frame.connection,
        "dir": frame.direction.value,
        "type": frame.kind.value,
        "uid": encode(frame.uid),
        "action": encode(frame.action),
        "text": encode(frame.text),
    }
    if frame.raw is not None:
        document["raw"] = frame.raw.hex()
    if frame.notes:
        document["notes"] = list(frame.notes)
    return document


class TraceReader:
    """Turns lines into entries; what can't be read goes to ``flaws``, what the head says to ``head``."""

    def __init__(self) -> None:
        self.flaws = Flaws()
        self.chain = ChainCheck(self.flaws)
        self.head: dict[str, Any] = {}
        self.is_ended = False
        self.unread = 0

    def take(self, line: bytes | None, number: int) -> Iterator[Entry]:
        """Read one line; raises NewerFile."""
        document = _object(line)
        if line is None or document is None:
            self.unread += 1
            self.chain.broke(number, "The line is too long." if line is None else "The line is no JSON object.")
            return
        if number == 1:
            self._begin(document)
        self.chain.take(line, number, document.get("n"))
        if self.is_ended:
            self.unread += 1
            self.chain.broke(number, "The line stands behind the end.")
            return
        try:
            entry = self._entry(document)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            self.unread += 1
            self.flaws.add(number, f"The line can't be understood: {str(error)[:200]}.")
            return
        if entry is not None:
            yield entry

    def _begin(self, document: dict[str, Any]) -> None:
        version = document.get("v")
        if type(version) is int and version > VERSION:
            raise NewerFile(
                f"This trace was written by a newer Rehome (trace format {version}, this one knows {VERSION}).",
                "Update Rehome, or export the trace there as OCPP Trace JSONL.",
            )
        self.head = document

    def _entry(self, document: dict[str, Any]) -> Entry | None:
        kind = document["kind"]
        if kind == "frame":
            return _frame(document)
        if kind == "end":
            self.is_ended = True
            return None
        if kind == "head":
            return None
        if kind not in KINDS:
            raise ValueError(f"unknown kind “{str(kind)[:40]}”")
        connection = _number(document["conn"])
        evidence = evidence_of(kind, document["data"])
        identity = _text(document["id"], 256)
        return Record(at=_moment(document["at"]), evidence=evidence, identity=identity, connection=connection)


def is_head(document: dict[str, Any]) -> bool:
    """Say whether this is the first line of a trace of ours."""
    return document.get("format") == FORMAT


def _object(line: bytes | None) -> dict[str, Any] | None:
    try:
        document = orjson.loads(line or b"")
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _frame(document: dict[str, Any]) -> Frame:
    raw = document.get("raw")
    return Frame(
        seq=_number(document["seq"]),
        at=_moment(document["at"]),
        identity=_text(document["id"], 256),
        connection=_number(document["conn"]),
        direction=Direction(document["dir"]),
        text=_text(document["text"], TEXT_LIMIT),
        kind=FrameKind(document["type"]),
        uid=_text(document.get("uid", ""), 256),
        action=_text(document.get("action", ""), 256),
        raw=bytes.fromhex(_text(raw, 2 * TEXT_LIMIT)) if raw is not None else None,
        notes=tuple(_text(note, 100) for note in document.get("notes", ())[:100]),
    )


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < MAX_SEQ:
        raise ValueError("a number is out of range")
    return value


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError(f"a text of at most {limit} characters was expected")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value, 64))
    moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 9000:
        raise ValueError("the time lies outside of 1970 to 9000")
    return moment
