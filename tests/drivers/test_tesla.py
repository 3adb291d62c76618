"""The Tesla Wall Connector: told right, by sloppy firmware too; nothing else is taken for one; nothing is ever written."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from app import resources
from app.driver.capability import Identifies, Meters, ReportsStatus, SetsBackend
from app.driver.registry import load_profiles
from app.drivers.tesla import DRIVER
from app.errors import Garbled, NotReachable, Unexpected
from app.links.real import RealLinks
from app.model.profile import Verdict
from app.model.reading import Measurand
from app.sim.fault import Fault
from app.sim.tesla import TeslaUnit
from app.sim.webunit import Answer, WebUnit

PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "tesla")


def session_of(unit: WebUnit):
    return DRIVER.open(unit.address, PROFILE, RealLinks())


@pytest.mark.parametrize("firmware", ["21.29.1+g4152353e50f744", "25.34.1+gb3c4d5e6f"])
async def test_it_says_who_and_how_it_is(firmware: str):
    async with TeslaUnit(serial="PGT77", firmware=firmware) as unit, session_of(unit) as session:
        identity = await session.ask(Identifies).identify()
        assert (identity.vendor, identity.model) == ("Tesla", "1529455-02-D")
        assert (identity.serial, identity.firmware) == ("PGT77", firmware)
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Charging"
        values = {(item.measurand, item.phase): item.value for item in status.readings}
        assert values[Measurand.VOLTAGE, "L2"] == 230.2
        assert values[Measurand.CURRENT, "L3"] == 15.9
        assert values[Measurand.ENERGY, ""] == 386204
        assert values[Measurand.TEMPERATURE, ""] == 9.9
        assert {item.split()[0] for item in unit.asked} == {"GET"}


async def test_counters_that_are_no_json_cost_only_the_counters():
    async with TeslaUnit(is_sloppy=True) as unit, session_of(unit) as session:
        status = await session.ask(ReportsStatus).status()
    assert Measurand.ENERGY not in {item.measurand for item in status.readings}
    assert Measurand.VOLTAGE in {item.measurand for item in status.readings}


async def test_a_change_is_told():
    async with TeslaUnit() as unit, session_of(unit) as session:
        stream = session.ask(Meters).watch()
        first = await asyncio.wait_for(anext(stream), 5)
        await stream.aclose()
        assert first.state == "Available"


async def test_a_truncated_answer_ends_in_advice():
    async with TeslaUnit(faults={Fault.TRUNCATES}) as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(Garbled) as caught:
            async with session_of(unit):
                pass
        assert caught.value.advice


class Impostor(WebUnit):
    """Some other thing with a version page."""

    async def answer(self, request: web.Request) -> Answer:
        if request.path.endswith("version"):
            return web.json_response({"firmware_version": "1", "part_number": "2", "serial_number": "3"})
        return web.Response(text="<html>printer</html>")


async def test_nothing_else_is_taken_for_one():
    async with Impostor("printer") as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None


async def test_another_unit_at_the_address_and_none_are_noticed():
    async with TeslaUnit() as unit, session_of(unit) as session:
        unit.answer = Impostor("printer").answer
        await unit.power_cycle(0)
        with pytest.raises(Unexpected) as caught:
            await session.ask(Identifies).identify()
        assert caught.value.advice
        await unit.power_off()
        with pytest.raises(NotReachable):
            await DRIVER.probe(unit.address, PROFILE, RealLinks())


def test_it_offers_no_backend_and_says_so():
    assert SetsBackend not in DRIVER.capabilities
    assert PROFILE.outlook is not None
    assert PROFILE.outlook.verdict is Verdict.NOT_HERE
