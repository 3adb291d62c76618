"""The SmartEVSE driver against units of every firmware generation, healthy and not."""

from __future__ import annotations

import asyncio
import base64
import socket
from pathlib import Path
from typing import Any

import pytest

from app.driver.capability import (
    ExportsLog,
    Identifies,
    Meters,
    ReadsSettings,
    Reboots,
    ReportsStatus,
    SetsBackend,
    WriteResult,
    WritesSettings,
)
from app.driver.session import Session
from app.drivers import smartevse
from app.errors import Busy, LinkError, LinkLost, NotSupported, ProtocolError, ValueRejected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand, StateChange
from app.model.setting import Change
from app.model.unit import Adoption, ClaimKind, adoption
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import backend, repoint
from tests.drivers.warp_kit import HOSTILE, SMARTEVSE, WAIT_S, answering, smart, smart_session
from tests.sim.csms import csms
from tests.sim.pki import Authority

PASSWORD = "pass word&1+1="
FIRMWARES = ["v3.6.3", "v3.8.5", "v3.9.3", "v3.10.2", "v3.11.1", "Jul 1 2026 10:11:12"]
OLD = {"mode": True, "backend_url": "ws://127.0.0.1:9/old", "cb_id": "OLD-1", "auth_key": "old-key"}


async def write(session: Session, key: str, text: str) -> WriteResult:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=None, after=text))


# Who it is


@pytest.mark.parametrize("firmware", ["v3.6.1", *FIRMWARES])
async def test_every_generation_says_who_it_is(firmware: str):
    async with smart(firmware) as unit, smart_session(unit) as session:
        identity = await session.ask(Identifies).identify()
        assert (identity.serial, identity.firmware) == ("45316", firmware)
        assert [(claim.kind, claim.value) for claim in identity.claims] == [(ClaimKind.SERIAL, "45316")]
        assert await smartevse.DRIVER.probe(unit.address, SMARTEVSE, RealLinks()) == identity


async def test_before_3_6_3_there_is_nothing_to_repoint_and_the_profile_says_so():
    async with smart("v3.6.1") as unit, smart_session(unit) as session:
        with pytest.raises(NotSupported):
            session.ask(SetsBackend)
        with pytest.raises(NotSupported):
            await write(session, "ocpp_backend_url", "ws://127.0.0.1:9/new")
        assert unit.posts == []
        status = await session.ask(ReportsStatus).status()
        assert "update it" in status.detail
        assert status.link.is_enabled is None
    assert [rule.minimum for rule in SMARTEVSE.firmware] == ["3.6.3"]


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b"hello", b'{"serialnr":1,"version":"x"}', b'{"version":"1","evse":{"state_id":1}}'],
)
async def test_another_web_server_is_no_smartevse(body: bytes):
    async with answering(body) as address:
        assert await smartevse.DRIVER.probe(address, SMARTEVSE, RealLinks()) is None
    async with answering(b"no", status="403 Forbidden") as address:
        assert await smartevse.DRIVER.probe(address, SMARTEVSE, RealLinks()) is None


async def test_one_in_its_set_up_portal_is_known_and_the_advice_is_to_give_it_a_network():
    async with smart(in_portal=True) as unit:
        identity = await smartevse.DRIVER.probe(unit.address, SMARTEVSE, RealLinks())
        assert identity is not None
        assert identity.claims == ()
        with pytest.raises(NotSupported) as caught:
            async with smart_session(unit):
                pass
        assert "192.168.4.1" in caught.value.advice


# Repointing


@pytest.mark.parametrize("firmware", FIRMWARES)
async def test_switched_on_for_the_first_time_it_waits_for_its_client_and_dials(firmware: str):
    async with NewBackend({"CP-1": PASSWORD}) as new, smart(firmware) as unit, smart_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        address = snapshot.get("ocpp_backend_url")
        assert address is not None
        assert (address.value, address.is_readable) == (None, False), "while OCPP is off it tells nothing"
        assert "while OCPP is on" in snapshot.excluded["ocpp_backend_url"]
        plan = await session.ask(SetsBackend).plan_backend(backend(PASSWORD, url=new.url), snapshot)
        assert [change.key for change in plan] == ["ocpp_mode", "ocpp_auth_key", "ocpp_cb_id", "ocpp_backend_url"]
        for change in plan:
            assert (await session.ask(WritesSettings).write_setting(change)).read_back == change.after
        await new.arrival("CP-1", timeout_s=WAIT_S)
        assert sum("ocpp_auth_key" in post for post in unit.posts) > 1, "it was asked again until the client was there"
        assert unit.restarts == 0


