"""Charging limits: what they add up to, by the standard's own rules, and where a charger disagrees."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ocpp import schema
from app.ocpp.services.schedule import (
    UNLIMITED,
    Composite,
    Period,
    Profile,
    compare,
    compose,
    read_composite,
    read_profile,
    write_profile,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = 3600


def profile(purpose: str = "TxDefaultProfile", *periods: tuple[int, float], **changes: object) -> Profile:
    values: dict[str, object] = {
        "profile_id": 1,
        "connector": 1,
        "stack_level": 0,
        "purpose": purpose,
        "kind": "Absolute",
        "unit": "A",
        "periods": tuple(Period(start_s=start, limit=limit) for start, limit in periods or ((0, 16.0),)),
        "start_at": NOON,
    }
    return Profile(**{**values, **changes})  # type: ignore[arg-type]


def steps(composite: Composite) -> list[tuple[int, float]]:
    return [(period.start_s, period.limit) for period in composite.periods]


def at_noon(*profiles: Profile, hours: float = 4, **options: object) -> list[tuple[int, float]]:
    return steps(compose(profiles, 1, at=NOON, duration_s=int(hours * HOUR), **options))  # type: ignore[arg-type]


def test_without_profiles_nothing_limits() -> None:
    assert at_noon() == [(0, UNLIMITED)]
    assert at_noon(most=32.0) == [(0, 32.0)]


def test_periods_follow_each_other() -> None:
    assert at_noon(profile("TxDefaultProfile", (0, 16), (HOUR, 10), (2 * HOUR, 32))) == [
        (0, 16),
        (HOUR, 10),
        (2 * HOUR, 32),
    ]


def test_the_highest_stack_level_counts_while_it_is_valid() -> None:
    low = profile("TxDefaultProfile", (0, 16))
    high = profile("TxDefaultProfile", (0, 32), stack_level=5, profile_id=2, duration_s=HOUR)
    assert at_noon(low, high) == [(0, 32), (HOUR, 16)]


def test_a_tx_profile_goes_before_the_default_even_where_it_allows_more() -> None:
    default = profile("TxDefaultProfile", (0, 10), stack_level=9)
    session = profile("TxProfile", (0, 20), profile_id=2)
    assert at_noon(default, session, session_at=NOON) == [(0, 20)]
    assert at_noon(default, session) == [(0, 10)]


def test_the_station_limit_caps_them_all() -> None:
    session = profile("TxProfile", (0, 32), (HOUR, 6))
    station = profile("ChargePointMaxProfile", (0, 20), connector=0, profile_id=2)
    assert at_noon(session, station, session_at=NOON) == [(0, 20), (HOUR, 6)]


def test_a_limit_of_another_connector_does_not_count() -> None:
    assert at_noon(profile("TxDefaultProfile", (0, 6), connector=2)) == [(0, UNLIMITED)]
    assert at_noon(profile("TxDefaultProfile", (0, 6), connector=0)) == [(0, 6)]


def test_validity_begins_and_ends() -> None:
    item = profile(valid_from=NOON + timedelta(hours=1), valid_to=NOON + timedelta(hours=2))
    assert at_noon(item) == [(0, UNLIMITED), (HOUR, 16), (2 * HOUR, UNLIMITED)]


def test_daily_profiles_come_again() -> None:
    item = profile(
        "TxDefaultProfile",
        (0, 32),
        (6 * HOUR, 8),
        kind="Recurring",
        recurrency="Daily",
        start_at=NOON - timedelta(days=40),
    )
    assert at_noon(item, hours=25) == [(0, 32), (6 * HOUR, 8), (24 * HOUR, 32)]


def test_relative_profiles_begin_with_the_session() -> None:
    item = profile("TxProfile", (0, 16), (HOUR, 8), kind="Relative", start_at=None)
    assert at_noon(item, session_at=NOON - timedelta(minutes=30)) == [(0, 16), (HOUR // 2, 8)]


def test_watts_become_amperes_by_the_phases() -> None:
    item = profile(
        unit="W", periods=(Period(start_s=0, limit=11_040, phases=3), Period(start_s=60, limit=3680, phases=1))
    )
    assert at_noon(item) == [(0, pytest.approx(16)), (60, pytest.approx(16))]


def told(*periods: tuple[int, float], start: datetime = NOON, duration: int = HOUR) -> Composite:
    made = tuple(Period(start_s=at, limit=limit) for at, limit in periods)
    return Composite(start_at=start, duration_s=duration, unit="A", periods=made)


def test_a_charger_that_obeys_disagrees_nowhere() -> None:
    expected = compose([profile("TxDefaultProfile", (0, 16), (600, 8))], 1, at=NOON, duration_s=HOUR)
    assert compare(expected, told((0, 16), (600, 8))) == ()
    assert compare(expected, told((0, 16.02), (300, 16), (600, 8))) == ()
    assert compare(expected, told((0, 16), (590, 8), start=NOON + timedelta(seconds=10))) == ()
    assert compare(expected, told((0, 16), (599, 8))) == ()  # whole seconds of a start between two


@pytest.mark.parametrize(
    ("answer", "start_s"),
    [
        (told((0, 32)), 0),
        (told((0, 16)), 600),
        (told((0, 16), (600, 6)), 600),
        (told((300, 16), (600, 8)), 0),
        (told(), 0),
    ],
)
def test_a_charger_that_does_not_obey_is_caught_at_the_first_moment(answer: Composite, start_s: int) -> None:
    expected = compose([profile("TxDefaultProfile", (0, 16), (600, 8))], 1, at=NOON, duration_s=HOUR)
    assert compare(expected, answer)[0].start_s == start_s


def test_where_nothing_limits_the_charger_may_name_what_its_hardware_gives() -> None:
    assert compare(compose([], 1, at=NOON, duration_s=HOUR), told((0, 32))) == ()


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("purpose", ["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"])
def test_profiles_are_written_as_the_standard_wants_and_read_back(version: str, purpose: str) -> None:
    item = profile(
        purpose,
        (0, 16.0),
        (600, 8.0),
        kind="Recurring",
        recurrency="Daily",
        duration_s=HOUR,
        valid_to=NOON + timedelta(days=2),
        transaction_id="17" if purpose == "TxProfile" else "",
    )
    written = write_profile(item, version)
    place = (
        {"connectorId": 1, "csChargingProfiles": written}
        if version == "1.6"
        else {"evseId": 1, "chargingProfile": written}
    )
    assert not schema.violations(version, "SetChargingProfile", place, is_request=True)
    back = read_profile(written, 1)
    assert back is not None
    assert (back.periods, back.kind, back.valid_to, back.duration_s) == (item.periods, "Recurring", item.valid_to, HOUR)


def test_composites_of_both_versions_are_read() -> None:
    old = {"status": "Accepted", "connectorId": 1, "scheduleStart": "2026-11-22T12:00:00Z",
           "chargingSchedule": {"chargingRateUnit": "A", "duration": 60, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}}  # fmt: skip
    new = {"status": "Accepted", "schedule": {"evseId": 1, "duration": 60, "scheduleStart": "2026-11-22T12:00:00Z",
           "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}}  # fmt: skip
    assert read_composite(old, NOON) == read_composite(new, NOON) == told((0, 16), duration=60)
    assert read_composite({"status": "Rejected"}, NOON) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
_keys = st.sampled_from(
    ["chargingSchedule", "chargingSchedulePeriod", "startPeriod", "limit", "duration", "schedule", "scheduleStart"]
)


@given(st.dictionaries(_keys, _json | st.dictionaries(_keys, _json, max_size=5), max_size=5))
def test_no_answer_breaks_it(answer: dict[str, object]) -> None:
    composite = read_composite(answer, NOON)
    if composite is not None:
        compare(compose([profile()], 1, at=NOON, duration_s=HOUR), composite)
    read_profile(answer, 1)
