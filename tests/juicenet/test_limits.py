"""The safety rules one by one."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ValueRejected
from app.juicenet import limits
from app.juicenet.limits import CHANGES_A_DAY, RISE_S, SMALL_RISE_S, Found, Sent, step
from app.model.juicebox import Adoption, BoxReport

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
HEARD = Found(is_heard=True, lowest_a=32, rating_a=40)


def report(**fields: int) -> BoxReport:
    return BoxReport(box_id="1234", at=AT, **fields)  # type: ignore[arg-type]


def adoption(**fields: float | bool | None) -> Adoption:
    values = {"circuit_a": 40.0, "rating_a": 40.0, "known_a": None} | fields
    return Adoption(box_id="1234", at=AT, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("circuit_a", "found", "label_a", "words"),
    [
        (None, HEARD, None, "missing"),
        (0, HEARD, None, "can't be"),
        (5.9, HEARD, None, "can't be"),
        (80.1, Found(is_heard=True), 80, "can't be"),
        (math.nan, HEARD, None, "can't be"),
        (math.inf, HEARD, None, "can't be"),
        (41, HEARD, None, "more than the box's rating"),
        (32, HEARD, 30, "more than the box's rating of 30"),
        (32, Found(), None, "not reported"),
        (32, Found(is_heard=True), None, "does not tell its rating"),
        (32, Found(is_heard=True, rating_a=4), None, "no rating"),
        (32, Found(is_heard=True, is_locked=True, rating_a=40), None, "left at 0 A"),
    ],
)
def test_what_can_not_be_is_refused_with_advice(
    circuit_a: float | None, found: Found, label_a: float | None, words: str
):
    with pytest.raises(ValueRejected, match=words) as caught:
        limits.proposal("1234", circuit_a, found, AT, rating_a=label_a)
    assert caught.value.advice


def test_the_lowest_limit_found_counts_unless_a_person_lifts_it():
    proposed = limits.proposal("1234", 40, HEARD, AT)
    assert (proposed.known_a, proposed.ceiling_a) == (32, 32)
    assert limits.proposal("1234", 40, HEARD, AT, lifts_known=True).ceiling_a == 40


def test_what_was_found_is_the_lowest_of_all_reports_and_zero_is_no_wires_limit():
    found = Found()
    for told in (report(offline_limit_a=40, online_limit_a=24), report(offline_limit_a=40, online_limit_a=0)):
        found = found.after(told)
    assert (found.lowest_a, found.is_locked) == (24, False)
    found = found.after(report(offline_limit_a=0, online_limit_a=40))
    assert (found.lowest_a, found.is_locked) == (24, True)
    assert Found().after(report(online_limit_a=0)).is_locked, "v07 tells no offline limit"
    assert Found().after(report()) == Found(is_heard=True), "the oldest tell none at all"


@pytest.mark.parametrize(
    ("found", "rating_a", "expected"),
    [
        (Found(), None, 40),
        (Found(), 32, 32),
        (Found(), 48, 40),
        (Found(), 4, 0),
        (Found(is_heard=True, lowest_a=16), 40, 16),
        (Found(is_heard=True, is_locked=True), 40, 0),
    ],
)
def test_the_ceiling_is_the_lowest_of_all_limits(found: Found, rating_a: int | None, expected: int):
    assert limits.ceiling(adoption(), found, rating_a) == expected


def test_an_adoption_made_without_hearing_the_box_neither_lifts_nor_revives():
    found = Found().after(report(offline_limit_a=16, online_limit_a=20, rating_a=40))
    assert limits.ceiling(adoption(), found, 40) == 16
    assert limits.ceiling(adoption(lifts_known=True), found, 40) == 40
    locked = Found().after(report(offline_limit_a=0, rating_a=40))
    assert limits.ceiling(adoption(), locked, 40) == 0
    assert limits.ceiling(adoption(is_revived=True), locked, 40) == 40


@pytest.mark.parametrize(
    ("wanted_a", "expected"), [(16.9, 16), (5.99, 0), (6, 6), (0, 0), (-3, 0), (99, 32), (math.nan, 0), (math.inf, 0)]
)
def test_wishes_become_whole_amperes_below_the_ceiling(wanted_a: float, expected: int):
    assert limits.allowed(wanted_a, 32) == expected


@given(st.floats(), st.floats(), st.floats(), st.none() | st.floats(6, 80), st.none() | st.integers(0, 999))
def test_no_numbers_lead_above_any_limit(
    wanted_a: float, circuit_a: float, rating_a: float, known_a: float | None, reported_a: int | None
):
    made = adoption(circuit_a=circuit_a, rating_a=rating_a, known_a=known_a)
    told = limits.allowed(wanted_a, limits.ceiling(made, Found(), reported_a))
    assert told == 0 or 6 <= told <= min(80, circuit_a, rating_a, known_a or 80, reported_a or 80)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_less_goes_out_at_once_more_a_minute_later():
    sent, waits = limits.step(Sent(limit_a=32), 16, AT)
    assert (sent.limit_a, waits) == (16, None)
    sent, waits = limits.step(sent, 32, after(30))
    assert (sent.limit_a, waits) == (16, after(RISE_S))
    sent, waits = limits.step(sent, 6, after(31))
    assert (sent.limit_a, waits) == (6, None)
    sent, waits = limits.step(sent, 32, after(31 + RISE_S))
    assert (sent.limit_a, waits, sent.changes_today) == (32, None, 3)


def test_the_first_word_holds_no_car_up():
    sent, _ = limits.step(Sent(), 0, AT)
    sent, waits = limits.step(sent, 32, after(1))
    assert (sent.limit_a, waits, sent.changes_today) == (32, None, 2)
    sent, _ = limits.step(sent, 6, after(2))
    assert limits.step(sent, 32, after(3))[1] == after(2 + RISE_S)


def test_a_single_ampere_more_waits_longer():
    sent, _ = limits.step(Sent(limit_a=32), 16, AT)
    sent, waits = limits.step(sent, 17, after(RISE_S))
    assert (sent.limit_a, waits) == (16, after(SMALL_RISE_S))
    assert limits.step(sent, 17, after(SMALL_RISE_S))[0].limit_a == 17


def test_after_a_days_changes_a_box_is_only_lowered():
    sent = Sent(limit_a=6, changed_at=AT, changes_today=CHANGES_A_DAY)
    sent, waits = limits.step(sent, 32, after(3600))
    assert (sent.limit_a, waits) == (6, datetime(2026, 11, 23, tzinfo=UTC))
    assert limits.step(sent, 0, after(3600))[0].limit_a == 0
    tomorrow, _ = limits.step(sent, 32, after(86_400))
    assert (tomorrow.limit_a, tomorrow.changes_today) == (32, 1)


def test_a_clock_that_was_set_back_holds_nothing_up_for_longer_than_a_rise_waits():
    sent = Sent(limit_a=6, changed_at=after(7200), changes_today=1)
    _, waits = limits.step(sent, 32, AT)
    assert waits == after(RISE_S)


def test_adopting_again_and_again_is_no_way_around_the_days_bound() -> None:
    sent, at, told = Sent(), datetime(2026, 3, 1, tzinfo=UTC), []
    for number in range(400):
        at += timedelta(seconds=30)
        sent, _ = step(sent.withdrawn(), 24 if number % 2 else 10, at)
        told.append(sent.limit_a)
    changes = sum(one != other for one, other in pairwise(told))
    assert changes <= CHANGES_A_DAY
    assert told[-1] == 10
    sent, waits = step(sent, 24, at + timedelta(days=1))
    assert (sent.limit_a, waits) == (24, None)
