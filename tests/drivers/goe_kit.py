"""Simulated go-e chargers and Wattpilots on the bench, and sessions with them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

import app.drivers
from app import resources
from app.driver.capability import ReadsSettings, SetsBackend, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.driver.session import Session
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.setting import Change, Snapshot
from app.model.unit import Identity
from app.sim.goe import GoEUnit
from app.sim.wattpilot import WattpilotUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers.rigs_goe import Knowing

WAIT_S = 5.0
REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
GO_E, WATTPILOT = REGISTRY.profiles["go-e"], REGISTRY.profiles["wattpilot"]


@asynccontextmanager
async def goe(firmware: str = "59.4", **options: Any) -> AsyncIterator[GoEUnit]:
    async with GoEUnit(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


@asynccontextmanager
async def wattpilot(firmware: str = "36.3", **options: Any) -> AsyncIterator[WattpilotUnit]:
    async with WattpilotUnit(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: GoEUnit, links: RealLinks | None = None) -> Session:
    profile = WATTPILOT if isinstance(unit, WattpilotUnit) else GO_E
    return REGISTRY.driver_of(profile).open(unit.address, profile, links or Knowing())


async def probe(address: NetAddress, profile_id: str = "go-e") -> Identity | None:
    profile = REGISTRY.profiles[profile_id]
    found = await REGISTRY.driver_of(profile).probe(address, profile, RealLinks())
    assert found is None or isinstance(found, Identity)
    return found


def backend(url: str = "ws://127.0.0.1:9/ocpp", secret: str = "", **changes: Any) -> Backend:
    profile = SecurityProfile.BASIC if secret else SecurityProfile.NONE
    fields: dict[str, Any] = {"url": url, "identity": "CP-1", "secret": Secret(secret), "security_profile": profile}
    return Backend(**(fields | changes))


async def plan(session: Session, wanted: Backend) -> tuple[list[Change], Snapshot]:
    snapshot = await session.ask(ReadsSettings).read_settings()
    return list(await session.ask(SetsBackend).plan_backend(wanted, snapshot)), snapshot


async def repoint(session: Session, wanted: Backend) -> list[str]:
    changes, _ = await plan(session, wanted)
    for change in changes:
        result = await session.ask(WritesSettings).write_setting(change)
        assert result.read_back == change.after
    return [change.key for change in changes]


async def write(session: Session, key: str, value: str, before: str | None = None) -> Any:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=before, after=value))


@asynccontextmanager
async def served(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[NetAddress]:
    """Serve HTTP of somebody else."""
    app_ = web.Application()
    app_.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app_, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield NetAddress(host="127.0.0.1", port=runner.addresses[0][1])
    finally:
        await runner.cleanup()
