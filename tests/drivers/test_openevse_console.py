"""The console of OpenEVSE gateways: written blind, kept by its own word, and never taken for anything else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from app import drivers, resources
from app.discovery.probing import candidates
from app.driver.capability import Identifies, Meters, ReadsSettings, ReportsStatus, SetsBackend, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.driver.session import Session
from app.drivers import openevse_console, openevse_rapi
from app.errors import AppError, LinkError, LinkLost, NotSupported, ProtocolError, TimedOut, ValueRejected
from app.links.real import RealLinks
from app.model.address import SerialAddress
from app.model.backend import SecurityProfile
from app.model.setting import Change
from app.model.unit import Sighting, SourceKind
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse_console import OpenEvseConsoleGateway
from app.sim.rapi import RapiController
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import backend, repoint
from tests.drivers.warp_kit import PROFILES, WAIT_S

PROFILE, RAPI = PROFILES["openevse-console"], PROFILES["openevse-rapi"]
OLD = {"ocpp_server": "ws://127.0.0.1:9/old", "ocpp_chargeBoxId": "OLD-1", "ocpp_enabled": True}


@asynccontextmanager
async def on_bench(firmware: str = "v5.1.5", **options: Any) -> AsyncIterator[tuple[OpenEvseConsoleGateway, Session]]:
    async with (
        OpenEvseConsoleGateway(firmware, time_scale=TIME_UNIT_S, config=OLD, **options) as unit,
        openevse_console.DRIVER.open(unit.address, PROFILE, RealLinks()) as session,
    ):
        yield unit, session


async def write(session: Session, key: str, text: str) -> Any:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=None, after=text))


@pytest.mark.parametrize("firmware", ["4.1.7", "4.1.9", "v5.1.2", "v5.1.5", "head"])
async def test_every_generation_dials_the_new_backend_without_any_network(firmware: str):
    async with NewBackend({"CP-1": ""}) as new, on_bench(firmware) as (unit, session):
        await repoint(session, backend(url=new.url))
        await new.arrival("CP-1", timeout_s=WAIT_S)
        assert unit.gateway.config["ocpp_enabled"] is True
        assert {line.partition(":")[0] for line in unit.lines} == {"config"}, "factory settings are left alone"


async def test_it_promises_nothing_that_it_can_not_read():
    async with on_bench() as (unit, session):
        for missing in (ReportsStatus, Meters):
            with pytest.raises(NotSupported):
                session.ask(missing)
        identity = await session.ask(Identifies).identify()
        assert (identity.serial, identity.firmware, identity.claims) == ("", "", ())
        assert await session.ask(SetsBackend).read_backend() is None
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert not any(item.is_readable or item.value for item in snapshot.settings)
        assert all("no command to read" in snapshot.excluded[item.key] for item in snapshot.settings)
        assert all(item.caution for item in snapshot.settings), "by hand too, only with consent"
        assert set(unit.lines) == {"config:{}"}, "looking changed nothing"


async def test_what_was_kept_is_asked_by_the_same_line_again_and_never_called_read_back():
    async with on_bench() as (unit, session):
        result = await write(session, "ocpp_chargeBoxId", "CP-é")
        assert (result.read_back, result.note) == (None, "Sent again it changed nothing.")
        assert unit.gateway.config["ocpp_chargeBoxId"] == "CP-é"
        unit.on_line = lambda _line: unit.gateway.store.put("ocpp_server", "ws://127.0.0.1:9/somebody-else")
        with pytest.raises(ValueRejected, match="did not keep"):
            await write(session, "ocpp_server", "ws://127.0.0.1:9/new")


async def test_a_key_that_only_younger_firmware_knows_is_not_called_held():
    async with on_bench("4.1.7") as (_, session):
        result = await write(session, "ocpp_authkey", "")
        assert result.read_back is None
        assert "does not know it" in result.note


async def test_a_password_is_refused_because_nobody_knows_its_form_here():
    async with on_bench() as (unit, session):
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected, match=r"5\.1\.1") as caught:
            await session.ask(SetsBackend).plan_backend(backend("secret-12"), snapshot)
        assert "Wi-Fi" in caught.value.advice
        with pytest.raises(NotSupported):
            tls = backend(security_profile=SecurityProfile.TLS_CLIENT)
            await session.ask(SetsBackend).plan_backend(tls, snapshot)
        with pytest.raises(ValueRejected, match="too long"):
            await write(session, "ocpp_server", "ws://127.0.0.1:9/" + "x" * 250)
        with pytest.raises(NotSupported):
            await write(session, "max_current_hard", "16")
        assert set(unit.lines) == {"config:{}"}


async def test_what_a_debug_build_prints_between_is_passed_over():
    async with on_bench(chatter='[123] line = "config"\r\n{"code":"200"}\r\n[MO] {"a":1}\r\n') as (unit, session):
        await repoint(session, backend())
        assert unit.gateway.config["ocpp_chargeBoxId"] == "CP-1"


# What gets in the way


async def test_a_refusal_is_told_with_its_words():
    async with on_bench() as (unit, session):
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(ValueRejected, match="Could not parse JSON"):
            await write(session, "ocpp_server", "ws://127.0.0.1:9/new")
        assert unit.gateway.config["ocpp_server"] == OLD["ocpp_server"]


async def test_a_gateway_that_restarts_under_a_write_is_told_as_silent_and_takes_it_afterwards():
    async with on_bench() as (unit, session):
        unit.has_power = False
        with pytest.raises(TimedOut) as caught:
            await write(session, "ocpp_chargeBoxId", "CP-1")
        assert caught.value.advice
        unit.has_power = True
        unit.say("rst:0x1 (POWERON_RESET),boot:0x13\r\n")
        assert (await write(session, "ocpp_chargeBoxId", "CP-1")).is_accepted
        assert unit.gateway.config["ocpp_chargeBoxId"] == "CP-1"


async def test_a_cable_that_is_pulled_under_a_write_ends_the_session():
    async with on_bench() as (unit, session):
        unit.faults.add(Fault.DROPS_MID_WRITE)
        with pytest.raises(LinkError):
            await write(session, "ocpp_chargeBoxId", "CP-1")
        with pytest.raises((LinkLost, AppError)):
            await write(session, "ocpp_chargeBoxId", "CP-1")


async def test_the_console_and_the_controller_are_not_taken_for_each_other():
    async with RapiController() as controller:
        with pytest.raises((TimedOut, ProtocolError)):
            await openevse_console.DRIVER.probe(controller.address, PROFILE, RealLinks())
        assert controller.commands == [], "no byte of it was a command"
        assert await openevse_rapi.DRIVER.probe(controller.address, RAPI, RealLinks()) is not None
    async with OpenEvseConsoleGateway(config=OLD) as unit:
        with pytest.raises((TimedOut, ProtocolError)):
            await openevse_rapi.DRIVER.probe(unit.address, RAPI, RealLinks())
        assert unit.gateway.config["ocpp_server"] == OLD["ocpp_server"]
        assert await openevse_console.DRIVER.probe(unit.address, PROFILE, RealLinks()) is not None


def test_nothing_is_sent_to_a_port_that_nobody_has_chosen():
    registry = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))

    def asked(hints: dict[str, str], source: SourceKind = SourceKind.SERIAL) -> set[str]:
        seen = Sighting(source=source, address=SerialAddress(port="COM5"), at=datetime.now(UTC), hints=hints)
        return {driver.id for driver, _ in candidates(registry, seen)}

    assert "openevse-console" not in asked({"vid": "10C4", "pid": "EA60"})
    assert "openevse-console" in asked({"vid": "10C4", "pid": "EA60", "chosen": "yes"})
    assert "openevse-console" in asked({}, SourceKind.MANUAL)
