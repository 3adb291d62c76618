"""EVerest on the bench, on a broker of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.everest import EverestUnit
from tests.conftest import TIME_UNIT_S

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench


@asynccontextmanager
async def everest(**options: Any) -> AsyncIterator[EverestUnit]:
    async with EverestUnit(time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import NEW_BACKEND, Bench

    async with everest() as unit:
        secrets = (Secret("old-password-4711"), NEW_BACKEND.secret)
        yield Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.station.plug_in, unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with everest() as unit:
        unit.instead = "no JSON {{{"
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    """A door that is open and says nothing."""
    from tests.drivers.rigs import Bench, peer

    async with peer(b"") as address:
        yield Bench(replace(address, scheme="mqtt"), RealLinks())
