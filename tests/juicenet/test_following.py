"""Which reports go on from the ones before, and which are old ones sent again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.juicenet.following import STALE_S, Line, Verdict
from app.model.juicebox import BoxReport

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
FIRST = BoxReport(box_id="1234", at=AT, version="v09u", counter=500, loop=9000, lifetime_wh=1000)


def line() -> Line:
    made = Line()
    assert made.takes(FIRST) is Verdict.FOLLOWS
    return made


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"counter": 501, "loop": 9009}, Verdict.FOLLOWS),
        ({"counter": 501, "loop": 9000}, Verdict.FOLLOWS),
        ({"counter": 1, "loop": 9999}, Verdict.FOLLOWS),
        ({}, Verdict.REPEATED),
        ({"counter": 499, "loop": 8991}, Verdict.OLD),
        ({"counter": 499, "loop": 9000}, Verdict.OLD),
        ({"counter": 501, "loop": 9009, "lifetime_wh": 999}, Verdict.OLD),
        ({"counter": 501, "loop": None}, Verdict.OLD),
        ({"counter": 501, "loop": 9009, "version": "v07"}, Verdict.OLD),
    ],
)
def test_one_report_after_another(changes: dict[str, int | str | None], verdict: Verdict):
    assert line().takes(replace(FIRST, **changes)) is verdict  # type: ignore[arg-type]


def test_without_a_loop_counter_the_number_counts_across_its_end():
    made = Line()
    bare = replace(FIRST, loop=None, counter=998)
    assert made.takes(bare) is Verdict.FOLLOWS
    assert made.takes(replace(bare, counter=2)) is Verdict.FOLLOWS
    assert made.takes(replace(bare, counter=998)) is Verdict.OLD


def test_the_oldest_form_has_no_numbers_and_is_believed():
    made = Line()
    bare = replace(FIRST, version="", loop=None, counter=None)
    assert [made.takes(bare) for _ in range(3)] == [Verdict.FOLLOWS] * 3


def restarted(step: int) -> BoxReport:
    return replace(FIRST, counter=step, loop=step * 9)


def test_a_restart_that_was_announced_is_believed_at_once():
    made = line()
    made.booted()
    assert made.takes(restarted(1)) is Verdict.FOLLOWS
    assert made.takes(restarted(2)) is Verdict.FOLLOWS


def test_a_restart_nobody_announced_is_believed_by_the_third_report():
    made = line()
    assert [made.takes(restarted(step)) for step in (1, 2, 3, 4)] == [
        Verdict.OLD,
        Verdict.OLD,
        Verdict.FOLLOWS,
        Verdict.FOLLOWS,
    ]


def test_old_reports_between_new_ones_start_nothing():
    made = line()
    for step in range(1, 20):
        assert made.takes(restarted(step)) is Verdict.OLD
        assert made.takes(replace(FIRST, counter=500 + step, loop=9000 + step)) is Verdict.FOLLOWS


def test_even_a_restart_takes_no_energy_back():
    made = line()
    made.booted()
    assert made.takes(replace(restarted(1), lifetime_wh=10)) is Verdict.OLD


def test_a_box_that_was_long_silent_may_come_back_as_another():
    made = line()
    late = replace(restarted(1), lifetime_wh=0, at=AT + timedelta(seconds=STALE_S + 1))
    assert made.takes(late) is Verdict.FOLLOWS
