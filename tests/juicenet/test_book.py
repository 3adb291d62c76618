"""The book of boxes: who is answered what; what nobody may bring about by datagrams."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.errors import ValueRejected
from app.juicenet import pacing
from app.juicenet.book import ABSENT_S, BOXES, PINNED_S, BoxBook, BoxEvent, Heard
from app.juicenet.message import checksum
from app.model.juicebox import Adoption
from tests.juicenet.kit import BOX, oldest, said

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOME = ("192.168.1.20", 26674)
ELSEWHERE = ("192.168.1.66", 4000)
COMMAND = re.compile(rb"CMD[0-6]\d{4}A(\d+)M(\d+)C006S\d{3}!([0-9A-Z]{3})\$")


class Talk:
    """A box and the book, with a clock."""

    def __init__(self, book: BoxBook | None = None) -> None:
        self.book = book or BoxBook()
        self.at = AT
        self.step = 0

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def reports(self, source: tuple[str, int] = HOME, **fields: int | str | None) -> Heard:
        self.step += 1
        data = said(counter=self.step % 999 + 1, loop=1000 + self.step, **fields)  # type: ignore[arg-type]
        return self.book.received(data, source, self.at)

    def adopt(self, circuit_a: float = 32, **confirmed: bool) -> Adoption:
        made = self.book.proposal(BOX, circuit_a, at=self.at, **confirmed)  # type: ignore[arg-type]
        self.book.adopt(made)
        return made


def amps(reply: bytes | None) -> int:
    assert reply is not None
    found = COMMAND.fullmatch(reply)
    assert found is not None
    assert checksum(reply[: reply.index(b"!")].decode()) == found[3].decode()
    assert int(found[1]) == int(found[2])
    return int(found[1])


def test_a_box_nobody_adopted_is_listened_to_and_told_nothing():
    talk = Talk()
    first, second = talk.reports(), talk.reports()
    assert (first.reply, second.reply) == (None, None)
    assert first.events == (BoxEvent.APPEARED, BoxEvent.REPORTED)
    with pytest.raises(ValueRejected, match="not adopted"):
        talk.book.allow(BOX, 16, AT)
    talk.adopt()
    assert talk.reports().reply is None, "nobody has allowed it anything"


def test_an_adopted_box_is_told_what_is_allowed_with_each_report():
    talk = Talk()
    talk.reports()
    talk.adopt()
    talk.book.allow(BOX, 16.7, AT)
    heard = talk.reports()
    assert (amps(heard.reply), heard.events) == (16, (BoxEvent.REPORTED, BoxEvent.TOLD))
    assert amps(talk.reports().reply) == 16
    state = talk.book.boxes[BOX]
    assert (state.allowed_a, state.changes_today, state.wanted_a) == (16, 1, None)


def test_less_is_told_at_once_and_more_a_minute_later():
    talk = Talk()
    talk.reports()
    talk.adopt()
    talk.book.allow(BOX, 32, talk.at)
    talk.reports()
    talk.book.allow(BOX, 16, talk.at)
    talk.reports()
    waiting = talk.book.allow(BOX, 32, talk.at)
    assert waiting is not None
    assert (waiting.allowed_a, waiting.wanted_a, waiting.waits_until) == (16, 32, AT + timedelta(seconds=60))
    assert amps(talk.reports().reply) == 16
    talk.wait(60)
    assert [state.waits_until for state in talk.book.due(talk.at)] == [None]
    assert amps(talk.reports().reply) == 32
    talk.book.allow(BOX, 3, talk.at)
    assert amps(talk.reports().reply) == 0


def test_an_adoption_that_is_taken_back_ends_the_answers():
    talk = Talk()
    talk.reports()
    talk.adopt()
    talk.book.allow(BOX, 16, AT)
    assert talk.reports().reply is not None
    talk.book.withdraw(BOX)
    assert talk.reports().reply is None
    assert talk.book.boxes[BOX].allowed_a is None


def test_a_lower_rating_lowers_what_is_told_and_a_higher_one_changes_nothing():
    talk = Talk()
    talk.reports(rating_a=40)
    talk.adopt(32)
    talk.book.allow(BOX, 32, AT)
    assert amps(talk.reports(rating_a=24).reply) == 24
    talk.wait(60)
    assert amps(talk.reports(rating_a=80).reply) == 32


def test_what_a_box_is_told_is_not_taken_for_its_own_limit_later():
    talk = Talk()
    talk.reports(offline_a=32, online_a=32)
    talk.adopt(32)
    talk.book.allow(BOX, 6, AT)
    talk.reports()
    talk.reports(offline_a=6, online_a=6)
    talk.book.withdraw(BOX)
    talk.reports(offline_a=6, online_a=6)
    assert talk.book.proposal(BOX, 32, at=AT).ceiling_a == 32


def test_a_locked_box_adopted_before_it_was_heard_is_not_revived():
    talk = Talk()
    talk.book.adopt(Adoption(box_id=BOX, circuit_a=32, rating_a=40, known_a=None, at=AT))
    talk.book.allow(BOX, 32, AT)
    assert amps(talk.reports(offline_a=0, online_a=0).reply) == 0
    assert amps(talk.reports(offline_a=40, online_a=40).reply) == 0


def test_an_adoption_kept_from_before_is_not_lowered_by_what_we_told_the_box():
    kept = Adoption(box_id=BOX, circuit_a=32, rating_a=40, known_a=24, at=AT)
    talk = Talk(BoxBook([kept]))
    talk.book.allow(BOX, 32, AT)
    assert amps(talk.reports(offline_a=0, online_a=0).reply) == 24
    assert talk.book.proposal(BOX, 32, at=AT).known_a == 24


def test_a_serial_belongs_to_the_address_it_was_heard_from():
    talk = Talk()
    talk.reports()
    talk.adopt()
    talk.book.allow(BOX, 16, AT)
    spoofed = talk.reports(ELSEWHERE, mode=0, rating_a=6)
    assert (spoofed.reply, spoofed.report) == (None, None)
    state = talk.book.boxes[BOX]
    assert (state.address, state.refused) == ("192.168.1.20:26674", 1)
    talk.wait(PINNED_S + 1)
    assert amps(talk.reports(ELSEWHERE).reply) == 16, "after a minute of silence it may have got another address"


def test_a_repeated_or_old_datagram_is_neither_believed_nor_answered():
    talk = Talk()
    talk.reports()
    talk.adopt()
    talk.book.allow(BOX, 16, AT)
    talk.reports(mode=2)
    old = said(counter=1, loop=900, mode=0)
    for data in (old, old):
        heard = talk.book.received(data, HOME, talk.at)
        assert (heard.reply, heard.report, heard.events) == (None, None, (BoxEvent.REFUSED,))
    assert talk.book.boxes[BOX].refused == 2


def test_a_start_is_noted_with_its_software_and_encryption_until_it_ends():
    talk = Talk()
    boot = f"{BOX}:DBG,NFO:BOT:EMWERK-JB201-1.0.46, Gecko_OS-STANDARD-4.2.7-11064, WGM160P:".encode()
    assert BoxEvent.BOOTED in talk.book.received(boot, HOME, AT).events
    talk.book.received(f"{BOX}:v09e".encode() + b"\xb1\n\0", HOME, AT)
    state = talk.book.boxes[BOX]
    assert (state.software, state.is_encrypted, len(state.notes)) == ("EMWERK-JB201-1.0.46", True, 1)
    talk.reports()
    assert not talk.book.boxes[BOX].is_encrypted


def test_versions_nobody_published_are_not_told_anything():
    talk = Talk()
    talk.reports(version="v10u")
    talk.adopt()
    talk.book.allow(BOX, 16, AT)
    heard = talk.reports(version="v10u")
    assert (heard.reply, heard.report is not None) == (None, True)


def test_no_answer_is_longer_than_what_came():
    talk = Talk()
    talk.book.adopt(Adoption(box_id="1234", circuit_a=32, rating_a=32, known_a=None, at=AT))
    talk.book.allow("1234", 16, AT)
    assert talk.book.received(oldest("1234", "V247"), HOME, AT).reply is None
    long = talk.book.received(oldest("1234", "V247,A0,T28,L11156,i41,e1,t10"), HOME, AT)
    assert amps(long.reply) == 16


def test_a_silent_box_is_told_once():
    talk = Talk()
    talk.reports()
    talk.wait(ABSENT_S + 1)
    assert [state.is_absent for state in talk.book.due(talk.at)] == [True]
    assert talk.book.due(talk.at) == ()
    assert not (talk.reports().state or talk.book.boxes[BOX]).is_absent


def test_invented_boxes_cost_bounded_memory_and_push_no_adopted_one_out():
    book = BoxBook()
    book.received(said(), HOME, AT)
    book.adopt(book.proposal(BOX, 32, at=AT))
    for number in range(2 * BOXES):
        at = AT + timedelta(seconds=number)
        book.received(said(f"{number:020d}"), (f"10.0.{number >> 8 & 255}.{number & 255}", 5000), at)
    assert len(book.boxes) == BOXES
    assert BOX in book.boxes
    assert len(book._door) <= pacing.SOURCES


def test_a_flood_from_one_address_is_not_even_read():
    book = BoxBook()
    for number in range(5000):
        book.received(said(f"{number:020d}"), ELSEWHERE, AT)
    assert len(book.boxes) == pacing.STRANGER_BURST
    assert book.dropped == 5000 - pacing.STRANGER_BURST
    assert book.received(said(), HOME, AT).report is not None, "others are heard"


SERIALS = (BOX, "0817081001000000000000000001", "1111", "22222222")
HOSTS = (HOME, ELSEWHERE, ("192.168.1.20", 1))
AMPS = st.sampled_from((0, 1, 5, 6, 10, 16, 24, 32, 40, 80, 255, 999))


class Hostile(RuleBasedStateMachine):
    """Whatever is sent by whomever: a person's word, and nothing else, decides what a box is told."""

    @initialize(circuit_a=st.integers(6, 80), known_a=st.none() | st.integers(6, 80), is_kept=st.booleans())
    def begin(self, circuit_a: int, known_a: int | None, is_kept: bool) -> None:
        self.at = AT
        self.adoption = Adoption(box_id=BOX, circuit_a=circuit_a, rating_a=48, known_a=known_a, at=AT)
        self.book = BoxBook([self.adoption] if is_kept else [])
        if not is_kept:
            self.book.adopt(self.adoption)
        self.is_adopted = True
        self.step = 0
        self.seen: list[bytes] = []
        self.changes: list[tuple[datetime, int]] = []

    def hears(self, data: bytes, source: tuple[str, int]) -> None:
        self.seen.append(data)
        del self.seen[:-50]
        reply = self.book.received(data, source, self.at).reply
        if reply is None:
            return
        assert data.startswith(BOX.encode() + b":")
        assert self.is_adopted
        assert len(reply) <= len(data)
        told = amps(reply)
        assert told == 0 or 6 <= told <= self.adoption.ceiling_a
        if not self.changes or self.changes[-1][1] != told:
            if len(self.changes) > 1 and told > self.changes[-1][1]:
                assert (self.at - self.changes[-1][0]).total_seconds() >= 60
            self.changes.append((self.at, told))

    @rule(
        box_id=st.sampled_from(SERIALS),
        source=st.sampled_from(HOSTS),
        version=st.sampled_from(("v07", "v09u", "v10u")),
        counter=st.integers(0, 999),
        loop=st.integers(0, 3000),
        mode=st.sampled_from((0, 1, 2, 5, 9)),
        lifetime_wh=st.integers(0, 10**11),
        limits=st.tuples(AMPS, AMPS, AMPS),
    )
    def a_report(
        self,
        box_id: str,
        source: tuple[str, int],
        version: str,
        counter: int,
        loop: int,
        mode: int,
        lifetime_wh: int,
        limits: tuple[int, int, int],
    ) -> None:
        rating, offline, online = limits
        self.hears(
            said(
                box_id,
                version=version,
                counter=counter,
                loop=loop,
                mode=mode,
                lifetime_wh=lifetime_wh,
                rating_a=rating,
                offline_a=offline,
                online_a=online,
            ),
            source,
        )

    @rule(reports=st.integers(1, 3), version=st.just("v09u") | st.just("v07"), limits=st.tuples(AMPS, AMPS, AMPS))
    def its_own_reports(self, reports: int, version: str, limits: tuple[int, int, int]) -> None:
        rating, offline, online = limits
        for _ in range(reports):
            self.step += 1
            data = said(
                version=version,
                counter=self.step % 999 + 1,
                loop=10**6 + self.step,
                lifetime_wh=10**11 - 1,
                rating_a=rating,
                offline_a=offline,
                online_a=online,
            )
            self.hears(data, HOME)

    @rule(source=st.sampled_from(HOSTS), fields=st.sampled_from(("V247", "V247,L11156,E13322,A138,T28,t10,E14,i41,e1")))
    def an_old_form(self, source: tuple[str, int], fields: str) -> None:
        self.hears(oldest(BOX, fields), source)

    @rule(source=st.sampled_from(HOSTS), tail=st.binary(max_size=200), head=st.sampled_from((b":", b":v09e", b":DBG,")))
    def bytes_in_its_name(self, source: tuple[str, int], tail: bytes, head: bytes) -> None:
        self.hears(BOX.encode() + head + tail, source)

    @rule(data=st.binary(max_size=2000), source=st.sampled_from(HOSTS))
    def any_bytes(self, data: bytes, source: tuple[str, int]) -> None:
        self.hears(data, source)

    @rule(number=st.integers(0, 49), source=st.sampled_from(HOSTS))
    def a_replay(self, number: int, source: tuple[str, int]) -> None:
        if self.seen:
            self.hears(self.seen[number % len(self.seen)], source)

    @rule(number=st.integers(0, 10**6))
    def a_burst(self, number: int) -> None:
        for offset in range(30):
            self.hears(said(f"{number + offset:012d}"), ELSEWHERE)

    @rule(seconds=st.sampled_from((0.1, 9, 30, 61, 700, 86_400)))
    def time_passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.book.due(self.at)

    @rule(amps_=st.sampled_from((0.0, 6.0, 16.5, 32.0, 80.0)) | st.floats(allow_nan=True))
    def a_wish(self, amps_: float) -> None:
        if self.is_adopted:
            self.book.allow(BOX, amps_, self.at)

    @rule()
    def the_person_withdraws(self) -> None:
        self.book.withdraw(BOX)
        self.is_adopted = False
        self.changes.clear()

    @rule(circuit_a=st.integers(6, 48))
    def the_person_adopts(self, circuit_a: int) -> None:
        self.adoption = Adoption(box_id=BOX, circuit_a=circuit_a, rating_a=48, known_a=None, at=self.at)
        self.book.adopt(self.adoption)
        self.is_adopted = True

    @invariant()
    def only_people_adopt(self) -> None:
        if hasattr(self, "book"):
            assert self.book.adoptions == ((self.adoption,) if self.is_adopted else ())
            assert all(state.adoption is None for box_id, state in self.book.boxes.items() if box_id != BOX)

    @invariant()
    def memory_is_bounded(self) -> None:
        if hasattr(self, "book"):
            assert len(self.book.boxes) <= BOXES
            assert len(self.book._door) <= pacing.SOURCES


Hostile.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHostile = Hostile.TestCase
