"""The NRGkick: told right in both spellings, behind its login, switched off; and never steered by a question."""

from __future__ import annotations

import pytest

from app import resources
from app.driver.capability import Identifies, ReportsStatus, SetsBackend
from app.driver.registry import load_profiles
from app.drivers.nrgkick import DRIVER
from app.errors import AuthFailed, Garbled, NotSupported
from app.links.real import RealLinks
from app.model.reading import Measurand
from app.model.unit import ClaimKind
from app.sim.fault import Fault
from app.sim.nrgkick import NrgKickUnit
from tests.drivers.rigs_nrgkick import OneLogin

PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "nrgkick")


def session_of(unit: NrgKickUnit, links: RealLinks | None = None):
    return DRIVER.open(unit.address, PROFILE, links or RealLinks())


async def test_it_says_who_and_how_it_is_and_is_not_steered():
    async with NrgKickUnit() as unit, session_of(unit) as session:
        identity = await session.ask(Identifies).identify()
        assert (identity.vendor, identity.model, identity.name) == ("DiniTech", "NRGkick Gen2 SIM", "NRGkick left")
        assert (identity.serial, identity.firmware) == (unit.serial, "4.0.0.33")
        assert {item.kind for item in identity.claims} == {ClaimKind.SERIAL, ClaimKind.MAC}
        assert not session.has(SetsBackend)
        before = dict(unit.control)
        assert (await session.ask(ReportsStatus).status()).state == "Available"
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Charging"
        values = {(item.measurand, item.phase): item.value for item in status.readings}
        assert values[Measurand.POWER, ""] == pytest.approx(10971)
        assert values[Measurand.CURRENT, "L2"] == 15.9
        assert values[Measurand.ENERGY, ""] == 14187
        assert unit.control == before


async def test_an_error_is_named():
    async with NrgKickUnit() as unit, session_of(unit) as session:
        unit.status, unit.error = "ERROR", "GENERAL_ERROR"
        status = await session.ask(ReportsStatus).status()
    assert (status.state, status.has_fault, status.detail) == ("Faulted", True, "GENERAL_ERROR")


async def test_a_wrong_login_ends_in_advice_for_this_charger():
    async with NrgKickUnit(login=("kick", "right")) as unit:
        for links in (RealLinks(), OneLogin("wrong")):
            with pytest.raises(AuthFailed) as caught:
                async with session_of(unit, links):
                    pass
            assert "NRGkick app" in caught.value.advice
        async with session_of(unit, OneLogin("right")) as session:
            assert (await session.ask(Identifies).identify()).serial == unit.serial


async def test_an_api_that_is_off_and_a_cut_answer():
    async with NrgKickUnit(is_api_on=False) as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(NotSupported) as off:
            async with session_of(unit):
                pass
        assert "JSON API on" in off.value.advice
    async with NrgKickUnit(faults={Fault.TRUNCATES}) as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(Garbled) as caught:
            async with session_of(unit):
                pass
        assert caught.value.advice


async def test_another_family_is_not_taken_for_one():
    async with NrgKickUnit(model="Some other kick") as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
