"""One clock for all stations: it rings in order, once, together, and notices that the wall clock was set."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from app.bridge import clockwork as module
from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.standing import Rhythm, fits_as_password
from app.scope import Scope

SOON = timedelta(seconds=0.1)


async def test_alarms_ring_in_their_order_and_only_as_set_last():
    rung: list[str] = []
    over = asyncio.Event()
    clockwork = Clockwork()
    alarms = {name: clockwork.alarm(lambda _, name=name: rung.append(name)) for name in "abc"}  # type: ignore[misc]
    last = clockwork.alarm(lambda _: over.set())
    now = utc_now()
    alarms["a"].set(now + 2 * SOON)
    alarms["b"].set(now + SOON)
    alarms["c"].set(now + SOON)
    alarms["c"].off()
    alarms["a"].set(now + SOON / 2)
    last.set(now + 3 * SOON)
    async with Scope("test") as scope:
        scope.required("clock", clockwork.run())
        await asyncio.wait_for(over.wait(), 5)
    assert rung == ["a", "b"]


async def test_an_alarm_set_earlier_while_the_clock_sleeps_is_not_late():
    rung = asyncio.Event()
    clockwork = Clockwork()
    clockwork.alarm(lambda _: None).set(utc_now() + timedelta(hours=1))
    alarm = clockwork.alarm(lambda _: rung.set())
    async with Scope("test") as scope:
        scope.required("clock", clockwork.run())
        await asyncio.sleep(0)
        alarm.set(utc_now())
        await asyncio.wait_for(rung.wait(), 0.5)


async def test_a_clock_that_is_set_lets_every_station_plan_anew():
    ahead = timedelta(days=30)
    moved = [timedelta()]
    rung = asyncio.Event()
    clockwork = Clockwork(lambda: datetime.now(UTC) + moved[0])
    clockwork.alarm(lambda _: rung.set()).set(utc_now() + timedelta(hours=1))
    async with Scope("test") as scope:
        scope.required("clock", clockwork.run())
        await asyncio.sleep(0)
        moved[0] = -ahead  # back: the alarm would be a month late
        await asyncio.wait_for(rung.wait(), 3 * module.LOOK_S)


def test_pauses_grow_to_a_bound_and_are_never_the_same():
    rhythm = Rhythm()
    pauses = [rhythm.pause_s(failures) for failures in (1, 2, 3, 10, 1000)]
    assert 5 <= pauses[0] <= 10
    assert 10 <= pauses[1] <= 20
    assert 150 <= pauses[3] <= 300
    assert 150 <= pauses[4] <= 300
    assert len({rhythm.pause_s(5) for _ in range(20)}) > 10


def test_a_password_is_taken_in_the_spelling_of_the_backend_alone():
    assert fits_as_password("00112233445566778899aabbccddeeff", is_hex=True)
    assert not fits_as_password("plain-text-password!", is_hex=True)
    assert fits_as_password("plain-text-password!", is_hex=False)
    assert not fits_as_password("short", is_hex=False)
    assert not fits_as_password("with a bell \a in the middle", is_hex=False)
