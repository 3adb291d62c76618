"""KEBA over UDP: every series told right, losses survived, refusals and silence explained; nothing moves the charger."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from app import resources
from app.driver.capability import ExportsLog, Identifies, Meters, ReadsSettings, ReportsStatus, SetsBackend
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import keba as driver
from app.errors import Garbled, NotSupported, PortInUse, TimedOut, Unexpected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.profile import Profile
from app.model.reading import Measurand
from app.sim.chargepoint import ChargePoint
from app.sim.fault import Fault
from app.sim.keba import KebaUnit
from tests.conftest import TIME_UNIT_S
from tests.drivers.rigs_keba import keba
from tests.ports import free_port

PROFILES = {item.id: item for item in load_profiles(resources.texts("profiles", ".toml"))}
PROFILE = PROFILES["keba-c"]


def session_of(unit: KebaUnit) -> Session:
    return driver.open_session(unit.address, PROFILE, RealLinks())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for answers that will not come."""
    monkeypatch.setattr(driver, "WAIT_S", TIME_UNIT_S)


@pytest.mark.parametrize(
    ("make", "profile", "vendor", "model"),
    [
        ("p30-x", "keba-x", "KEBA", "KeContact P30-EC2404B2-M0A-GE"),
        ("p30-c", "keba-c", "KEBA", "KeContact P30-EC240422-E00"),
        ("p30-old", "keba-c", "KEBA", "KeContact P30-ES240022-E0R"),
        ("p20-e", "keba-c", "KEBA", "KeContact P20-ES240001-000"),
        ("bmw", "keba-x", "BMW", "BMW-10-EC2405B2-E1R"),
    ],
)
async def test_every_series_is_known_by_its_product(make: str, profile: str, vendor: str, model: str):
    async with keba(make, serial="20304050") as unit:
        found = await driver.probe(unit.address, PROFILE, RealLinks())
        assert found is not None
        assert (found.profile_id, found.vendor, found.model) == (profile, vendor, model)
        assert (found.serial, found.firmware) == ("20304050", unit.make.firmware)
        assert unit.heard == ["report 1"]


async def test_values_come_in_si_units_and_only_reports_are_asked():
    async with keba("p30-c") as unit, session_of(unit) as session:
        unit.plug_in()
        status = await session.ask(ReportsStatus).status()
        values = {(item.measurand, item.phase): item.value for item in status.readings}
        assert status.state == "Charging"
        assert values[Measurand.POWER, ""] == 11_040
        assert values[Measurand.CURRENT, "L3"] == 16
        assert values[Measurand.VOLTAGE, "L1"] == 230
        assert values[Measurand.ENERGY, ""] == 1_234_567.8
        assert values[Measurand.CURRENT_OFFERED, ""] == 16
        await session.ask(ReadsSettings).read_settings()
        await session.ask(ExportsLog).read_log()
        assert all(question.startswith("report ") for question in unit.heard)


@pytest.mark.parametrize(
    ("state", "plug", "locked", "word"),
    [
        (0, 0, False, "Unavailable"),
        (1, 3, False, "Available"),
        (1, 7, True, "Preparing"),
        (2, 7, False, "SuspendedEV"),
        (3, 7, False, "Charging"),
        (5, 7, False, "SuspendedEVSE"),
        (77, 0, False, ""),
    ],
)
async def test_states_become_ocpp_words(state: int, plug: int, locked: bool, word: str):
    async with keba() as unit, session_of(unit) as session:
        unit.state, unit.plug, unit.locked = state, plug, locked
        status = await session.ask(ReportsStatus).status()
    assert status.state == word
    assert ("card" in status.detail) == locked


async def test_an_error_is_named_with_its_number():
    async with keba() as unit, session_of(unit) as session:
        unit.state, unit.error = 4, 262
        status = await session.ask(ReportsStatus).status()
    assert (status.state, status.has_fault) == ("Faulted", True)
    assert "262" in status.detail


async def test_an_x_series_tells_whether_its_backend_answers(home):
    from tests.sim.csms import csms

    async with csms("ocpp1.6") as backend:
        point = ChargePoint("KEBA-1", f"{backend.url}/KEBA-1", time_scale=TIME_UNIT_S)
        async with keba("p30-x", point=point) as unit, session_of(unit) as session:
            await asyncio.wait_for(point.booted.wait(), 5)
            assert (await session.ask(ReportsStatus).status()).link.is_connected is True
            await point.power_off()
            assert (await session.ask(ReportsStatus).status()).link.is_connected is False


async def test_a_unit_without_meter_and_log_offers_no_log():
    async with keba("p20-e") as unit, session_of(unit) as session:
        assert not session.has(ExportsLog)
        assert not session.has(SetsBackend)
        assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_the_log_lists_sessions_newest_first_without_cards():
    async with keba() as unit, session_of(unit) as session:
        lines = (await session.ask(ExportsLog).read_log()).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"session {number}" for number in range(35, 30, -1)]
    assert "6530.0 Wh" in lines[0]
    assert not any("e3f76b8d" in line for line in lines)


