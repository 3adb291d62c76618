"""Register and stays from reports that come, go missing, come twice, or come from a box that starts anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.bridge.metering import FAULT, Stays
from app.bridge.outlet import OutletState
from app.model.juicebox import BoxMode, BoxReport

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FREE, PLUGGED, CHARGING, ERROR = BoxMode.UNPLUGGED, BoxMode.PLUGGED, BoxMode.CHARGING, BoxMode.ERROR


class Box:
    """Words reports with numbers that go on."""

    def __init__(self, *, version: str = "v09u") -> None:
        self.stays = Stays()
        self.at, self.loop = NOON, 100
        self.version = version

    def says(
        self, mode: BoxMode | None, lifetime_wh: int | None, session_wh: int | None = None, *, after_s: float = 10
    ) -> tuple[OutletState, ...]:
        self.at += timedelta(seconds=after_s)
        self.loop += 1
        report = BoxReport(
            box_id="1",
            at=self.at,
            version=self.version,
            mode=mode,
            lifetime_wh=lifetime_wh,
            session_wh=session_wh,
            counter=self.loop % 999 + 1,
            loop=self.loop,
            voltage_v=240.0,
            current_a=32.0 if mode is CHARGING else None,
            power_factor=0.99 if mode is CHARGING else None,
            online_limit_a=32,
            offline_limit_a=16,
            rating_a=40,
        )
        return self.stays.heard(report)

    def state(self) -> OutletState:
        return self.stays.state(self.at)

    def restart_bridge(self) -> None:
        self.stays = Stays(self.stays.kept)


def seen(states: tuple[OutletState, ...]) -> list[tuple[int, bool, int, int]]:
    return [(state.plug, state.is_plugged, state.plug_began_wh, state.register_wh) for state in states]


def test_a_stay_from_coming_to_going() -> None:
    box = Box()
    assert seen(box.says(FREE, 5000)) == [(0, False, 0, 5000)]
    assert seen(box.says(PLUGGED, 5000)) == [(1, True, 5000, 5000)]
    assert seen(box.says(CHARGING, 5020, 20)) == [(1, True, 5000, 5020)]
    assert box.state().is_charging
    assert seen(box.says(PLUGGED, 5040)) == [(1, True, 5000, 5040)]
    assert seen(box.says(CHARGING, 5050, 10)) == [(1, True, 5000, 5050)]
    assert seen(box.says(FREE, 5060)) == [(1, False, 5000, 5060)]
    assert seen(box.says(PLUGGED, 5060)) == [(2, True, 5060, 5060)]


def test_what_is_measured_is_told_while_it_is_heard() -> None:
    box = Box()
    box.says(FREE, 5000)
    (state,) = box.says(CHARGING, 5020, 20)
    assert (state.voltage_v, state.current_a, state.power_w, state.limit_a) == (240.0, 32.0, 7603.2, 16.0)
    (state,) = box.says(PLUGGED, 5020)
    assert (state.current_a, state.power_w) == (0.0, 0.0)
    gone = box.stays.due(box.at + timedelta(seconds=121))
    assert gone is not None
    assert (gone.is_present, gone.power_w, gone.voltage_v, gone.is_plugged) == (False, None, None, True)
    assert box.stays.due(box.at + timedelta(seconds=500)) is None
    (back,) = box.says(PLUGGED, 5020)
    assert back.is_present
    assert back.plug == 1


def test_six_minutes_of_silence_are_normal_for_v07() -> None:
    box = Box(version="v07")
    box.says(FREE, 5000)
    assert box.stays.due(box.at + timedelta(minutes=6)) is None
    assert box.stays.due(box.at + timedelta(minutes=7)) is not None


def test_a_car_that_came_between_two_reports_has_its_energy_from_the_start() -> None:
    box = Box()
    box.says(FREE, 5000)
    assert seen(box.says(CHARGING, 5300, 300, after_s=200)) == [(1, True, 5000, 5300)]


def test_a_stay_nobody_saw_is_told() -> None:
    box = Box()
    box.says(FREE, 5000)
    assert seen(box.says(FREE, 9000, after_s=7200)) == [
        (1, True, 5000, 5000),
        (1, False, 5000, 9000),
        (1, False, 5000, 9000),
    ]
    assert seen(box.says(PLUGGED, 9000)) == [(2, True, 9000, 9000)]


def test_two_stays_in_one_silence_are_told_apart_by_the_stretch() -> None:
    box = Box()
    box.says(FREE, 5000)
    assert seen(box.says(CHARGING, 9000, 1500, after_s=7200)) == [
        (1, True, 5000, 5000),
        (1, False, 5000, 7500),
        (2, True, 7500, 9000),
    ]


def test_after_a_short_silence_it_is_the_same_car_that_paused() -> None:
    box = Box()
    box.says(FREE, 5000)
    assert seen(box.says(CHARGING, 5400, 100, after_s=300)) == [(1, True, 5000, 5400)]
    assert seen(box.says(CHARGING, 5700, 50, after_s=300)) == [(1, True, 5000, 5700)]


def test_another_stretch_after_a_long_silence_is_another_car() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5400, 400)
    assert seen(box.says(CHARGING, 9000, 600, after_s=7200)) == [(2, True, 8400, 9000)]


def test_another_stretch_that_grew_beyond_the_former_is_seen_too() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5400, 400)
    assert seen(box.says(CHARGING, 9000, 3500, after_s=7200)) == [(2, True, 5500, 9000)]


def test_a_stretch_that_goes_on_over_a_long_silence_is_the_same_car() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5400, 400)
    box.restart_bridge()
    assert seen(box.says(CHARGING, 9000, 4000, after_s=7200)) == [(1, True, 5000, 9000)]


def test_a_car_that_waited_through_a_silence_is_the_same_car() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(PLUGGED, 5000)
    assert seen(box.says(CHARGING, 9000, 4000, after_s=7200)) == [(1, True, 5000, 9000)]
    box.says(PLUGGED, 9000)
    assert seen(box.says(PLUGGED, 9500, after_s=7200)) == [(1, True, 5000, 9500)]


def test_a_report_that_comes_twice_changes_nothing() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(PLUGGED, 5000)
    box.loop -= 1
    assert box.says(PLUGGED, 5000) == ()


def test_a_bridge_that_restarts_goes_on() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    box.restart_bridge()
    before = box.state()
    assert (before.is_present, before.is_plugged, before.plug, before.register_wh) == (False, True, 1, 5100)
    assert seen(box.says(CHARGING, 5300, 300, after_s=60)) == [(1, True, 5000, 5300)]
    box.restart_bridge()
    assert seen(box.says(FREE, 5900, after_s=6000)) == [(1, False, 5000, 5900)]
    assert box.stays.base_wh == 5000


def test_what_was_told_before_a_restart_is_not_taken_back() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    box.stays.raise_to(5200)
    assert box.state().register_wh == 5200
    assert seen(box.says(CHARGING, 5250, 250)) == [(1, True, 5000, 5250)]


def test_a_box_that_restarts_keeps_its_car() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    box.loop = 0
    assert seen(box.says(PLUGGED, 5100)) == [(1, True, 5000, 5100)]
    assert seen(box.says(CHARGING, 5150, 50)) == [(1, True, 5000, 5150)]


def test_the_register_goes_on_where_the_box_begins_to_count_anew() -> None:
    box = Box()
    box.says(FREE, 5_000_000)
    box.says(CHARGING, 5_000_100, 100)
    assert box.says(FREE, 70) == ()
    assert box.says(FREE, 70) == ()
    assert box.state().register_wh == 5_000_100
    assert seen(box.says(FREE, 70)) == [(1, False, 5_000_000, 5_000_100)]
    assert "fell from 5000100 to 70 Wh" in box.stays.notes[-1]
    assert seen(box.says(CHARGING, 90, 20)) == [(2, True, 5_000_100, 5_000_120)]


def test_energy_of_the_running_stretch_counts_where_the_lifetime_falls() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    box.says(CHARGING, 5080, 130)
    box.says(CHARGING, 5090, 140)
    assert seen(box.says(CHARGING, 5095, 145)) == [(1, True, 5000, 5145)]
    assert seen(box.says(CHARGING, 5110, 160)) == [(1, True, 5000, 5160)]


def test_an_old_datagram_after_a_restart_is_not_taken_for_a_new_count() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5400, 400)
    box.restart_bridge()
    assert box.says(CHARGING, 5200, 200) == ()
    assert box.says(CHARGING, 5250, 250) == ()
    assert seen(box.says(CHARGING, 5450, 450)) == [(1, True, 5000, 5450)]
    assert box.says(CHARGING, 5300, 300) == ()
    assert box.stays.notes == ()


def test_a_single_report_of_far_too_much_energy_sells_nothing() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    assert box.says(CHARGING, 405_100, 400_100) == ()
    assert seen(box.says(CHARGING, 5130, 130)) == [(1, True, 5000, 5130)]
    assert box.stays.notes == ()


def test_a_jump_no_box_can_make_is_noted_and_sold_to_nobody() -> None:
    box = Box()
    box.says(FREE, 5000)
    box.says(CHARGING, 5100, 100)
    assert box.says(CHARGING, 900_000_000, 120) == ()
    assert seen(box.says(CHARGING, 5130, 130)) == [(1, True, 5000, 5130)]
    box.says(CHARGING, 900_000_000, 140)
    box.says(CHARGING, 900_000_010, 150)
    assert seen(box.says(CHARGING, 900_000_030, 170)) == [(1, True, 5000, 5170)]
    assert "jumped" in box.stays.notes[-1]


def test_a_box_without_lifetime_energy_is_metered_by_its_stretches() -> None:
    box = Box(version="")
    assert seen(box.says(FREE, None)) == [(0, False, 0, 0)]
    box.says(CHARGING, None, 40)
    box.says(CHARGING, None, 100)
    box.restart_bridge()
    box.says(CHARGING, None, 150)
    box.says(PLUGGED, None, 0)
    box.says(CHARGING, None, 30)
    assert seen(box.says(FREE, None)) == [(1, False, 0, 180)]
    box.says(CHARGING, None, 20)
    assert seen(box.says(CHARGING, None, 5, after_s=4000)) == [(3, True, 200, 205)]


def test_a_box_without_a_state_charges_where_current_flows() -> None:
    stays = Stays()
    report = BoxReport(box_id="1", at=NOON, lifetime_wh=100, current_a=0.0)
    stays.heard(report)
    (state,) = stays.heard(replace(report, at=NOON + timedelta(seconds=9), lifetime_wh=110, current_a=16.0))
    assert state.is_charging
    assert state.is_plugged
    assert state.power_w is None


@pytest.mark.parametrize("before", [FREE, PLUGGED])
def test_an_error_says_nothing_about_the_car(before: BoxMode) -> None:
    box = Box()
    box.says(before, 5000)
    (state,) = box.says(ERROR, 5000)
    assert state.fault == FAULT
    assert state.is_plugged is (before is PLUGGED)
    (state,) = box.says(before, 5000)
    assert state.fault == ""
    assert state.plug == (1 if before is PLUGGED else 0)


def test_a_car_that_was_there_before_the_bridge_pays_from_then_on() -> None:
    box = Box()
    assert seen(box.says(CHARGING, 5000, 700)) == [(1, True, 5000, 5000)]
    assert seen(box.says(CHARGING, 5100, 800)) == [(1, True, 5000, 5100)]
