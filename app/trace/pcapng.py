"""Write a trace as pcapng (draft-ietf-opsawg-pcapng), so that Wireshark reads it. Pure.

The packets are put together from the recorded texts: addresses, handshakes, messages, times and findings are real,
sequence numbers, masks and MAC addresses are not. What came over TLS is written without it. The file says so itself.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import struct
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from app.diagnosis.catalogue import explain
from app.model.finding import Finding
from app.model.frame import Direction, Frame, Handshake, Knock
from app.model.observation import Ended, TlsFailed
from app.model.trace import Entry, HumanStep, ProgramStart
from app.ocpp.handshake import WS_GUID
from app.trace.packets import BINARY, CLOSE, TEXT, Address, Conversation, Side, mac_for, websocket

ETHERNET = 1
"""LINKTYPE_ETHERNET."""

COMMENT_LIMIT = 8_000
MOST_OPEN = 5_000
"""Connections remembered at once; a longer silent one begins anew with its next message."""

DEFAULT_PORT = 8887
TLS_PORTS = frozenset({443, 8443})
"""Wireshark takes these for TLS whatever is in them."""

_NO_CLOSE = frozenset({0, 1005, 1006, 1015})
"""Close codes that never stand on the wire (RFC 6455 §7.4.1)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOTE = (
    "Written by {program} from its record of the messages. Times, addresses, handshakes, message texts and findings are"
    " as recorded; Ethernet, IP, TCP and WebSocket framing were put together for this file. Passwords are masked."
)


