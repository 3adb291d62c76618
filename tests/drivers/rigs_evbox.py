"""EVBox chargers in a simulated air."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.ether import Ether
from app.sim.evbox import EvboxUnit
from app.sim.fault import Fault
from app.storage.vault import MemoryVault
from tests.conftest import TIME_UNIT_S

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

CODE = "code-246813"


def vault(unit: EvboxUnit, code: str = CODE) -> MemoryVault:
    held = MemoryVault()
    held.set(f"charger/{unit.address}/password", Secret(code))
    return held


def links(unit: EvboxUnit, *, code: str = CODE, recorder: Recorder | None = None) -> RealLinks:
    return RealLinks(recorder=recorder, vault=vault(unit, code), radio=unit.ether.radio)


@asynccontextmanager
async def evbox(**options: Any) -> AsyncIterator[EvboxUnit]:
    async with EvboxUnit(Ether(), time_scale=TIME_UNIT_S, code=CODE, **options) as unit:
        yield unit


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with evbox() as unit:
        secrets = (Secret(CODE), Secret("apn-secret-1"))
        yield Bench(unit.address, links(unit, recorder=recorder), secrets, unit.plug_in, unit)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with evbox() as unit:
        unit.instead = b"\x00\xff\x16 this is no message [[["
        yield Bench(unit.address, links(unit))


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with evbox(faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, links(unit))
