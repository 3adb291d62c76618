"""The finder with the real drivers, links, profiles and endpoint, against the simulated OpenEVSE."""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Mapping

import pytest

import app.drivers
from app import resources
from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.discovery.serialports import SerialSource
from app.driver.registry import Registry, load_drivers, load_profiles
from app.feed import Feed
from app.links.real import RealLinks
from app.model.frame import Frame
from app.model.unit import Adoption, Health, SourceKind, Unit
from app.ocpp.server import OcppServer
from app.scope import Scope
from app.sim.openevse import OpenEvseGateway
from app.sim.rapi import RapiController
from tests.unit.discovery_garage import mdns, until

pytestmark = pytest.mark.xdist_group("mdns")
"""One after the other: a flood on loopback's one multicast group drowns what is said there once, in every process."""

LO = "127.0.0.1"
SERIAL = f"24{secrets.token_hex(5).upper()}"
MCU = f"OEVSE1{secrets.token_hex(4).upper()}"
"""Unlike any other simulated charger: test runs on one computer hear each other's announcements."""


def mine(units: Mapping[str, Unit]) -> list[Unit]:
    """List the units that are, or claim to be, the simulated one."""
    known = {SERIAL, MCU, f"STALL-{SERIAL}"}
    return [unit for unit in units.values() if known & {item.value for item in unit.identity.claims}]


def catalogue() -> Registry:
    return Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))


@pytest.mark.skipif(sys.platform == "win32", reason="the simulated serial line is a pseudo terminal")
async def test_an_openevse_on_lan_cable_and_endpoint_is_one_charger(unit_s: float) -> None:
    frames: Feed[Frame] = Feed()
    dead = {"ocpp_enabled": True, "ocpp_server": "ws://127.0.0.1:9/ocpp", "ocpp_chargeBoxId": f"STALL-{SERIAL}"}
    async with (
        Scope("test") as scope,
        OpenEvseGateway(
            name="stall-01", announce=(LO,), time_scale=0.05, config=dead | {"evse_serial": MCU}
        ) as gateway,
        RapiController(mcu_id=MCU) as controller,
    ):
        ours: set[str] = set()
        server = OcppServer(frames=frames, samples=Feed(), sighted=lambda sighting: finder.sighted(sighting))
        registry = catalogue()
        finder = Finder(
            registry=registry,
            links=RealLinks(ocpp=server.endpoint),
            scope=scope,
            ours=lambda: frozenset(ours),
            refresh_s=10 * unit_s,
        )
        async with server:
            listening = await server.start(LO, 0)
            sources = [
                MdnsSource(registry.mdns_types, [LO]),
                SerialSource(list, extra_ports=[controller.port], poll_s=unit_s),
            ]
            finder.start(sources)
            unit = await until(finder, lambda units: next((u for u in mine(units) if len(u.ways) == 2), None))
            unit = await until(
                finder, lambda units: units[unit.unit_id].adoption is Adoption.ORPHANED and units[unit.unit_id]
            )
            assert [one.unit_id for one in mine(finder.units)] == [unit.unit_id]
            assert unit.health is Health.ATTENTION
            assert unit.identity.profile_id == "openevse-wifi"
            assert unit.identity.firmware == "v5.1.5"
            ours.add(f"{LO}:{listening.port}")
            gateway.store.values["ocpp_server"] = listening.url
            gateway.changed({"ocpp_server"})
            unit = await until(
                finder, lambda units: len(units[unit.unit_id].ways) == 3 and units[unit.unit_id], limit_s=20
            )
            assert {way.source for way in unit.ways} == {SourceKind.MDNS, SourceKind.SERIAL, SourceKind.DIAL_IN}
            assert [one.unit_id for one in mine(finder.units)] == [unit.unit_id]
            assert unit.adoption is Adoption.OURS
            assert unit.identity.profile_id == "openevse-wifi"


@pytest.mark.parametrize("kinds", [("_http._tcp", "_openevse._tcp"), ("_openevse._tcp", "_http._tcp")])
async def test_it_is_known_by_all_it_announces_whatever_comes_last(kinds: tuple[str, str], unit_s: float) -> None:
    async with OpenEvseGateway(name="stall-02") as gateway, Scope("test") as scope:
        links = RealLinks()
        finder = Finder(registry=catalogue(), links=links, scope=scope, ours=frozenset, refresh_s=0.3 * unit_s)
        for kind in kinds:
            finder.sighted(mdns(gateway.address, kind=kind, name="stall-02"))
        unit = await until(finder, lambda units: next((u for u in units.values() if u.state), None))
        assert unit.identity.profile_id == "openevse-wifi"
        with finder.changes.subscribe() as changes:
            async with asyncio.timeout(10):
                for _ in range(4):
                    assert (await anext(aiter(changes))).unit.is_present


async def test_an_openevse_is_added_by_its_address() -> None:
    async with OpenEvseGateway(name="hand") as gateway, Scope("test") as scope:
        finder = Finder(registry=catalogue(), links=RealLinks(), scope=scope, ours=frozenset)
        unit = await finder.add(f"http://{gateway.address}/")
        assert (unit.identity.name, unit.adoption) == ("hand", Adoption.FREE)
        assert unit.state == "Available"
