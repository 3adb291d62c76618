"""The finder with the real WARP and SmartEVSE drivers: services at odd ports, locked units, neighbours of other makes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import app.drivers
from app import resources
from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.profile import Profile
from app.model.unit import Adoption, Sighting, SourceKind
from app.scope import Scope
from app.sim.smartevse import SmartEvseUnit
from app.sim.warp import MANAGER_PORT, WarpWallbox
from tests.unit.discovery_garage import until

LO = "127.0.0.1"
MINE = {"warp", "warp1", "eltako"}


def catalogue(port: int) -> Registry:
    """All drivers; WARP wallboxes listen at this port, as a test can't at 80."""

    def moved(profile: Profile) -> Profile:
        return replace(profile, match=replace(profile.match, ports=(port,))) if profile.id in MINE else profile

    profiles = load_profiles(resources.texts("profiles", ".toml"))
    return Registry(load_drivers(app.drivers), [moved(profile) for profile in profiles])


@asynccontextmanager
async def finding(port: int) -> AsyncIterator[Finder]:
    async with Scope("test") as scope:
        yield Finder(registry=catalogue(port), links=RealLinks(), scope=scope, ours=frozenset)


def seen(kind: str, port: int, name: str = "Garage") -> Sighting:
    hints = {"type": kind, "name": name, "host": "warp3-25qR.local"}
    address = NetAddress(host=LO, port=port)
    return Sighting(source=SourceKind.MDNS, address=address, at=datetime.now(UTC), hints=hints)


async def test_a_wallbox_seen_by_its_charge_manager_and_its_web_page_is_one_unit_at_the_web_page() -> None:
    async with WarpWallbox(time_scale=0.05) as unit, finding(unit.port) as finder:
        finder.sighted(seen("_tf-warp-cm._udp", MANAGER_PORT))
        finder.sighted(seen("_http._tcp", unit.port))
        found = await until(
            finder, lambda units: next((u for u in units.values() if u.identity.profile_id and u.state), None)
        )
        assert list(finder.units) == [found.unit_id]
        assert [way.address for way in found.ways] == [unit.address]
        assert found.identity.profile_id == "warp"
        assert found.adoption is Adoption.FREE


async def test_a_wallbox_that_withdraws_one_of_two_services_is_still_there() -> None:
    manager, page = ("_tf-warp-cm._udp", MANAGER_PORT), "_http._tcp"
    async with WarpWallbox(time_scale=0.05) as unit, finding(unit.port) as finder:
        finder.sighted(seen(*manager))
        finder.sighted(seen(page, unit.port))
        found = await until(finder, lambda units: next((u for u in units.values() if u.state), None))
        finder.sighted(replace(seen(*manager), is_gone=True))
        assert finder.units[found.unit_id].is_present
        finder.sighted(replace(seen(page, unit.port), is_gone=True))
        assert not finder.units[found.unit_id].is_present


async def test_a_locked_wallbox_is_listed_with_the_advice_to_log_in() -> None:
    async with WarpWallbox(time_scale=0.05, login=("admin", "pw")) as unit, finding(unit.port) as finder:
        finder.sighted(seen("_http._tcp", unit.port, "A wallbox"))
        found = await until(finder, lambda units: next(iter(units.values()), None))
        assert found.title == "A wallbox"
        assert found.identity.vendor == "Tinkerforge"
        assert "login" in found.ways[0].trouble


async def test_neighbours_of_other_makes_are_not_taken_for_each_other() -> None:
    async with (
        WarpWallbox(time_scale=0.05, kind="wallbox") as eltako,
        SmartEvseUnit(time_scale=0.05) as smart,
        finding(eltako.port) as finder,
    ):
        finder.sighted(seen("_http._tcp", eltako.port))
        finder.sighted(seen("_http._tcp", smart.port, "SmartEVSE-45316"))
        await until(finder, lambda units: len([u for u in units.values() if u.state]) == 2)
        known = {unit.identity.profile_id: unit.identity.serial for unit in finder.units.values()}
        assert known == {"eltako": "wallbox-25qR", "smartevse": "45316"}


@pytest.mark.xdist_group("mdns")
async def test_announced_for_real_at_two_ports_it_is_found_at_the_right_one() -> None:
    uid = "".join(secrets.choice("abcdefghijkmnopqrstuvwxyz") for _ in range(6))
    unit = WarpWallbox(time_scale=0.05, uid=uid, announce=(LO,), label=f"warp3-{uid}", has_manager=True)
    async with unit, finding(unit.port) as finder:
        finder.start([MdnsSource(["_tf-warp-cm._udp"], [LO])])
        found = await until(
            finder, lambda units: next((u for u in units.values() if u.identity.serial == unit.name), None)
        )
        assert [way.address.port for way in found.ways if isinstance(way.address, NetAddress)] == [unit.port]
