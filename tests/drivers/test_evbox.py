"""EVBox over Bluetooth: both radios, login, limits, and what goes wrong in the air; the unit stays unharmed."""

from __future__ import annotations

import json

import pytest

import app.drivers
from app import resources
from app.driver.capability import ReadsSettings, SetsBackend, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.drivers.evbox_ble.talk import ESP32, LEGACY, MESSAGE_LIMIT, Talk
from app.errors import AuthFailed, Garbled, LinkLost, NotSupported, Refused, TimedOut, Unexpected, ValueRejected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.links.recording_ble import framed, frames
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.setting import Change
from app.sim.evbox import EvboxUnit
from app.sim.fault import Fault
from tests.drivers.rigs_evbox import CODE, evbox, links

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
PROFILE = REGISTRY.profiles["evbox-ble"]
DRIVER = REGISTRY.driver_of(PROFILE)


def opened(unit: EvboxUnit, **options):
    return DRIVER.open(unit.address, PROFILE, links(unit, **options))


def backend(url: str = "wss://csms.example/ocpp", identity: str = "EVB-SIM-0001", **more) -> Backend:
    return Backend(url=url, identity=identity, **more)


def changed(unit: EvboxUnit) -> list[str]:
    return [payload["key"] for action, payload in unit.asked if action == "ChangeConfiguration"]


@pytest.mark.parametrize("is_esp32", [False, True])
async def test_the_whole_plan_is_written_over_either_radio(is_esp32):
    async with evbox(is_esp32=is_esp32) as unit, opened(unit) as session:
        wanted = backend("wss://" + "a" * 200 + ".example/ocpp")
        plan = await session.plan_backend(wanted, await session.read_settings())
        assert [change.key for change in plan] == ["evb_SerialAsConnectorId", "evb_ConnectorList", "evb_ServerURL"]
        for change in plan:
            result = await session.write_setting(change)
            assert result.read_back == change.after
        assert unit.held["evb_ServerURL"] == wanted.url + "/"
        assert unit.held["evb_ConnectorList"] == "false"
        assert (await session.read_backend()).same_target(wanted)
        assert unit.connections == 1, "one connection, one login"


async def test_the_backend_is_switched_on_where_it_is_off():
    async with evbox(keys={"evb_UseBackend": "false"}) as unit, opened(unit) as session:
        plan = await session.plan_backend(backend(), await session.read_settings())
        assert ("evb_UseBackend", "true") in [(change.key, change.after) for change in plan]
        assert plan[-1].key == "evb_ServerURL"
        assert (await session.status()).link.is_enabled is False


async def test_the_flags_for_its_own_backend_are_set_for_that_one():
    off = {"evb_SerialAsConnectorId": "false", "evb_ConnectorList": "false", "evb_ServerURL": "ws://old.example/"}
    async with evbox(keys=off) as unit, opened(unit) as session:
        plan = await session.plan_backend(backend("wss://EU.everon.io/"), await session.read_settings())
        assert {change.key: change.after for change in plan} == {
            "evb_SerialAsConnectorId": "true",
            "evb_ConnectorList": "true",
            "evb_ServerURL": "wss://EU.everon.io/",
        }


@pytest.mark.parametrize("code", ["wrong", "", "code-246813,x"])
async def test_a_wrong_or_missing_code_reads_and_writes_nothing(code):
    async with evbox() as unit:
        with pytest.raises(AuthFailed) as caught:
            async with opened(unit, code=code):
                pass
        assert "EVBox Connect" in caught.value.advice
        assert [action for action, _ in unit.asked] == (["DataTransfer"] if code else [])
        assert code not in caught.value.message or not code


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (backend("wss://" + "x" * 255 + ".example"), "254 characters"),
        (backend("http://csms.example"), "evb_ServerURL"),
        (backend("wss://csms.example/a b"), "evb_ServerURL"),
        (backend("wss://csms.exämple/"), "evb_ServerURL"),
        (backend(identity="OTHER-1"), "EVB-SIM-0001"),
        (backend(security_profile=SecurityProfile.TLS_BASIC, secret=Secret("pass-word-123456")), "password"),
        (backend(security_profile=SecurityProfile.TLS_CLIENT), "certificate"),
    ],
)
async def test_what_the_charger_cannot_hold_is_refused_in_the_plan(wanted, named):
    async with evbox() as unit, opened(unit) as session:
        with pytest.raises(ValueRejected) as caught:
            await session.plan_backend(wanted, await session.read_settings())
        assert named in caught.value.message + caught.value.advice
        assert not changed(unit)


