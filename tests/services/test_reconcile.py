"""The figures of a charging session against each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.reading import Measurand, Reading
from app.ocpp.events import Transaction
from app.ocpp.services.reconcile import Reconciled, Result, reconcile

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW = START + timedelta(hours=5)
MINUTE = timedelta(minutes=1)


def session(**changes: object) -> Transaction:
    values: dict[str, object] = {
        "transaction_id": 7,
        "connector": 1,
        "started_at": START,
        "meter_start_wh": 1000.0,
        "stopped_at": START + 60 * MINUTE,
        "meter_stop_wh": 8400.0,
        "reason": "Local",
    }
    return Transaction(**{**values, **changes})  # type: ignore[arg-type]


def samples(power_w: float = 7400.0, count: int = 61, *, phases: tuple[str, ...] = ("",)) -> list[Reading]:
    """An hour at constant power, a sample a minute: register and power."""
    found = []
    for minute in range(count):
        at = START + minute * MINUTE
        found.append(Reading(unit_id="u", measurand=Measurand.ENERGY, value=1000 + power_w * minute / 60, at=at))
        for phase in phases:
            value = power_w / len(phases)
            found.append(Reading(unit_id="u", measurand=Measurand.POWER, value=value, at=at, phase=phase))
    return found


def judged(readings: list[Reading], **changes: object) -> Reconciled:
    return reconcile(session(**changes), readings, now=NOW)


@pytest.mark.parametrize("phases", [("",), ("L1", "L2", "L3")])
def test_a_sound_session_is_right_in_every_respect(phases: tuple[str, ...]) -> None:
    found = judged(samples(phases=phases))
    assert found.result is Result.RIGHT
    assert {check.result for check in found.checks} == {Result.RIGHT}
    assert found.energy_wh == 7400
    assert found.check("energy").expected == pytest.approx(7400, rel=0.001)


def test_a_register_that_falls_is_wrong_and_named_by_its_time() -> None:
    readings = samples()
    readings[40] = Reading(unit_id="u", measurand=Measurand.ENERGY, value=0.0, at=readings[40].at)
    check = judged(readings).check("never falls")
    assert check.result is Result.WRONG
    assert "12:20:00" in check.proofs[0]


@pytest.mark.parametrize(
    ("factor", "result"),
    [(1.04, Result.RIGHT), (0.96, Result.RIGHT), (1.08, Result.WRONG), (10, Result.WRONG), (0.001, Result.WRONG)],
)
def test_energy_fits_power_times_time_within_five_per_cent(factor: float, result: Result) -> None:
    readings = [item for item in samples(7400 * factor) if item.measurand is Measurand.POWER]
    assert judged(readings).check("energy").result is result


def test_a_short_trial_is_not_judged_by_its_rounding() -> None:
    readings = samples(1000.0, 3)
    found = judged(readings, stopped_at=START + 2 * MINUTE, meter_stop_wh=1033.0)
    assert found.check("energy").result is Result.UNKNOWN
    assert found.check("never falls").result is Result.RIGHT


def test_register_and_samples_must_follow_each_other() -> None:
    assert judged(samples(), meter_stop_wh=5000.0).check("registers").result is Result.WRONG
    assert judged(samples(), meter_start_wh=2000.0, meter_stop_wh=9400.0).check("registers").result is Result.WRONG


def test_a_missing_stop_is_odd_not_wrong() -> None:
    found = judged(samples(), stopped_at=None, meter_stop_wh=None)
    assert found.check("stop").result is Result.ODD
    assert found.energy_wh == pytest.approx(7400)


def test_gaps_are_named() -> None:
    readings = [item for item in samples() if not START + 20 * MINUTE < item.at < START + 30 * MINUTE]
    check = judged(readings).check("gaps")
    assert check.result is Result.ODD
    assert check.proofs == ("12:20:00 to 12:30:00",)


def test_a_clock_that_jumps_back_is_wrong() -> None:
    readings = samples()
    readings.insert(60, Reading(unit_id="u", measurand=Measurand.POWER, value=7400, at=START - timedelta(hours=1)))
    check = judged(readings).check("clock")
    assert check.result is Result.WRONG
    assert "back from" in check.proofs[0]


def test_a_session_in_the_future_or_backwards_is_wrong() -> None:
    assert judged([], stopped_at=START - MINUTE).check("clock").result is Result.WRONG
    assert reconcile(session(), [], now=START - timedelta(days=1)).check("clock").result is Result.WRONG


def test_nothing_known_is_not_a_fault() -> None:
    found = reconcile(Transaction(transaction_id="x", connector=1, stopped_at=None), [], now=NOW)
    assert found.result is Result.ODD  # only that its end was never told
    assert [check.name for check in found.checks if check.result is Result.WRONG] == []


@given(
    st.lists(
        st.builds(
            Reading,
            unit_id=st.just("u"),
            measurand=st.sampled_from(Measurand),
            value=st.floats(allow_nan=False, allow_infinity=False, width=32),
            at=st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001
            phase=st.sampled_from(["", "L1", "L2", "N"]),
        ),
        max_size=40,
    )
)
def test_no_figures_break_it(readings: list[Reading]) -> None:
    assert len(judged(readings).checks) == 6
