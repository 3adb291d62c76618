"""Packets of a capture file: pcap and pcapng blocks, link and IP headers, TCP segments in order. Pure; all bounded.

pcap: draft-ietf-opsawg-pcap; pcapng: draft-ietf-opsawg-pcapng; link types: tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

PCAPNG = 0x0A0D0D0A
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
BLOCK_LIMIT = 1_048_576
"""Largest block or packet read."""

AHEAD_LIMIT = 256
"""Segments kept while an earlier one is missing; beyond that the gap is skipped."""

_ORDERS = {0x1A2B3C4D: "<", 0x4D3C2B1A: ">"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Read = Callable[[int], bytes]


class Torn(Exception):
    """The capture ends too early, or its blocks are damaged."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment. ``source`` and ``target`` are ``address:port``."""

    at: datetime
    source: str
    target: str
    seq: int
    flags: int
    payload: bytes


def is_capture(start: bytes) -> bool:
    """Say whether a file begins like a capture."""
    return start[:4] in _PCAP or start[:4] == b"\x0a\x0d\x0d\x0a"


def segments(read: Read) -> Iterator[Segment]:
    """Give the TCP segments of a capture. Raises Torn where it ends in the middle of something."""
    start = read(4)
    packets = _pcap(read, start) if start in _PCAP else _pcapng(read, start)
    for stamp, link, packet in packets:
        found = _tcp(stamp, _network(link, packet))
        if found is not None:
            yield found


def _exactly(read: Read, size: int) -> bytes:
    if size > BLOCK_LIMIT:
        raise Torn("a block is too large")
    data = read(size)
    if len(data) != size:
        raise Torn("it ends in the middle of a packet")
    return data


def _pcap(read: Read, magic: bytes) -> Iterator[tuple[datetime, int, bytes]]:
    order, ticks = _PCAP[magic]
    *_, link = struct.unpack(f"{order}HHiIII", _exactly(read, 20))
    while head := read(16):
        if len(head) != 16:
            raise Torn("it ends in the middle of a packet")
        seconds, part, size, _ = struct.unpack(f"{order}IIII", head)
        at = _EPOCH + timedelta(seconds=seconds, microseconds=part * 1_000_000 // ticks)
        yield at, link & 0xFFFF, _exactly(read, size)


def _pcapng(read: Read, start: bytes) -> Iterator[tuple[datetime, int, bytes]]:
    order = "<"
    links: list[tuple[int, int]] = []
    while start:
        if len(start) != 4:
            raise Torn("it ends in the middle of a block")
        if start == b"\x0a\x0d\x0d\x0a":
            raw = _exactly(read, 8)
            order = _ORDERS.get(int.from_bytes(raw[4:], "little"), "")
            if not order:
                raise Torn("its byte order is unknown")
            (size,) = struct.unpack(f"{order}I", raw[:4])
            kind, body = PCAPNG, _exactly(read, max(0, size - 12))
            links = []
        else:
            (kind,) = struct.unpack(f"{order}I", start)
            (size,) = struct.unpack(f"{order}I", _exactly(read, 4))
            body = _exactly(read, max(0, size - 8))[:-4]
        if kind == 1 and len(body) >= 8 and len(links) < 1000:
            links.append((struct.unpack_from(f"{order}H", body)[0], _ticks(body[8:], order)))
        elif kind == 6 and len(body) >= 20:
            number, high, low, size, _ = struct.unpack_from(f"{order}IIIII", body)
            if number < len(links):
                link, ticks = links[number]
                yield _moment((high << 32 | low), ticks), link, body[20 : 20 + size]
        start = read(4)


def _ticks(options: bytes, order: str) -> int:
    """Return the ticks of a second of an interface (option if_tsresol), one million where it does not say."""
    while len(options) >= 4:
        code, size = struct.unpack_from(f"{order}HH", options)
        if code == 0:
            break
        if code == 9 and size == 1 and len(options) >= 5:
            value = options[4]
            return int(2 ** min(value & 127, 62)) if value & 128 else int(10 ** min(value, 18))
        options = options[4 + size + -size % 4 :]
    return 1_000_000


def _moment(stamp: int, ticks: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=stamp * 1_000_000 // ticks)
    except OverflowError as error:
        raise Torn("a time is out of range") from error


def _network(link: int, packet: bytes) -> bytes:
    """Return the IP packet of a link-layer frame."""
    if link == 1:
        place = 12
        while packet[place : place + 2] in (b"\x81\x00", b"\x88\xa8"):
            place += 4
        return packet[place + 2 :] if packet[place : place + 2] in (b"\x08\x00", b"\x86\xdd") else b""
    offset = {101: 0, 12: 0, 14: 0, 228: 0, 229: 0, 0: 4, 108: 4, 113: 16, 276: 20}.get(link)
    return packet[offset:] if offset is not None else b""


def _tcp(at: datetime, packet: bytes) -> Segment | None:
    if len(packet) >= 40 and packet[0] >> 4 == 6 and packet[6] == 6:
        size = int.from_bytes(packet[4:6]) or len(packet) - 40
        source, target = packet[8:24], packet[24:40]
        data = packet[40 : 40 + size]
    elif len(packet) >= 20 and packet[0] >> 4 == 4 and packet[9] == 6 and not int.from_bytes(packet[6:8]) & 0x3FFF:
        head, size = (packet[0] & 15) * 4, int.from_bytes(packet[2:4]) or len(packet)
        source, target = packet[12:16], packet[16:20]
        data = packet[head:size]
    else:
        return None
    if len(data) < 20:
        return None
    from_port, to_port, seq, _, offset, flags = struct.unpack_from("!HHIIBB", data)
    return Segment(at, _name(source, from_port), _name(target, to_port), seq, flags, data[(offset >> 4) * 4 :])


def _name(address: bytes, port: int) -> str:
    text = str(ipaddress.ip_address(address))
    return f"[{text}]:{port}" if len(address) == 16 else f"{text}:{port}"


@dataclass(slots=True)
class Lane:
    """One direction of a TCP connection: gives its bytes in order, once. ``has_gap``: some were never captured."""

    has_gap: bool = False
    _next: int | None = None
    held: int = 0
    """Bytes that came before their turn."""
    _ahead: dict[int, bytes] = field(default_factory=dict)

    def take(self, segment: Segment) -> bytes:
        """Take a segment; return what can now be read."""
        seq = segment.seq
        if segment.flags & 2:
            self._next, seq = (seq + 1) & 0xFFFFFFFF, (seq + 1) & 0xFFFFFFFF
            self._ahead.clear()
            self.held = 0
        if self._next is None:
            self._next = seq
        if segment.payload:
            self._keep(seq, segment.payload)
        return self._ready()

    def _keep(self, seq: int, payload: bytes) -> None:
        assert self._next is not None
        late = (self._next - seq) & 0xFFFFFFFF
        if 0 < late < 0x80000000:
            payload = payload[late:]
            seq = self._next
        known = len(self._ahead.get(seq, b""))
        if known < len(payload):
            self._ahead[seq] = payload
            self.held += len(payload) - known

    def _ready(self) -> bytes:
        found = []
        while self._ahead:
            assert self._next is not None
            payload = self._ahead.pop(self._next, None)
            if payload is None:
                if len(self._ahead) <= AHEAD_LIMIT:
                    break
                here = self._next
                self._next = min(self._ahead, key=lambda seq: (seq - here) & 0xFFFFFFFF)
                self.has_gap = True
                continue
            found.append(payload)
            self.held -= len(payload)
            self._next = (self._next + len(payload)) & 0xFFFFFFFF
        return b"".join(found)
