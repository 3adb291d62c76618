"""A simulated Alfen station on the bench, links that know its owner's password, and sessions with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app import resources
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import alfen
from app.links.link import Credentials
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import NetAddress
from app.model.secret import Secret
from app.sim.alfen import OWNER, AlfenStation
from tests.conftest import TIME_UNIT_S

WAIT_S = 5.0
PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "alfen")


class OneLogin(RealLinks):
    """Links that know a login, as the vault would give it."""

    def __init__(self, password: str = OWNER, user: str = "", recorder: Recorder | None = None) -> None:
        super().__init__(recorder=recorder)
        self._login = Credentials(user=user, password=Secret(password))

    def credentials(self, address: Any) -> Credentials | None:
        return self._login


@asynccontextmanager
async def station(firmware: str = "6.6.0-4252", **options: Any) -> AsyncIterator[AlfenStation]:
    async with AlfenStation(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: AlfenStation, links: RealLinks | None = None) -> Session:
    address: NetAddress = unit.address
    return alfen.DRIVER.open(address, PROFILE, links or OneLogin())