async def test_a_recording_holds_no_card(tmp_path: Path):
    file = tmp_path / "keba.jsonl"
    with Recorder(file) as recorder:
        async with keba() as unit, driver.open_session(unit.address, PROFILE, RealLinks(recorder=recorder)) as session:
            await session.ask(ExportsLog).read_log()
    assert "Session ID" in file.read_text()
    assert "e3f76b8d" not in file.read_text()


async def test_settings_show_switches_and_failsafe():
    async with keba() as unit, session_of(unit) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
    shown = {setting.key: setting.value for setting in snapshot.settings}
    assert shown["DIP-Sw1"] == "0x24"
    assert shown["Tmo FS"] == "0"
    assert all(setting.is_readonly for setting in snapshot.settings)


async def test_lost_datagrams_are_asked_again(hasty: None):
    async with keba() as unit, session_of(unit) as session:
        unit.lose = 2
        assert (await session.ask(Identifies).identify()).serial == unit.serial


async def test_what_it_tells_unasked_is_passed_over():
    async with keba() as unit, session_of(unit) as session:
        unit.tell({"State": 2}, "127.0.0.1")
        unit.tell({"E pres": 100}, "127.0.0.1")
        assert (await session.ask(ReportsStatus).status()).state == "Available"


async def test_a_closed_dip_switch_ends_in_advice(hasty: None):
    async with keba(dip_udp=False) as unit:
        with pytest.raises(TimedOut) as caught:
            async with session_of(unit):
                pass
        assert "DIP switch 1.3" in caught.value.advice
        with pytest.raises(TimedOut):
            await driver.probe(unit.address, PROFILE, RealLinks())


async def test_a_refusal_is_no_unit_and_no_crash():
    async with keba() as unit:
        unit.instead = b"TCH-ERR\n"
        assert await driver.probe(unit.address, PROFILE, RealLinks()) is None
        with pytest.raises(NotSupported) as caught:
            async with session_of(unit):
                pass
        assert caught.value.advice


@pytest.mark.parametrize(
    "answer",
    [
        b'{"ID": "1", "Product": "KC',
        b"[1, 2]",
        b"{" * 1500,
        b'{"ID": "1"}' + b" " * 4000,
        b"\xff\xfe",
    ],
)
async def test_hostile_answers_end_in_a_word(answer: bytes, hasty: None):
    async with keba() as unit:
        unit.instead = answer
        assert await driver.probe(unit.address, PROFILE, RealLinks()) in (None,)
        with pytest.raises((Garbled, Unexpected)) as caught:
            async with session_of(unit):
                pass
        assert caught.value.advice


async def test_truncated_answers_are_garbled():
    async with keba(faults={Fault.TRUNCATES}) as unit:
        with pytest.raises(Garbled):
            async with session_of(unit):
                pass


async def test_another_charger_at_the_address_is_noticed():
    async with keba() as unit, session_of(unit) as session:
        unit.serial = "99999999"
        with pytest.raises(Unexpected) as caught:
            await session.ask(ReportsStatus).status()
        assert "99999999" in caught.value.message
        assert "nothing was changed" in caught.value.advice


async def test_a_restart_is_survived(hasty: None):
    async with keba() as unit, session_of(unit) as session:
        unit.power_off()
        with pytest.raises(TimedOut):
            await session.ask(Identifies).identify()
        await unit.power_on()
        assert (await session.ask(Identifies).identify()).serial == unit.serial


async def test_many_chargers_are_read_over_one_port_at_once():
    port, links = free_port(), RealLinks()

    async def serial_of(unit: KebaUnit) -> str:
        async with driver.open_session(unit.address, PROFILE, links) as session:
            return (await session.ask(Identifies).identify()).serial

    units = [KebaUnit(host=f"127.0.0.{number}", port=port, serial=f"300000{number}") for number in range(40, 52)]
    for unit in units:
        await unit.__aenter__()
    try:
        found = await asyncio.gather(*map(serial_of, units))
    finally:
        for unit in units:
            await unit.__aexit__(None, None, None)
    assert found == [unit.serial for unit in units]


async def test_an_energy_manager_that_holds_the_port_is_said():
    async with keba() as unit:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as manager:
            manager.bind(("127.0.0.1", unit.port))
            with pytest.raises(PortInUse) as caught:
                async with session_of(unit):
                    pass
        assert "energy manager" in caught.value.advice


async def test_changes_are_streamed():
    async with keba() as unit, session_of(unit) as session:
        stream = session.ask(Meters).watch()
        first = await asyncio.wait_for(anext(stream), 5)
        await stream.aclose()
    assert first.state == "Available"


@pytest.mark.parametrize("profile", [PROFILES["keba-x"], PROFILES["keba-c"]], ids=lambda profile: profile.id)
def test_the_profile_promises_no_writing(profile: Profile):
    assert profile.outlook is not None
    assert profile.instructions
    assert any("DIP switch 1.3" in quirk.text for quirk in profile.quirks)
