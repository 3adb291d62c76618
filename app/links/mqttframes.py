"""The frames of MQTT 3.1.1, as much as a client and a small broker need. Pure: bytes in, bytes out.

Why not a library: docs/decisions, "MQTT frames over our own line". Source: OASIS MQTT Version 3.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from app.errors import Garbled

LENGTH_BYTES = 4
"""Of the remaining length (section 2.2.3)."""
TEXT_LIMIT = 65_535
QOS1 = 1
REFUSED_SUBSCRIPTION = 0x80
"""Section 3.9.3."""
CLEAN_SESSION, HAS_USER, HAS_PASSWORD = 0x02, 0x80, 0x40
"""Connect flags (section 3.1.2.3)."""


class Kind(IntEnum):
    """Control packet types (section 2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    SUBSCRIBE = 8
    SUBACK = 9
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One control packet: type, the four flag bits, and everything behind the length."""

    kind: int
    flags: int
    body: bytes

    @property
    def number(self) -> int:
        """Return the packet identifier at the beginning of an acknowledgement; raises Garbled."""
        return int.from_bytes(_part(self.body, 0, 2), "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What was published. ``number`` is to be acknowledged where ``qos`` is 1."""

    topic: str
    payload: bytes
    qos: int = 0
    number: int = 0


def split(raw: bytes, limit: int) -> tuple[Packet | None, bytes]:
    """Take the first packet off, ``None`` while it is not complete; raises Garbled, also on one over ``limit``."""
    length, used = 0, 0
    for used, byte in enumerate(raw[1 : 1 + LENGTH_BYTES], start=1):
        length += (byte & 0x7F) << (7 * (used - 1))
        if not byte & 0x80:
            break
    else:
        if len(raw) > LENGTH_BYTES:
            raise garbled()
        return None, raw
    if length > limit:
        raise Garbled(f"A message of {length:,} bytes was announced.", "Report it: nothing of a charger is that long.")
    end = 1 + used + length
    if len(raw) < end:
        return None, raw
    return Packet(kind=raw[0] >> 4, flags=raw[0] & 0x0F, body=raw[1 + used : end]), raw[end:]


def packet(kind: Kind, body: bytes = b"", flags: int = 0) -> bytes:
    """Put type and length in front of a body."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return bytes([kind << 4 | flags]) + bytes(digits) + body


def connect(client: str, *, keep_alive_s: int, user: str = "", password: str = "") -> bytes:
    """Return CONNECT with a clean session (section 3.1)."""
    flags = CLEAN_SESSION | (HAS_USER if user else 0) | (HAS_PASSWORD if user and password else 0)
    head = text("MQTT") + bytes([4, flags]) + keep_alive_s.to_bytes(2, "big")
    login = (text(user) if user else b"") + (text(password) if user and password else b"")
    return packet(Kind.CONNECT, head + text(client) + login)


def publish(topic: str, payload: bytes, *, number: int = 0, is_retained: bool = False) -> bytes:
    """Return PUBLISH, with QoS 1 where it has a number (section 3.3)."""
    flags = (QOS1 << 1 if number else 0) | int(is_retained)
    return packet(Kind.PUBLISH, text(topic) + (number.to_bytes(2, "big") if number else b"") + payload, flags)


def subscribe(topic: str, *, number: int) -> bytes:
    """Return SUBSCRIBE with QoS 1 (section 3.8; its flags are 0010)."""
    return packet(Kind.SUBSCRIBE, number.to_bytes(2, "big") + text(topic) + bytes([QOS1]), flags=0b0010)


def acknowledge(number: int) -> bytes:
    """Return PUBACK (section 3.4)."""
    return packet(Kind.PUBACK, number.to_bytes(2, "big"))


def message(found: Packet) -> Message:
    """Read a PUBLISH; raises Garbled."""
    topic, at = read_text(found.body, 0)
    qos, number = found.flags >> 1 & 0b11, 0
    if qos:
        number, at = int.from_bytes(_part(found.body, at, 2), "big"), at + 2
    if qos > QOS1:
        raise garbled()
    return Message(topic=topic, payload=found.body[at:], qos=qos, number=number)


def text(value: str) -> bytes:
    """Return a text with its length in front (section 1.5.3)."""
    raw = value.encode("utf-8")[:TEXT_LIMIT]
    return len(raw).to_bytes(2, "big") + raw


def read_text(body: bytes, at: int) -> tuple[str, int]:
    """Read a text and where it ends; raises Garbled."""
    end = at + 2 + int.from_bytes(_part(body, at, 2), "big")
    try:
        return _part(body, at + 2, end - at - 2).decode("utf-8"), end
    except UnicodeDecodeError as error:
        raise garbled() from error


def fits(pattern: str, topic: str) -> bool:
    """Say whether a topic fits a filter with ``+`` and ``#`` (section 4.7)."""
    wanted, given = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def garbled() -> Garbled:
    """Return the error for bytes that are no MQTT."""
    return Garbled("What answers there does not speak MQTT.", "Check address and port.")


def _part(body: bytes, start: int, length: int) -> bytes:
    part = body[start : start + length]
    if len(part) != length:
        raise garbled()
    return part
