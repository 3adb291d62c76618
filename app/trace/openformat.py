"""Open OCPP Trace (OCPP Trace JSONL) 1.1, read and written. Pure.

Source: github.com/open-ocpp-trace/specification (schema/trace-v1.schema.json, conformance/README.md) and the prose in
github.com/shiv3/ocpp-cp-simulator (docs/trace-format.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from app.model.coding import encode
from app.model.frame import Direction, Frame, FrameKind
from app.model.trace import Entry
from app.ocpp.frame import head
from app.trace.chain import Flaws
from app.trace.pairing import Pairs

VERSION = "1.1"
_TYPES = {FrameKind.CALL: "CALL", FrameKind.RESULT: "CALLRESULT", FrameKind.ERROR: "CALLERROR"}
_KINDS = {word: kind for kind, word in _TYPES.items()}
_SIDES = {Direction.IN: "cp-to-csms", Direction.OUT: "csms-to-cp"}
_DIRECTIONS = {word: side for side, word in _SIDES.items()}
TEXT_LIMIT = 524_288


def record(frame: Frame, version: str = "") -> dict[str, Any] | None:
    """Return a frame as a record; ``None`` for what 1.1 has no form for: broken texts, SEND, CALLRESULTERROR."""
    kind = _TYPES.get(frame.kind)
    message = _message(frame.text)
    if kind is None or message is None or (frame.kind is FrameKind.CALL and not frame.action):
        return None
    document: dict[str, Any] = {
        "schemaVersion": VERSION,
        "timestamp": frame.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **({"ocppVersion": version} if version else {}),
        "transport": "json",
        "chargePointId": encode(frame.identity),
        "direction": _SIDES[frame.direction],
        "messageType": kind,
        "messageId": frame.uid,
        **({"action": frame.action} if frame.action else {}),
        **_content(frame.kind, message),
        "raw": encode(frame.text),
        "meta": {"rehome": {"connection": frame.connection, "seq": frame.seq, "notes": list(frame.notes)}},
    }
    payload = document.get("payload")
    connector = payload.get("connectorId") if isinstance(payload, dict) else None
    if type(connector) is int and connector >= 0:
        document["connectorId"] = connector
    return document


def line(document: dict[str, Any]) -> bytes:
    """Return a record as a line."""
    return orjson.dumps(document) + b"\n"


def _message(text: str) -> list[Any] | None:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, list) and len(message) > 2 else None


def _content(kind: FrameKind, message: list[Any]) -> dict[str, Any]:
    if kind is FrameKind.ERROR:
        names = ("code", "description", "details")
        return {"error": dict(zip(names, message[2:5], strict=False))}
    return {"payload": message[3] if kind is FrameKind.CALL and len(message) > 3 else message[2]}


def is_record(document: Any) -> bool:
    """Say whether a JSON document is a record of this format."""
    return isinstance(document, dict) and {"messageType", "direction", "timestamp"} <= document.keys()


class OpenReader:
    """Turns lines into frames. Later minor versions are taken, unknown fields ignored (the format's rule)."""

    def __init__(self) -> None:
        self.flaws = Flaws()
        self.unread = 0
        self.version = ""
        self._pairs = Pairs()
        self._seq = 0

    def take(self, line: bytes | None, number: int) -> Iterator[Entry]:
        """Read one line."""
        if line is not None and not line.strip():
            return
        try:
            document = orjson.loads(line or b"")
            if not is_record(document):
                raise ValueError("the record lacks messageType, direction or timestamp")
            self._seq += 1
            frame = self._frame(document)
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            self.unread += 1
            self.flaws.add(number, f"The line is no record of this format: {str(error)[:200]}.")
            return
        yield frame

    def _frame(self, document: dict[str, Any]) -> Frame:
        kind = _KINDS[document["messageType"]]
        direction = _DIRECTIONS[document["direction"]]
        self.version = self.version or str(document.get("schemaVersion", ""))[:16]
        identity = str(document.get("chargePointId", ""))[:256]
        uid = str(document.get("messageId", ""))[:256]
        text = _raw(document, kind)
        action = self._action(document, kind, identity, uid, direction)
        notes = _our_meta(document).get("notes")
        connection = _our_meta(document).get("connection")
        return Frame(
            seq=self._seq,
            at=_moment(document["timestamp"]),
            identity=identity,
            connection=connection if type(connection) is int and 0 <= connection < 1 << 53 else 1,
            direction=direction,
            text=text[:TEXT_LIMIT],
            kind=kind if head(text)[0] is kind else FrameKind.BROKEN,
            uid=uid,
            action=action,
            notes=tuple(str(note)[:100] for note in notes[:50]) if isinstance(notes, list) else (),
        )

    def _action(self, document: dict[str, Any], kind: FrameKind, identity: str, uid: str, direction: Direction) -> str:
        stated = str(document.get("action", ""))[:256]
        if kind is FrameKind.CALL:
            self._pairs.asked(identity, uid, direction, stated)
            return stated
        return self._pairs.answered(identity, uid, direction) or stated


def _raw(document: dict[str, Any], kind: FrameKind) -> str:
    """Return the exact text, or one put together from the fields where the producer did not keep it."""
    raw = document.get("raw")
    if isinstance(raw, str):
        return raw
    uid, payload = document.get("messageId", ""), document.get("payload", {})
    error = document.get("error") or {}
    parts: list[Any] = {
        FrameKind.CALL: [2, uid, document.get("action", ""), payload],
        FrameKind.RESULT: [3, uid, payload],
        FrameKind.ERROR: [4, uid, error.get("code", ""), error.get("description", ""), error.get("details", {})],
    }[kind]
    return json.dumps(parts, ensure_ascii=False)


def _our_meta(document: dict[str, Any]) -> dict[str, Any]:
    meta = document.get("meta")
    ours = meta.get("rehome") if isinstance(meta, dict) else None
    return ours if isinstance(ours, dict) else {}


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(str(value)[:64])
    moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 9000:
        raise ValueError("the time lies outside of 1970 to 9000")
    return moment
