"""The OpenOCPP driver against portals on every protocol, slot and scheme, healthy and not."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.driver.capability import (
    Identifies,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WriteResult,
    WritesSettings,
)
from app.driver.session import Session
from app.drivers import openocpp
from app.errors import AppError, Busy, Garbled, NotSupported, Unexpected, ValueRejected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand
from app.model.setting import Change
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openocpp import OpenOcppUnit
from app.sim.openocpp_store import network_slot
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import backend, repoint
from tests.drivers.warp_kit import HOSTILE, PROFILES, WAIT_S, answering

PROFILE = PROFILES["openocpp"]
PASSWORD = "sixteen-bytes-ok"
OLD = {"url": "ws://127.0.0.1:9/old", "identity": "OLD-1", "password": "an-old-password-77"}


@asynccontextmanager
async def on_bench(**options: Any) -> AsyncIterator[tuple[OpenOcppUnit, Session]]:
    async with OpenOcppUnit(time_scale=TIME_UNIT_S, **{**OLD, **options}) as unit, session_of(unit) as session:
        yield unit, session


def session_of(unit: OpenOcppUnit, links: RealLinks | None = None) -> Session:
    return openocpp.DRIVER.open(unit.address, PROFILE, links or RealLinks())


async def write(session: Session, key: str, text: str) -> WriteResult:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=None, after=text))


async def plan(session: Session, wanted: Backend) -> list[Change]:
    snapshot = await session.ask(ReadsSettings).read_settings()
    return list(await session.ask(SetsBackend).plan_backend(wanted, snapshot))


# Who it is


@pytest.mark.parametrize("is_secure", [False, True], ids=["http", "https"])
async def test_it_says_who_it_is_over_both_of_its_servers(is_secure: bool):
    async with on_bench(is_secure=is_secure) as (unit, session):
        identity = await session.ask(Identifies).identify()
        assert (identity.vendor, identity.serial, identity.firmware) == ("ChargeLab", "OO-000117", "v1.0.0")
        assert [claim.value for claim in identity.claims] == ["OO000117"]
        assert await openocpp.DRIVER.probe(unit.address, PROFILE, RealLinks()) == identity


async def test_the_serial_number_that_every_demo_unit_has_proves_nobody():
    async with on_bench(serial="0000") as (_, session):
        identity = await session.ask(Identifies).identify()
        assert (identity.serial, identity.claims) == ("0000", ())


@pytest.mark.parametrize(
    "body",
    [b"<h1>Not found</h1>", b"{}", b"[]", b"null", b'{"info":{"serialNumber":"1","firmwareVersion":"2"}}'],
)
async def test_another_web_server_is_no_openocpp(body: bytes):
    async with answering(body) as address:
        assert await openocpp.DRIVER.probe(address, PROFILE, RealLinks()) is None


# Repointing


@pytest.mark.parametrize(("protocol", "version"), [("OCPP16", "1.6"), ("OCPP20", "2.0.1")])
async def test_it_dials_the_new_backend_after_a_restart_in_the_version_it_spoke(protocol: str, version: str):
    new = NewBackend()
    new.provision("CP-1", PASSWORD, version=version)
    async with new, on_bench(protocol=protocol) as (unit, session):
        changes = await plan(session, backend(PASSWORD, url=new.url))
        assert [change.key for change in changes] == ["BasicAuthPassword", "ChargePointId", "CentralSystemURL"]
        assert all(change.needs_restart for change in changes)
        for change in changes:
            result = await session.ask(WritesSettings).write_setting(change)
            assert result.needs_restart
            assert result.read_back == (None if change.is_secret else change.after)
        assert unit.dialler.dial_url != new.url, "staged: it dials the old one until it restarts"
        await session.ask(Reboots).restart()
        await new.arrival("CP-1", timeout_s=WAIT_S)
        await unit.until_at_rest()
        assert unit.staged.current["ChargePointId"] == "CP-1"


async def test_a_quoted_protocol_is_shown_plain_and_never_sent_back():
    async with on_bench(protocol="OCPP20") as (unit, session):
        assert unit.configuration()["ocppProtocol"] == '"OCPP20"', "so it stands on the wire"
        shown = (await session.ask(ReadsSettings).read_settings()).get("OcppProtocol")
        assert shown is not None
        assert shown.value == "OCPP20"
        await repoint(session, backend(PASSWORD))
        assert unit.configuration()["ocppProtocol"] == '"OCPP20"'
        assert all(path == "/updateOcppParameter" for path, _ in unit.posts)


async def test_the_form_of_its_own_page_would_downgrade_it_and_take_the_trial_away():
    """What Rehome keeps away from, seen on the wire by a foreign client."""
    async with on_bench(protocol="OCPP20") as (unit, _):

        def post() -> bytes:
            body = {**unit.configuration(), "centralSystemUrl": "ws://127.0.0.1:9/form"}
            url = f"http://127.0.0.1:{unit.port}/updateDeviceConfiguration"
            with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=5) as answer:
                return bytes(answer.read())

        assert json.loads(await asyncio.to_thread(post)) == {"successful": True}
        assert unit.configuration()["ocppProtocol"] == '"OCPP16"'
        assert unit.staged.pending == {}


async def test_from_another_slot_it_is_brought_to_slot_0_in_the_same_version():
    slots = {2: network_slot("ws://127.0.0.1:9/slot2", "OCPP20")}
    async with on_bench(slots=slots, priority="2,0") as (unit, session):
        assert unit.configuration()["ocppProtocol"] == ""
        assert (await session.ask(SetsBackend).read_backend()).url == "ws://127.0.0.1:9/slot2"
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert "slot 0" in snapshot.excluded["CentralSystemURL"]
        changes = await plan(session, backend(PASSWORD, url="ws://127.0.0.1:9/new"))
        assert [(change.key, change.before, change.after) for change in changes[2:]] == [
            ("NetworkConfigurationPriority", "2,0", "0"),
            ("OcppProtocol", None, "OCPP20"),
            ("CentralSystemURL", None, "ws://127.0.0.1:9/new"),
        ]
        await repoint(session, backend(PASSWORD, url="ws://127.0.0.1:9/new"))
        found = unit.configuration()
        assert (found["centralSystemUrl"], found["ocppProtocol"]) == ("ws://127.0.0.1:9/new", '"OCPP20"')


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (backend("x" * 15), "16"),
        (backend(identity="a" * 49), "48"),
        (backend(identity="a:b"), "colon"),
        (backend(url="ws://127.0.0.1:9/" + "x" * 500), "512"),
        (backend(url="http://127.0.0.1:9/x"), "ws://"),
    ],
    ids=["password", "long identity", "colon", "long address", "scheme"],
)
async def test_what_it_can_not_hold_is_refused_before_anything_is_written(wanted: Backend, words: str):
    async with on_bench() as (unit, session):
        with pytest.raises(ValueRejected, match=words):
            await plan(session, wanted)
        with pytest.raises(NotSupported):
            await plan(session, backend(security_profile=SecurityProfile.TLS_CLIENT))
        with pytest.raises(ValueRejected, match="16"):
            await write(session, "BasicAuthPassword", "short")
        assert unit.posts == []


async def test_without_a_password_the_old_one_is_not_shown_to_a_new_backend():
    async with NewBackend({"CP-1": ""}) as new, on_bench() as (unit, session):
        await repoint(session, backend(url=new.url))
        await session.ask(Reboots).restart()
        await new.arrival("CP-1", timeout_s=WAIT_S)
        await unit.until_at_rest()
        assert unit.staged.current["BasicAuthPassword"] == ""


# What gets in the way


async def test_while_an_address_is_on_trial_it_takes_no_other_and_the_advice_is_to_wait():
    async with on_bench() as (unit, session):
        await repoint(session, backend(PASSWORD))
        await unit.power_cycle()
        async with session_of(unit) as again:
            with pytest.raises(Busy) as caught:
                await write(again, "ChargePointId", "CP-2")
            assert "five minutes" in caught.value.advice


async def test_a_running_charge_is_not_cut_off_by_a_restart():
    async with on_bench() as (unit, session):
        unit.dialler.free_vend_tag = "TAG"
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Charging"
        assert {item.measurand for item in status.readings} == {Measurand.ENERGY, Measurand.CURRENT, Measurand.VOLTAGE}
        assert status.link.is_connected is None, "its portal does not tell"
        with pytest.raises(Busy) as caught:
            await session.ask(Reboots).restart()
        assert "unplug" in caught.value.advice
        assert unit.restarts == 0


async def test_a_key_it_shows_as_read_only_or_not_at_all_is_left_alone():
    async with on_bench() as (unit, session):
        with pytest.raises(ValueRejected):
            await write(session, "SecurityProfile", "0")
        with pytest.raises(NotSupported):
            await write(session, "NoSuchKey", "1")
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(ValueRejected, match="Rejected"):
            await write(session, "HeartbeatInterval", "60")
        assert [body["key"] for _, body in unit.posts] == ["HeartbeatInterval"]


async def test_what_it_only_masks_is_no_value_that_could_be_brought_back():
    async with on_bench() as (unit, session):
        unit.parameters.plain["VendorSecret"] = "****"
        snapshot = await session.ask(ReadsSettings).read_settings()
        masked = snapshot.get("VendorSecret")
        assert masked is not None
        assert (masked.value, masked.is_readable, masked.is_secret) == (None, False, True)
        assert set(snapshot.excluded) == {"VendorSecret", "BasicAuthPassword", "WifiPassword"}


async def test_another_unit_under_the_address_is_noticed_before_a_write():
    async with on_bench() as (unit, session):
        unit.said["serialNumber"] = "OO-STRANGER"
        with pytest.raises(Unexpected, match="nothing was written"):
            await write(session, "ChargePointId", "CP-1")
        assert unit.posts == []


async def test_a_portal_behind_somebodys_login_asks_for_it():
    async with answering(b"", status="401 Unauthorized") as address:
        with pytest.raises(AppError) as caught:
            async with openocpp.DRIVER.open(address, PROFILE, RealLinks()):
                pass
        assert caught.value.advice


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_cut_and_senseless_answers_end_in_advice(body: bytes):
    async with answering(body) as address:
        with pytest.raises((Garbled, Unexpected)) as caught:
            async with openocpp.DRIVER.open(address, PROFILE, RealLinks()):
                pass
        assert caught.value.advice


async def test_passwords_are_in_no_recording(tmp_path: Path):
    file = tmp_path / "recording.jsonl"
    with Recorder(file) as recorder:
        links = RealLinks(recorder=recorder)
        async with OpenOcppUnit(time_scale=TIME_UNIT_S, **OLD) as unit, session_of(unit, links) as session:
            await repoint(session, backend(PASSWORD))
    text = file.read_text()
    assert "BasicAuthPassword" in text
    assert PASSWORD not in text