async def test_the_address_may_end_with_a_slash():
    async with smart(ocpp=OLD) as unit, smart_session(unit) as session:
        await repoint(session, backend(url="ws://127.0.0.1:9/ocpp/?a=1&b=ü"))
        assert unit.ocpp["backend_url"] == "ws://127.0.0.1:9/ocpp/?a=1&b=ü"
        await repoint(session, backend(url="ws://127.0.0.1:9/ocpp/"))
        assert unit.point.dial_url == "ws://127.0.0.1:9/ocpp/CP-1"
        assert unit.point.headers == ()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [(backend("x" * 21), "20"), (backend("ü" * 11), "22 bytes"), (backend(url="http://127.0.0.1:9/x"), "ws://")],
    ids=["password", "password in bytes", "scheme"],
)
async def test_what_it_can_not_hold_is_refused_before_anything_is_written(wanted: Backend, words: str):
    async with smart(ocpp=OLD) as unit, smart_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected, match=words):
            await session.ask(SetsBackend).plan_backend(wanted, snapshot)
        with pytest.raises(NotSupported):
            tls = backend(security_profile=SecurityProfile.TLS_CLIENT)
            await session.ask(SetsBackend).plan_backend(tls, snapshot)
        with pytest.raises(ValueRejected, match="20"):
            await write(session, "ocpp_auth_key", "y" * 21)
        assert unit.posts == []


async def test_http_200_is_no_success_when_the_echo_is_another_value():
    async with smart(ocpp=OLD) as unit, smart_session(unit) as session:
        unit.faults.add(Fault.TRUNCATES)
        with pytest.raises(ValueRejected, match="ignored"):
            await write(session, "ocpp_backend_url", "ws://127.0.0.1:9/a/much/longer/path")
        unit.faults = {Fault.REFUSES}
        with pytest.raises(ValueRejected, match="ignored"):
            await write(session, "ocpp_cb_id", "NEW-1")
        unit.faults = set()
        with pytest.raises(ValueRejected, match="6 to 16"):
            await write(session, "current_min", "32")
        assert unit.ocpp["cb_id"] == "OLD-1"


async def test_a_limit_of_the_charger_itself_is_told_in_its_words(monkeypatch: pytest.MonkeyPatch):
    async with smart() as unit, smart_session(unit) as session:
        monkeypatch.setattr(unit, "_limit", lambda _text: "Value not allowed!")
        with pytest.raises(ValueRejected, match="does not allow"):
            await write(session, "current_min", "10")


async def test_with_ocpp_off_nothing_else_is_tried():
    async with smart() as unit, smart_session(unit) as session:
        with pytest.raises(Busy) as caught:
            await write(session, "ocpp_cb_id", "NEW-1")
        assert "Switch OCPP on" in caught.value.advice
        for key in ("settings.current_max", "evse.rfidreader"):
            with pytest.raises(ValueRejected, match="can't be written"):
                await write(session, key, "7")
        with pytest.raises(NotSupported):
            await write(session, "settings.unheard_of", "7")
        assert unit.posts == []


async def test_free_charging_is_a_switch():
    async with smart(ocpp=OLD) as unit, smart_session(unit) as session:
        assert (await write(session, "ocpp_auto_auth", "true")).read_back == "true"
        assert unit.ocpp["auto_auth"] is True
        with pytest.raises(ValueRejected):
            await write(session, "ocpp_auto_auth", "perhaps")


async def test_over_tls_it_believes_any_certificate_and_shows_its_login_to_a_central_system_that_is_not_ours(
    tmp_path: Path,
):
    async with (
        csms("ocpp1.6", context=Authority().server(tmp_path)) as central,
        smart() as unit,
        smart_session(unit) as session,
    ):
        await repoint(session, backend(PASSWORD, url=central.url))
        await central.hears("BootNotification")
        token = base64.b64encode(f"CP-1:{PASSWORD}".encode()).decode()
        assert central.headers[0]["Authorization"] == f"Basic {token}"


