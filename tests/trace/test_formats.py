"""OCPP Trace JSONL, pcapng and plain text: what other tools read, read back by strict readers of our own."""

from __future__ import annotations

import ipaddress
import json
import struct
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.model.frame import Frame, FrameKind, Knock
from app.model.observation import TlsEnd, TlsFailed
from app.model.trace import Entry, Record, TraceFormat
from app.trace import openformat
from app.trace.exporting import export, format_of
from app.trace.merging import Selection
from app.trace.packets import checksum, masked
from tests.trace.trace_kit import BEGIN, START, frame, loaded, read, session, write


async def written(tmp_path: Path, entries: list[Entry], name: str) -> Path:
    target = tmp_path / name
    async with loaded(write(tmp_path / "source.rehome-trace", entries)) as recording:
        await export(
            target,
            format_of(target),
            Selection(),
            traffic=recording.traffic,
            evidence=recording.evidence,
            start=START,
        )
    return target


# OCPP Trace JSONL 1.1


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_open_traces_carry_what_the_format_asks(tmp_path: Path):
    refused = [4, "b", "NotSupported", "no", {"why": 1}]
    entries = [*session(), frame(5, refused, is_in=False, action="Heartbeat")]
    found = records(await written(tmp_path, entries, "t.jsonl"))
    assert [item["messageType"] for item in found] == ["CALL", "CALLRESULT", "CALL", "CALLERROR"]
    boot, answer, _, error = found
    assert boot["direction"] == "cp-to-csms"
    assert boot["timestamp"] == "2026-07-01T08:00:01.000Z"
    assert (boot["schemaVersion"], boot["transport"], boot["ocppVersion"]) == ("1.1", "json", "1.6")
    assert boot["payload"]["chargePointModel"] == "Wall 1"
    assert json.loads(boot["raw"])[2] == boot["action"] == answer["action"] == "BootNotification"
    assert error["error"] == {"code": "NotSupported", "description": "no", "details": {"why": 1}}
    allowed = {
        "schemaVersion", "timestamp", "ocppVersion", "transport", "chargePointId", "connectorId", "direction",
        "messageType", "messageId", "action", "payload", "raw", "error", "meta",
    }  # fmt: skip
    assert all(set(item) <= allowed for item in found)
    assert all("error" not in item for item in found[:3])


async def test_open_traces_come_back(tmp_path: Path):
    entries = session()
    found, info = read(await written(tmp_path, entries, "t.jsonl"))
    assert info.format is TraceFormat.OPEN
    frames = [entry for entry in entries if isinstance(entry, Frame)]
    kept = [(item.text, item.kind, item.uid, item.action, item.direction, item.identity) for item in found]
    assert kept == [(f.text, f.kind, f.uid, f.action, f.direction, f.identity) for f in frames]


def test_what_the_format_has_no_form_for_is_left_out_and_counted():
    assert openformat.record(frame(1, "[2, broken")) is None
    assert openformat.record(frame(1, [6, "a", "NotifyPeriodicEventStream", {}], kind=FrameKind.SEND)) is None


def test_answers_take_the_action_of_the_latest_open_request_and_orphans_take_none(tmp_path: Path):
    base = {"schemaVersion": "1.9", "timestamp": "2024-01-15T10:00:00Z", "transport": "json", "chargePointId": "C"}
    up, down = {"direction": "cp-to-csms"}, {"direction": "csms-to-cp"}
    call = {**base, **up, "messageType": "CALL", "messageId": "m", "action": "Heartbeat", "future": [1]}
    lines = [
        call,
        {**base, **down, "messageType": "CALLRESULT", "messageId": "m", "payload": {}},
        {**base, **down, "messageType": "CALLRESULT", "messageId": "m", "payload": {}},
        {**base, **up, "messageType": "CALLRESULT", "messageId": "m", "payload": {}},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found, info = read(path)
    assert [item.action for item in found if isinstance(item, Frame)] == ["Heartbeat", "Heartbeat", "", ""]
    assert not info.flaw_count


def test_records_that_are_none_are_named(tmp_path: Path):
    good = '{"messageType":"CALL","direction":"cp-to-csms","timestamp":"2024-01-15T10:00:00Z","action":"A"}'
    bad = ['{"messageType":"CALL"}', "[]", "{", good.replace("cp-to-csms", "up"), good.replace("2024", "-2024")]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([good, *bad, good]))
    found, info = read(path)
    assert len(found) == 2
    assert [flaw.line for flaw in info.flaws] == [2, 3, 4, 5, 6]
    assert info.unread == 5


