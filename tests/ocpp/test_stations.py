"""The generic OCPP driver over simulated stations with good and bad habits, from our endpoint to the new backend."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from app.diagnosis.applied import not_applied
from app.driver.capability import ReadsSettings, SetsBackend
from app.drivers.ocpp_local import DRIVER, OcppLocal, families, probe
from app.errors import LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.links.real import RealLinks
from app.model.address import OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.setting import Change
from app.model.unit import ClaimKind
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import MeterSampled, TransactionStopped
from app.sim.backend import NewBackend
from app.sim.station import OLD_BACKEND, URL_KEY, Behaviour, OcppStation
from tests.ocpp.endpoint_kit import Site, site

NAME = "STALL-7"
PASSWORD = "rehome-demo-2026"
SCALE = 0.01


@asynccontextmanager
async def standing(behaviour: Behaviour = Behaviour.HEALTHY) -> AsyncIterator[tuple[Site, OcppStation, Endpoint]]:
    """A station that was led to our endpoint, booted and ready."""
    async with site() as here, OcppStation(NAME, behaviour=behaviour, time_scale=SCALE) as station:
        station.dial(here.url)
        yield here, station, await booted(here)


async def booted(here: Site) -> Endpoint:
    endpoint = await here.server.arrival(NAME, timeout_s=5)
    async with asyncio.timeout(5):
        while endpoint.boot is None or 1 not in endpoint.statuses:
            await anext(here.frames)
    return endpoint


def session_on(here: Site) -> OcppLocal:
    profile = next(profile for profile in families() if profile.id == "ocpp-generic")
    return cast(OcppLocal, DRIVER.open(OcppAddress(identity=NAME), profile, RealLinks(ocpp=here.server.endpoint)))


async def repoint(session: OcppLocal, backend: Backend) -> list[tuple[Change, str | None]]:
    """Do what a job does: read, plan, write each change, and return what was read back."""
    snapshot = await session.read_settings()
    done = []
    for change in await session.ask(SetsBackend).plan_backend(backend, snapshot):
        done.append((change, (await session.write_setting(change)).read_back))
    return done


async def test_a_healthy_station_is_moved_to_the_new_backend_and_charges_there():
    async with NewBackend({NAME: PASSWORD}) as target, standing() as (here, station, _):
        wanted = Backend(url=target.url, identity=NAME, security_profile=SecurityProfile.BASIC, secret=Secret(PASSWORD))
        async with session_on(here) as session:
            assert session.has(SetsBackend)
            present = await session.read_backend()
            assert present is not None
            assert (present.url, present.identity) == (OLD_BACKEND, NAME)
            done = await repoint(session, wanted)
            assert [change.key for change, _ in done] == ["AuthorizationKey", URL_KEY]
            assert done[0][0].is_secret
            assert done[0][1] is None, "a password can't be read back"
            assert done[1][1] == target.url
            again = await session.read_backend()
            assert again is not None
            assert again.same_target(wanted)
            await session.restart()
        seen = await target.arrival(NAME, timeout_s=5)
        assert seen.boot["chargePointModel"] == "Station AC 22"
        station.plug_in()
        assert await target.start(NAME) == "Accepted"
        seen = await target.charged(NAME, timeout_s=5)
        assert seen.samples_wh == sorted(seen.samples_wh)
        assert await target.stop(NAME) == "Accepted"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(target.api.split(":")[2].split("/")[0]))
        writer.write(b"GET /api/stations HTTP/1.1\r\nHost: x\r\n\r\n")
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        await writer.wait_closed()
        assert json.loads(body)[0]["identity"] == NAME


async def test_a_station_is_identified_and_charges_on_our_endpoint():
    async with standing() as (here, station, endpoint), session_on(here) as session:
        identity = await session.identify()
        assert (identity.vendor, identity.profile_id) == ("Simulated", "ocpp-microocpp")
        assert {claim.kind for claim in identity.claims} == {ClaimKind.IDENTITY, ClaimKind.SERIAL}
        found = await probe(OcppAddress(identity=NAME), families()[0], RealLinks(ocpp=here.server.endpoint))
        assert found is not None
        assert (await session.status()).state == "Available"
        station.plug_in()
        await session.start_charging(1, "TAG")
        first = await endpoint.wait_for(MeterSampled, timeout_s=5)
        second = await endpoint.wait_for(MeterSampled, timeout_s=5)
        assert second.readings[0].value >= first.readings[0].value
        assert (await session.status()).readings
        await session.stop_charging(1)
        stopped = next((item for item in endpoint.transactions.values() if not item.is_running), None)
        stopped = stopped or (await endpoint.wait_for(TransactionStopped, timeout_s=5)).transaction
        assert stopped.energy_wh is not None


async def test_a_station_that_reverts_shows_the_old_address_after_its_restart():
    async with NewBackend({NAME: ""}) as target, standing(Behaviour.REVERTS) as (here, _, endpoint):
        async with session_on(here) as session:
            done = await repoint(session, Backend(url=target.url, identity=NAME))
            assert done[-1][1] == target.url
            await session.restart()
        again = await here.server.arrival(NAME, timeout_s=5, after=endpoint.opened_at)
        assert again is not endpoint
        await booted(here)
        async with session_on(here) as session:
            setting = await session.read_setting(URL_KEY)
            assert setting is not None
            finding = not_applied(URL_KEY, target.url, setting.value, when="after the restart")
            assert finding is not None
            assert OLD_BACKEND in finding.evidence[-1].text


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_key_that_the_station_did_not_report_is_never_written(is_read: bool):
    async with standing() as (here, _, _), session_on(here) as session:
        if is_read:
            await session.read_settings()
        here.frames.take()
        with pytest.raises(NotSupported):
            await session.write_setting(Change(key="NoSuchKey", before=None, after="ws://x"))
        assert "ChangeConfiguration" not in {frame.action for frame in here.frames.take()}


async def test_a_station_that_lies_is_caught_by_the_read_back():
    async with standing(Behaviour.LIES) as (here, _, _), session_on(here) as session:
        done = await repoint(session, Backend(url="ws://new.example/ocpp", identity=NAME))
        assert done[-1][1] == OLD_BACKEND


async def test_a_station_that_truncates_is_caught_by_the_read_back():
    url = "ws://a-rather-long-name.example/ocpp"
    async with standing(Behaviour.TRUNCATES) as (here, _, _), session_on(here) as session:
        read_back = (await repoint(session, Backend(url=url, identity=NAME)))[-1][1]
        finding = not_applied(URL_KEY, url, read_back)
        assert finding is not None
        assert finding.details["shape"] == f"only the first 20 of {len(url)} characters"


async def test_a_station_that_refuses_says_so():
    async with standing(Behaviour.REFUSES) as (here, _, _), session_on(here) as session:
        with pytest.raises(ValueRejected):
            await repoint(session, Backend(url="ws://new.example/ocpp", identity=NAME))


async def test_a_silent_station_times_out_everywhere():
    async with standing(Behaviour.SILENT) as (here, _, _), session_on(here) as session:
        assert not session.has(SetsBackend)
        with pytest.raises(TimedOut):
            await session.read_settings()
        assert (await session.status()).state == "Available"


async def test_a_station_that_drops_on_a_full_read_is_read_key_by_key_the_next_time():
    async with standing(Behaviour.DROPS_ON_FULL_READ) as (here, station, endpoint):
        async with session_on(here) as session:
            assert session.has(SetsBackend), "asking for the address keys alone does not hurt it"
            with pytest.raises(LinkLost):
                await session.read_settings()
        await here.server.arrival(NAME, timeout_s=5, after=endpoint.opened_at)
        async with session_on(here) as session:
            snapshot = await session.ask(ReadsSettings).read_settings()
            assert snapshot.get("HeartbeatInterval") is not None
        asked = [payload for action, payload in station.heard if action == "GetConfiguration"]
        assert {len(payload.get("key", ())) for payload in asked[-10:]} == {1}


async def test_a_station_that_takes_one_key_at_a_time_is_read_all_the_same():
    async with standing(Behaviour.SINGLE_KEYS) as (here, _, _), session_on(here) as session:
        assert session.has(SetsBackend)
        assert (await session.read_settings()).get("NumberOfConnectors") is not None


async def test_a_station_that_drops_in_the_middle_of_a_write_can_be_resumed():
    async with standing(Behaviour.DROPS_MID_WRITE) as (here, station, endpoint):
        change = Change(key="MeterValueSampleInterval", before="10", after="30")
        async with session_on(here) as session:
            with pytest.raises(LinkLost):
                await session.write_setting(change)
        station.faults.clear()
        await here.server.arrival(NAME, timeout_s=5, after=endpoint.opened_at)
        async with session_on(here) as session:
            setting = await session.read_setting(change.key)
            assert setting is not None
            assert setting.value == "30"


async def test_a_station_that_is_not_there_cannot_be_opened():
    async with site() as here:
        with pytest.raises(LinkLost):
            async with session_on(here):
                pass


async def test_stopping_without_a_session_is_refused_with_a_reason():
    async with standing() as (here, _, _), session_on(here) as session:
        with pytest.raises(Refused):
            await session.start_charging(9, "TAG")


@pytest.mark.parametrize(
    ("identity", "password", "subprotocols", "status"),
    [
        ("NOBODY", PASSWORD, ["ocpp1.6"], 404),
        (NAME, "wrong", ["ocpp1.6"], 401),
        (NAME, "", ["ocpp1.6"], 401),
        (NAME, PASSWORD, None, 400),
        (NAME, PASSWORD, ["ocpp2.0.1"], 400),
    ],
)
async def test_the_new_backend_is_strict(identity: str, password: str, subprotocols: list[str] | None, status: int):
    token = base64.b64encode(f"{identity}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}"} if password else {}
    async with NewBackend({NAME: PASSWORD}) as target:
        with pytest.raises(InvalidStatus) as refusal:
            async with websockets.connect(
                f"{target.url}/{identity}", additional_headers=headers, subprotocols=subprotocols
            ):
                pass
        assert refusal.value.response.status_code == status


async def test_a_station_logs_in_with_the_bytes_of_its_hexadecimal_key():
    async with (
        NewBackend({NAME: PASSWORD}) as target,
        OcppStation(NAME, target.url, password=PASSWORD, time_scale=SCALE),
    ):
        assert (await target.arrival(NAME, timeout_s=5)).is_connected
