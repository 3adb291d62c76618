"""Modbus units as a technician meets them: named by their registers, read on every connector, never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import resources
from app.driver.capability import ReadsSettings, ReportsStatus, Status
from app.driver.registers import RegisterMap, load_all, parse
from app.driver.registry import load_profiles
from app.drivers import modbus_units
from app.drivers.modbus_units import DRIVER
from app.errors import LinkError, LinkLost, NotSupported, ProfileError, Unexpected
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.reading import Measurand
from app.model.unit import Claim, ClaimKind, Identity
from app.sim.modbus import ModbusServer, put, put_long, put_text
from app.sim.modbus_makes import MAKES, bender, modbus_unit
from tests.ports import free_port

PROFILES = {item.id: item for item in load_profiles(resources.texts("profiles", ".toml"))}
PROFILE = PROFILES["modbus-units"]
NAMES = {
    "bender": "bender-web",
    "bender-single": "bender-web",
    "bender-legacy": "bender-web",
    "amtron-4you": "bender-web",
    "charx": "charx-web",
    "keba-p30-c": "keba-c",
    "keba-p30-x": "keba-x",
    "keba-p40": "keba-p40",
    "versicharge": "siemens-versicharge",
    "delta": "delta",
    "abb-terra-ac": "abb-terra-ac",
    "peblar": "peblar",
    "vestel": "vestel-evc04",
}


@pytest.fixture(autouse=True)
def short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units that are silent to other unit numbers need not be waited for as long as real ones."""
    monkeypatch.setattr(modbus_units, "ASK_S", 0.1)


async def probed(unit: ModbusServer) -> Identity | None:
    found = await DRIVER.probe(unit.address, PROFILE, RealLinks())
    assert found is None or isinstance(found, Identity)
    return found


async def status_of(unit: ModbusServer) -> Status:
    async with DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        return await session.ask(ReportsStatus).status()


@pytest.mark.parametrize("make", MAKES)
async def test_each_make_is_named_and_none_is_taken_for_another(make: str):
    async with modbus_unit(make) as unit:
        found = await probed(unit)
        assert found is not None
        assert found.profile_id == NAMES[make]
        assert found.profile_id in PROFILES
        assert found.serial == ("" if make == "abb-terra-ac" else MAKES[make].serial)
        assert (await status_of(unit)).state == "Charging"
        assert not unit.was_written


@pytest.mark.parametrize("make", MAKES)
async def test_only_one_map_fits_a_make(make: str):
    """Whatever is asked first, no other family's proof holds."""
    async with modbus_unit(make) as unit:
        for found in {item.profile for item in load_all()}:
            identity = await DRIVER.probe(unit.address, PROFILES[found], RealLinks())
            assert identity is not None
            assert identity.profile_id == NAMES[make]


async def test_the_serial_number_joins_a_keba_with_its_other_ways():
    async with modbus_unit("keba-p30-c") as unit:
        found = await probed(unit)
    assert found is not None
    assert found.claims == (Claim(ClaimKind.SERIAL, "17654321"),)
    assert (found.model, found.firmware) == ("KeContact P30 c-series 314121", "30.10.57")


async def test_both_outlets_of_a_bender_are_read():
    async with modbus_unit("bender") as unit:
        status = await status_of(unit)
    assert (status.state, status.detail) == ("Charging", "connector 2: Available")
    power = {item.connector: item.value for item in status.readings if item.measurand is Measurand.POWER}
    assert power == {1: 3680, 2: 0}


async def test_what_answers_beside_a_bender_is_no_second_outlet_of_it():
    port = free_port(in_a_row=2)
    async with modbus_unit("bender-single", port=port) as first, modbus_unit("charx", port=port + 1):
        assert (await status_of(first)).detail == ""


async def test_three_points_of_a_charx_are_read_from_their_own_registers():
    async with modbus_unit("charx") as unit:
        status = await status_of(unit)
    assert status.detail == "connector 2: Preparing, connector 3: Available"
    energy = {item.connector: item.value for item in status.readings if item.measurand is Measurand.ENERGY}
    assert energy == {1: 1_234_567, 2: 2_469_134, 3: 3_703_701}
    volts = [item.value for item in status.readings if item.measurand is Measurand.VOLTAGE and item.connector == 3]
    assert volts == [231.0, 230.0, 229.0]


async def test_a_figure_that_is_not_there_is_left_out():
    async with modbus_unit("bender-single") as unit:
        put_long(unit.image, "holding", 220, 0xFFFFFFFF)
        measurands = {item.measurand for item in (await status_of(unit)).readings}
    assert Measurand.POWER not in measurands
    assert Measurand.ENERGY in measurands


async def test_a_fault_on_the_second_point_is_a_fault_of_the_unit():
    async with modbus_unit("charx") as unit:
        put_text(unit.image, "holding", 2299, "F", 1)
        status = await status_of(unit)
    assert status.has_fault
    assert "connector 2: Faulted not available (state F)" in status.detail


async def test_a_state_nobody_knows_is_shown_as_it_is():
    async with modbus_unit("bender-single") as unit, DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        put(unit.image, "holding", 122, 77)
        status = await session.ask(ReportsStatus).status()
    assert (status.state, status.detail) == ("", "state 77")


async def test_what_it_tells_besides_is_shown_and_can_not_be_written():
    async with modbus_unit("bender-single") as unit, DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        snapshot = await session.ask(ReadsSettings).read_settings()
    shown = {setting.key: setting for setting in snapshot.settings}
    assert shown["protocol"].value == "0.14"
    assert all(setting.is_readonly for setting in shown.values())
    assert set(snapshot.excluded) == set(shown)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: put_text(image, "holding", 100, "abcd", 2), id="no version"),
        pytest.param(lambda image: put(image, "holding", 120, 0, 0), id="no protocol"),
        pytest.param(lambda image: put(image, "holding", 122, 9), id="no vehicle state"),
    ],
)
async def test_what_is_nearly_a_bender_is_none(change):
    async with modbus_unit("bender-single") as unit:
        change(unit.image)
        assert await probed(unit) is None
        with pytest.raises(Unexpected) as caught:
            await status_of(unit)
        assert caught.value.advice