# Its secret


async def test_the_password_it_tells_everybody_stands_in_no_recording_and_no_log(tmp_path: Path):
    file = tmp_path / "recording.jsonl"
    with Recorder(file) as recorder:
        async with smart(ocpp=OLD) as unit, smart_session(unit, RealLinks(recorder=recorder)) as session:
            assert (await session.ask(SetsBackend).read_backend()).secret.reveal() == "old-key"  # type: ignore[union-attr]
            assert "old-key" not in await session.ask(ExportsLog).read_log()
            await repoint(session, backend(PASSWORD))
            assert unit.ocpp["auth_key"] == PASSWORD
    written = file.read_text()
    for secret in ("old-key", PASSWORD, "pass%20word", "pass+word"):
        assert secret not in written
    assert "ocpp_auth_key=•••" in written


# What gets in the way


async def test_too_many_connections_are_told_as_such():
    async with smart() as unit, smart_session(unit) as session:
        crowd = [socket.create_connection((unit.host, unit.port)) for _ in range(9)]
        try:
            for line in crowd:
                line.sendall(b"GET /settings HTTP/1.1\r\nHost: x\r\n\r\n")
                await asyncio.get_running_loop().run_in_executor(None, line.recv, 100)
            with pytest.raises(Busy) as caught:
                await session.ask(ReportsStatus).status()
            assert "Close" in caught.value.advice
        finally:
            for line in crowd:
                line.close()


async def test_a_restart_waits_for_the_end_of_the_charge_and_says_so():
    free = {**OLD, "auto_auth": True, "auto_auth_idtag": "TAG"}
    async with smart(ocpp=free) as unit, smart_session(unit) as session:
        unit.plug_in()
        with pytest.raises(Busy) as caught:
            await session.ask(Reboots).restart()
        assert "unplug" in caught.value.advice
        assert unit.restarts == 0
        unit.unplug()
        await asyncio.wait_for(unit.restarted.wait(), WAIT_S)


async def test_a_restart_in_the_middle_of_a_write_ends_in_a_lost_link_and_a_unit_that_can_be_asked_again():
    async with smart(ocpp=OLD) as unit:
        async with smart_session(unit) as session:
            unit.faults.add(Fault.DROPS_MID_WRITE)
            with pytest.raises(LinkLost) as caught:
                await write(session, "ocpp_cb_id", "NEW-1")
            assert caught.value.advice
            unit.faults.clear()
            await unit.power_cycle()
        async with smart_session(unit) as session:
            found = await session.ask(SetsBackend).read_backend()
            assert found is not None
            assert found.identity == "NEW-1"


async def test_a_unit_without_power_is_told_as_such():
    async with smart() as unit, smart_session(unit) as session:
        await unit.power_off()
        with pytest.raises(LinkError) as caught:
            await session.ask(ReportsStatus).status()
        assert caught.value.advice


async def test_another_unit_that_takes_the_address_in_the_middle_of_a_session_is_not_written_to():
    async with smart(ocpp=OLD) as first, smart_session(first) as session:
        await first.power_off()
        async with smart(serial=99999, port=first.port, ocpp=OLD) as second:
            with pytest.raises(ProtocolError, match="99999") as caught:
                await write(session, "ocpp_cb_id", "NEW-1")
            assert "Search again" in caught.value.advice
            assert second.posts == []


# How it is


@pytest.mark.parametrize(
    ("error", "words"), [(1, "power"), (2, "mains meter"), (3, "hot"), (5, "residual"), (77, "77")]
)
async def test_faults_are_named(error: int, words: str):
    async with smart() as unit, smart_session(unit) as session:
        unit.error_id = error
        status = await session.ask(ReportsStatus).status()
        assert status.has_fault
        assert words in status.detail


