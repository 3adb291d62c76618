"""Captures of tcpdump and Wireshark: messages come out whole, whatever the network did to the packets."""

from __future__ import annotations

import ipaddress
import json
import random
import struct
import zlib
from datetime import timedelta
from pathlib import Path

import pytest

from app.model.frame import Direction, Frame, Handshake
from app.model.observation import Ended
from app.model.trace import Entry, Record, TraceFormat
from app.trace.exporting import export
from app.trace.judging import TraceJudge
from app.trace.merging import Selection
from app.trace.packets import CLOSE, TEXT, Conversation, Side, mac_for, websocket
from tests.trace.trace_kit import BEGIN, START, frame, loaded, read, session, write

REQUEST = (
    b"GET /ocpp/CP-1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Authorization: Basic Q1AtMTpodXNoaHVzaA==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
MASK = b"\x01\x02\x03\x04"


def conversation() -> Conversation:
    unit, ours = ipaddress.ip_address("10.0.0.9"), ipaddress.ip_address("10.0.0.1")
    return Conversation(Side(unit, 50000, 0xFFFFFFF0, mac_for(unit)), Side(ours, 8180, 7, mac_for(ours)))


def pcap(packets: list[bytes], *, order: str = "<", link: int = 1) -> bytes:
    data = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)
    for place, packet in enumerate(packets):
        packet = packet if link == 1 else packet[14:]
        at = BEGIN + timedelta(milliseconds=place)
        data += struct.pack(f"{order}IIII", int(at.timestamp()), at.microsecond, len(packet), len(packet)) + packet
    return data


def visit(texts: list[str]) -> list[bytes]:
    talk = conversation()
    packets = [*talk.opening(), *talk.data(REQUEST, is_from_unit=True), *talk.data(ANSWER, is_from_unit=False)]
    for text in texts:
        packets += talk.data(websocket(text.encode(), TEXT, mask=MASK), is_from_unit=True)
    return packets


def taken(path: Path, data: bytes) -> list[Entry]:
    path.write_bytes(data)
    entries, info = read(path)
    assert info.format is TraceFormat.PCAPNG
    return entries


def texts_of(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries if isinstance(entry, Frame)]


TEXTS = [
    json.dumps([2, str(place), "Heartbeat", {"pad": "x" * size}]) for place, size in enumerate((1, 200, 70_000, 9))
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("link", [1, 101])
def test_messages_come_out_whole(tmp_path: Path, order: str, link: int):
    entries = taken(tmp_path / "t.pcap", pcap(visit(TEXTS), order=order, link=link))
    assert texts_of(entries) == TEXTS
    (shake,) = [entry.evidence for entry in entries if isinstance(entry, Record)]
    assert isinstance(shake, Handshake)
    assert (shake.identity, shake.chosen_subprotocol, shake.version) == ("CP-1", "ocpp1.6", "1.6")
    assert shake.subprotocols == ("ocpp2.0.1", "ocpp1.6")
    assert b"Q1AtMTpodXNoaHVzaA" not in shake.raw


@pytest.mark.parametrize("seed", range(5))
def test_packets_may_come_late_twice_and_in_any_order(tmp_path: Path, seed: int):
    packets = visit(TEXTS)
    chance = random.Random(seed)
    head, rest = packets[:5], packets[5:]
    rest += chance.sample(rest, 10)
    keyed = sorted(enumerate(rest), key=lambda item: item[0] + chance.randint(0, 8))
    entries = taken(tmp_path / "t.pcap", pcap([*head, *(packet for _, packet in keyed)]))
    assert texts_of(entries) == TEXTS


def test_packed_messages_are_unpacked_with_the_context_of_those_before(tmp_path: Path):
    talk = conversation()
    packer = zlib.compressobj(wbits=-15)
    packets = [*talk.opening(), *talk.data(REQUEST, is_from_unit=True), *talk.data(ANSWER, is_from_unit=False)]
    for text in TEXTS:
        packed = packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
        message = bytearray(websocket(packed[:-4], TEXT, mask=MASK))
        message[0] |= 0x40
        packets += talk.data(bytes(message), is_from_unit=True)
    assert texts_of(taken(tmp_path / "t.pcap", pcap(packets))) == TEXTS


def test_a_message_in_parts_with_a_ping_between_is_one(tmp_path: Path):
    talk = conversation()
    packets = [*talk.opening(), *talk.data(REQUEST, is_from_unit=True), *talk.data(ANSWER, is_from_unit=False)]
    first, last = bytearray(websocket(b'[2,"1",', TEXT, mask=MASK)), websocket(b'"Heartbeat",{}]', 0, mask=MASK)
    first[0] &= 0x7F
    packets += talk.data(bytes(first) + websocket(b"", 9, mask=MASK) + last, is_from_unit=True)
    packets += talk.data(websocket(b"\x03\xe9bye", CLOSE, mask=MASK), is_from_unit=True)
    entries = taken(tmp_path / "t.pcap", pcap(packets))
    assert texts_of(entries) == ['[2,"1","Heartbeat",{}]']
    (ended,) = [entry.evidence for entry in entries if isinstance(entry, Record) and isinstance(entry.evidence, Ended)]
    assert (ended.code, ended.reason, ended.is_by_us, ended.peer_pings) == (1001, "bye", False, 1)


def test_what_is_inside_tls_or_no_websocket_is_named(tmp_path: Path):
    one, two = conversation(), conversation()
    two.unit.port = 50001
    packets = [*one.opening(), *one.data(b"\x16\x03\x01hello", is_from_unit=True)]
    packets += [*two.opening(), *two.data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", is_from_unit=True)]
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap(packets))
    entries, info = read(path)
    assert entries == []
    assert "inside TLS" in info.flaws[0].text
    assert "no WebSocket" in info.flaws[1].text


@pytest.mark.parametrize("size", [10, 30, 700])
def test_a_cut_capture_gives_what_is_there(tmp_path: Path, size: int):
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap(visit(TEXTS[:2]))[:-size])
    entries, info = read(path)
    assert texts_of(entries) == TEXTS[: len(texts_of(entries))]
    assert info.cut


def test_what_a_capture_began_in_the_middle_of_is_left_alone(tmp_path: Path):
    path = tmp_path / "t.pcap"
    path.write_bytes(pcap(visit(TEXTS)[6:]))
    entries, info = read(path)
    assert entries == []
    assert info.unread


async def test_our_own_capture_is_read_back_and_judged_alike(tmp_path: Path):
    entries = [*session()[:-1], frame(5, '[2,"x",', notes=("JSON-BROKEN",))]
    target = tmp_path / "t.pcapng"
    async with loaded(write(tmp_path / "t.rehome-trace", entries)) as recording:
        await export(
            target,
            TraceFormat.PCAPNG,
            Selection(),
            traffic=recording.traffic,
            evidence=recording.evidence,
            start=START,
        )
    found, _ = read(target)
    assert texts_of(found) == texts_of(entries)
    assert [item.direction for item in found if isinstance(item, Frame)].count(Direction.OUT) == 1
    codes = []
    for source in (entries, found):
        judging = TraceJudge()
        for entry in source:
            judging.take(entry)
        codes.append(judging.judgement.codes)
    assert codes[0] == codes[1]
    assert "JSON-BROKEN" in codes[0]
