"""The WARP driver against wallboxes of every firmware generation, healthy and not."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime
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
from app.driver.registry import placed
from app.driver.session import Session
from app.drivers import warp
from app.drivers.warp.identity import number_of_uid
from app.errors import AuthFailed, Busy, LinkError, LinkLost, NotSupported, ProtocolError, ValueRejected
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.backend import Backend, SecurityProfile
from app.model.reading import Measurand, StateChange
from app.model.setting import Change
from app.model.unit import Adoption, ClaimKind, Sighting, SourceKind, adoption
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.warp import NO_TRANSACTION, WarpWallbox, uid_number
from tests.conftest import TIME_UNIT_S
from tests.drivers.openevse_kit import OneLogin, backend
from tests.drivers.warp_kit import HOSTILE, PROFILES, WAIT_S, WARP, answering, wallbox, warp_session
from tests.sim.csms import csms
from tests.sim.pki import Authority

PASSWORD = "pass-word-1"
HEX_KEY = "00112233445566778899aabbccddeeff00112233"
FIRMWARES = ["2.1.0+17f4001d", "2.2.0+32abaf21", "2.9.0+a37f9364", "2.10.0+27eee312", "2.12.1+6a4f3c2e"]
OLD_ONES = FIRMWARES[:3]
URL, PASS = "ocpp/config/url", "ocpp/config/pass"


async def repoint(session: Session, wanted: Backend) -> list[WriteResult]:
    snapshot = await session.ask(ReadsSettings).read_settings()
    plan = await session.ask(SetsBackend).plan_backend(wanted, snapshot)
    return [await session.ask(WritesSettings).write_setting(change) for change in plan]


async def write(session: Session, key: str, text: str, before: str | None = None) -> WriteResult:
    return await session.ask(WritesSettings).write_setting(Change(key=key, before=before, after=text))


def charge(unit: WarpWallbox) -> None:
    assert unit.point is not None
    unit.point.free_vend_tag = "TAG"
    unit.plug_in()


# Who it is


@pytest.mark.parametrize(
    ("kind", "profile", "vendor"),
    [
        ("warp2", "warp", "Tinkerforge"),
        ("warp3", "warp", "Tinkerforge"),
        ("warp4", "warp", "Tinkerforge"),
        ("warp", "warp1", "Tinkerforge"),
        ("wallbox", "eltako", "ELTAKO"),
    ],
)
async def test_each_generation_is_known_by_its_own_profile_and_no_other(kind: str, profile: str, vendor: str):
    async with wallbox(kind=kind) as unit:
        for other in ("warp", "warp1", "eltako"):
            found = await warp.DRIVER.probe(unit.address, PROFILES[other], RealLinks())
            assert (found is not None) == (other == profile)
        async with warp_session(unit, profile=profile) as session:
            identity = await session.ask(Identifies).identify()
        assert identity.vendor == vendor
        assert identity.profile_id == profile
        assert identity.serial == f"{kind}-25qR"
        kinds = {claim.kind: claim.value for claim in identity.claims}
        assert kinds[ClaimKind.SERIAL] == f"{kind}25qR".upper(), "the serial number it tells over OCPP"
        assert kinds[ClaimKind.MCU] == f"TF{uid_number('25qR')}"


def test_two_units_whose_names_differ_in_case_only_are_two():
    assert number_of_uid("25qR") != number_of_uid("25Qr")
    assert number_of_uid("0OIl") is None
    assert number_of_uid("2" * 50) is None


async def test_the_service_of_the_charge_manager_leads_to_the_web_page():
    seen = Sighting(
        source=SourceKind.MDNS,
        address=NetAddress(host="192.168.4.9", port=34127),
        at=datetime.now(UTC),
        hints={"type": "_tf-warp-cm._udp", "name": "warp3-25qR"},
    )
    catalogue = _catalogue()
    moved = placed(catalogue, seen)
    assert moved.address == NetAddress(host="192.168.4.9", port=80)
    assert [profile.id for profile in catalogue.candidates(moved)][:1] == ["warp"]
    plain = replace(seen, hints={"type": "_http._tcp", "name": "warp3-25qR"})
    assert placed(catalogue, plain) is plain


def _catalogue() -> Any:
    from app.driver.registry import Registry

    return Registry([warp.DRIVER], [PROFILES[name] for name in ("warp", "warp1", "eltako")])


@pytest.mark.parametrize("body", [b"{}", b'{"name":"printer","type":"laser","uid":"1"}', b"hello", b"[]", b"null"])
async def test_another_web_server_is_no_wallbox(body: bytes):
    async with answering(body) as address:
        assert await warp.DRIVER.probe(address, WARP, RealLinks()) is None


async def test_a_name_that_is_not_whole_is_no_wallbox():
    body = b'{"name":"warp3-25qR","type":"warp3","uid":"other","display_type":"WARP3"}'
    async with answering(body) as address:
        assert await warp.DRIVER.probe(address, WARP, RealLinks()) is None


# Login


async def test_the_login_is_digest_and_a_wrong_one_is_told_as_such():
    async with wallbox(login=("admin", "right")) as unit:
        for links in (RealLinks(), OneLogin("admin", "wrong"), OneLogin("other", "right")):
            with pytest.raises(AuthFailed) as caught:
                async with warp_session(unit, links):
                    pass
            assert "own web page" in caught.value.advice
            with pytest.raises(AuthFailed):
                await warp.DRIVER.probe(unit.address, WARP, links)
        async with warp_session(unit, OneLogin("admin", "right")) as session:
            await repoint(session, backend(PASSWORD))
            assert unit.objects["ocpp/config"]["pass"] == PASSWORD
            await _first_state(session)


@pytest.mark.parametrize("extra", ["", 'WWW-Authenticate: Digest realm="router"\r\n'])
async def test_another_ones_login_wall_is_no_wallbox(extra: str):
    async with answering(b"", status="401 Unauthorized", extra=extra) as address:
        assert await warp.DRIVER.probe(address, WARP, RealLinks()) is None


# Repointing


@pytest.mark.parametrize("firmware", FIRMWARES)
async def test_repointed_it_dials_the_new_backend_at_once_or_after_a_restart(firmware: str):
    async with NewBackend({"CP-1": PASSWORD}) as new, wallbox(firmware) as unit, warp_session(unit) as session:
        results = await repoint(session, backend(PASSWORD, url=new.url))
        assert all(result.is_accepted for result in results)
        assert unit.objects["evse/ocpp_enabled"]["enabled"] is True
        waits = firmware in OLD_ONES
        assert {result.needs_restart for result in results if result.key.startswith("ocpp/config")} == {waits}
        if waits:
            assert unit.point is not None
            assert unit.point.dial_url == "", "before 2.10 it shows the new address and dials the old one"
            await session.ask(Reboots).restart()
        await new.arrival("CP-1", timeout_s=WAIT_S)
        assert set(unit.languages) == {"en"}
        assert "ocpp/reset" not in unit.called


@pytest.mark.parametrize("kind", ["warp2", "warp4", "wallbox"])
async def test_eltako_and_its_sisters_are_moved_the_same_way(kind: str):
    profile = "eltako" if kind == "wallbox" else "warp"
    async with NewBackend({"CP-1": PASSWORD}) as new, wallbox(kind=kind) as unit:
        async with warp_session(unit, profile=profile) as session:
            await repoint(session, backend(PASSWORD, url=new.url))
        seen = await new.arrival("CP-1", timeout_s=WAIT_S)
        await unit.point.until(lambda: bool(seen.boot))  # type: ignore[union-attr]
        boot = seen.boot
        assert PROFILES[profile].match.boot_vendor_like.strip("^") in boot["chargePointVendor"]
        assert boot["chargePointSerialNumber"] == unit.name


async def test_a_change_of_the_address_keeps_the_password_it_never_tells():
    old = {"url": "ws://127.0.0.1:9/old", "enable": True, "enable_auth": True, "pass": "kept"}
    async with wallbox(ocpp=old) as unit, warp_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        secret = snapshot.get(PASS)
        assert secret is not None
        assert (secret.value, secret.is_readable) == (None, False)
        assert PASS in snapshot.excluded
        result = await write(session, URL, "ws://127.0.0.1:9/new")
        assert result.read_back == "ws://127.0.0.1:9/new"
        assert unit.objects["ocpp/config"]["pass"] == "kept"
        result = await write(session, PASS, "other")
        assert result.read_back is None
        await repoint(session, backend(url="ws://127.0.0.1:9/open"))
        assert unit.objects["ocpp/config"]["pass"] == "other", "unused, but still there for an undo"
        assert unit.objects["ocpp/config"]["enable_auth"] is False


async def test_the_slash_at_the_end_is_taken_off_and_an_odd_identity_is_escaped():
    async with wallbox() as unit, warp_session(unit) as session:
        await repoint(session, backend(url="ws://127.0.0.1:9/ocpp/", identity="CP 1"))
        assert unit.point is not None
        assert unit.point.dial_url == "ws://127.0.0.1:9/ocpp/CP%201"
        await write(session, URL, "ws://127.0.0.1:9/ocpp/")
        assert unit.point.dial_url == "ws://127.0.0.1:9/ocpp//CP%201", "the charger itself does not mind"
        assert "two of them" in (await session.ask(ReportsStatus).status()).detail


@pytest.mark.parametrize("firmware", ["2.4.1", "2.12.1"])
async def test_a_key_of_forty_digits_is_tried_in_both_spellings_from_2_5_on(firmware: str):
    async with NewBackend({"CP-1": HEX_KEY}) as new, wallbox(firmware) as unit, warp_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        plan = await session.ask(SetsBackend).plan_backend(backend(HEX_KEY, url=new.url), snapshot)
        assert "40 hexadecimal digits" in next(change.reason for change in plan if change.key == PASS)
        for change in plan:
            await session.ask(WritesSettings).write_setting(change)
        if firmware == "2.4.1":
            await session.ask(Reboots).restart()
            await unit.restarted.wait()
            assert unit.point is not None
            await unit.point.until(lambda: unit.point.failed_dials > 2)  # type: ignore[union-attr]
            assert not unit.point.is_connected
        else:
            await new.arrival("CP-1", timeout_s=WAIT_S)
            assert 401 in new.stations["CP-1"].refusals, "the decoded key was refused first"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (backend(url="ws://127.0.0.1:9/" + "x" * 120), "128"),
        (backend(identity="i" * 65), "64"),
        (backend("p" * 65), "64"),
        (backend(url="http://127.0.0.1:9/x"), "ws://"),
    ],
    ids=["address", "identity", "password", "scheme"],
)
async def test_what_it_can_not_hold_is_refused_before_anything_is_written(wanted: Backend, words: str):
    async with wallbox() as unit, warp_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(ValueRejected) as caught:
            await session.ask(SetsBackend).plan_backend(wanted, snapshot)
        assert words in caught.value.message
        with pytest.raises(NotSupported):
            tls = backend(security_profile=SecurityProfile.TLS_CLIENT)
            await session.ask(SetsBackend).plan_backend(tls, snapshot)
        assert unit.called == []


async def test_the_plan_names_the_one_certificate_it_trusts():
    async with wallbox(ocpp={"cert_id": 2}) as unit, warp_session(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
        plan = await session.ask(SetsBackend).plan_backend(backend(url="wss://csms.example/x"), snapshot)
        assert plan[-1].key == URL
        assert "number 2" in plan[-1].reason


async def test_the_limits_count_for_single_settings_too():
    async with wallbox() as unit, warp_session(unit) as session:
        with pytest.raises(ValueRejected, match="128"):
            await write(session, URL, "ws://" + "x" * 130)
        with pytest.raises(ValueRejected):
            await write(session, "ocpp/config/enable", "maybe")
        with pytest.raises(ValueRejected, match="32000"):
            await write(session, "evse/global_current/current", "99999")
        with pytest.raises(ValueRejected, match="shown only"):
            await write(session, "network/config/web_server_port", "8080")
        with pytest.raises(NotSupported):
            await write(session, "ocpp/config/unheard_of", "1")
        with pytest.raises(NotSupported):
            await write(session, "../reboot", "1")
        assert unit.called == []


# What gets in the way


async def test_a_running_transaction_locks_the_backend_and_the_advice_is_to_unplug():
    old = {"url": "ws://127.0.0.1:9/old", "enable": True}
    async with wallbox(ocpp=old) as unit, warp_session(unit) as session:
        before = dict(unit.objects["ocpp/config"])
        charge(unit)
        assert unit.states()["ocpp/state"]["txn_id"] != NO_TRANSACTION
        with pytest.raises(Busy) as caught:
            await write(session, URL, "ws://127.0.0.1:9/new")
        assert "unplug" in caught.value.advice
        assert unit.objects["ocpp/config"] == before
        unit.unplug()
        assert (await write(session, URL, "ws://127.0.0.1:9/new")).is_accepted


async def test_older_firmware_takes_a_backend_in_the_middle_of_a_transaction():
    old = {"url": "ws://127.0.0.1:9/old", "enable": True}
    async with wallbox("2.9.0", ocpp=old) as unit, warp_session(unit) as session:
        charge(unit)
        assert (await write(session, URL, "ws://127.0.0.1:9/new")).needs_restart


async def test_a_refusal_is_told_in_the_chargers_own_english_words_without_the_secret():
    async with wallbox() as unit, warp_session(unit) as session:
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(ValueRejected) as caught:
            await write(session, URL, "ws://127.0.0.1:9/new")
        assert "Can not be saved" in caught.value.message
        unit.faults.clear()
        change = Change(key=PASS, before=None, after=PASSWORD, is_secret=True)
        unit.objects["ocpp/config"]["pass"] = 7
        with pytest.raises(ValueRejected) as caught:
            await session.ask(WritesSettings).write_setting(change)
        assert PASSWORD not in caught.value.message


async def test_a_cut_address_is_seen_by_reading_back():
    async with wallbox() as unit, warp_session(unit) as session:
        unit.faults.add(Fault.TRUNCATES)
        result = await write(session, URL, "ws://127.0.0.1:9/a/long/path")
        assert result.read_back == "ws://127.0.0.1:9/a/long/path"[:24]


async def test_a_restart_in_the_middle_of_a_write_ends_in_a_lost_link_and_a_unit_that_can_be_asked_again():
    async with wallbox() as unit:
        async with warp_session(unit) as session:
            unit.faults.add(Fault.DROPS_MID_WRITE)
            with pytest.raises(LinkLost) as caught:
                await write(session, URL, "ws://127.0.0.1:9/new")
            assert caught.value.advice
            unit.faults.clear()
            await unit.power_cycle()
        async with warp_session(unit) as session:
            found = await session.ask(SetsBackend).read_backend()
            assert found is not None
            assert found.url == "ws://127.0.0.1:9/new", "what became of it is read, not guessed"


async def test_a_unit_without_power_is_told_as_such():
    async with wallbox() as unit, warp_session(unit) as session:
        await unit.power_off()
        with pytest.raises(LinkError) as caught:
            await session.ask(ReportsStatus).status()
        assert caught.value.advice


async def test_firmware_of_the_future_keeps_fields_rehome_does_not_know():
    async with wallbox("99.1.0+cafe") as unit, warp_session(unit) as session:
        unit.objects["ocpp/config"]["shiny"] = {"deep": [1, 2]}
        unit.objects["ocpp/config"]["more"] = 7
        await repoint(session, backend(PASSWORD))
        assert unit.objects["ocpp/config"]["more"] == 7
        snapshot = await session.ask(ReadsSettings).read_settings()
        shiny = snapshot.get("ocpp/config/shiny")
        assert shiny is not None
        assert shiny.is_readonly
        with pytest.raises(ValueRejected):
            await write(session, "ocpp/config/more", "8")


async def test_firmware_of_the_beginnings_is_told_before_anything_is_written():
    async with wallbox("2.0.93") as unit, warp_session(unit) as session:
        del unit.objects["ocpp/config"]["enable_auth"]
        snapshot = await session.ask(ReadsSettings).read_settings()
        with pytest.raises(NotSupported) as caught:
            await session.ask(SetsBackend).plan_backend(backend(PASSWORD), snapshot)
        assert "Update the firmware" in caught.value.advice
        assert unit.called == []


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_over_tls_it_verifies_and_shows_its_login_to_a_central_system_that_is_not_ours(
    tmp_path: Path, is_trusted: bool
):
    root = Authority()
    async with (
        csms("ocpp1.6", context=root.server(tmp_path)) as central,
        wallbox(roots=(root.pem,) if is_trusted else ()) as unit,
        warp_session(unit) as session,
    ):
        assert unit.point is not None
        await repoint(session, backend(PASSWORD, url=central.url))
        if not is_trusted:
            await unit.point.until(lambda: unit.point.failed_dials > 0)  # type: ignore[union-attr]
            assert (await session.ask(ReportsStatus).status()).link.is_connected is False
            assert not central.said
            return
        await central.hears("BootNotification")
        token = base64.b64encode(f"CP-1:{PASSWORD}".encode()).decode()
        assert central.headers[0]["Authorization"] == f"Basic {token}"


async def test_the_first_generation_has_no_ocpp_and_is_read_only():
    async with wallbox("2.8.0", kind="warp") as unit, warp_session(unit, profile="warp1") as session:
        for capability in (SetsBackend, WritesSettings, Reboots):
            with pytest.raises(NotSupported):
                session.ask(capability)
        status = await session.ask(ReportsStatus).status()
        assert status.state == "Available"
        assert "no OCPP" in status.detail
        assert status.link.is_enabled is None
        snapshot = await session.ask(ReadsSettings).read_settings()
        assert snapshot.get(URL) is None
        assert "booted" in await session.ask(ExportsLog).read_log()
    assert PROFILES["warp1"].outlook is not None
    assert "no OCPP" in PROFILES["warp1"].outlook.reason


async def test_another_charger_at_the_address_is_not_taken_for_this_one():
    async with wallbox(kind="wallbox") as unit:
        with pytest.raises(ProtocolError, match="not as the charger"):
            async with warp_session(unit):
                pass


async def test_another_wallbox_that_takes_the_address_in_the_middle_of_a_session_is_not_written_to():
    async with wallbox() as first, warp_session(first) as session:
        await first.power_off()
        async with wallbox(uid="zZ9", port=first.port) as second:
            with pytest.raises(ProtocolError, match="warp3-zZ9") as caught:
                await write(session, URL, "ws://127.0.0.1:9/new")
            assert "Search again" in caught.value.advice
            assert second.called == []


# How it is


@pytest.mark.parametrize(
    ("evse", "broken", "words"),
    [
        (20, {"error_state": 2}, "switch"),
        (20, {"error_state": 3, "dc_fault_current_state": 1}, "6 mA"),
        (20, {"dc_fault_current_state": 5}, "20 mA"),
        (20, {"contactor_error": 6, "error_state": 4}, "welded"),
        (30, {"contactor_error": 1, "error_state": 4}, "Protective earth"),
        (30, {"contactor_error": 12, "error_state": 4}, "welded"),
        (20, {"error_state": 5}, "unplug"),
        (20, {"error_state": 77}, "77"),
    ],
)
async def test_faults_are_named(evse: int, broken: dict[str, int], words: str):
    async with wallbox(evse_version=evse) as unit, warp_session(unit) as session:
        unit.broken = {"charger_state": 4, **broken}
        status = await session.ask(ReportsStatus).status()
        assert status.has_fault
        assert status.state == "Faulted"
        assert words in status.detail


@pytest.mark.parametrize("firmware", ["2.1.0", "2.12.1"])
async def test_values_are_si_units_from_old_meters_and_new(firmware: str):
    async with wallbox(firmware) as unit, warp_session(unit) as session:
        charge(unit)
        status = await session.ask(ReportsStatus).status()
        values = {(item.measurand, item.phase): item.value for item in status.readings}
        assert status.state == "Charging"
        assert values[Measurand.POWER, ""] == 3680.0
        assert values[Measurand.ENERGY, ""] == pytest.approx(100_000, rel=0.01)
        assert values[Measurand.CURRENT_OFFERED, ""] == 16.0
        assert values[Measurand.TEMPERATURE, ""] == 28.2
        assert values[Measurand.SIGNAL, ""] == -58
        assert ((Measurand.CURRENT, "L1") in values) == (firmware == "2.12.1")


async def test_connected_means_accepted_and_a_missing_slot_is_named():
    async with NewBackend({"CP-1": PASSWORD}) as new, wallbox() as unit, warp_session(unit) as session:

        async def judged() -> Adoption:
            status = await session.ask(ReportsStatus).status()
            return adoption(await session.ask(SetsBackend).read_backend(), status.link, frozenset())

        assert await judged() is Adoption.FREE
        await repoint(session, backend(PASSWORD))
        assert await judged() is Adoption.ORPHANED
        await repoint(session, backend(PASSWORD, url=new.url))
        await new.arrival("CP-1", timeout_s=WAIT_S)
        assert unit.point is not None
        await asyncio.wait_for(unit.point.booted.wait(), WAIT_S)
        assert await judged() is Adoption.MANAGED
        await write(session, "evse/ocpp_enabled/enabled", "false")
        assert "slot" in (await session.ask(ReportsStatus).status()).detail


async def _first_state(session: Session) -> str:
    stream = session.ask(Meters).watch()
    try:
        async with asyncio.timeout(WAIT_S):
            async for item in stream:
                if isinstance(item, StateChange):
                    return item.state
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    raise AssertionError


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_car_that_arrives_is_seen_over_the_stream_or_by_asking(refuses: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.drivers.warp.session.POLL_S", TIME_UNIT_S)
    async with wallbox() as unit, warp_session(unit) as session:
        unit.refuses_stream = refuses
        assert await _first_state(session) == "Available"
        stream = session.ask(Meters).watch()
        states: list[str] = []
        async with asyncio.timeout(WAIT_S):
            async for item in stream:
                if isinstance(item, StateChange):
                    states.append(item.state)
                    charge(unit)
                if states[-1:] == ["Charging"]:
                    break
        await stream.aclose()  # type: ignore[attr-defined]
        assert states == ["Available", "Charging"]


async def test_the_stream_of_a_unit_that_loses_power_ends_with_link_lost():
    async with wallbox() as unit, warp_session(unit) as session:
        stream = session.ask(Meters).watch()
        await anext(stream)
        await unit.power_off()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(WAIT_S):
                async for _ in stream:
                    pass


# Hostile answers


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_malformed_answers_are_told_as_such(body: bytes):
    async with answering(body) as address:
        with pytest.raises(ProtocolError) as caught:
            async with warp.DRIVER.open(address, WARP, RealLinks()):
                pass
        assert caught.value.advice
        assert await warp.DRIVER.probe(address, WARP, RealLinks()) is None


async def test_absurd_values_are_left_out():
    async with wallbox() as unit, warp_session(unit) as session:
        unit.broken = {
            "charger_state": "x",
            "allowed_charging_current": 1e300,
            "error_state": [],
            "contactor_error": {},
        }  # type: ignore[dict-item]
        status = await session.ask(ReportsStatus).status()
        assert status.state == ""
        assert all(item.measurand is not Measurand.CURRENT_OFFERED for item in status.readings)
