"""Oddities of a handshake and of first frames, each with its place to the byte. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.diagnosis.settings import short
from app.model.finding import Finding
from app.model.frame import Direction, Frame, FrameKind, Handshake

RULES = frozenset(
    {
        "method", "no-host", "no-upgrade", "no-connection", "no-key", "bad-key", "version", "version-8",
        "other-deviation", "no-subprotocol", "other-subprotocol", "no-identity", "trailing-slash", "odd-identity",
        "escaped-identity", "other-login", "hex-password", "wrong-password", "not-json", "elements", "numeric-id",
        "unknown-action", "empty-field", "schema", "unknown-field", "before-boot", "overlapping", "no-pong",
        "beside-itself", "seldom-pings",
    }
)  # fmt: skip
"""All oddities that a file of ``resources/others`` may have a rule for."""

IDLE_S = 60.0
"""ocpp-go closes a connection on which nothing came for so long (ws/websocket.go, defaultPingWait)."""
_KNOWN_DEVIATIONS = ("Upgrade", "Connection", "Host", "Sec-WebSocket", "instead of GET")
_ADDITIONAL = "additional propert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the handshake's bytes, or in a frame's text: ``start`` to ``end``; equal = something is missing there.

    ``frame`` is 0 for the handshake, else the frame's number; ``name`` is the header or field. -1 = nowhere to see.
    """

    name: str
    start: int = -1
    end: int = -1
    frame: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """One thing a backend may object to."""

    rule: str
    place: Place
    found: str = ""


def in_handshake(shake: Handshake, versions: Sequence[str]) -> Iterator[Oddity]:
    """List the oddities of an upgrade request for a backend that takes these subprotocols."""
    yield from _request(shake)
    yield from _subprotocol(shake, versions)
    yield from _identity(shake)
    yield from _login(shake)


def _request(shake: Handshake) -> Iterator[Oddity]:
    if not shake.request_line.startswith("GET "):
        yield Oddity(rule="method", place=line(shake), found=shake.request_line[:16])
    if not value(shake, "host"):
        yield Oddity(rule="no-host", place=header(shake, "Host"))
    if "websocket" not in value(shake, "upgrade").lower():
        yield Oddity(rule="no-upgrade", place=header(shake, "Upgrade"))
    if "upgrade" not in value(shake, "connection").lower():
        yield Oddity(rule="no-connection", place=header(shake, "Connection"))
    key = value(shake, "sec-websocket-key")
    if not key or not _is_key(key):
        yield Oddity(rule="bad-key" if key else "no-key", place=header(shake, "Sec-WebSocket-Key"), found=key[:40])
    version = value(shake, "sec-websocket-version")
    if version != "13":
        rule = "version-8" if version == "8" else "version"
        yield Oddity(rule=rule, place=header(shake, "Sec-WebSocket-Version"), found=version[:16])
    for fault in shake.deviations:
        if not any(word in fault for word in _KNOWN_DEVIATIONS):
            yield Oddity(rule="other-deviation", place=line(shake), found=fault)


def _subprotocol(shake: Handshake, versions: Sequence[str]) -> Iterator[Oddity]:
    place = header(shake, "Sec-WebSocket-Protocol")
    if not shake.subprotocols:
        yield Oddity(rule="no-subprotocol", place=place)
    elif not set(shake.subprotocols) & set(versions):
        yield Oddity(rule="other-subprotocol", place=place, found=", ".join(shake.subprotocols)[:80])


def _identity(shake: Handshake) -> Iterator[Oddity]:
    habits = shake.url_habits
    if "no-identity" in habits:
        yield Oddity(rule="no-identity", place=path(shake))
    elif "trailing-slash" in habits:
        yield Oddity(rule="trailing-slash", place=path(shake, is_end=True))
    if "unsafe" in habits:
        yield Oddity(rule="odd-identity", place=path(shake), found=shake.identity)
    if "escaped" in habits:
        yield Oddity(rule="escaped-identity", place=path(shake), found=shake.path.rpartition("/")[2][:80])


def _login(shake: Handshake) -> Iterator[Oddity]:
    place = header(shake, "Authorization")
    if shake.user is not None and shake.user != shake.identity:
        yield Oddity(rule="other-login", place=place, found=shake.user[:64])
    if shake.password_reading == "hex":
        yield Oddity(rule="hex-password", place=place)
    elif shake.password_reading in ("none", "wrong"):
        yield Oddity(rule="wrong-password", place=place)


_NOTED = {
    "JSON-BROKEN": "not-json",
    "NOT-JSON": "not-json",
    "BAD-UTF8": "not-json",
    "ID-AS-NUMBER": "numeric-id",
    "UNKNOWN-ACTION": "unknown-action",
    "BEFORE-ACCEPTED": "before-boot",
}
"""Notes on frames (``resources/failures/_notes.toml``) → oddities."""