async def test_an_inverter_full_of_numbers_is_no_charger():
    image = {(kind, address): address % 7 for kind in ("holding", "input") for address in range(0, 65_536)}
    async with ModbusServer(image) as unit:
        assert await probed(unit) is None
        assert not unit.was_written


@pytest.mark.parametrize("value", [0, 1, 0x2020, 0x3030, 0x4141, 0xFFFF])
async def test_registers_that_are_all_alike_are_no_charger(value: int):
    image = {(kind, address): value for kind in ("holding", "input") for address in range(0, 65_536)}
    async with ModbusServer(image) as unit:
        assert await probed(unit) is None


async def test_a_unit_whose_only_connection_is_taken_says_what_to_do():
    async with modbus_unit("keba-p30-c", limit=1) as unit, DRIVER.open(unit.address, PROFILE, RealLinks()):
        with pytest.raises(LinkError) as caught:
            await probed(unit)
    assert "energy manager" in caught.value.advice


async def test_a_reboot_in_between_is_told_as_a_lost_link():
    async with modbus_unit("keba-p30-c") as unit, DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        unit.hang_up()
        with pytest.raises(LinkLost) as caught:
            await session.ask(ReportsStatus).status()
        assert caught.value.advice


async def test_another_unit_that_took_the_address_is_noticed():
    async with modbus_unit("keba-p30-c") as unit, DRIVER.open(unit.address, PROFILE, RealLinks()) as session:
        put_long(unit.image, "holding", 1014, 99_999_999)
        with pytest.raises(Unexpected, match="Another charger answers"):
            await session.identify()  # type: ignore[attr-defined]


async def test_no_card_number_is_ever_asked_for():
    """Bender 720, CHARX 275, KEBA 1500, Vestel 1516, Compleo 0x1000: whose card it is, is nobody's business here."""
    cards = {720, 1275, 2275, 3275, 1265, 1500, 1516, 1600}
    for make in MAKES:
        async with modbus_unit(make) as unit:
            await status_of(unit)
            asked = {start + step for _, _, start, count in unit.heard for step in range(count)}
            assert not asked & cards or make == "versicharge"  # its 1600 is an error code


def test_every_map_says_where_it_comes_from_and_which_family_it_is():
    for found in load_all():
        assert found.evidence.source
        assert found.profile in PROFILES
        assert any(register.state for register in found.registers)


GOOD = {
    "title": "X",
    "vendor": "X",
    "unit": 1,
    "source": "X",
    "grade": "source",
    "states": {"1": {"word": "Available"}},
    "registers": [
        {"name": "a", "address": 1, "type": "u16", "least": 1, "state": True},
        {"name": "b", "address": 2, "type": "text", "words": 2, "like": "x", "identity": "model"},
    ],
}


def spoiled(**changes: object) -> dict[str, object]:
    first = {**GOOD["registers"][0], **changes}  # type: ignore[index]
    return {**GOOD, "registers": [first, GOOD["registers"][1]]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("document", "named"),
    [
        pytest.param({**GOOD, "colour": 1}, "colour", id="unknown field"),
        pytest.param({**GOOD, "grade": "rumour"}, "grade", id="no grade"),
        pytest.param({**GOOD, "registers": GOOD["registers"][:1]}, "at least two", id="one proof"),
        pytest.param({**GOOD, "registers": [GOOD["registers"][0]] * 2}, "one name", id="a name twice"),
        pytest.param({**GOOD, "states": {"1": {"word": "Fine"}}}, "OCPP word", id="no OCPP word"),
        pytest.param(spoiled(type="u128"), "u128", id="unknown type"),
        pytest.param(spoiled(kind="coil"), "coil", id="unknown kind"),
        pytest.param(spoiled(address=70_000), "can't be", id="no such address"),
        pytest.param(spoiled(measurand="Love"), "Love", id="unknown measurand"),
        pytest.param(spoiled(label="too"), "one meaning", id="two meanings"),
        pytest.param(spoiled(address="1"), "wrong type", id="address as text"),
        pytest.param({**GOOD, "registers": ["a"]}, "no table", id="no table"),
    ],
)
def test_a_map_that_can_not_be_is_refused_by_name(document: dict[str, object], named: str):
    with pytest.raises(ProfileError, match=named):
        parse(document, origin="x")


def test_a_good_map_is_read():
    assert isinstance(parse(GOOD, origin="x"), RegisterMap)


async def test_a_serial_line_is_not_opened_by_it(tmp_path: Path):
    from app.model.address import SerialAddress

    with pytest.raises(NotSupported):
        DRIVER.open(SerialAddress(port="COM1"), PROFILE, RealLinks())
    assert await DRIVER.probe(SerialAddress(port="COM1"), PROFILE, RealLinks()) is None


async def test_nothing_of_a_session_changes_a_register(tmp_path: Path):
    with Recorder(tmp_path / "all.jsonl") as recorder:
        async with modbus_unit("bender") as unit:
            before = dict(unit.image)
            async with DRIVER.open(unit.address, PROFILE, RealLinks(recorder=recorder)) as session:
                await session.ask(ReportsStatus).status()
            assert unit.image == before
            assert {function for _, function, _, _ in unit.heard} <= {3, 4}


def test_a_legacy_bender_has_neither_model_nor_sum():
    assert ("holding", 142) not in bender(legacy=True)("")
