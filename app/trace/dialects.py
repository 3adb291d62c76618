"""How common backends and libraries write OCPP messages into their logs. Pure; one function per dialect.

Sources, read in July 2026 (repository: file):

- SteVe: src/main/java/de/rwth/idsg/steve/ocpp/ws/WebSocketLogger.java, src/main/resources/logback-spring-prod.xml
- mobilityhouse/ocpp: ocpp/charge_point.py (``%s: receive message %s``, ``%s: send %s``); also Home Assistant's
  lbbrhzn/ocpp, which logs through it (docs/debugging.md)
- lorenzodonini/ocpp-go: ocppj/server.go, ocppj/dispatcher.go, ocppj/client.go (``received JSON message from …``)
- evcc-io/evcc: charger/ocpp/cs_log.go, util/log.go (shortens that to ``recv CP1: …`` and ``send CP1: …``)
- EVerest/libocpp: lib/ocpp/common/ocpp_logging.cpp (a head line, then the message over several lines)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from app.model.frame import Direction

TEXT_LIMIT = 524_288
PREFIX = 2_000
"""How far into a line a logger's own words reach: a hostile line must not be searched from every character."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message in a log. ``direction`` is the log's word for it, seen from the backend; ``None`` = it has none."""

    text: str
    identity: str = ""
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Dialled:
    """A connection began."""

    identity: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A line that was understood and says nothing of a message."""


Told = Said | Dialled | Noted

_MESSAGE = re.compile(r'\[\s*[2-6]\s*,\s*\\?"')
_ANY_MESSAGE = re.compile(r'\[\s*[2-6]\s*,\s*(?:\\?"|-?\d)')
_STAMP = re.compile(
    r"(\d{4})[-/.](\d\d)[-/.](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|UTC|[+-]\d\d:?\d\d)?(?![\d:])"
)
_IN, _OUT = Direction.IN, Direction.OUT

_STEVE = re.compile(r"\[chargeBoxId=([^,\]]{0,256}), sessionId=[^\]]{0,100}\] (?:(Received|Sending): |(\w+) )")
_PYTHON = re.compile(r"(?:^|[\s:])([^\s:][^\s]{0,255}): (receive message|send) (?=\[)")
_GO = re.compile(r"\b(received JSON message from|sent JSON message to|recv|send) ([^\s:]{1,256}): (?=\[)")
_EVEREST = re.compile(r"(?:\S+): (ChargePoint>CentralSystem|CentralSystem>ChargePoint|SYS>)\s")
_WORDS = (
    (re.compile(r"\b(?:recv|receiv(?:e|ed|ing)|incoming|inbound|rx)\b|<-|<=|<<", re.IGNORECASE), _IN),
    (re.compile(r"\b(?:sent|sends?|sending|outgoing|outbound|tx)\b|->|=>|>>", re.IGNORECASE), _OUT),
)
_NAMED = re.compile(
    r"\b(?:charge_?point_?id|charge_?box_?id|station_?id|cp_?id|identifier|identity|client_?id|cp)[\"']?\s*[=:]\s*[\"']?"
    r"([A-Za-z0-9*._@|=+-]{1,128})",
    re.IGNORECASE,
)


def steve(line: str) -> Told | None:
    """Read a line of SteVe."""
    match = _STEVE.search(line, 0, PREFIX)
    if match is None:
        return None
    if match[2] is None:
        is_new = line.startswith("Connection is established", match.start(3))
        return Dialled(match[1]) if is_new else Noted()
    text = message_in(line, match.end())
    return Said(text, match[1], _IN if match[2] == "Received" else _OUT) if text else None


def python(line: str) -> Told | None:
    """Read a line of mobilityhouse/ocpp, alone or inside Home Assistant."""
    match = _PYTHON.search(line, 0, PREFIX)
    if match is None:
        return None
    text = message_in(line, match.end())
    identity = match[1].rpartition(":")[2]  # logging's own "INFO:ocpp:" stands before it without a blank
    return Said(text, identity, _IN if match[2] == "receive message" else _OUT) if text else None


def golang(line: str) -> Told | None:
    """Read a line of ocpp-go, plain, in logrus' quotes, or as evcc shortens it."""
    match = _GO.search(line, 0, PREFIX)
    if match is None:
        return None
    text = message_in(line, match.end())
    is_received = match[1].startswith("rec")
    identity = "" if match[2] == "server" else match[2]
    side = _IN if is_received else _OUT
    if match[2] == "server":  # a charge point's own log
        side = _OUT if is_received else _IN
    return Said(text, identity, side) if text else None