async def test_a_refused_key_and_an_unknown_one_are_told_apart():
    async with evbox() as unit, opened(unit) as session:
        unit.reject.add("evb_AutoStart")
        with pytest.raises(ValueRejected, match="evb_AutoStart"):
            await session.write_setting(Change(key="evb_AutoStart", before="", after="true"))
        with pytest.raises(NotSupported):
            await session.write_setting(Change(key="evb_ConnectorKWhMeterAddress", before=None, after="1"))
        with pytest.raises(ValueRejected):
            await session.write_setting(Change(key="evb_MaximumStationCurrent", before="160", after="320"))
        assert unit.held["evb_MaximumStationCurrent"] == "160"


async def test_old_firmware_without_boot_information_or_backend_is_said():
    async with evbox() as unit:
        del unit.held["evb_BootInfo"], unit.held["evb_ServerURL"]
        async with opened(unit) as session:
            assert (await session.identify()).serial == ""
            assert await session.read_backend() is None
            with pytest.raises(ValueRejected, match="does not show"):
                await session.plan_backend(backend(), await session.read_settings())


async def test_the_apn_password_is_written_and_never_read():
    async with evbox() as unit, opened(unit) as session:
        snapshot = await session.read_settings()
        held = snapshot.get("evb_APNPass")
        assert (held.value, held.is_readable, held.is_secret) == (None, False, True)
        assert "evb_APNPass" in snapshot.excluded
        asked = [payload["key"] for action, payload in unit.asked if action == "GetConfiguration"]
        assert ["evb_APNPass"] not in asked
        result = await session.write_setting(Change(key="evb_APNPass", before=None, after="new-apn", is_secret=True))
        assert result.read_back is None
        assert unit.held["evb_APNPass"] == "new-apn"


async def test_the_connection_breaks_in_the_middle_of_a_write():
    async with evbox() as unit, opened(unit) as session:
        unit.breaks_after = 3
        unit._pieces = 0
        with pytest.raises(LinkLost) as caught:
            await session.write_setting(Change(key="evb_ServerURL", before=None, after="wss://csms.example/ocpp/"))
        assert "nearer" in caught.value.advice
        assert unit.held["evb_ServerURL"] == "wss://EU.EVERON.IO/"
        unit.breaks_after = 0
        async with opened(unit) as again:
            assert (await again.read_backend()).url == "wss://EU.EVERON.IO"


async def test_it_hangs_up_after_the_write_and_the_value_is_read_anew():
    async with evbox(faults={Fault.DROPS_MID_WRITE}) as unit:
        async with opened(unit) as session:
            with pytest.raises(LinkLost):
                await session.write_setting(Change(key="evb_ServerURL", before=None, after="wss://csms.example/ocpp/"))
        async with opened(unit) as again:
            assert (await again.read_setting("evb_ServerURL")).value == "wss://csms.example/ocpp/"


async def test_lost_notifications_end_in_an_error_and_the_next_session_is_clean(monkeypatch):
    monkeypatch.setattr("app.drivers.evbox_ble.talk.SILENCE_S", 0.05)
    async with evbox() as unit:
        async with opened(unit) as session:
            unit.loses = 3
            with pytest.raises((TimedOut, Garbled, Unexpected)) as caught:
                await session.read_settings()
            assert caught.value.advice
            unit.loses = 0
        async with opened(unit) as again:
            assert (await again.identify()).serial == unit.serial
        assert not changed(unit)


@pytest.mark.parametrize(
    "answer",
    [
        b"999999999999[",
        b"[3]",
        b"5[3,1]",
        b"3[]]",
        f"{MESSAGE_LIMIT + 1}".encode() + b"[" + b"1" * 100,
        b"12[3,{},{},{}]",
        framed(b"[" * 5000),
    ],
)
async def test_malformed_answers_are_garbled_and_bounded(answer):
    async with evbox() as unit, opened(unit) as session:
        unit.instead = answer
        with pytest.raises(Garbled) as caught:
            await session.read_backend()
        assert caught.value.advice


