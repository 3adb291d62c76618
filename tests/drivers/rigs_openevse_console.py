"""OpenEVSE gateways with a console on a serial line, for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.sim.fault import Fault
from app.sim.openevse_console import OpenEvseConsoleGateway
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    """Put a gateway on the bench that dials a dead backend."""
    old = {"ocpp_server": "ws://127.0.0.1:9/old", "ocpp_chargeBoxId": "OLD-1", "ocpp_enabled": True}
    async with OpenEvseConsoleGateway(time_scale=TIME_UNIT_S, config=old) as unit:
        yield rigs.Bench(unit.address, RealLinks(recorder=recorder), (rigs.NEW_BACKEND.secret,), sim=unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[rigs.Bench]:
    async with OpenEvseConsoleGateway() as unit:
        unit.chatter = '\xfe\x00{"code":\r\n{"code":200}\n[[[[\n'
        unit.answers = False
        yield rigs.Bench(unit.address, RealLinks())


@asynccontextmanager
async def silent() -> AsyncIterator[rigs.Bench]:
    async with OpenEvseConsoleGateway(faults={Fault.SILENT}) as unit:
        yield rigs.Bench(unit.address, RealLinks())