@pytest.mark.parametrize("firmware", ["v3.9.3", "v3.10.2", "v3.11.1"])
async def test_values_are_si_units_from_kilowatts_and_watts(firmware: str):
    free = {**OLD, "auto_auth": True, "auto_auth_idtag": "TAG"}
    async with smart(firmware, ocpp=free) as unit, smart_session(unit) as session:
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        values = {(item.measurand, item.phase): item.value for item in status.readings}
        assert status.state == "Charging"
        assert values[Measurand.POWER, ""] == pytest.approx(3680.0, abs=50)
        assert values[Measurand.ENERGY, ""] == pytest.approx(100_000, abs=200)
        assert values[Measurand.CURRENT, "L1"] == 16.0
        assert values[Measurand.CURRENT_OFFERED, ""] == 16.0
        assert values[Measurand.TEMPERATURE, ""] == 22
        assert values[Measurand.SIGNAL, ""] == -57


@pytest.mark.parametrize(
    ("reader", "is_named"), [("EnableAll", True), ("Learn", True), ("Rmt/OCPP", False), ("Disabled", False)]
)
async def test_a_card_reader_that_keeps_cards_from_the_backend_is_shown(reader: str, is_named: bool):
    async with smart(ocpp=OLD, reader=reader) as unit, smart_session(unit) as session:
        status = await session.ask(ReportsStatus).status()
        assert ("Rmt/OCPP" in status.detail) == is_named
        assert not status.has_fault
    async with smart(reader=reader) as unit, smart_session(unit) as session:
        assert (await session.ask(ReportsStatus).status()).detail == "", "without OCPP it is nobody's business"


async def test_a_pause_at_the_charger_is_shown():
    async with smart() as unit, smart_session(unit) as session:
        unit.mode_id = 4
        assert "paused" in (await session.ask(ReportsStatus).status()).detail


async def test_adoption_follows_what_it_says_even_where_connected_is_stale():
    async with smart("v3.10.2") as unit, smart_session(unit) as session:

        async def judged() -> Adoption:
            status = await session.ask(ReportsStatus).status()
            return adoption(await session.ask(SetsBackend).read_backend(), status.link, frozenset())

        assert await judged() is Adoption.FREE
        await repoint(session, backend())
        assert await judged() is Adoption.ORPHANED
        unit.faults.add(Fault.LIES_CONNECTED)
        assert await judged() is Adoption.MANAGED
        unit.version = (3, 10, 3)
        assert await judged() is Adoption.ORPHANED, "mended in v3.10.3"
    assert any(quirk.id == "stale-connected" for quirk in SMARTEVSE.quirks)


async def test_a_car_that_arrives_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.drivers.smartevse.session.POLL_S", TIME_UNIT_S)
    free = {**OLD, "auto_auth": True, "auto_auth_idtag": "TAG"}
    async with smart(ocpp=free) as unit, smart_session(unit) as session:
        stream: Any = session.ask(Meters).watch()
        states: list[str] = []
        async with asyncio.timeout(WAIT_S):
            async for item in stream:
                if isinstance(item, StateChange):
                    states.append(item.state)
                    if len(states) == 1:
                        unit.plug_in()
                if states[-1:] == ["Charging"]:
                    break
        await stream.aclose()
        assert states == ["Available", "Charging"]


# Hostile answers


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_malformed_answers_are_told_as_such(body: bytes):
    async with answering(body) as address:
        with pytest.raises(ProtocolError) as caught:
            async with smartevse.DRIVER.open(address, SMARTEVSE, RealLinks()):
                pass
        assert caught.value.advice
        assert await smartevse.DRIVER.probe(address, SMARTEVSE, RealLinks()) is None


async def test_absurd_values_are_left_out():
    body = (
        b'{"serialnr":7,"version":null,"mode_id":1,"evse":{"state_id":99,"error_id":"x","temp":"hot","state":{}},'
        b'"settings":[1],"ocpp":{"mode":3,"backend_url":[],"auth_key":{"a":1}},"ev_meter":{"description":"x",'
        b'"import_active_power":1e300,"currents":"none"},"wifi":7}'
    )
    async with answering(body) as address, smartevse.DRIVER.open(address, SMARTEVSE, RealLinks()) as session:
        status = await session.ask(ReportsStatus).status()
        assert status.readings == ()
        assert status.state == ""
        assert status.link.is_enabled is None
        assert (await session.ask(Identifies).identify()).claims == ()
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert [setting.key for setting in snapshot.settings] == ["ocpp_mode"]
