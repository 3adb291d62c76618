"""DHCP messages: read within bounds, build (RFC 2131, options of RFC 2132). Pure."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from app.errors import Garbled

FIXED = 236
"""Bytes before the options (RFC 2131 §2)."""
COOKIE = b"\x63\x82\x53\x63"
LONGEST = 1500
SHORTEST = 300
"""BOOTP's size (RFC 951 §3): some clients drop shorter answers."""
BROADCAST_FLAG = 0x8000
ETHERNET = 1
MASK, ROUTER, DNS, HOST_NAME, NTP = 1, 3, 6, 12, 42
REQUESTED, LEASE, OVERLOAD, KIND, SERVER, END = 50, 51, 52, 53, 54, 255

IPv4 = ipaddress.IPv4Address
NOBODY = IPv4(0)


class Kind(IntEnum):
    """DHCP message types (RFC 2132 §9.6)."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. ``mac`` as ``aa:bb:…``; addresses that are absent are 0.0.0.0."""

    kind: Kind
    xid: int
    mac: str
    is_reply: bool = False
    is_broadcast: bool = False
    """The client can't take unicast yet (RFC 2131 §4.1)."""
    client: ipaddress.IPv4Address = NOBODY
    yours: ipaddress.IPv4Address = NOBODY
    relay: ipaddress.IPv4Address = NOBODY
    options: Mapping[int, bytes] = field(default_factory=dict)

    def address(self, option: int) -> ipaddress.IPv4Address:
        """Return the (first) address of an option, 0.0.0.0 where there is none."""
        value = self.options.get(option, b"")
        return IPv4(value[:4]) if len(value) >= 4 else NOBODY

    @property
    def host_name(self) -> str:
        """Return what the client calls itself."""
        text = self.options.get(HOST_NAME, b"")[:64].decode("ascii", "replace")
        return "".join(char for char in text if char.isprintable())


def read(data: bytes) -> Message:
    """Read a message. Raises Garbled."""
    if not FIXED + len(COOKIE) <= len(data) <= LONGEST or data[FIXED : FIXED + 4] != COOKIE:
        raise _garbled("no DHCP message")
    operation, kin, size, _, xid, _, flags = struct.unpack_from("!BBBBIHH", data)
    if operation not in (1, 2) or kin != ETHERNET or size != 6:
        raise _garbled("not of an Ethernet or Wi-Fi client")
    options = _options(data, FIXED + len(COOKIE))
    try:
        kind = Kind(options.get(KIND, b"\0")[0])
    except (ValueError, IndexError) as error:
        raise _garbled("no message type") from error
    client, yours, _, relay = (IPv4(data[at : at + 4]) for at in (12, 16, 20, 24))
    return Message(
        kind=kind,
        xid=xid,
        mac=data[28:34].hex(":"),
        is_reply=operation == 2,
        is_broadcast=bool(flags & BROADCAST_FLAG),
        client=client,
        yours=yours,
        relay=relay,
        options=options,
    )


def _options(data: bytes, at: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at < len(data) and data[at] != END:
        if data[at] == 0:  # padding
            at += 1
            continue
        if at + 2 > len(data) or at + 2 + data[at + 1] > len(data):
            raise _garbled("an option is cut")
        found.setdefault(data[at], data[at + 2 : at + 2 + data[at + 1]])
        at += 2 + data[at + 1]
    return found


def write(message: Message) -> bytes:
    """Build a message."""
    head = struct.pack(
        "!BBBBIHH4s4s4s4s16s192x",
        2 if message.is_reply else 1,
        ETHERNET,
        6,
        0,
        message.xid,
        0,
        BROADCAST_FLAG if message.is_broadcast else 0,
        message.client.packed,
        message.yours.packed,
        bytes(4),
        message.relay.packed,
        bytes.fromhex(message.mac.replace(":", "")),
    )
    options = {KIND: bytes([message.kind]), **message.options}
    tail = b"".join(struct.pack("!BB", code, len(value)) + value for code, value in options.items())
    return (head + COOKIE + tail + bytes([END])).ljust(SHORTEST, b"\0")


def _garbled(why: str) -> Garbled:
    return Garbled(f"DHCP: {why}.", "Nothing to do: the sender is no DHCP client.")
