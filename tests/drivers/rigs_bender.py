"""Bender controllers on the bench."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.bender import BenderUnit

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    del profile
    async with BenderUnit() as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), (Secret("s3cret-pass"),), sim=unit)
