"""Packets put together from what was heard: Ethernet, IP, TCP and WebSocket, with checksums. Pure.

RFC 791 and 8200 (IP), RFC 9293 (TCP), RFC 6455 §5.2 (WebSocket framing).
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field

SEGMENT = 1_400
"""Payload of one TCP segment: below every usual MTU."""

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
WINDOW = 64_240

TEXT, BINARY, CLOSE = 0x1, 0x2, 0x8

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class Side:
    """One end of a TCP connection: where it is and its next sequence number."""

    address: Address
    port: int
    seq: int
    mac: bytes


@dataclass(slots=True)
class Conversation:
    """A TCP connection between a unit and us. ``packets`` of every step are complete Ethernet frames."""

    unit: Side
    ours: Side
    _ids: int = field(default=1)

    def opening(self) -> list[bytes]:
        """Return the three packets that open the connection."""
        return [
            self.packet(self.unit, self.ours, SYN),
            self.packet(self.ours, self.unit, SYN | ACK),
            self.packet(self.unit, self.ours, ACK),
        ]

    def data(self, payload: bytes, *, is_from_unit: bool) -> list[bytes]:
        """Return the packets that carry a payload one way."""
        source, target = (self.unit, self.ours) if is_from_unit else (self.ours, self.unit)
        starts = range(0, max(1, len(payload)), SEGMENT)
        return [self.packet(source, target, PSH | ACK, payload[start : start + SEGMENT]) for start in starts]

    def closing(self, *, is_by_us: bool) -> list[bytes]:
        """Return the packets of an orderly end."""
        first, second = (self.ours, self.unit) if is_by_us else (self.unit, self.ours)
        return [
            self.packet(first, second, FIN | ACK),
            self.packet(second, first, FIN | ACK),
            self.packet(first, second, ACK),
        ]

    def reset(self, *, is_by_us: bool) -> list[bytes]:
        """Return the packet of an abrupt end."""
        source, target = (self.ours, self.unit) if is_by_us else (self.unit, self.ours)
        return [self.packet(source, target, RST | ACK)]

    def packet(self, source: Side, target: Side, flags: int, payload: bytes = b"") -> bytes:
        """Return one packet and move the sender's sequence number on."""
        self._ids = (self._ids + 1) & 0xFFFF
        acknowledged = target.seq if flags & ACK else 0
        options = struct.pack("!BBH", 2, 4, SEGMENT) if flags & SYN else b""
        size = (20 + len(options)) // 4
        header = struct.pack(
            "!HHIIBBHHH", source.port, target.port, source.seq, acknowledged, size << 4, flags, WINDOW, 0, 0
        )
        segment = header + options + payload
        segment = segment[:16] + struct.pack("!H", _tcp_checksum(source, target, segment)) + segment[18:]
        source.seq = (source.seq + len(payload) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        return _framed(source, target, segment, self._ids)


def _framed(source: Side, target: Side, segment: bytes, number: int) -> bytes:
    if source.address.version == 6:
        head = struct.pack("!IHBB", 0x60000000, len(segment), 6, 64) + source.address.packed + target.address.packed
        return target.mac + source.mac + b"\x86\xdd" + head + segment
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), number, 0x4000, 64, 6, 0)
    head += source.address.packed + target.address.packed
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return target.mac + source.mac + b"\x08\x00" + head + segment


def _tcp_checksum(source: Side, target: Side, segment: bytes) -> int:
    addresses = source.address.packed + target.address.packed
    if source.address.version == 6:
        return checksum(addresses + struct.pack("!II", len(segment), 6) + segment)
    return checksum(addresses + struct.pack("!BBH", 0, 6, len(segment)) + segment)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    # The sum of 16-bit words is the number itself modulo 0xffff, read as one big integer.
    total = int.from_bytes(data) % 0xFFFF
    return 0xFFFF - total if total else (0xFFFF if not any(data) else 0)


def websocket(payload: bytes, opcode: int, *, mask: bytes = b"") -> bytes:
    """Return a WebSocket frame; ``mask`` (four bytes) as a client must send it."""
    flag = 0x80 if mask else 0
    size = len(payload)
    head = bytes([0x80 | opcode])
    if size < 126:
        head += bytes([flag | size])
    elif size < 65_536:
        head += struct.pack("!BH", flag | 126, size)
    else:
        head += struct.pack("!BQ", flag | 127, size)
    return head + mask + (masked(payload, mask) if mask else payload)


def masked(payload: bytes, mask: bytes) -> bytes:
    """Apply a mask (RFC 6455 §5.3); twice gives the payload back."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def mac_for(address: Address) -> bytes:
    """Return a locally administered MAC that follows from an address."""
    return b"\x02\x00" + address.packed[-4:]