async def test_plain_text_comes_back_as_a_log(tmp_path: Path):
    found, info = read(await written(tmp_path, session(), "t.log"))
    assert [item.text for item in found if isinstance(item, Frame)] == [
        entry.text for entry in session() if isinstance(entry, Frame)
    ]
    assert (info.format, info.identities, info.unread) == (TraceFormat.LOG, ("CP-1",), 0)


@pytest.mark.parametrize("name", ["t.rehome-trace", "t.jsonl", "t.pcapng", "t.log"])
async def test_a_password_in_a_foreign_log_goes_into_no_file_of_ours(tmp_path: Path, name: str):
    secret = "tr0ub4dor-and-3"
    log = tmp_path / "backend.log"
    messages = (
        [2, "1", "ChangeConfiguration", {"key": "AuthorizationKey", "value": secret}],
        [2, "2", "SetVariables", {"setVariableData": [
            {"attributeValue": secret, "component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        ]}],
    )  # fmt: skip
    log.write_text("".join(f"2026-07-01T08:00:00Z CP-1: send {json.dumps(message)}\n" for message in messages))
    target = tmp_path / name
    async with loaded(log) as recording:
        assert recording.count == 2
        await export(
            target, format_of(target), Selection(), traffic=recording.traffic, evidence=recording.evidence, start=START
        )
    data = target.read_bytes()
    assert b"AuthorizationKey" in data
    assert secret.encode() not in data


# pcapng, by a reader that takes nothing on trust


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from("<II", data, place)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, place + size - 4) == (size,)
        found.append((kind, data[place + 8 : place + size - 4]))
        place += size
    return found


def options(data: bytes) -> list[tuple[int, str]]:
    found = []
    while data:
        code, size = struct.unpack_from("<HH", data)
        if code == 0:
            return found
        found.append((code, data[4 : 4 + size].decode()))
        data = data[4 + size + -size % 4 :]
    return found


class Streams:
    """Follows every TCP stream of a capture: sequence, acknowledgement and checksums must be right."""

    def __init__(self, data: bytes) -> None:
        self.payloads: dict[tuple[Any, ...], bytes] = defaultdict(bytes)
        self.flags: list[int] = []
        self.comments: list[str] = []
        self.times: list[int] = []
        self._next: dict[tuple[Any, ...], int] = {}
        kinds = []
        for kind, body in blocks(data):
            kinds.append(kind)
            if kind == 6:
                self._packet(body)
        assert kinds[:2] == [0x0A0D0D0A, 1]

    def _packet(self, body: bytes) -> None:
        _, high, low, size, original = struct.unpack_from("<IIIII", body)
        assert size == original
        self.times.append(high << 32 | low)
        self.comments += [text for code, text in options(body[20 + size + -size % 4 :]) if code == 1]
        packet = body[20 : 20 + size]
        kind = packet[12:14]
        ip = packet[14:]
        if kind == b"\x08\x00":
            assert checksum(ip[:20]) == 0
            assert int.from_bytes(ip[2:4]) == len(ip)
            source, target, segment = ip[12:16], ip[16:20], ip[20:]
            pseudo = source + target + struct.pack("!BBH", 0, 6, len(segment))
        else:
            assert kind == b"\x86\xdd"
            source, target, segment = ip[8:24], ip[24:40], ip[40:]
            assert int.from_bytes(ip[4:6]) == len(segment)
            pseudo = source + target + struct.pack("!II", len(segment), 6)
        assert checksum(pseudo + segment) == 0
        self._segment(ipaddress.ip_address(source), ipaddress.ip_address(target), segment)

    def _segment(self, source: Any, target: Any, segment: bytes) -> None:
        from_port, to_port, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", segment)
        payload = segment[(offset >> 4) * 4 :]
        key, back = (source, from_port, target, to_port), (target, to_port, source, from_port)
        self.flags.append(flags)
        if flags & 2:
            self._next[key] = seq
        assert self._next[key] == seq
        if flags & 16:
            assert ack == self._next[back]
        self._next[key] = (seq + len(payload) + bool(flags & 3)) & 0xFFFFFFFF
        self.payloads[key] += payload


def messages(stream: bytes) -> list[tuple[int, bytes]]:
    """Take a WebSocket stream apart behind its HTTP head."""
    data = stream.partition(b"\r\n\r\n")[2]
    found = []
    while data:
        opcode, size, place = data[0] & 15, data[1] & 127, 2
        if size == 126:
            size, place = int.from_bytes(data[2:4]), 4
        elif size == 127:
            size, place = int.from_bytes(data[2:10]), 10
        mask = data[place : place + 4] if data[1] & 128 else b""
        place += len(mask)
        payload = data[place : place + size]
        found.append((opcode, masked(payload, mask) if mask else payload))
        data = data[place + size :]
    return found


async def test_a_capture_carries_the_very_messages(tmp_path: Path):
    streams = Streams((await written(tmp_path, session(), "t.pcapng")).read_bytes())
    unit = streams.payloads[ipaddress.ip_address("192.168.7.20"), 40123, ipaddress.ip_address("192.168.7.1"), 8887]
    texts = [entry.text.encode() for entry in session() if isinstance(entry, Frame) and entry.direction.value == "in"]
    assert unit.startswith(b"GET /ocpp/CP-1 HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert messages(unit) == [(1, texts[0]), (1, texts[1]), (8, b"\x03\xe9bye")]
    ours = streams.payloads[ipaddress.ip_address("192.168.7.1"), 8887, ipaddress.ip_address("192.168.7.20"), 40123]
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in ours  # RFC 6455 §1.3
    assert streams.times == sorted(streams.times)
    assert any(text.startswith("CLOCK") for text in streams.comments)
    assert any("Hold a card." in text for text in streams.comments)


async def test_a_capture_holds_large_messages_knocks_failed_tls_and_ipv6(tmp_path: Path):
    at = BEGIN + timedelta(seconds=8)
    big = frame(6, [3, "x", {"data": "ä" * 40_000}], is_in=False, identity="CP-2", connection=4)
    knock = Knock(
        seq=1,
        at=at,
        remote="[fe80::1]:5555",
        local="[fe80::2]:8887",
        verdict="garbage",
        text="noise",
        first_bytes=b"\0x",
    )
    failed = TlsFailed(
        remote="10.1.1.1:99", end=TlsEnd.ALERT_FROM_UNIT, hello=None, personality="", at=at, alert=48, reason="ca"
    )
    entries: list[Entry] = [big, Record(at=at, evidence=knock), Record(at=at, evidence=failed)]
    streams = Streams((await written(tmp_path, entries, "t.pcapng")).read_bytes())
    assert (1, big.text.encode()) in [item for stream in streams.payloads.values() for item in messages(stream)]
    assert any("garbage: noise" in text for text in streams.comments)
    assert any("alert 48" in text for text in streams.comments)
    assert any("was not recorded" in text for text in streams.comments)
    assert b"\0x" in streams.payloads.values()


@pytest.mark.parametrize("code", [1000, 1006])
async def test_a_connection_ends_as_it_ended(tmp_path: Path, code: int):
    entries = session()
    last = entries[-1]
    assert isinstance(last, Record)
    entries[-1] = replace(last, evidence=replace(last.evidence, code=code))  # type: ignore[type-var]
    streams = Streams((await written(tmp_path, entries, "t.pcapng")).read_bytes())
    assert bool(streams.flags[-1] & 4) is (code == 1006)
