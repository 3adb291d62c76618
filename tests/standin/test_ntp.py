"""The time responder: what a client is told, and what it never does."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.garage import Stand
from app.standin import ntp
from tests.standin.kit import HOST, Loopback, ask, desk

SENT = bytes(range(8))
REQUEST = struct.pack("!B39s8s", 4 << 3 | 3, bytes(39), SENT)
GOOD = datetime(2026, 11, 22, 12, tzinfo=UTC)


def told(reply: bytes, at: int) -> datetime:
    seconds, parts = struct.unpack_from("!II", reply, at)
    return datetime(1900, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=parts * 1_000_000 >> 32)


async def test_a_client_gets_this_computers_time_and_its_own_stamp_back() -> None:
    async with desk() as garage:
        state = await garage.start(Stand.NTP, port=0)
        before = datetime.now(UTC)
        reply = await ask(state.port, REQUEST)
        after = datetime.now(UTC)
        assert reply is not None
        assert len(reply) == 48
        assert reply[24:32] == SENT
        small = timedelta(milliseconds=1)
        assert before - small <= told(reply, 32) <= told(reply, 40) + small <= after + small
        assert garage.log[0].kind == "NTP v4"
        assert garage.log[0].client == HOST


def test_it_says_what_it_is_worth() -> None:
    reply = ntp.answer(REQUEST, GOOD, GOOD) or b""
    assert (reply[0] >> 6, reply[0] >> 3 & 7, reply[0] & 7) == (0, 4, 4)
    assert (reply[1], reply[12:16]) == (10, b"LOCL")
    assert struct.unpack_from("!I", reply, 8)[0] == 65_536  # a second


def test_a_clock_that_cant_be_right_is_not_passed_on() -> None:
    wrong = datetime(2015, 1, 1, tzinfo=UTC)
    reply = ntp.answer(REQUEST, wrong, wrong) or b""
    assert (reply[0] >> 6, reply[1]) == (3, 0)


def test_the_next_era_is_written_as_the_standard_says() -> None:
    assert ntp.stamp(datetime(2036, 2, 7, 6, 28, 16, 500_000, tzinfo=UTC)) == struct.pack("!II", 0, 1 << 31)


@pytest.mark.parametrize("mode", [0, 1, 2, 4, 5, 6, 7])
def test_only_clients_are_answered(mode: int) -> None:
    assert ntp.answer(bytes([4 << 3 | mode]) + REQUEST[1:], GOOD, GOOD) is None


@given(st.binary(max_size=200))
def test_no_answer_is_longer_than_the_question(data: bytes) -> None:
    reply = ntp.answer(data, GOOD, GOOD)
    assert reply is None or len(reply) == 48 <= len(data)


async def test_strangers_and_floods_are_not_answered(unit_s: float) -> None:
    async with desk(Loopback(near=lambda host: host == HOST)) as garage:
        state = await garage.start(Stand.NTP, port=0)
        assert await ask(state.port, REQUEST, source="127.0.0.5", timeout_s=2 * unit_s) is None
        answers = [await ask(state.port, REQUEST, timeout_s=4 * unit_s) for _ in range(int(ntp.RATE) + 4)]
        assert None in answers
        assert all(answers[: int(ntp.RATE)])