def json_line(line: str) -> Told | None:
    """Read a JSON object of a structured logger (pino, logstash): a message anywhere in its texts or as an array."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict):
        return None
    found = _find(document, 4)
    if found is None:
        return None
    words = " ".join(str(value)[:200] for key, value in document.items() if isinstance(value, str))
    named = _NAMED.search(line)
    return Said(found[:TEXT_LIMIT], named[1] if named else "", _direction(document, words))


def any_line(line: str) -> Told | None:
    """Read a line of which only the message itself is known."""
    text = message_in(line, 0)
    if not text:
        return None
    before = line[: line.find("[" + text[1:5])] if text[1:5] in line else line
    named = _NAMED.search(before)
    return Said(text, named[1] if named else "", word_side(before))


def everest_head(line: str) -> Direction | None:
    """Return the direction of the message that follows a head line of libocpp's log."""
    match = _EVEREST.match(line)
    if match is None or match[1] == "SYS>":
        return None
    return _IN if match[1].startswith("ChargePoint") else _OUT


DIALECTS: tuple[tuple[str, Callable[[str], Told | None]], ...] = (
    ("SteVe log", steve),
    ("mobilityhouse/ocpp log (Python, Home Assistant)", python),
    ("ocpp-go log (also evcc)", golang),
    ("JSON log lines", json_line),
    ("text log with OCPP messages", any_line),
)
"""The strictest first: the first that reads most of a sample is taken."""

EVEREST = "EVerest libocpp log"


def may_hold_message(line: str) -> bool:
    """Say quickly whether there can be an OCPP message in a line."""
    return _ANY_MESSAGE.search(line) is not None


def message_in(line: str, start: int) -> str:
    """Return the OCPP message that begins behind a place of a line; an empty text where there is none."""
    match = _ANY_MESSAGE.search(line, start)
    if match is None:
        return ""
    if '\\"' in match[0]:
        return _unquoted(line, match.start())
    text = line[match.start() :]
    try:
        _, end = json.JSONDecoder().raw_decode(text[:TEXT_LIMIT])
    except (ValueError, RecursionError):
        return text.rstrip()[:TEXT_LIMIT]
    return text[:end]


def _unquoted(line: str, start: int) -> str:
    """Take the escapes away from a message inside a quoted text (logrus, JSON in a text)."""
    end = start
    line = line[: start + 2 * TEXT_LIMIT]
    while (end := line.find('"', end)) >= 0:
        backslashes = 0
        while line[end - 1 - backslashes] == "\\" and backslashes < end - start:
            backslashes += 1
        if backslashes % 2 == 0:
            break
        end += 1
    try:
        text = json.loads(f'"{line[start : end if end >= 0 else None]}"')
    except ValueError:
        return ""
    return str(text)[:TEXT_LIMIT].encode(errors="replace").decode()  # an escape can be half a surrogate pair


def _find(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return message_in(value, 0) or None if _MESSAGE.search(value) else None
    if isinstance(value, list) and len(value) >= 3 and type(value[0]) is int and 2 <= value[0] <= 6:
        return json.dumps(value, ensure_ascii=False) if isinstance(value[1], str) else None
    if depth and isinstance(value, (dict, list)):
        parts = value.values() if isinstance(value, dict) else value[:20]
        return next((found for part in parts if (found := _find(part, depth - 1)) is not None), None)
    return None


def _direction(document: dict[str, Any], words: str) -> Direction | None:
    stated = str(document.get("direction", "")).lower()
    if stated:
        return word_side(stated) or (_IN if stated in ("in", "cp-to-csms") else _OUT if stated == "out" else None)
    return word_side(words)


def word_side(text: str) -> Direction | None:
    """Return what the words before a message say of its direction."""
    sides = [side for words, side in _WORDS if words.search(text)]
    return sides[0] if len(sides) == 1 else None


def stamp_in(line: str) -> tuple[datetime, bool] | None:
    """Return the first time in a line and whether it names its zone; ``None`` where there is none."""
    match = _STAMP.search(line[:400])
    if match is None:
        return _epoch_in(line)
    year, month, day, hour, minute, second = (int(match[place]) for place in range(1, 7))
    fraction = int((match[7] or "0")[:6].ljust(6, "0"))
    if not 1970 <= year <= 9000:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), fraction, tzinfo=UTC)
        if match[8] in ("Z", "UTC", None):
            return moment, match[8] is not None
        return datetime.fromisoformat(f"{moment:%Y-%m-%dT%H:%M:%S.%f}{match[8]}").astimezone(UTC), True
    except (ValueError, OverflowError):
        return None


_EPOCH = re.compile(r'"(?:time|timestamp|ts|@timestamp)"\s*:\s*(\d{10}(?:\d{3})?)(?:\.\d+)?\s*[,}]')


def _epoch_in(line: str) -> tuple[datetime, bool] | None:
    match = _EPOCH.search(line[:2000]) or _EPOCH.search(line[-500:])
    if match is None:
        return None
    number = int(match[1])
    return datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC), True
