"""Whatever a trace file holds: it is read as far as it makes sense, refused in words, and never a crash."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import StoreError
from app.model.frame import Frame
from app.model.trace import Seal
from app.trace import openformat
from app.trace.judging import TraceJudge
from app.trace.own import TraceWriter
from app.trace.pcapng import CaptureWriter
from app.trace.reading import TraceFile
from tests.trace.test_capture import TEXTS, pcap, visit
from tests.trace.trace_kit import START, lines_of, session

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "kind",
        "n",
        "at",
        "id",
        "conn",
        "dir",
        "type",
        "text",
        "data",
        "seq",
        "v",
        "hash",
        "raw",
        "notes",
        "uid",
        "action",
    ]
)
OPEN_KEYS = st.sampled_from(
    ["timestamp", "direction", "messageType", "messageId", "payload", "raw", "error", "meta", "chargePointId", "action"]
)
INNER = st.sampled_from(
    ["$", "raw", "at", "headers", "tls", "findings", "code", "details", "evidence", "remote", "local", "identity",
     "connection", "reason", "lasted_s", "title", "x"]
)  # fmt: skip
OPEN = {
    "schemaVersion": "1.1", "timestamp": "2024-01-15T10:00:00Z", "transport": "json", "chargePointId": "C",
    "direction": "cp-to-csms", "messageType": "CALL", "messageId": "m", "action": "Heartbeat", "payload": {},
}  # fmt: skip
LOG = "2024-01-15 11:00:01,223 INFO [chargeBoxId=CP1, sessionId=a] {}: {}"


def taken(data: bytes) -> list[Any]:
    """Read and judge a file; an error in words counts as read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.rehome-trace"
        path.write_bytes(data)
        try:
            with TraceFile(path) as file:
                entries = list(file)
            info = file.info
        except StoreError as error:
            assert error.message
            assert error.advice
            return []
    judging, own, packets = TraceJudge(), TraceWriter(), CaptureWriter(START)
    for entry in entries:
        judging.take(entry)
        own.entry(entry)
        packets.entry(entry)
        if isinstance(entry, Frame):
            openformat.record(entry)
    packets.end()
    judging.finish(entries[-1].at if entries else file.info.last_at or _EPOCH)
    assert info.frames == sum(isinstance(entry, Frame) for entry in entries)
    return entries


def _captured() -> bytes:
    writer = CaptureWriter(START)
    return writer.head() + b"".join(writer.entry(entry) for entry in session()) + writer.end()


CAPTURES = (pcap(visit(TEXTS[:2])), _captured())
_EPOCH = session()[0].at


@given(st.binary(max_size=3000))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    taken(data)
    taken(b"".join(lines_of(session())) + data)
    taken(gzip.compress(data)[: len(data)])


@given(st.integers(0, 8), KEYS, JSON)
@settings(max_examples=250, deadline=None)
def test_any_value_in_any_field_of_our_own_lines(place: int, key: str, value: Any) -> None:
    lines = lines_of(session())
    document = json.loads(lines[place])
    document[key] = value
    lines[place] = json.dumps(document).encode() + b"\n"
    taken(b"".join(lines))


@given(
    st.integers(1, 7),
    st.lists(INNER, max_size=2),
    JSON,
)
@settings(max_examples=200, deadline=None)
def test_any_value_inside_evidence(place: int, path: list[str], value: Any) -> None:
    lines = lines_of(session())
    document = json.loads(lines[place])
    inner = document.setdefault("data", {})
    for key in path[:-1]:
        inner = inner.setdefault(key, {}) if isinstance(inner.get(key, {}), dict) else inner
    inner[path[-1] if path else "x"] = value
    lines[place] = json.dumps(document).encode() + b"\n"
    taken(b"".join(lines))


@given(OPEN_KEYS, JSON)
@settings(max_examples=200, deadline=None)
def test_any_value_in_any_field_of_open_records(key: str, value: Any) -> None:
    good = json.dumps(OPEN).encode() + b"\n"
    taken(good + json.dumps({**OPEN, key: value}).encode() + b"\n" + good)


@given(st.lists(st.text(max_size=80), max_size=10), st.sampled_from(["Received", "Sending", "x"]))
@settings(max_examples=150, deadline=None)
def test_any_text_between_the_lines_of_a_log(lines: list[str], word: str) -> None:
    good = LOG.format("Received", '[2,"1","Heartbeat",{}]')
    text = "\n".join([good, *lines, *(LOG.format(word, f'[2,"{line}","Heartbeat",{{}}]') for line in lines)])
    taken(text.encode("utf-8", "surrogatepass"))


@given(st.lists(st.tuples(st.integers(0, 1_000_000), st.binary(min_size=1, max_size=6)), max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_capture_with_any_bytes_spoiled(spoils: list[tuple[int, bytes]], is_ng: bool) -> None:
    data = bytearray(CAPTURES[is_ng])
    for place, spoil in spoils:
        data[place % len(data) : place % len(data) + len(spoil)] = spoil
    taken(bytes(data))


@given(st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_a_trace_cut_anywhere_gives_what_stands_before_the_cut(size: int) -> None:
    data = b"".join(lines_of(session()))
    found = taken(data[: max(0, len(data) - size)])
    assert found == session()[: len(found)]


def test_giant_lines_deep_nests_and_bombs_are_bounded() -> None:
    lines = lines_of(session())
    giant = b'{"kind":"frame","text":"' + b"x" * 9_000_000 + b'"}\n'
    deep = b'{"kind":"frame","data":' + b"[" * 100_000 + b"\n"
    nuls = b"\0" * 5000 + b"\n"
    found = taken(b"".join([*lines[:3], giant, deep, nuls, *lines[3:]]))
    assert found == session()
    bomb = gzip.compress(lines[0] + b"x" * 60_000_000)
    assert len(bomb) < 100_000
    assert taken(bomb) == []


def test_times_and_numbers_out_of_range_are_named() -> None:
    lines = lines_of(session())
    for old, new in (
        (b'"at":"2026', b'"at":"0001'),
        (b'"at":"2026-07-01T08:00:01+00:00"', b'"at":-5'),
        (b'"conn":1', b'"conn":-1'),
        (b'"seq":1', b'"seq":99999999999999999999'),
    ):
        spoiled = [lines[0], *(line.replace(old, new) for line in lines[1:])]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "t"
            path.write_bytes(b"".join(spoiled))
            with TraceFile(path) as file:
                list(file)
        assert file.info.seal is Seal.BROKEN
        assert file.info.unread


def test_a_line_without_an_end_is_left_and_told() -> None:
    bomb = gzip.compress(lines_of(session())[0] + b"x" * 200_000_000, compresslevel=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.gz"
        path.write_bytes(bomb)
        with TraceFile(path) as file:
            assert list(file) == []
        assert "has no end" in file.info.cut


def test_a_long_stretch_without_messages_gives_way() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.log"
        path.write_text(LOG.format("Received", '[2,"1","Heartbeat",{}]') + "\n" + "nothing\n" * 10_000)
        with TraceFile(path) as file:
            assert sum(step is None for step in file.steps()) > 10
