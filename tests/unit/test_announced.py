"""Units known by their announcement alone: named, kept, never sent anything; other makers' services are left alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from app import drivers, resources
from app.discovery.finder import Finder
from app.driver.capability import Identifies, ReportsStatus
from app.driver.registry import Registry, load_drivers, load_profiles
from app.errors import NotSupported
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.unit import Sighting, SourceKind
from app.scope import Scope
from app.sim.nrgkick import NrgKickUnit

REGISTRY = Registry(load_drivers(drivers), load_profiles(resources.texts("profiles", ".toml")))


class Dumb(RealLinks):
    """Links that must not be used."""

    async def http(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing may be sent")

    tcp = udp = http


def sighting(kind: str, name: str, port: int = 4711, **txt: str) -> Sighting:
    hints = {"type": kind, "name": name, **{f"txt.{key}": value for key, value in txt.items()}}
    address = NetAddress(host="127.0.0.1", port=port)
    return Sighting(source=SourceKind.MDNS, address=address, at=datetime.now(UTC), hints=hints)


@asynccontextmanager
async def searching(links: RealLinks) -> Any:
    async with Scope("test") as scope:
        yield Finder(registry=REGISTRY, links=links, scope=scope, ours=frozenset, refresh_s=0.05)


async def settled(finder: Finder, *seen: Sighting) -> None:
    for item in seen:
        finder.sighted(item)
    async with asyncio.timeout(5):
        while finder._running or finder._queue:
            await asyncio.wait([*finder._running.values()])
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("seen", "profile", "model"),
    [
        (sighting("_technove-stations._tcp", "TechnoVE 12"), "technove", "TechnoVE station"),
        (sighting("_ship._tcp", "Elli-Wallbox-2125A1G53O", brand="Elli", model="Wallbox"), "elli", "Wallbox"),
        (sighting("_ship._tcp", "Livo", brand="EVBox", model="EVB-510"), "evbox-livo", "EVB-510"),
    ],
)
async def test_an_announcement_alone_names_the_unit_and_nothing_is_sent(seen: Sighting, profile: str, model: str):
    async with searching(Dumb()) as finder:
        await settled(finder, seen, seen)
        (unit,) = finder.units.values()
        assert (unit.identity.profile_id, unit.identity.model) == (profile, model)
        assert unit.is_present
        again = await finder.refresh(unit.unit_id)
        assert again.is_present
        assert not again.ways[0].trouble


@pytest.mark.parametrize(
    "seen",
    [
        sighting("_ship._tcp", "Heat pump", brand="Vaillant", model="VR921"),
        sighting("_ship._tcp", "warp2-XYZ", brand="WARP"),
        sighting("_ship._tcp", "no texts at all"),
        sighting("_ship._tcp", "\ufffd" * 200, brand="\ufffd" * 200),
    ],
)
async def test_services_of_other_makers_are_no_units(seen: Sighting):
    async with searching(Dumb()) as finder:
        await settled(finder, seen)
        assert not finder.units


async def test_a_goodbye_is_believed():
    from dataclasses import replace

    seen = sighting("_technove-stations._tcp", "TechnoVE 12")
    async with searching(Dumb()) as finder:
        await settled(finder, seen)
        finder.sighted(replace(seen, is_gone=True))
        assert not any(unit.is_present for unit in finder.units.values())


async def test_its_session_offers_nothing_but_its_name():
    driver = REGISTRY.drivers["announced"]
    address = NetAddress(host="127.0.0.1")
    async with driver.open(address, REGISTRY.profiles["elli"], Dumb()) as session:
        assert (await session.ask(Identifies).identify()).vendor == "Elli"
        with pytest.raises(NotSupported) as caught:
            session.ask(ReportsStatus)
        assert caught.value.advice


async def test_a_charger_behind_a_login_is_named_by_its_announcement():
    async with NrgKickUnit(login=("kick", "pw")) as unit, searching(RealLinks()) as finder:
        txt = dict(unit.services()["_nrgkick._tcp"])
        await settled(finder, sighting("_nrgkick._tcp", "NRGkick left", unit.port, **txt))
        (found,) = finder.units.values()
    assert (found.identity.serial, found.identity.model) == (unit.serial, "NRGkick Gen2 SIM")
    assert "login" in found.ways[0].trouble
