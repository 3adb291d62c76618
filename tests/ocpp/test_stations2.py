"""The generic OCPP driver over simulated charging stations of 2.0.1 and 2.1, like over any other unit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from app.driver.capability import SetsBackend
from app.drivers.ocpp_local import DRIVER, OcppLocal, families
from app.errors import NotSupported, ValueRejected
from app.links.real import RealLinks
from app.model.address import OcppAddress
from app.model.finding import Severity
from app.model.setting import Change
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import MeterSampled, TransactionStopped
from app.scope import Scope
from app.sim.station2 import Station2
from tests.ocpp.endpoint_kit import Site, site

NAME = "STALL-8"
SCALE = 0.01
VERSIONS = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
PASSWORD = "station-secret-22"


@asynccontextmanager
async def standing(version: str) -> AsyncIterator[tuple[Site, Station2, Endpoint, OcppLocal]]:
    """A station that dials our endpoint, booted, with a session over it."""
    async with site() as here, Station2(here.url, NAME, version, password=PASSWORD, time_scale=SCALE) as station:
        endpoint = await here.server.arrival(NAME, timeout_s=5)
        await settled(here, endpoint)
        profile = next(profile for profile in families() if profile.id == "ocpp-generic")
        links = RealLinks(ocpp=here.server.endpoint)
        async with cast(OcppLocal, DRIVER.open(OcppAddress(identity=NAME), profile, links)) as session:
            yield here, station, endpoint, session


async def settled(here: Site, endpoint: Endpoint) -> None:
    async with asyncio.timeout(5):
        while endpoint.boot is None or 1 not in endpoint.statuses:
            await anext(here.frames)


@VERSIONS
async def test_a_station_tells_who_and_how_it_is(version: str):
    async with standing(version) as (here, _, _, session):
        identity = await session.identify()
        assert (identity.vendor, identity.model) == ("Simulated", "Station DC 2")
        assert (await session.status()).state == "Available"
        assert not [item for item in here.findings.take() if item.severity is Severity.FAULT]


@VERSIONS
async def test_its_device_model_is_a_configuration_like_any_other(version: str):
    async with standing(version) as (here, _, endpoint, session):
        snapshot = await session.read_settings()
        interval = snapshot.get("OCPPCommCtrlr.HeartbeatInterval")
        assert interval is not None
        assert interval.value == "300"
        assert "SecurityCtrlr.BasicAuthPassword" in snapshot.excluded
        some = tuple(setting.key for setting in snapshot.settings if setting.is_readable)[:30]
        again = await endpoint.get_settings(some)
        assert {item.key: item.value for item in again} == {
            item.key: item.value for item in snapshot.settings if item.key in some
        }
        assert PASSWORD not in " ".join(frame.text for frame in here.frames.take())


@VERSIONS
async def test_a_variable_is_written_and_read_back(version: str):
    async with standing(version) as (_, _, _, session):
        done = await session.write_setting(Change(key="OCPPCommCtrlr.HeartbeatInterval", before="300", after="120"))
        assert done.read_back == "120"
        with pytest.raises(NotSupported):
            await session.write_setting(Change(key="OCPPCommCtrlr.Invented", before=None, after="1"))
        with pytest.raises(ValueRejected):
            await session.write_setting(Change(key="OCPPCommCtrlr.HeartbeatInterval", before="120", after="often"))


@VERSIONS
async def test_it_charges_on_our_endpoint(version: str):
    async with standing(version) as (_, station, endpoint, session):
        station.plug_in(1)
        await session.start_charging(1, "TAG")
        await endpoint.wait_for(MeterSampled, timeout_s=5)
        assert (await session.status()).readings
        async with Scope("test") as scope:
            ending = scope.required("stop", endpoint.wait_for(TransactionStopped, timeout_s=5))
            await asyncio.sleep(0)
            await session.stop_charging(1)
            stopped = await ending
        assert stopped.transaction.energy_wh is not None
        assert stopped.transaction.missing == 0


@VERSIONS
async def test_it_restarts_and_comes_back(version: str):
    async with standing(version) as (here, _, endpoint, session):
        await session.restart()
        back = await here.server.arrival(NAME, timeout_s=5, after=endpoint.opened_at)
        await settled(here, back)
        assert back.version == version


@VERSIONS
async def test_it_tells_where_its_slot_in_use_leads(version: str) -> None:
    async with standing(version) as (site, _, _, session):
        assert session.has(SetsBackend)
        backend = await session.read_backend()
        assert backend is not None
        assert backend.host in site.url
