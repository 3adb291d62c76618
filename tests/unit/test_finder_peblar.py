"""The finder with a Peblar, which says who it is behind its login only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import app.drivers
from app import resources
from app.discovery.finder import Finder
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.model.secret import Secret
from app.model.unit import Sighting, SourceKind
from app.scope import Scope
from app.sim.peblar import PASSWORD, PeblarCharger
from app.storage.vault import MemoryVault
from tests.unit.discovery_garage import until

REFRESH_S = 0.05
WHERE = "charger/127.0.0.1/password"


@asynccontextmanager
async def finding(unit: PeblarCharger, vault: MemoryVault) -> AsyncIterator[Finder]:
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    async with Scope("test") as scope:
        links = RealLinks(vault=vault)
        finder = Finder(registry=registry, links=links, scope=scope, ours=frozenset, refresh_s=REFRESH_S)
        hints = {"type": "_pblr._tcp", "name": "PBLR-0000001"}
        finder.sighted(Sighting(source=SourceKind.MDNS, address=unit.address, at=datetime.now(UTC), hints=hints))
        yield finder


async def test_it_is_named_once_its_password_is_known() -> None:
    vault = MemoryVault()
    async with PeblarCharger(time_scale=0.01) as unit, finding(unit, vault) as finder:
        found = await until(finder, lambda units: next((u for u in units.values() if u.ways[0].trouble), None))
        assert (found.identity.profile_id, found.identity.serial, unit.logins) == ("peblar", "", 0)
        vault.set(WHERE, Secret(PASSWORD))
        named = await until(finder, lambda units: next((u for u in units.values() if u.identity.serial), None))
        assert (named.unit_id, named.identity.serial) == (found.unit_id, unit.serial)


async def test_a_refused_password_is_shown_to_it_once_and_the_next_one_again() -> None:
    vault = MemoryVault()
    vault.set(WHERE, Secret("wrong"))
    async with PeblarCharger(time_scale=0.01) as unit, finding(unit, vault) as finder:
        await until(finder, lambda units: any(u.ways[0].trouble for u in units.values()))
        with finder.changes.subscribe() as changes:
            feed = aiter(changes)
            for _ in range(4):
                await anext(feed)
        assert unit.logins == 1
        vault.set(WHERE, Secret(PASSWORD))
        await until(finder, lambda units: any(u.identity.serial for u in units.values()))
