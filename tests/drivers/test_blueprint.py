"""The recipe of docs/adding-a-charger.md is true: the blueprint, a profile and a simulator pass the contract."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, SetsBackend, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.drivers import _blueprint
from app.errors import LinkLost, ValueRejected
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend
from app.model.profile import Profile
from tests.drivers import contract

DOCS = Path("docs/adding-a-charger.md")


class Unit:
    """The imaginary charger the blueprint drives."""

    def __init__(self) -> None:
        self.settings = {"backend_url": "ws://old.example/CP-1", "name": "Left"}

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/info":
            found: Any = {"maker": "Blueprint", "model": "B1", "serial": "BP-0042", "firmware": "1.0", "power_kw": 3.7}
            return web.json_response(found)
        if request.method == "PUT":
            self.settings |= json.loads(await request.text())
        return web.json_response(self.settings)


@asynccontextmanager
async def unit_on_the_bench() -> AsyncIterator[tuple[Unit, NetAddress]]:
    unit = Unit()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", unit.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield unit, NetAddress(host="127.0.0.1", port=runner.addresses[0][1])
    finally:
        await runner.cleanup()


@pytest.fixture
def profile() -> Profile:
    """Read the profile that the document shows."""
    shown = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    return load_profiles({"blueprint": shown.group(1)})[0]


def test_the_documents_profile_and_driver_belong_together(profile: Profile):
    registry = Registry([_blueprint.DRIVER], [profile])
    assert registry.driver_of(profile) is _blueprint.DRIVER


def test_the_blueprint_is_no_driver_of_the_program():
    from app import drivers

    assert "blueprint" not in {driver.id for driver in load_drivers(drivers)}


async def test_the_blueprint_keeps_the_contract(profile: Profile):
    async with unit_on_the_bench() as (_, address):
        links = RealLinks()
        assert await _blueprint.DRIVER.probe(address, profile, links) is not None
        async with _blueprint.DRIVER.open(address, profile, links) as session:
            assert session.offers == {Identifies, ReportsStatus, ReadsSettings, WritesSettings, SetsBackend}
            for capability in (Identifies, ReportsStatus, ReadsSettings, SetsBackend):
                await contract.READING[capability](session)
            await contract.writes(session, "name")
        with pytest.raises(LinkLost):
            await session.ask(Identifies).identify()


async def test_the_blueprint_repoints_and_knows_its_limit(profile: Profile):
    async with (
        unit_on_the_bench() as (unit, address),
        _blueprint.DRIVER.open(address, profile, RealLinks()) as session,
    ):
        snapshot = await session.ask(ReadsSettings).read_settings()
        wanted = Backend(url="ws://new.example/ocpp", identity="CP-1")
        for change in await session.ask(SetsBackend).plan_backend(wanted, snapshot):
            result = await session.ask(WritesSettings).write_setting(change)
            assert result.read_back == unit.settings["backend_url"] == "ws://new.example/ocpp/CP-1"
        with pytest.raises(ValueRejected, match="128"):
            long = Backend(url=f"ws://{'x' * 200}.example", identity="CP-1")
            await session.ask(SetsBackend).plan_backend(long, snapshot)
