"""Simulated go-e chargers and Wattpilots for the contract test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from app.links.link import Credentials
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import BleAddress, NetAddress
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.goe import GoEUnit
from app.sim.wattpilot import WattpilotUnit
from tests.conftest import TIME_UNIT_S

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

PASSWORD = "wattpilot-word"
HIDDEN = (Secret("mqtt-word-99"), Secret("a-private-key-of-its-own"), Secret("Cjk4BWbH8EcTFtY6dsWvTYz6CjBxifeO"))


class Knowing(RealLinks):
    """Links that know a password, as the vault would give it."""

    def __init__(self, password: str = PASSWORD, **options: Any) -> None:
        super().__init__(**options)
        self._password = Secret(password)

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        return Credentials(password=self._password)


@asynccontextmanager
async def goe(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import NEW_BACKEND, Bench

    async with GoEUnit(time_scale=TIME_UNIT_S, keys={"ocppck": "a-private-key-of-its-own"}) as unit:
        secrets = (*HIDDEN, NEW_BACKEND.secret)
        yield Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)


@asynccontextmanager
async def wattpilot(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import NEW_BACKEND, Bench

    async with WattpilotUnit(time_scale=TIME_UNIT_S, password=PASSWORD) as unit:
        secrets = (Secret(PASSWORD), *HIDDEN, NEW_BACKEND.secret)
        yield Bench(unit.address, Knowing(recorder=recorder), secrets, unit.plug_in, unit)