def in_frames(frames: Sequence[Frame], findings: Iterable[Finding]) -> Iterator[Oddity]:
    """List the oddities of what a unit said, by the notes on its frames and the schema's findings."""
    heard = [frame for frame in frames if frame.direction is Direction.IN]
    for frame in heard:
        for note in frame.notes:
            rule = "elements" if note.startswith("ELEMENTS") else _NOTED.get(note)
            if rule is not None:
                yield Oddity(rule=rule, place=whole(frame), found=frame.action or note.lower())
    yield from _overlapping(frames)
    for finding in findings:
        if finding.code in ("BOOT-SCHEMA", "SCHEMA"):
            yield from _schema(heard, finding)


def _overlapping(frames: Sequence[Frame]) -> Iterator[Oddity]:
    """See a request that came before the one before it was answered (OCPP-J 1.6 §4.1.1): the late answer proves it."""
    answered = {frame.uid: frame.seq for frame in frames if frame.direction is Direction.OUT and frame.uid}
    before: Frame | None = None
    for frame in frames:
        if frame.direction is not Direction.IN or frame.kind is not FrameKind.CALL:
            continue
        if before is not None and frame.seq < answered.get(before.uid, 0) and frame.uid != before.uid:
            yield Oddity(rule="overlapping", place=whole(frame), found=frame.action)
        before = frame


def _schema(heard: Sequence[Frame], finding: Finding) -> Iterator[Oddity]:
    action = finding.details.get("action", "")
    if finding.details.get("case") == "empty":
        for name in finding.details.get("faults", "").split(", "):
            yield Oddity(rule="empty-field", place=member(heard, action, name), found=name)
        return
    for item in finding.evidence:
        name = item.text.partition(":")[0].strip()
        rule = "unknown-field" if _ADDITIONAL in item.text.lower() else "schema"
        place = member(heard, action, name.rpartition(".")[2])
        yield Oddity(rule=rule, place=place, found=f"{action}, {item.text}"[:160])


def in_manners(findings: Iterable[Finding], settings: Mapping[str, str]) -> Iterator[Oddity]:
    """List what shows over time only: pings, and coming back beside an open connection."""
    cases = {(finding.code, finding.details.get("case", "")) for finding in findings}
    if ("PING-MISMATCH", "no-pong") in cases:
        yield Oddity(rule="no-pong", place=Place(name="ping"))
    if ("ZOMBIE-SESSION", "") in cases:
        yield Oddity(rule="beside-itself", place=Place(name="connection"))
    named = {short(key): text for key, text in settings.items()}
    pauses = [_seconds(named.get(key, "")) for key in ("websocketpinginterval", "heartbeatinterval")]
    if any(pause is not None for pause in pauses) and not any(pause and 0 < pause < IDLE_S for pause in pauses):
        yield Oddity(rule="seldom-pings", place=Place(name="WebSocketPingInterval"))


# Places ---------------------------------------------------------------------------------------------------------------


def line(shake: Handshake) -> Place:
    """Return the place of the request line."""
    end = min((at for at in (shake.raw.find(b"\r"), shake.raw.find(b"\n")) if at >= 0), default=len(shake.raw))
    return Place(name="request line", start=0, end=end)


def path(shake: Handshake, *, is_end: bool = False) -> Place:
    """Return the place of the path, or of its last character."""
    start = shake.raw.find(b" ") + 1
    text = shake.path.encode("utf-8", "replace")
    end = start + len(text) if shake.raw[start : start + len(text)] == text else line(shake).end
    return Place(name="path", start=end - 1 if is_end else start, end=end)


def header(shake: Handshake, name: str) -> Place:
    """Return the place of a header's line; of the end of the head where it is missing."""
    found = re.search(rb"(?im)^" + re.escape(name.encode()) + rb"[ \t]*:[^\r\n]*", shake.raw)
    if found:
        return Place(name=name, start=found.start(), end=found.end())
    end = len(shake.raw.rstrip(b"\r\n"))
    return Place(name=name, start=end, end=end)


def whole(frame: Frame) -> Place:
    """Return the place of a whole frame."""
    return Place(name=frame.action or "message", start=0, end=len(frame.text), frame=frame.seq)


def member(frames: Sequence[Frame], action: str, name: str) -> Place:
    """Return the place of a payload's member in the last frame of an action; the frame's end where it is missing."""
    frame = next((frame for frame in reversed(frames) if frame.action == action), None)
    if frame is None:
        return Place(name=name or action)
    pattern = rf'"{re.escape(name)}"\s*:\s*("(?:[^"\\]|\\.)*"|[^,\]}}]*)' if name else r"\A.*\Z"
    found = re.search(pattern, frame.text)
    start, end = found.span() if found else (len(frame.text), len(frame.text))
    return Place(name=name or action, start=start, end=end, frame=frame.seq)


def value(shake: Handshake, name: str) -> str:
    """Return a header's value by its lower-case name."""
    return next((text for key, text in shake.headers if key.lower() == name), "")


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _seconds(text: str) -> float | None:
    return float(text) if text.isdigit() and len(text) < 12 else None
