"""SmartEVSEs for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.smartevse import SmartEvseUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs

WRITABLE = "current_min"


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    """Put a SmartEVSE on the bench, dialling a dead backend with a password."""
    old = {"mode": True, "backend_url": "ws://127.0.0.1:9/old", "cb_id": "OLD-1", "auth_key": rigs.OLD_SECRET}
    async with SmartEvseUnit(time_scale=TIME_UNIT_S, ocpp=old) as unit:
        secrets = (Secret(rigs.OLD_SECRET), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)
