"""Alfen stations on the bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.alfen import OWNER, AlfenStation
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs
from tests.drivers.alfen_kit import OneLogin

OLD_KEY = "old-key-4711"


@asynccontextmanager
async def alfen(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    firmware = "4.9.0-4156" if profile.match.scheme == "http" else "7.4.5-4401"
    async with AlfenStation(firmware, sockets=2, time_scale=TIME_UNIT_S) as unit:
        unit.hidden[0] = OLD_KEY.encode()
        unit.log.append(f"21_note: {OWNER}")
        secrets = (Secret(OWNER), Secret(OLD_KEY), Secret("apn-secret-77"), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, OneLogin(recorder=recorder), secrets, unit.plug_in, unit)
