"""The finder with Alfen stations: asked who they are again and again, logged in to only when it matters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import app.drivers
from app import resources
from app.discovery.finder import Finder
from app.driver.registry import Registry, load_drivers, load_profiles
from app.model.address import NetAddress
from app.model.unit import Sighting, SourceKind, UnitChange
from app.scope import Scope
from app.sim.alfen import AlfenStation
from tests.drivers.alfen_kit import OneLogin
from tests.unit.discovery_garage import until

REFRESH_S = 0.05


@asynccontextmanager
async def finding(password: str = "") -> AsyncIterator[Finder]:
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    links = OneLogin(password) if password else OneLogin()
    async with Scope("test") as scope:
        yield Finder(registry=registry, links=links, scope=scope, ours=frozenset, refresh_s=REFRESH_S)


def seen(address: NetAddress) -> Sighting:
    hints = {"type": "_alfen._tcp", "name": "NG910"}
    return Sighting(source=SourceKind.MDNS, address=address, at=datetime.now(UTC), hints=hints)


async def asked(finder: Finder, times: int) -> None:
    """Wait until the stations have been asked so often who they are."""
    with finder.changes.subscribe() as changes:
        feed = aiter(changes)
        for _ in range(times):
            change: UnitChange = await anext(feed)
            assert change.unit.is_present


async def test_a_station_is_logged_in_to_once_and_again_when_a_person_asks() -> None:
    async with AlfenStation(time_scale=0.01) as unit, finding() as finder:
        finder.sighted(seen(unit.address))
        found = await until(finder, lambda units: next((u for u in units.values() if u.state), None))
        await asked(finder, 4)
        assert (unit.logins, unit.logouts) == (1, 1), "asking who it is again needs no login"
        assert finder.units[found.unit_id].state
        await finder.refresh(found.unit_id)
        assert (unit.logins, unit.logouts) == (2, 2)
        await finder.add(unit.address.url)
        assert (unit.logins, unit.logouts) == (3, 3)


async def hangs_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_station_that_serves_another_program_stays_in_the_list_and_says_so() -> None:
    async with finding() as finder:
        async with AsyncExitStack() as stack:
            unit = await stack.enter_async_context(AlfenStation(time_scale=0.01))
            finder.sighted(seen(unit.address))
            found = await until(finder, lambda units: next((u for u in units.values() if u.state), None))
            async with finder.hold(found.unit_id):
                await stack.aclose()
                server = await asyncio.start_server(hangs_up, unit.address.host, unit.address.port, reuse_address=True)
            async with server:
                for _ in range(3):
                    (way,) = (await finder.refresh(found.unit_id)).ways
        assert way.is_present
        assert "Close the maker's app" in way.trouble


async def test_a_wrong_password_is_not_tried_every_half_minute_and_stays_told() -> None:
    async with AlfenStation(time_scale=0.01) as unit, finding("not the password") as finder:
        finder.sighted(seen(unit.address))
        await until(finder, lambda units: any(way.trouble for u in units.values() for way in u.ways))
        tried = unit.refused
        await asked(finder, 4)
        assert unit.refused == tried == 1
        (found,) = finder.units.values()
        assert "refuses the login" in found.ways[0].trouble
