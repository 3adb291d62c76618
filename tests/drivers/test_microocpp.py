"""The MicroOcpp driver against interfaces of every library version, healthy and not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.driver.capability import Identifies, ReadsSettings, Reboots, ReportsStatus, SetsBackend, WritesSettings
from app.driver.session import Session
from app.drivers import microocpp
from app.errors import AuthFailed, Busy, Garbled, LinkError, NotSupported, Unexpected, ValueRejected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand
from app.model.setting import Change
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.microocpp import MicroOcppUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import OneLogin, backend, repoint
from tests.drivers.warp_kit import HOSTILE, PROFILES, WAIT_S, answering

PROFILE = PROFILES["microocpp"]
PASSWORD = "secret-12"
OLD = {"url": "ws://127.0.0.1:9/old", "identity": "OLD-1", "key": "old-key-77"}


def session_of(unit: MicroOcppUnit, links: RealLinks | None = None) -> Session:
    return microocpp.DRIVER.open(unit.address, PROFILE, links or RealLinks())


@asynccontextmanager
async def on_bench(library: str = "1.2.0", **options: Any) -> AsyncIterator[tuple[MicroOcppUnit, Session]]:
    async with (
        MicroOcppUnit(library, time_scale=TIME_UNIT_S, **{**OLD, **options}) as unit,
        session_of(unit) as session,
    ):
        yield unit, session


async def write(session: Session, key: str, text: str) -> Any:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=None, after=text))


# Who it is


async def test_it_is_known_by_its_object_alone_and_proves_nobody():
    async with on_bench() as (unit, session):
        identity = await session.ask(Identifies).identify()
        assert (identity.vendor, identity.name, identity.claims) == ("MicroOcpp", "OLD-1", ())
        assert await microocpp.DRIVER.probe(unit.address, PROFILE, RealLinks()) == identity


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'{"backendUrl":"","chargeBoxId":""}',
        b'{"backendUrl":1,"chargeBoxId":"","authorizationKey":"","pingInterval":5,"reconnectInterval":5}',
        b'{"backendUrl":"","chargeBoxId":"","authorizationKey":"","pingInterval":5,"reconnectInterval":5,"more":1}',
    ],
)
async def test_another_web_server_is_no_microocpp(body: bytes):
    async with answering(body) as address:
        assert await microocpp.DRIVER.probe(address, PROFILE, RealLinks()) is None
    async with answering(b"Unauthorized", status="401 Unauthorized") as address:
        assert await microocpp.DRIVER.probe(address, PROFILE, RealLinks()) is None, "it may be anything"


async def test_a_login_is_asked_for_and_taken():
    async with MicroOcppUnit(user="me", password="right-pass", time_scale=TIME_UNIT_S, **OLD) as unit:
        with pytest.raises(AuthFailed) as caught:
            await microocpp.DRIVER.probe(unit.address, PROFILE, RealLinks())
        assert "api.jsn" in caught.value.advice
        with pytest.raises(AuthFailed):
            async with session_of(unit, OneLogin("me", "wrong-pass")):
                pass
        async with session_of(unit, OneLogin("me", "right-pass")) as session:
            assert (await session.ask(SetsBackend).read_backend()).identity == "OLD-1"


# Repointing


@pytest.mark.parametrize(("library", "ocpp"), [("1.0.0", "1.6"), ("1.2.0", "1.6"), ("1.2.0", "2.0.1")])
async def test_it_dials_the_new_backend_at_once_with_the_password_as_text(library: str, ocpp: str):
    new = NewBackend()
    new.provision("CP-1", PASSWORD, version=ocpp)
    async with new, on_bench(library, ocpp=ocpp) as (unit, session):
        await repoint(session, backend(PASSWORD, url=new.url))
        await new.arrival("CP-1", timeout_s=WAIT_S)
        assert unit.held["authorizationKey"] == PASSWORD
        assert [list(post) for post in unit.posts] == [["authorizationKey"], ["chargeBoxId"], ["backendUrl"]]
        with pytest.raises(NotSupported):
            session.ask(Reboots)


async def test_library_1_1_0_keeps_one_character_and_that_is_said_by_name():
    async with on_bench("1.1.0") as (_, session):
        with pytest.raises(ValueRejected, match="first character") as caught:
            await write(session, "authorizationKey", PASSWORD)
        assert "AuthorizationKey" in caught.value.advice


async def test_a_build_without_2_0_1_drops_a_long_password_and_that_is_noticed():
    async with on_bench(has_201=False) as (unit, session):
        with pytest.raises(ValueRejected, match="ignored") as caught:
            await write(session, "authorizationKey", "x" * 21)
        assert "20 bytes" in caught.value.advice
        assert unit.held["authorizationKey"] == "old-key-77"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (backend("x" * 41), "40"),
        (backend("x" * 40, identity="a" * 40), "77"),
        (backend(url="http://127.0.0.1:9/x"), "ws://"),
    ],
    ids=["password", "login line", "scheme"],
)
async def test_what_it_can_not_hold_is_refused_before_anything_is_written(wanted: Backend, words: str):
    async with on_bench() as (unit, session):
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected, match=words):
            await session.ask(SetsBackend).plan_backend(wanted, snapshot)
        with pytest.raises(NotSupported):
            tls = backend(security_profile=SecurityProfile.TLS_CLIENT)
            await session.ask(SetsBackend).plan_backend(tls, snapshot)
        with pytest.raises(ValueRejected):
            await write(session, "pingInterval", "0")
        assert unit.posts == []


# What gets in the way


async def test_under_a_transaction_the_backend_stays_what_it_is():
    async with on_bench() as (unit, session):
        unit.dialler.free_vend_tag = "TAG"
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Charging"
        assert {item.measurand for item in status.readings} >= {Measurand.ENERGY, Measurand.POWER}
        assert status.link.is_connected is None, "the interface does not tell"
        with pytest.raises(Busy) as caught:
            await write(session, "backendUrl", "ws://127.0.0.1:9/new")
        assert "unplug" in caught.value.advice
        assert unit.posts == []
        unit.unplug()
        assert (await write(session, "backendUrl", "ws://127.0.0.1:9/new")).is_accepted


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.TRUNCATES])
async def test_an_answer_with_another_value_is_no_success(fault: Fault):
    async with on_bench() as (unit, session):
        unit.faults.add(fault)
        with pytest.raises(ValueRejected, match="holds another one"):
            await write(session, "backendUrl", "ws://127.0.0.1:9/a/long/path")


async def test_a_line_that_drops_under_a_write_is_told_as_such():
    async with on_bench() as (unit, session):
        unit.faults.add(Fault.DROPS_MID_WRITE)
        with pytest.raises(LinkError):
            await write(session, "chargeBoxId", "CP-1")


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_cut_and_senseless_answers_end_in_advice(body: bytes):
    async with answering(body) as address:
        with pytest.raises((Garbled, Unexpected)) as caught:
            async with microocpp.DRIVER.open(address, PROFILE, RealLinks()):
                pass
        assert caught.value.advice


async def test_neither_password_nor_card_is_in_a_recording(tmp_path: Path):
    file = tmp_path / "recording.jsonl"
    with Recorder(file) as recorder:
        links = RealLinks(recorder=recorder)
        async with MicroOcppUnit(time_scale=TIME_UNIT_S, **OLD) as unit, session_of(unit, links) as session:
            await session.ask(ReadsSettings).read_settings()
            unit.dialler.free_vend_tag = "TAG"
            unit.plug_in()
            with pytest.raises(Busy):
                await write(session, "authorizationKey", PASSWORD)
    text = file.read_text()
    assert "authorizationKey" in text
    for secret in (PASSWORD, "old-key-77", "04AABBCCDD"):
        assert secret not in text
