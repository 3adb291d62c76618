"""The quick way through WebSocket frames gives what the complete parser gives, whatever the pieces it comes in."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from app.ocpp.framing import Framer, text_frame

LIMIT = 100_000

FRAMES = st.one_of(
    st.binary(max_size=300).map(lambda data: [Frame(Opcode.TEXT, data)]),
    st.binary(min_size=60_000, max_size=70_000).map(lambda data: [Frame(Opcode.TEXT, data)]),
    st.binary(max_size=300).map(lambda data: [Frame(Opcode.BINARY, data)]),
    st.binary(max_size=125).map(lambda data: [Frame(Opcode.PING, data)]),
    st.lists(st.binary(max_size=40), min_size=1, max_size=3).map(
        lambda parts: [
            Frame(Opcode.TEXT, b"[", fin=False),
            *(Frame(Opcode.CONT, part, fin=False) for part in parts),
            Frame(Opcode.PONG, b"between"),
            Frame(Opcode.CONT, b"]"),
        ]
    ),
)


def complete(data: bytes) -> Protocol:
    protocol = ServerProtocol(state=OPEN, max_size=LIMIT)
    protocol.receive_data(data)
    return protocol


def told(frame: Frame) -> tuple[int, bytes, bool]:
    return int(frame.opcode), bytes(frame.data), frame.fin


def through(chunks: list[bytes]) -> tuple[list[tuple[int, bytes, bool]], Protocol]:
    framer, protocol, seen = Framer(LIMIT), ServerProtocol(state=OPEN, max_size=LIMIT), []
    for chunk in chunks:
        for text, other in framer.feed(chunk):
            if text is not None:
                seen.append((1, bytes(text), True))
            else:
                protocol.receive_data(other)
                seen += [told(event) for event in protocol.events_received() if isinstance(event, Frame)]
    return seen, protocol


@given(st.lists(FRAMES, max_size=6), st.data())
def test_any_stream_in_any_pieces_reads_like_the_complete_parser(
    groups: list[list[Frame]], data: st.DataObject
) -> None:
    stream = b"".join(frame.serialize(mask=True) for group in groups for frame in group)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[low:high] for low, high in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    expected = [told(event) for event in complete(stream).events_received() if isinstance(event, Frame)]
    seen, protocol = through(chunks)
    assert seen == expected
    assert protocol.state is OPEN


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Frame(Opcode.TEXT, b"no mask").serialize(mask=False), 1002),
        (bytes([0xC1, 0x80, 0, 0, 0, 0]), 1002),
        (bytes([0x81, 0xFF]) + (LIMIT + 1).to_bytes(8, "big") + bytes(4), 1009),
        (bytes([0x83, 0x80, 0, 0, 0, 0]), 1002),
        (
            Frame(Opcode.TEXT, b"a", fin=False).serialize(mask=True) + Frame(Opcode.TEXT, b"b").serialize(mask=True),
            1002,
        ),
        (Frame(Opcode.CONT, b"a").serialize(mask=True), 1002),
    ],
    ids=["unmasked", "reserved bit", "too long", "reserved opcode", "text inside a message", "continues nothing"],
)
def test_a_fault_reaches_the_complete_parser(fault: bytes, code: int) -> None:
    good = Frame(Opcode.TEXT, b"[]").serialize(mask=True)
    seen, protocol = through([good, *(fault[at : at + 1] for at in range(len(fault)))])
    assert seen[0] == (1, b"[]", True)
    assert protocol.close_sent is not None
    assert protocol.close_sent.code == code


@given(st.binary(max_size=70_000))
def test_what_is_written_is_read_by_a_client(payload: bytes) -> None:
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=OPEN, max_size=None)
    assert client.side is Side.CLIENT
    client.receive_data(text_frame(payload))
    assert [told(event) for event in client.events_received() if isinstance(event, Frame)] == [(1, payload, True)]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_never_breaks_it_and_is_never_kept_beyond_one_frame(chunks: list[bytes]) -> None:
    framer = Framer(1000)
    for chunk in chunks:
        framer.feed(chunk)
        assert len(framer._held) <= 1000 + 14
