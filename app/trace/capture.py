"""OCPP out of a packet capture (tcpdump, Wireshark): upgrades, WebSocket messages, endings. TLS stays closed. Pure."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from app.model.frame import Direction, Frame, FrameKind, Handshake
from app.model.observation import Ended
from app.model.trace import Entry, Record
from app.ocpp.frame import head
from app.ocpp.handshake import read_handshake, version_of
from app.ocpp.request import HEADER_LIMIT, end_of_head, parse_request
from app.trace.chain import Flaws
from app.trace.packets import masked
from app.trace.pairing import Pairs
from app.trace.wire import Lane, Read, Segment, Torn, segments

MESSAGE_LIMIT = 1_048_576
"""Longest WebSocket message put together, in bytes; a longer one is cut off with its connection."""

MOST_STREAMS = 5_000
MOST_HELD = 268_435_456
"""Bytes of unfinished messages and of segments that came too early, of all connections together [OURS]."""
STRETCH = 200
"""Packets after which reading gives way, whatever was in them."""

FIN, SYN, RST = 1, 2, 4
_TEXTS, _CONTINUED, _CLOSE, _PING, _PONG = (1, 2), 0, 8, 9, 10


@dataclass(slots=True)
class _Half:
    """What one side says."""

    lane: Lane = field(default_factory=Lane)
    data: bytearray = field(default_factory=bytearray)
    parts: bytearray = field(default_factory=bytearray)
    is_packed: bool = False
    is_binary: bool = False
    inflater: object = None


@dataclass(slots=True)
class _Stream:
    unit: str
    ours: str
    started_at: datetime
    halves: dict[Direction, _Half]
    request: Handshake | None = None
    is_open: bool = False
    is_dead: bool = False
    is_over: bool = False
    number: int = 0
    heard_at: datetime | None = None
    has_booted: bool = False
    counts: dict[tuple[Direction, int], int] = field(default_factory=dict)
    code: int = 1006
    reason: str = ""
    is_by_us: bool = False

    @property
    def held(self) -> int:
        """Return how many bytes wait for others."""
        return sum(len(half.data) + len(half.parts) + half.lane.held for half in self.halves.values())


class CaptureReader:
    """A reader of ``app.trace.reading``: takes a whole file instead of lines."""

    dialect = "packet capture"

    def __init__(self) -> None:
        self.flaws = Flaws()
        self.unread = 0
        self.cut = ""
        self._streams: OrderedDict[frozenset[str], _Stream] = OrderedDict()
        self._pairs = Pairs()
        self._seq = 0
        self._connections = 0
        self._packets = 0
        self._held = 0

    def take(self, line: bytes | None, number: int) -> Iterator[Entry]:
        """Take nothing: a capture has no lines."""
        del line, number
        yield from ()

    def entries(self, read: Read) -> Iterator[Entry | None]:
        """Read a capture to its end; ``None`` now and then where packets hold nothing for us."""
        try:
            for segment in segments(read):
                self._packets += 1
                yield from self._segment(segment)
                if not self._packets % STRETCH:
                    yield None
        except Torn as error:
            self.cut = f"The capture stops at packet {self._packets + 1}: {error}."

    # TCP

    def _segment(self, segment: Segment) -> Iterator[Entry]:
        key = frozenset((segment.source, segment.target))
        stream = self._streams.get(key)
        if stream is None or (segment.flags & SYN and stream.is_over):
            stream = self._streams[key] = self._begun(segment)
            if len(self._streams) > MOST_STREAMS:
                self._held -= self._streams.popitem(last=False)[1].held
        if stream.is_dead or stream.is_over:
            return
        before = stream.held
        try:
            yield from self._taken(stream, segment)
        finally:
            self._weigh(stream, before)

    def _weigh(self, stream: _Stream, before: int) -> None:
        """Count what is held, and give up the connections that began first where it is too much."""
        if stream.is_dead or stream.is_over:
            stream.halves = {side: _Half() for side in Direction}
        self._held += stream.held - before
        for oldest in self._streams.values() if self._held > MOST_HELD else ():
            if oldest.held:
                self._held -= oldest.held
                oldest.halves = {side: _Half() for side in Direction}
                self._dies(oldest, "too much of too many connections is missing")
            if self._held <= MOST_HELD // 2:
                break

    def _taken(self, stream: _Stream, segment: Segment) -> Iterator[Entry]:
        side = Direction.IN if segment.source == stream.unit else Direction.OUT
        half = stream.halves[side]
        half.data += half.lane.take(segment)
        try:
            yield from self._read(stream, side, segment.at)
        except (ValueError, zlib.error) as error:
            self._dies(stream, str(error))
        if segment.flags & (FIN | RST) and stream.is_open and not stream.is_dead:
            yield self._ended(stream, segment.at, is_by_us=side is Direction.OUT)

    def _begun(self, segment: Segment) -> _Stream:
        """Who sends SYN, or the request, is the unit; in the middle of a connection the higher port is."""
        source, target = segment.source, segment.target
        is_answer = segment.flags & SYN and segment.flags & 16
        knows = bool(segment.flags & SYN) or segment.payload[:4] == b"GET "
        is_unit = not is_answer if knows else int(source.rpartition(":")[2]) > int(target.rpartition(":")[2])
        unit, ours = (source, target) if is_unit else (target, source)
        return _Stream(unit, ours, segment.at, {side: _Half() for side in Direction})

    def _dies(self, stream: _Stream, why: str) -> None:
        stream.is_dead = True
        self.unread += 1
        self.flaws.add(self._packets, f"{stream.unit} to {stream.ours} can't be read on: {why[:200]}.")

    # HTTP

    def _read(self, stream: _Stream, side: Direction, at: datetime) -> Iterator[Entry]:
        half = stream.halves[side]
        if not stream.is_open:
            if half.data[:1] == b"\x16":
                raise ValueError("it is inside TLS")
            yield from self._upgrade(stream, at)
        if stream.is_open:
            for direction in Direction:
                yield from self._messages(stream, direction, at)

    def _upgrade(self, stream: _Stream, at: datetime) -> Iterator[Entry]:
        asked, answered = (stream.halves[side].data for side in (Direction.IN, Direction.OUT))
        if max(len(asked), len(answered)) > 4 * HEADER_LIMIT:
            raise ValueError("it is no WebSocket")
        end = end_of_head(asked)
        if stream.request is None and end > 0:
            request = parse_request(bytes(asked[:end]))
            if request is None or not request.wants_websocket:
                raise ValueError("it is no WebSocket")
            shake = read_handshake(bytes(asked[:end]), request, lambda _: None, remote=stream.unit, local=stream.ours)
            stream.request = shake
            del asked[:end]
        end = end_of_head(answered)
        if stream.request is None or end <= 0:
            return
        answer = bytes(answered[:end])
        del answered[:end]
        if b" 101 " not in answer.split(b"\n", 1)[0]:
            raise ValueError("the upgrade was refused")
        yield self._opened(stream, stream.request, answer, at)

    def _opened(self, stream: _Stream, shake: Handshake, answer: bytes, at: datetime) -> Record:
        reply = answer.decode("latin-1").lower()
        chosen = next((part for part in shake.subprotocols if f"protocol: {part.lower()}\r" in reply), "")
        self._connections += 1
        stream.is_open, stream.number = True, self._connections
        shake = replace(shake, chosen_subprotocol=chosen, version=version_of(chosen), at=at)
        stream.request = shake
        return Record(at=at, evidence=shake, identity=shake.identity, connection=stream.number)

    # WebSocket (RFC 6455 §5, RFC 7692)

    def _messages(self, stream: _Stream, side: Direction, at: datetime) -> Iterator[Entry]:
        half = stream.halves[side]
        while (taken := _frame(half.data)) is not None:
            first, payload, size = taken
            del half.data[:size]
            opcode = first & 15
            stream.counts[side, opcode] = stream.counts.get((side, opcode), 0) + 1
            if side is Direction.IN:
                stream.heard_at = at
            if opcode == _CLOSE:
                stream.code = int.from_bytes(payload[:2]) if len(payload) > 1 else 1005
                stream.reason = payload[2:].decode("utf-8", "replace")[:125]
                yield self._ended(stream, at, is_by_us=side is Direction.OUT)
                return
            if opcode in _TEXTS:
                half.parts.clear()
                half.is_packed, half.is_binary = bool(first & 0x40), opcode == 2
            if opcode in (*_TEXTS, _CONTINUED):
                half.parts += payload
                if len(half.parts) > MESSAGE_LIMIT:
                    raise ValueError("a message is too long")
                if first & 0x80:
                    yield self._message(stream, side, at)

    def _message(self, stream: _Stream, side: Direction, at: datetime) -> Frame:
        half = stream.halves[side]
        data = _unpacked(half) if half.is_packed else bytes(half.parts)
        half.parts.clear()
        try:
            text, raw = data.decode(), None
        except UnicodeDecodeError:
            text, raw = data.decode("utf-8", "replace"), data
        kind, uid, action = head(text)
        identity = stream.request.identity if stream.request is not None else ""
        where = f"{identity} {stream.number}"
        if kind is FrameKind.CALL:
            self._pairs.asked(where, uid, side, action)
        elif uid and kind in (FrameKind.RESULT, FrameKind.ERROR):
            action = self._pairs.answered(where, uid, side) or ""
        stream.has_booted = stream.has_booted or action == "BootNotification"
        self._seq += 1
        return Frame(
            seq=self._seq, at=at, identity=identity, connection=stream.number, direction=side, text=text, kind=kind,
            uid=uid, action=action, raw=raw,
        )  # fmt: skip

    def _ended(self, stream: _Stream, at: datetime, *, is_by_us: bool) -> Record:
        stream.is_over = True
        identity = stream.request.identity if stream.request is not None else ""
        heard_at = stream.heard_at or stream.started_at
        counts = stream.counts
        ended = Ended(
            identity=identity,
            connection=stream.number,
            at=at,
            code=stream.code,
            reason=stream.reason,
            is_by_us=is_by_us,
            lasted_s=(at - stream.started_at).total_seconds(),
            silent_s=max(0.0, (at - heard_at).total_seconds()),
            pings=counts.get((Direction.OUT, _PING), 0),
            pongs=counts.get((Direction.IN, _PONG), 0),
            peer_pings=counts.get((Direction.IN, _PING), 0),
            has_booted=stream.has_booted,
            remote=stream.unit,
        )
        return Record(at=at, evidence=ended, identity=identity, connection=stream.number)


def _frame(data: bytearray) -> tuple[int, bytes, int] | None:
    """Take one WebSocket frame from the start: first byte, unmasked payload, size of all; ``None`` = not all there."""
    if len(data) < 2:
        return None
    size, place = data[1] & 127, 2
    if size == 126:
        size, place = int.from_bytes(data[2:4]), 4
    elif size == 127:
        size, place = int.from_bytes(data[2:10]), 10
    if size > MESSAGE_LIMIT:
        raise ValueError("a message is too long")
    mask = bytes(data[place : place + 4]) if data[1] & 128 else b""
    place += 4 if data[1] & 128 else 0
    if len(data) < place + size:
        return None
    payload = bytes(data[place : place + size])
    return data[0], masked(payload, mask) if mask else payload, place + size


def _unpacked(half: _Half) -> bytes:
    """Undo permessage-deflate, with the context of the messages before."""
    inflater = half.inflater
    if not isinstance(inflater, type(_INFLATER)):
        inflater = half.inflater = zlib.decompressobj(-15)
    data = inflater.decompress(bytes(half.parts) + b"\x00\x00\xff\xff", MESSAGE_LIMIT)
    if inflater.unconsumed_tail:
        raise ValueError("a message is too long")
    return data


_INFLATER = zlib.decompressobj(-15)
