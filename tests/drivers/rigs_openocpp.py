"""OpenOCPP chargers for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.openocpp import OpenOcppUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs

WRITABLE = "HeartbeatInterval"


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    """Put a charger on the bench, dialling a dead backend with a password."""
    old = {"url": "ws://127.0.0.1:9/old", "identity": "OLD-1", "password": rigs.OLD_SECRET + "-long"}
    async with OpenOcppUnit(time_scale=TIME_UNIT_S, **old) as unit:
        secrets = (Secret(rigs.OLD_SECRET), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)
