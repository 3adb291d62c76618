"""Malformed DNS questions: nothing is raised, nothing grows, no answer is much longer than what came."""

from __future__ import annotations

import struct

from dnslib import DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from app.standin import names
from app.standin.deciding import decide
from app.standin.dnswire import QUERY_LIMIT, read, spelled

CHOICE = names.read().choice(["juicebox-enel-us"], names=["*.enelx.com"])
GOOD = DNSRecord.question("x.enelx.com").pack()


@given(st.binary(max_size=QUERY_LIMIT + 10))
def test_any_bytes_are_survived(data: bytes) -> None:
    decide(data, CHOICE, "192.0.2.1", is_near=True)


@given(st.data())
def test_broken_questions_are_survived_and_never_amplified(data: st.DataObject) -> None:
    mutable = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        mutable[data.draw(st.integers(0, len(mutable) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(mutable[: data.draw(st.integers(0, len(mutable)))])
    for is_near in (True, False):
        reply = decide(cut, CHOICE, "192.0.2.1", is_near=is_near).reply
        assert reply is None or len(reply) <= len(cut) + (16 + 11 if is_near else 11)


@given(st.lists(st.binary(min_size=1, max_size=63), max_size=5))
def test_any_labels_come_back_as_they_were(labels: list[bytes]) -> None:
    wire = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!2H", 1, 1)
    decision = decide(query, CHOICE, "192.0.2.1", is_near=True)
    if len(wire) > 255:
        assert decision.query is None
        return
    assert decision.reply is not None
    assert decision.reply[12 : 12 + len(wire)] == wire
    assert read(query).name == spelled(tuple(labels))


def test_a_dot_inside_a_label_is_no_other_name() -> None:
    wire = b"\x14jbv1.emotorwerks.com\0"
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!2H", 1, 1)
    reply = decide(query, CHOICE, "192.0.2.1", is_near=True).reply
    assert reply is not None
    assert reply[3] & 0xF == 5


def test_a_chain_of_pointers_is_refused_at_once() -> None:
    chain = b"".join(struct.pack("!H", 0xC000 | 12 + 2 * index) for index in range(2000))
    query = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + chain
    decision = decide(query[:QUERY_LIMIT], CHOICE, "192.0.2.1", is_near=True)
    assert decision.words == "the name is malformed"


def test_records_in_a_question_several_questions_and_other_operations() -> None:
    body = GOOD[12:]
    for counts, flags, rcode in (
        ((2, 0, 0, 0), 0, 1),
        ((0, 0, 0, 0), 0, 1),
        ((1, 1, 0, 0), 0, 1),
        ((1, 0, 0, 0), 5, 4),
    ):
        query = struct.pack("!6H", 7, flags << 11, *counts) + body
        reply = decide(query, CHOICE, "192.0.2.1", is_near=True).reply
        assert reply is not None
        assert (reply[:2], reply[3] & 0xF, len(reply)) == (b"\0\7", rcode, 12)
        assert decide(query, CHOICE, "192.0.2.1", is_near=False).reply is None


def test_another_class_is_refused() -> None:
    query = GOOD[:-2] + b"\0\3"
    reply = decide(query, CHOICE, "192.0.2.1", is_near=True).reply
    assert reply is not None
    assert reply[3] & 0xF == 5
