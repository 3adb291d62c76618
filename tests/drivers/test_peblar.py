"""Peblar chargers: what is told with and without a login, and what is written only by consent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from app import resources
from app.driver.capability import (
    Identifies,
    Meters,
    ReadsOneSetting,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WritesSettings,
)
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import peblar
from app.errors import AuthFailed, Busy, Garbled, LinkError, NotSupported, Refused, Unexpected, ValueRejected
from app.links.real import RealLinks
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand
from app.model.secret import Secret
from app.model.setting import Change
from app.sim.fault import Fault
from app.sim.peblar import PASSWORD, PeblarCharger
from tests.conftest import TIME_UNIT_S
from tests.drivers.alfen_kit import OneLogin

PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "peblar")


@asynccontextmanager
async def charger(**options: Any) -> AsyncIterator[PeblarCharger]:
    async with PeblarCharger(time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: PeblarCharger, password: str = PASSWORD) -> Session:
    return peblar.DRIVER.open(unit.address, PROFILE, OneLogin(password))


def change(key: str, after: str) -> Change:
    return Change(key=key, before=None, after=after)


async def test_without_a_login_the_family_is_known_and_no_more() -> None:
    async with charger() as unit:
        found = await peblar.DRIVER.probe(unit.address, PROFILE, RealLinks())
        assert (found.vendor, found.serial, found.claims) == ("Peblar", "", ())
        again = await peblar.DRIVER.probe(unit.address, PROFILE, OneLogin(PASSWORD))
        assert (again, unit.logins) == (found, 0), "a probe shows nobody a password"


@pytest.mark.parametrize("status", [200, 401, 404])
async def test_what_guards_everything_or_nothing_is_no_peblar(status: int) -> None:
    async with charger() as unit:

        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.json_response({"ProductSn": "x"}, status=status)

        unit.answer = answer  # type: ignore[method-assign]
        await unit.power_cycle(0)
        assert await peblar.DRIVER.probe(unit.address, PROFILE, OneLogin(PASSWORD)) is None


@pytest.mark.parametrize("password", ["wrong", ""])
async def test_a_wrong_password_asks_for_the_right_one(password: str) -> None:
    async with charger() as unit:
        with pytest.raises(AuthFailed) as caught:
            async with session_of(unit, password):
                pass
        assert "own web page" in caught.value.advice


async def test_states_and_meter_come_over_the_local_rest_interface() -> None:
    async with charger() as unit, session_of(unit) as session:
        unit.point.outlet(1).status = "Charging"
        unit.point.outlet(1).is_charging = True
        found = await session.ask(ReportsStatus).status()
        assert (found.state, found.has_fault) == ("Charging", False)
        values = {(item.measurand, item.phase): item.value for item in found.readings}
        assert values[Measurand.CURRENT, "L1"] == 16.0
        assert values[Measurand.POWER, ""] == 3680
        with pytest.raises(Busy):
            await session.ask(Reboots).restart()
        assert (await session.ask(Identifies).identify()).serial == unit.serial


async def test_without_the_local_rest_interface_states_are_not_offered() -> None:
    async with charger() as unit:
        unit.config["LocalRestApiEnable"] = False
        async with session_of(unit) as session:
            assert not session.has(ReportsStatus)
            assert not session.has(Meters)
            assert session.has(SetsBackend)


async def test_the_ocpp_settings_say_that_nobody_has_proved_them() -> None:
    async with charger() as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        for key in ("SeccOcppUri", "SeccOcppActive"):
            held = snapshot.get(key)
            assert held is not None
            assert "Nobody has published" in held.caution
        limit, phases = snapshot.get("UserDefinedChargeLimitCurrent"), snapshot.get("ConnectedPhases")
        assert limit is not None
        assert phases is not None
        assert (limit.caution, limit.is_readonly, phases.is_readonly) == ("", False, True)


async def test_the_plan_says_what_is_written_and_what_is_unknown() -> None:
    async with charger() as unit, session_of(unit) as session:
        unit.config["SeccOcppActive"] = False
        snapshot = await session.ask(ReadsSettings).read_settings()
        wanted = Backend(url="ws://csms.example/ocpp", identity="CP-1")
        changes = await session.ask(SetsBackend).plan_backend(wanted, snapshot)
        assert [(item.key, item.after) for item in changes] == [
            ("SeccOcppActive", "true"),
            ("SeccOcppUri", "ws://csms.example/ocpp/CP-1"),
        ]
        assert "no field for the identity is known" in changes[-1].reason
        secured = Backend(
            url="ws://x", identity="CP-1", security_profile=SecurityProfile.BASIC, secret=Secret("secret-12")
        )
        with pytest.raises(ValueRejected):
            await session.ask(SetsBackend).plan_backend(secured, snapshot)


@pytest.mark.parametrize(
    ("key", "after", "error"),
    [
        ("PhaseRotation", "RTS", ValueRejected),
        ("ThereIsNoSuchKey", "1", NotSupported),
        ("UserKeepSocketLocked", "perhaps", ValueRejected),
        ("UserDefinedChargeLimitCurrent", "a lot", ValueRejected),
    ],
)
async def test_what_can_not_be_written_is_not_sent(key: str, after: str, error: type[Refused]) -> None:
    async with charger() as unit, session_of(unit) as session:
        with pytest.raises(error) as caught:
            await session.ask(WritesSettings).write_setting(change(key, after))
        assert caught.value.advice
        assert unit.patches == []


async def test_a_refusal_is_said_with_advice() -> None:
    async with charger(takes_ocpp=False) as unit, session_of(unit) as session:
        with pytest.raises(ValueRejected) as caught:
            await session.ask(WritesSettings).write_setting(change("SeccOcppUri", "ws://x/y"))
        assert "its own page" in caught.value.advice
        assert unit.config["SeccOcppUri"] == "ws://127.0.0.1:9/old/OLD-1"


async def test_another_charger_at_the_address_is_not_written_to() -> None:
    async with charger() as unit, session_of(unit) as session:
        unit.serial = "24-01-A1B-999"
        with pytest.raises(Unexpected) as caught:
            await session.ask(WritesSettings).write_setting(change("HmiBuzzerVolume", "1"))
        assert "24-01-A1B-999" in caught.value.message
        assert unit.patches == []


async def test_a_restart_ends_the_login() -> None:
    async with charger() as unit, session_of(unit) as session:
        await session.ask(Reboots).restart()
        await unit.restarted.wait()
        with pytest.raises((AuthFailed, LinkError)) as caught:
            await session.ask(ReadsOneSetting).read_setting("HmiBuzzerVolume")
        assert caught.value.advice


@pytest.mark.parametrize(
    "body", ['{"SeccOcppUri":', "[]", "\x00\xff", "{" + ",".join(f'"k{n}":1' for n in range(999)) + "}"]
)
async def test_a_damaged_configuration_is_named(body: str) -> None:
    async with charger() as unit, session_of(unit) as session:
        served = unit.answer

        async def answer(request: web.Request) -> web.StreamResponse:
            return web.Response(text=body) if request.path.endswith("config/user") else await served(request)

        unit.answer = answer  # type: ignore[method-assign]
        await unit._deafen()
        await unit._listen()
        with pytest.raises(Garbled) as caught:
            await session.ask(ReadsSettings).read_settings()
        assert caught.value.advice


async def test_a_line_that_breaks_in_a_write_says_so() -> None:
    async with charger(faults={Fault.DROPS_MID_WRITE}) as unit, session_of(unit) as session:
        with pytest.raises(LinkError) as caught:
            await session.ask(WritesSettings).write_setting(change("HmiBuzzerVolume", "2"))
        assert caught.value.advice
