"""A simulated gateway on the bench, and sessions with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app import resources
from app.driver.capability import (
    ReadsSettings,
    SetsBackend,
    WritesSettings,
)
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import openevse_wifi
from app.links.link import Credentials
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.sim.openevse import OpenEvseGateway
from tests.conftest import TIME_UNIT_S

WAIT_S = 5.0
PROFILE = next(p for p in load_profiles(resources.texts("profiles", ".toml")) if p.id == "openevse-wifi")


class OneLogin(RealLinks):
    """Links that know a login, as the vault would give it."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__()
        self._login = Credentials(user=user, password=Secret(password))

    def credentials(self, address: NetAddress) -> Credentials | None:
        return self._login


@asynccontextmanager
async def gateway(firmware: str = "v5.1.5", **options: Any) -> AsyncIterator[OpenEvseGateway]:
    async with OpenEvseGateway(firmware, time_scale=TIME_UNIT_S, **options) as unit:
        yield unit


def session_of(unit: OpenEvseGateway, links: RealLinks | None = None) -> Session:
    return openevse_wifi.open_session(unit.address, PROFILE, links or RealLinks())


def backend(secret: str = "", **changes: Any) -> Backend:
    profile = SecurityProfile.BASIC if secret else SecurityProfile.NONE
    fields = {"url": "ws://127.0.0.1:9/ocpp", "identity": "CP-1", "secret": Secret(secret), "security_profile": profile}
    return Backend(**(fields | changes))


async def repoint(session: Session, wanted: Backend) -> None:
    snapshot = await session.ask(ReadsSettings).read_settings()
    for change in await session.ask(SetsBackend).plan_backend(wanted, snapshot):
        await session.ask(WritesSettings).write_setting(change)
