"""KEBA chargers on the bench: each on an address and a port of its own, as on a real network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.sim.fault import Fault
from app.sim.keba import KebaUnit
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

GARBAGE = b"\x00\xff\x16 this is no report {{{"
MAKES = {"keba-x": "p30-x", "keba-c": "p30-c"}


@asynccontextmanager
async def keba(make: str = "p30-c", **options: Any) -> AsyncIterator[KebaUnit]:
    async with KebaUnit(make, port=options.pop("port", 0) or free_port(), **options) as unit:
        yield unit


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with keba(MAKES[profile.id]) as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), (), unit.plug_in, unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with keba() as unit:
        unit.instead = GARBAGE
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with keba(faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, RealLinks())
