"""Modbus units on the bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.sim.fault import Fault
from app.sim.modbus_makes import modbus_unit

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    del profile
    async with modbus_unit("bender") as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), sim=unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with modbus_unit("bender") as unit:
        unit.instead = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with modbus_unit("bender", faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, RealLinks())
