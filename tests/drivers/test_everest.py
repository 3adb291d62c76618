"""EVerest over MQTT: slots and order, refusals, other people's brokers, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import app.drivers
from app import resources
from app.driver.capability import SetsBackend
from app.driver.registry import Registry, load_drivers, load_profiles
from app.drivers.everest.repointing import order_of, planned
from app.errors import AuthFailed, Garbled, LinkLost, NotReachable, NotSupported, TimedOut, Unexpected, ValueRejected
from app.links.link import Credentials
from app.links.mqtt import MqttTcp
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.setting import Change, Setting, Snapshot
from app.sim.broker import Broker
from app.sim.everest import ACTIVE, ALLOW_ZERO, IDENTITY, PASSWORD, PRIORITY, PROFILES, EverestUnit, slot
from app.sim.fault import Fault
from app.storage.vault import MemoryVault
from tests.drivers.rigs_everest import everest
from tests.unit.test_mqtt import mosquitto

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
PROFILE = REGISTRY.profiles["everest"]
DRIVER = REGISTRY.driver_of(PROFILE)
SECRET = "new-password-0815"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("app.drivers.everest.talk.LISTEN_S", 0.5)
    monkeypatch.setattr("app.drivers.everest.talk.ANSWER_S", 0.5)
    monkeypatch.setattr("app.drivers.everest.talk.STATE_S", 0.2)


def opened(unit: EverestUnit, **options):
    return DRIVER.open(unit.address, PROFILE, RealLinks(**options))


def backend(
    url: str = "ws://csms.example/ocpp", level: int = 1, identity: str = "NEW-1", secret: str = SECRET
) -> Backend:
    return Backend(url=url, identity=identity, security_profile=SecurityProfile(level), secret=Secret(secret))


async def written(session, wanted: Backend) -> list[str]:
    plan = await session.plan_backend(wanted, await session.read_settings())
    for change in plan:
        result = await session.write_setting(change)
        assert result.needs_restart
        assert result.read_back in (None, change.after)
    return [change.key for change in plan]


async def test_a_free_slot_is_written_and_put_first():
    async with everest() as unit, opened(unit) as session:
        assert await written(session, backend()) == [PASSWORD, IDENTITY, PROFILES, PRIORITY]
        slots = {item["configurationSlot"]: item["connectionData"] for item in json.loads(unit.held[PROFILES])}
        assert slots[1]["ocppCsmsUrl"] == "ws://127.0.0.1:1/dead", "the slot in use stays"
        assert slots[2]["ocppCsmsUrl"] == "ws://csms.example/ocpp"
        assert slots[2]["securityProfile"] == 1
        assert unit.held[PRIORITY] == "2,1"
        found = await session.read_backend()
        assert (found.url, found.identity) == ("ws://csms.example/ocpp", "NEW-1")


async def test_an_unused_slot_is_used_again_and_no_slot_in_use_is_touched():
    held = {
        PROFILES: json.dumps([slot(1, "ws://a"), slot(2, "ws://b"), slot(3, "ws://c")]),
        PRIORITY: "2,1",
        ACTIVE: "2",
    }
    async with everest(values=held) as unit, opened(unit) as session:
        await written(session, backend())
        slots = {item["configurationSlot"]: item["connectionData"] for item in json.loads(unit.held[PROFILES])}
        assert [slots[number]["ocppCsmsUrl"] for number in (1, 2, 3)] == ["ws://a", "ws://b", "ws://csms.example/ocpp"]
        assert unit.held[PRIORITY] == "3,2,1"


async def test_without_password_and_tls_the_switch_for_it_is_planned():
    async with everest() as unit, opened(unit) as session:
        keys = await written(session, backend(level=0, secret=""))
        assert keys == [IDENTITY, ALLOW_ZERO, PROFILES, PRIORITY]
        assert unit.held[ALLOW_ZERO] == "true"


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (backend(secret="short"), "16 to 40"),
        (backend(secret="x" * 41), "16 to 40"),
        (backend(url="wss://csms.example", level=1), "don't fit"),
        (backend(url="ws://csms.example", level=2), "don't fit"),
        (backend(url="ws://csms.example/" + "x" * 900), "the API takes 1000"),
    ],
)
async def test_what_cannot_be_held_is_refused_in_the_plan(wanted, named):
    async with everest() as unit, opened(unit) as session:
        with pytest.raises(ValueRejected) as caught:
            await session.plan_backend(wanted, await session.read_settings())
        assert named in caught.value.message
        assert caught.value.advice
        assert not unit.writes


async def test_with_the_old_ocpp_module_nothing_is_repointed():
    async with everest(is_16=True) as unit, opened(unit) as session:
        assert not session.has(SetsBackend)
        assert (await session.identify()).serial == "EVEREST-SIM-1"


@pytest.mark.parametrize("text", ["no JSON", "{}", '[{"configurationSlot": "1"}]', "[" * 50_000])
async def test_profiles_of_another_form_are_left_alone(text):
    async with everest() as unit:
        unit.held |= {PROFILES: text, PRIORITY: ""}
        with pytest.raises((NotSupported, Garbled)):
            async with opened(unit) as session:
                await session.plan_backend(backend(), await session.read_settings())
        assert not unit.writes


async def test_a_build_that_refuses_a_variable_is_told():
    async with everest() as unit, opened(unit) as session:
        unit.reject.add(PROFILES)
        plan = await session.plan_backend(backend(), await session.read_settings())
        change = next(item for item in plan if item.key == PROFILES)
        with pytest.raises(ValueRejected) as caught:
            await session.write_setting(change)
        assert "read-only" in caught.value.advice
        with pytest.raises(ValueRejected):
            await session.write_setting(Change(key=ACTIVE, before="1", after="2"))
        with pytest.raises(NotSupported):
            await session.write_setting(Change(key="No.Such", before=None, after="2"))
        assert unit.held[PRIORITY] == "1"


async def test_accepted_and_forgotten_is_seen_by_reading_back():
    async with everest(faults={Fault.ACCEPTS_AND_IGNORES}) as unit, opened(unit) as session:
        result = await session.write_setting(Change(key=IDENTITY, before="OLD-1", after="NEW-1"))
        assert result.read_back == "OLD-1"


@pytest.mark.parametrize("is_new", [False, True])
async def test_whether_it_is_connected_is_told_by_old_and_new_builds(is_new):
    async with everest(is_new=is_new) as unit, opened(unit) as session:
        if not is_new:
            unit._say("is_connected", False)
            await session.identify()
        link = (await session.status()).link
        assert link.is_connected is False


async def test_another_charger_behind_the_same_broker_is_noticed_before_a_write():
    async with everest() as unit, opened(unit) as session:
        unit.held["ChargingStation.SerialNumber"] = "OTHER-9"
        with pytest.raises(Unexpected, match="OTHER-9"):
            await session.write_setting(Change(key=IDENTITY, before="OLD-1", after="NEW-1"))
        assert not unit.writes


@pytest.mark.parametrize("answer", ["no JSON {{{", "3", "[]", '{"items": 3}', '{"items": [3]}', "[" * 100_000])
async def test_malformed_answers_are_garbled(answer):
    async with everest() as unit, opened(unit) as session:
        unit.instead = answer
        with pytest.raises(Garbled) as caught:
            await session.read_settings()
        assert caught.value.advice
        assert not unit.writes


async def test_silence_and_a_lost_broker_are_told():
    async with everest() as unit, opened(unit) as session:
        unit.faults.add(Fault.SILENT)
        with pytest.raises(TimedOut):
            await session.identify()
        unit.broker.drop_all()
        with pytest.raises(LinkLost):
            await session.identify()


async def test_somebody_elses_broker_is_no_charger_and_hears_nothing_of_us():
    async with Broker() as broker:
        other = await MqttTcp.open(broker.address)
        await other.subscribe("#")
        assert await DRIVER.probe(broker.address, PROFILE, RealLinks()) is None
        with pytest.raises(TimedOut):
            await other.receive(timeout_s=0.05)
        with pytest.raises(NotSupported) as caught:
            async with DRIVER.open(broker.address, PROFILE, RealLinks()):
                pass
        assert "ocpp_consumer_API" in caught.value.advice
        await other.close()
    with pytest.raises(NotReachable):
        await DRIVER.probe(broker.address, PROFILE, RealLinks())


async def test_a_broker_with_a_login_is_nobodys_until_the_login_is_known():
    async with everest(login=("tech", "brok-er-word")) as unit:
        assert await DRIVER.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(AuthFailed):
            async with opened(unit):
                pass
        vault = MemoryVault()
        vault.set("charger/127.0.0.1/user", Secret("tech"))
        vault.set("charger/127.0.0.1/password", Secret("brok-er-word"))
        assert (await DRIVER.probe(unit.address, PROFILE, RealLinks(vault=vault))).serial == "EVEREST-SIM-1"


async def test_hostile_topics_name_no_module():
    async with Broker() as broker:
        link = await MqttTcp.open(broker.address, credentials=Credentials())
        probe = asyncio.ensure_future(DRIVER.probe(broker.address, PROFILE, RealLinks()))
        while not probe.done():
            await link.publish("everest_api/1/ocpp_consumer/" + "x" * 500 + "/e2m/heartbeat", "1")
            await asyncio.wait([probe], timeout=0.05)
        assert probe.result() is None
        await link.close()


async def test_the_same_over_real_mosquitto(tmp_path: Path):
    async with mosquitto(tmp_path) as address, everest(broker=address) as unit:
        assert (await DRIVER.probe(address, PROFILE, RealLinks())).name == "OLD-1"
        async with opened(unit) as session:
            await written(session, backend())
        assert unit.held[PRIORITY] == "2,1"


async def test_passwords_are_in_no_recording(tmp_path: Path):
    data = slot(2, "ws://b") | {}
    data["connectionData"]["basicAuthPassword"] = "hidden-in-a-slot"
    file = tmp_path / "everest.jsonl"
    async with everest(values={PROFILES: json.dumps([slot(1, "ws://a"), data])}) as unit:
        with Recorder(file) as recorder:
            async with opened(unit, recorder=recorder) as session:
                snapshot = await session.read_settings()
                assert snapshot.get(PROFILES).is_secret
                await session.write_setting(Change(key=PASSWORD, before=None, after=SECRET, is_secret=True))
    text = file.read_text()
    assert SECRET not in text
    assert "hidden-in-a-slot" not in text


def test_an_order_of_slots_that_is_no_number_is_passed_over():
    assert order_of("2, ²,x,-1,00000,1") == [2, 1]


def test_a_password_in_the_slot_that_is_written_over_is_not_shown():
    old = [
        {"configurationSlot": 1, "connectionData": {"ocppCsmsUrl": "ws://now.example", "securityProfile": 0}},
        {
            "configurationSlot": 2,
            "connectionData": {"ocppCsmsUrl": "ws://x.example", "basicAuthPassword": "s3cret-old"},
        },
    ]
    held = {PROFILES: json.dumps(old), PRIORITY: "1", IDENTITY: "NEW-1"}
    settings = tuple(Setting(key=key, value=value, label=key) for key, value in held.items())
    plan = planned(backend(), Snapshot(taken_at=datetime.now(UTC), settings=settings))
    change = next(item for item in plan if item.key == PROFILES)
    assert "s3cret-old" not in change.after
    assert "s3cret-old" not in f"{change.shown()}{change!r}"