class CaptureWriter:
    """A ``Sheet`` of ``app.trace.exporting``. A packet waits for the findings that belong to it."""

    def __init__(self, start: ProgramStart) -> None:
        self.frames = self.records = self.left_out = 0
        self.hash = ""
        self._start = start
        self._open: OrderedDict[tuple[str, int], Conversation] = OrderedDict()
        self._names: dict[Address, str] = {}
        self._serial = 0
        self._last_us = 0
        self._held: tuple[int, bytes] | None = None
        self._comments: list[str] = []

    def head(self) -> bytes:
        """Return the section header and the one interface."""
        note = NOTE.format(program=self._start.program)
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options((1, note), (4, self._start.program))
        interface = struct.pack("<HHI", ETHERNET, 0, 0) + _options(
            (2, "rehome"), (3, f"the endpoint on {self._start.adapter}" if self._start.adapter else "the endpoint")
        )
        return _block(0x0A0D0D0A, section) + _block(1, interface)

    def entry(self, entry: Entry) -> bytes:
        """Return the packets of a frame or of a piece of evidence."""
        if isinstance(entry, Frame):
            self.frames += 1
            return self._frame(entry)
        self.records += 1
        match entry.evidence:
            case Handshake() as shake if not entry.connection:
                return self._lone(shake.remote, shake.local, shake.raw, entry.at, "The upgrade was refused.")
            case Handshake() as shake:
                return self._handshake(shake, entry.at, entry.identity, entry.connection)
            case Knock() as knock:
                return self._knock(knock) if knock.verdict != "accepted" else b""
            case TlsFailed() as failed:
                return self._tls_failed(failed)
            case Ended() as ended:
                return self._ended(ended)
            case Finding() as finding:
                return self._comment(f"{finding.code}: {explain(finding).title}. {_proof(finding)}")
            case HumanStep() as step:
                return self._comment(f"{step.source}: {step.title} {step.text} {step.answer}".strip())
        return b""

    def end(self) -> bytes:
        """Return the last packet and the names of the addresses."""
        return self._flush() + self._name_block()

    # What was heard

    def _frame(self, frame: Frame) -> bytes:
        key = (frame.identity, frame.connection)
        written = b""
        if key not in self._open:
            written = self._unrecorded(frame)
        conversation = self._open[key]
        self._open.move_to_end(key)
        is_in = frame.direction is Direction.IN
        payload = frame.raw if frame.raw is not None else frame.text.encode(errors="replace")
        opcode = TEXT if frame.raw is None or _is_text(frame.raw) else BINARY
        mask = struct.pack("!I", (frame.seq * 2_654_435_761) & 0xFFFFFFFF) if is_in else b""
        packets = conversation.data(websocket(payload, opcode, mask=mask), is_from_unit=is_in)
        written += self._packets(packets, frame.at)
        if frame.notes:
            self._comments.append("findings: " + ", ".join(frame.notes))
        return written

    def _handshake(self, shake: Handshake, at: datetime, identity: str, connection: int) -> bytes:
        conversation = self._conversation(shake.remote, shake.local, identity or shake.identity)
        self._open[(identity or shake.identity, connection)] = conversation
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        packets = [
            *conversation.opening(),
            *conversation.data(shake.raw, is_from_unit=True),
            *conversation.data(_answer(shake), is_from_unit=False),
        ]
        written = self._packets(packets, at)
        if shake.tls is not None:
            self._comments.append(f"This connection was inside {shake.tls.version} ({shake.tls.suite}).")
        return written

    def _unrecorded(self, frame: Frame) -> bytes:
        path = f"/{frame.identity}".encode(errors="replace").replace(b" ", b"%20")
        raw = (
            b"GET %b HTTP/1.1\r\nHost: rehome\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n" % path
        )
        key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        shake = Handshake(
            raw=raw, request_line="", path="", headers=(key,), identity=frame.identity, subprotocols=(),
            chosen_subprotocol="",
        )  # fmt: skip
        written = self._handshake(shake, frame.at, frame.identity, frame.connection)
        self._comments.append("The handshake was not recorded; this one stands in its place.")
        return written

    def _knock(self, knock: Knock) -> bytes:
        return self._lone(knock.remote, knock.local, knock.first_bytes, knock.at, f"{knock.verdict}: {knock.text}")

    def _tls_failed(self, failed: TlsFailed) -> bytes:
        hello = failed.hello.raw if failed.hello is not None else b""
        alert = f", alert {failed.alert}" if failed.alert is not None else ""
        text = f"TLS handshake failed: {failed.end.value}{alert}. {failed.reason}"
        return self._lone(failed.remote, "", hello, failed.at, text, is_tls=True)

    def _lone(self, remote: str, local: str, data: bytes, at: datetime, text: str, *, is_tls: bool = False) -> bytes:
        """Write a connection that never became more than its first bytes."""
        conversation = self._conversation(remote, local, "")
        if is_tls and conversation.ours.port not in TLS_PORTS:
            conversation.ours.port = 443
        packets = conversation.opening()
        packets += conversation.data(data, is_from_unit=True) if data else []
        written = self._packets(packets, at)
        return written + self._comment(text)

    def _ended(self, ended: Ended) -> bytes:
        conversation = self._open.pop((ended.identity, ended.connection), None)
        if conversation is None:
            return b""
        packets: list[bytes] = []
        if ended.code not in _NO_CLOSE:
            payload = struct.pack("!H", ended.code & 0xFFFF) + ended.reason.encode(errors="replace")[:120]
            close = websocket(payload, CLOSE, mask=b"" if ended.is_by_us else b"\x11\x22\x33\x44")
            packets += conversation.data(close, is_from_unit=not ended.is_by_us)
            packets += conversation.closing(is_by_us=ended.is_by_us)
        else:
            packets += conversation.reset(is_by_us=ended.is_by_us)
        written = self._packets(packets, ended.at)
        return written + self._comment(f"Ended with {ended.code} after {ended.lasted_s:.1f} s. {ended.fault}".strip())

    def _conversation(self, remote: str, local: str, name: str) -> Conversation:
        self._serial += 1
        source, target = _endpoint(remote), _endpoint(local)
        if source is None or (target is not None and target[0].version != source[0].version):
            address = ipaddress.IPv4Address(int(ipaddress.IPv4Address("10.0.0.0")) + 1 + self._serial % 0xFFFF00)
            source = (address, 40_000 + self._serial % 20_000)
            target = None
        if target is None:
            mate = "10.255.255.1" if source[0].version == 4 else "fd00::1"
            target = (ipaddress.ip_address(mate), DEFAULT_PORT)
        port = 80 if target[1] in TLS_PORTS else target[1]
        if name:
            self._names[source[0]] = name
        start = (self._serial * 0x01000193) & 0xFFFFFFFF
        unit = Side(source[0], source[1], start, mac_for(source[0]))
        return Conversation(unit, Side(target[0], port, start ^ 0x5BD1E995, mac_for(target[0])))

    # What is written

    def _comment(self, text: str) -> bytes:
        self._comments.append(text)
        return b""

    def _packets(self, packets: list[bytes], at: datetime) -> bytes:
        written = b""
        stamp = (at - _EPOCH) // timedelta(microseconds=1)
        for packet in packets:
            written += self._flush()
            self._last_us = max(stamp, self._last_us)
            self._held = (self._last_us, packet)
        return written

    def _flush(self) -> bytes:
        if self._held is None:
            return b""
        stamp, packet = self._held
        self._held = None
        comments = [(1, visible[:COMMENT_LIMIT]) for visible in self._comments[:20]]
        self._comments.clear()
        head = struct.pack("<IIIII", 0, stamp >> 32 & 0xFFFFFFFF, stamp & 0xFFFFFFFF, len(packet), len(packet))
        return _block(6, head + _padded(packet) + _options(*comments))

    def _name_block(self) -> bytes:
        """Name the addresses by identity (Name Resolution Block)."""
        if not self._names:
            return b""
        records = b""
        for address, name in list(self._names.items())[:10_000]:
            value = address.packed + (name.encode("ascii", "replace").replace(b" ", b"_")[:200] or b"?") + b"\0"
            records += struct.pack("<HH", 1 if address.version == 4 else 2, len(value)) + _padded(value)
        return _block(4, records + struct.pack("<HH", 0, 0))


def _answer(shake: Handshake) -> bytes:
    """Return the upgrade's answer as our endpoint gives it (RFC 6455 §4.2.2)."""
    key = next((value for name, value in shake.headers if name.lower() == "sec-websocket-key"), "")
    accept = base64.b64encode(hashlib.sha1(key.encode("latin-1", "replace") + WS_GUID, usedforsecurity=False).digest())
    spoken = f"Sec-WebSocket-Protocol: {shake.chosen_subprotocol}\r\n" if shake.chosen_subprotocol else ""
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n%b\r\n" % (accept, spoken.encode("latin-1", "replace"))
    )


def _endpoint(text: str) -> tuple[Address, int] | None:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        number = int(port)
    except ValueError:
        return None
    return (address, number) if 0 < number < 65_536 else None


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _proof(finding: Finding) -> str:
    return "; ".join(f"{item.label}: {item.text[:400]}" for item in finding.evidence[:4])


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _options(*options: tuple[int, str]) -> bytes:
    written = b""
    for code, text in options:
        value = text.encode(errors="replace")[: COMMENT_LIMIT * 4]
        written += struct.pack("<HH", code, len(value)) + _padded(value)
    return written + struct.pack("<HH", 0, 0) if written else b""


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)
