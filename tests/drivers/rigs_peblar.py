"""Peblar chargers on the bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.peblar import PASSWORD, PeblarCharger
from tests.conftest import TIME_UNIT_S
from tests.drivers import rigs
from tests.drivers.alfen_kit import OneLogin


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[rigs.Bench]:
    async with PeblarCharger(time_scale=TIME_UNIT_S) as unit:
        secrets = (Secret(PASSWORD), Secret(unit.token), rigs.NEW_BACKEND.secret)
        yield rigs.Bench(unit.address, OneLogin(PASSWORD, recorder=recorder), secrets, unit.plug_in, unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[rigs.Bench]:
    async with rigs.peer(b"\x00\xff\x16 this is not HTTP\r\n\r\n" * 4) as address:
        yield rigs.Bench(address, OneLogin(PASSWORD))


@asynccontextmanager
async def silent() -> AsyncIterator[rigs.Bench]:
    async with rigs.peer(b"") as address:
        yield rigs.Bench(address, OneLogin(PASSWORD))