async def test_truncated_answers_are_garbled():
    async with evbox() as unit:
        unit.faults.add(Fault.TRUNCATES)
        with pytest.raises(Garbled):
            async with opened(unit):
                pass


async def test_a_charger_that_only_talks_does_not_hold_us():
    async with evbox() as unit, opened(unit) as session:
        unit.instead = b"".join(framed(b'[2,"9","Heartbeat",{}]') for _ in range(60))
        with pytest.raises(Unexpected):
            await session.read_backend()


async def test_it_accepts_and_keeps_the_old_value():
    async with evbox(faults={Fault.ACCEPTS_AND_IGNORES}) as unit, opened(unit) as session:
        result = await session.write_setting(Change(key="evb_AutoStart", before="", after="true"))
        assert result.read_back == ""


async def test_restart_is_sent_and_the_unit_returns():
    async with evbox() as unit:
        async with opened(unit) as session:
            await session.restart()
        assert unit.restarts == 1
        assert ("Reset", {"type": "Hard"}) in unit.asked


async def test_another_charger_behind_the_same_connection_is_noticed():
    async with evbox() as unit, opened(unit) as session:
        unit.held["evb_BootInfo"] = "EV-BOX,E3160,EVB-OTHER-9,SIM,,"
        with pytest.raises(Unexpected, match="EVB-OTHER-9"):
            await session.identify()


async def test_the_probe_tells_it_from_other_devices_with_the_same_short_number():
    async with evbox(is_esp32=True) as unit:
        unit.gatt = {ESP32.service: {"0000abcd-0000-1000-8000-00805f9b34fb": ["write"]}}
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks(radio=unit.ether.radio)) is None
        unit.gatt = {"0000180f-0000-1000-8000-00805f9b34fb": {}}
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks(radio=unit.ether.radio)) is None
        assert not unit.asked


async def test_a_probe_with_a_wrong_code_still_names_the_family():
    async with evbox() as unit:
        found = await DRIVER.probe(unit.address, PROFILE, links(unit, code="wrong"))
        assert (found.vendor, found.serial) == ("EVBox", "")


async def test_a_recording_holds_whole_messages_and_no_code(tmp_path):
    file = tmp_path / "evbox.jsonl"
    async with evbox() as unit:
        with Recorder(file) as recorder:
            async with opened(unit, recorder=recorder) as session:
                await session.write_setting(
                    Change(key="evb_APNPass", before=None, after="new-apn-word", is_secret=True)
                )
    text = file.read_text()
    assert CODE not in text
    assert "new-apn-word" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert all("json" in line for line in lines if line["direction"] in ("in", "out"))


def test_frames_are_split_wherever_the_pieces_end():
    raw = framed(b'[3,"1",{}]') + framed(b'{"a":1}') + b"12[2,"
    assert frames(raw) == ([b'[3,"1",{}]', b'{"a":1}'], b"12[2,")
    assert frames(b"\x00junk") == ([], b"\x00junk")
    assert frames(b"99999999[") == ([], b"99999999[")


async def test_a_conversation_survives_any_split_of_its_answers():
    class Pieces:
        services = frozenset({LEGACY.service})

        def __init__(self, size: int) -> None:
            answer = framed(b'[2,"x","DataTransfer",{}]') + framed(
                '[3,"1000000000001",{"configurationKey":[{"key":"k","value":"ä€"}]}]'.encode()
            )
            self.left = [answer[start : start + size] for start in range(0, len(answer), size)]

        async def write(self, characteristic: str, data: bytes) -> None:
            assert len(data) <= 20

        async def receive(self, *, timeout_s: float) -> tuple[str, bytes]:
            return LEGACY.notify, self.left.pop(0)

    for size in range(1, 40):
        assert await Talk(Pieces(size), LEGACY).get("k") == ("ä€", False)


async def test_the_refusal_of_a_restart_says_what_to_do(monkeypatch):
    async with evbox() as unit, opened(unit) as session:
        unit._is_in = False
        with pytest.raises(Refused) as caught:
            await session.restart()
        assert "power" in caught.value.advice
    assert DRIVER.capabilities >= {ReadsSettings, SetsBackend, WritesSettings}
