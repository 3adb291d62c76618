"""An NRGkick on the bench, with a login."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.links.link import Credentials
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import BleAddress, NetAddress
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.nrgkick import NrgKickUnit

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

PASSWORD = "nrg-secret-31"


class OneLogin(RealLinks):
    """Links that know a login, as the vault would give it."""

    def __init__(self, password: str = PASSWORD, recorder: Recorder | None = None) -> None:
        super().__init__(recorder=recorder)
        self._login = Credentials(user="kick", password=Secret(password))

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        return self._login


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with NrgKickUnit(login=("kick", PASSWORD)) as unit:
        yield Bench(unit.address, OneLogin(recorder=recorder), (Secret(PASSWORD),), unit.plug_in, unit)
