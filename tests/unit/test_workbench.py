"""The program's parts together: what is remembered, and how it ends."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.discovery.opening import ways_to
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus
from app.links.link import LineLink
from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.unit import Claim, ClaimKind, Identity, Sighting, SourceKind, Unit, Way
from app.scope import Scope
from app.settings import Settings
from app.sim.rapi import RapiController
from app.workbench import Workbench


def bench_in(home: Path) -> Workbench:
    return Workbench(Settings(endpoint_on=False), home=home, with_discovery=False)


def see(bench: Workbench, number: int) -> str:
    """Let a charger be seen as if it had dialled in; return its id."""
    serial = f"SERIAL{number:04}"
    identity = Identity(serial=serial, claims=(Claim(ClaimKind.SERIAL, serial),))
    address = OcppAddress(identity=f"CP-{number}")
    at = datetime.now(UTC)
    bench.finder.sighted(Sighting(source=SourceKind.DIAL_IN, address=address, at=at, identity=identity))
    return f"serial-{serial.lower()}"


async def test_what_was_found_a_moment_before_the_end_is_there_at_the_next_start(tmp_path: Path):
    async with bench_in(tmp_path) as bench:
        ids = [see(bench, number) for number in range(300)]
        bench.finder.forget(ids[8])
    async with bench_in(tmp_path) as bench:
        assert set(bench.finder.units) == set(ids) - {ids[8]}


async def test_a_disk_that_takes_nothing_for_a_while_loses_no_unit(tmp_path: Path):
    async with bench_in(tmp_path) as bench:
        with bench.troubles.subscribe() as troubles:
            bench.store._connection.execute("PRAGMA query_only = ON")
            first = see(bench, 1)
            async with asyncio.timeout(5):
                trouble = await anext(troubles)
        assert "remember units" in trouble.name
        bench.store._connection.execute("PRAGMA query_only = OFF")
        second = see(bench, 2)
    async with bench_in(tmp_path) as bench:
        assert set(bench.finder.units) == {first, second}


async def test_configuration_is_read_where_it_can_be_written_too(tmp_path: Path):
    """A Modbus way seen last shows a few figures: that must not become the backup of a charger."""
    at = datetime.now(UTC)
    web = Way(driver_id="peblar", address=NetAddress(host="192.0.2.1"), source=SourceKind.LAN, seen_at=at)
    modbus = replace(web, driver_id="modbus-units", address=NetAddress(host="192.0.2.1", port=502, scheme="modbus"))
    ocpp = replace(web, driver_id="ocpp-local", address=OcppAddress(identity="CP-1"), source=SourceKind.DIAL_IN)
    late = replace(modbus, seen_at=at + timedelta(seconds=1))

    def first(capability: type | None, *ways: Way) -> str:
        return ways_to(Unit(unit_id="x", ways=ways), bench.registry, capability)[0].driver_id

    async with bench_in(tmp_path) as bench:
        assert first(ReadsSettings, web, late) == "peblar"
        assert first(ReadsSettings, ocpp, late) == "ocpp-local"
        assert first(ReadsSettings, late) == "modbus-units"
        assert first(ReportsStatus, ocpp, late) == "modbus-units"


async def test_two_programs_that_were_offered_the_same_free_port_both_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Workbench, "adapter_address", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        usual, offered = first.getsockname()[1], second.getsockname()[1]
        monkeypatch.setattr("app.links.ports.free_port", lambda host, port, **_: offered)
        settings = Settings(endpoint_on=False, endpoint_port=usual)
        async with Workbench(settings, home=tmp_path, with_discovery=False) as bench:
            state = await bench.listen_somewhere()
            assert state.is_listening
            assert state.port not in (0, usual, offered)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="the simulated cable is a pseudo terminal")
async def test_a_charger_on_a_cable_can_be_opened_while_it_is_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with RapiController(time_scale=0.1) as unit, bench_in(tmp_path) as bench:
        found = await bench.finder.add(unit.port)
        is_opened, serial = asyncio.Event(), bench.links.serial

        async def opened(address: SerialAddress, *, is_ready: bool = False) -> LineLink:
            link = await serial(address, is_ready=is_ready)
            is_opened.set()
            return link

        monkeypatch.setattr(bench.links, "serial", opened)
        async with Scope("test") as scope, asyncio.timeout(20):
            asked = scope.isolated("asked", bench.finder.refresh(found.unit_id))
            await is_opened.wait()
            async with bench.open(found.unit_id) as session:
                assert (await session.ask(Identifies).identify()).claims
            await asked
