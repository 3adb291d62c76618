"""MicroOcpp chargers for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.microocpp import MicroOcppUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs

WRITABLE = "pingInterval"


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    """Put a charger on the bench, dialling a dead backend with a password."""
    async with MicroOcppUnit(url="ws://127.0.0.1:9/old", key=rigs.OLD_SECRET, time_scale=TIME_UNIT_S) as unit:
        secrets = (Secret(rigs.OLD_SECRET), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)
