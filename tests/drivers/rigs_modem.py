"""Cellular modems on the bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.sim.fault import Fault
from app.sim.modem import SimModem

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    del profile
    async with SimModem() as modem:
        yield Bench(modem.address, RealLinks(recorder=recorder), sim=modem)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with SimModem() as modem:
        modem.instead = b"\xfe\x00$OK 8.2.3 5.2.1^00\r\xff\xff$$$"
        yield Bench(modem.address, RealLinks())


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with SimModem(faults={Fault.SILENT}) as modem:
        yield Bench(modem.address, RealLinks())
