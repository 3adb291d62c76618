"""How long a line holds in which rhythm, and when a unit returns: each behaviour is told from the others."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from app.experiment.values import Tempo
from tests.experiment.lab import Lab, Unit, healthy, lab, living
from tests.ocpp.endpoint_kit import BOOT, HOST, masked, upgrade

FAST = Tempo(pace=0.001, least_s=0.5)
"""A round of five minutes takes 0.3 s."""
PING = 0x89
PONG = b"\x8a\x80\0\0\0\0"


class RawUnit(Unit):
    """A unit whose WebSocket is written by hand, so that it can be sick there. ``patience_s``: of its router."""

    patience_s: float | None = None
    is_pingable = True

    async def _visit(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.lab.site.port)
        try:
            writer.write(upgrade(f"/{self.identity}"))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(masked(json.dumps([2, "b", "BootNotification", BOOT]).encode()))
            await self.hold(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold the line until it is closed, or something about it is too much."""
        while True:
            async with asyncio.timeout(self.patience_s):
                data = await reader.read(4096)
            if not data or data[0] == 0x88 or (data[0] == PING and not self.is_pingable):
                return
            if data[0] == PING:
                writer.write(PONG)


class Moody(RawUnit):
    """A unit on a weak radio link: each line ends after another while."""

    WHILES = (0.04, 0.09, 0.16, 0.24)

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.WHILES[self.dials % 4]):
                await super().hold(reader, writer)


def raw(place: Lab, kind: type[RawUnit] = RawUnit, **options: Any) -> RawUnit:
    unit = kind(place, healthy)
    for name, value in options.items():
        setattr(unit, name, value)
    return unit


# The ping rhythm ----------------------------------------------------------------------------------------------------


async def test_a_line_that_holds_in_every_rhythm() -> None:
    async with lab(tempo=FAST) as place, living(raw(place)):
        result = await place.ends("none", "ping-rhythm")
    assert [item.mark for item in result.rounds] == ["held"] * 4


async def test_a_router_that_forgets_silent_lines() -> None:
    async with lab(tempo=FAST) as place, living(raw(place, patience_s=0.15)):
        result = await place.ends("needs-pings", "ping-rhythm")
    assert [item.mark for item in result.rounds] == ["dropped", "dropped", "held", "held"]


async def test_a_unit_that_does_not_stand_pings() -> None:
    async with lab(tempo=Tempo(pace=0.003, least_s=0.5)) as place, living(raw(place, is_pingable=False)):
        result = await place.ends("breaks-on-pings", "ping-rhythm")
    assert [item.mark for item in result.rounds] == ["held", "dropped", "dropped", "dropped"]
    assert result.finding is not None
    assert result.finding.details["case"] == "breaks-on-pings"


async def test_a_weak_link_drops_in_every_rhythm() -> None:
    async with lab(tempo=FAST) as place, living(raw(place, Moody)):
        await place.ends("any", "ping-rhythm")


# Holding the line ---------------------------------------------------------------------------------------------------


async def leaver(unit: Unit) -> None:
    await unit.boot()
    await asyncio.sleep(0.05)  # what the unit does, not what the test waits for
    await unit.link.close(1000, "bye")


async def test_a_unit_that_visits_another_backend() -> None:
    async with lab(tempo=FAST) as place:
        unit = Unit(place, leaver)
        unit.redial_s = 0.1
        async with living(unit):
            await place.ends("leaves", "hold")


async def test_a_line_that_is_cut_in_a_rhythm() -> None:
    async with lab(tempo=FAST) as place, living(raw(place, patience_s=0.12)):
        await place.ends("regular", "hold")


async def test_a_line_that_is_cut_without_a_rhythm() -> None:
    async with lab(tempo=FAST) as place, living(raw(place, Moody)):
        await place.ends("irregular", "hold")


async def test_a_line_that_holds() -> None:
    async with lab(tempo=FAST) as place, living(raw(place)):
        await place.ends("stays", "hold")


# Coming back --------------------------------------------------------------------------------------------------------


async def test_a_unit_that_redials_soon() -> None:
    async with lab() as place, living(Unit(place, healthy)):
        result = await place.ends("soon", "redial-rhythm")
    assert [item.mark for item in result.rounds] == ["returned", "returned"]
    assert result.rounds[0].numbers["dials"] == 3  # two of them were refused


async def test_a_unit_that_takes_minutes_to_redial() -> None:
    async with lab(tempo=Tempo(pace=0.002, least_s=0.5)) as place:
        unit = Unit(place, healthy)
        async with living(unit):
            unit.redial_s = 0.2
            await place.ends("slow", "redial-rhythm")


async def test_a_unit_that_does_not_return() -> None:
    async with lab(tempo=Tempo(pace=0.0005, least_s=0.3)) as place:
        unit = Unit(place, healthy)
        async with living(unit):
            unit.redial_s = 60.0
            result = await place.ends("elsewhere", "redial-rhythm")
    assert [item.state.value for item in result.rounds] == ["done", "skipped"]


async def test_a_unit_that_leaves_for_good_settles_nothing_about_its_pings() -> None:
    async with lab(tempo=FAST) as place:
        unit = Unit(place, healthy)
        async with living(unit):
            unit.redial_s = 60.0
            result = await place.run("ping-rhythm")
    assert (result.sign, result.outcome, result.finding) == ("", None, None)
    assert "did not dial" in result.why
