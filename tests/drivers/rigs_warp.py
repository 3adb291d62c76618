"""WARP wallboxes for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.warp import WarpWallbox
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs

KINDS = {"warp": "warp3", "warp1": "warp", "eltako": "wallbox"}
WRITABLE = "info/display_name/display_name"


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    """Put the wallbox of a profile on the bench, dialling a dead backend with a password."""
    kind = KINDS[profile.id]
    old = {"url": "ws://127.0.0.1:9/old", "enable": True, "enable_auth": True, "pass": rigs.OLD_SECRET}
    async with WarpWallbox(kind=kind, time_scale=TIME_UNIT_S, ocpp=old) as unit:
        secrets = (Secret(rigs.OLD_SECRET), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)
