"""A password kept for one charger is shown to no other family, at no other door of its host, and in no search."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

import app.drivers
from app import resources
from app.discovery.choosing import fitting
from app.discovery.finder import Finder
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.secret import Secret
from app.model.unit import Identity, Sighting, SourceKind, Unit, Way
from app.scope import Scope
from app.storage.vault import MemoryVault
from tests.drivers.goe_kit import served

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
PASSWORD = "the-owners-word-77"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def seen(address: NetAddress, source: SourceKind = SourceKind.MANUAL) -> Sighting:
    return Sighting(source=source, address=address, at=NOW)


def known(driver: str, address: NetAddress, profile: str) -> Unit:
    way = Way(driver_id=driver, address=address, source=SourceKind.MDNS, seen_at=NOW, is_present=False)
    return Unit(unit_id="u1", identity=Identity(profile_id=profile), ways=(way,))


def may_log_in(sighting: Sighting, *units: Unit) -> set[str]:
    there = next((unit for unit in units for way in unit.ways if way.address == sighting.address), None)
    return {item.driver.id for item in fitting(REGISTRY, [sighting], there, units) if item.may_log_in}


def test_the_login_of_a_known_charger_is_its_drivers_alone_at_every_port_of_its_host() -> None:
    station = known("alfen", NetAddress(host="192.0.2.7", port=443, scheme="https"), "alfen")
    assert may_log_in(seen(station.ways[0].address), station) == {"alfen"}  # type: ignore[arg-type]
    assert may_log_in(seen(NetAddress(host="192.0.2.7")), station) == {"alfen"}
    assert {"openevse-wifi", "warp"} <= may_log_in(seen(NetAddress(host="192.0.2.8")), station)


def test_a_search_shows_a_login_to_nobody_who_is_not_known() -> None:
    there = NetAddress(host="192.0.2.7")
    assert may_log_in(seen(there, SourceKind.LAN)) == set()
    assert may_log_in(seen(there, SourceKind.LAN), known("warp", there, "warp")) == {"warp"}


@asynccontextmanager
async def finding(vault: MemoryVault, *units: Unit) -> AsyncIterator[Finder]:
    async with Scope("test") as scope:
        yield Finder(registry=REGISTRY, links=RealLinks(vault=vault), scope=scope, ours=frozenset, known=units)


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
async def test_whoever_took_the_address_of_a_known_station_never_hears_its_password(scheme: str) -> None:
    heard: list[str] = []

    async def listen(request: web.Request) -> web.StreamResponse:
        heard.append(f"{request.method} {request.path} {request.headers.get('Authorization', '')}")
        heard.append((await request.read()).decode("latin-1"))
        challenge = f'{scheme} realm="Router", nonce="1", qop="auth"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    vault = MemoryVault()
    vault.set("charger/127.0.0.1/password", Secret(PASSWORD))
    async with served(listen) as address, finding(vault, known("alfen", address, "alfen-http")) as finder:
        await finder.refresh("u1")
        assert any(line.startswith("GET ") for line in heard)
        secrets = {PASSWORD, base64.b64encode(f":{PASSWORD}".encode()).decode()}
        assert not any(secret in line or scheme in line for line in heard for secret in secrets), heard
        assert not finder.units["u1"].is_present
