from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.discovery.source import Report, Tell
from app.errors import AppError, LinkError, NotReachable
from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.frame import SourceHealth, SourceState
from app.model.reading import StateChange
from app.model.unit import Adoption, Health, Sighting, SourceKind, Unit
from tests.unit.discovery_garage import SERIAL_ASKED, SERIAL_TOLD, Charger, finder, identity_of, mdns, until


@pytest.fixture(autouse=True)
def _lines() -> Iterator[None]:
    SERIAL_TOLD.clear()
    SERIAL_ASKED.clear()
    yield
    SERIAL_TOLD.clear()


def cable(port: str, **hints: str) -> Sighting:
    return Sighting(source=SourceKind.SERIAL, address=SerialAddress(port=port), at=datetime.now(UTC), hints=hints)


def dialled(identity: str, **told: str) -> Sighting:
    told = {"ocpp": identity, **told}
    return Sighting(
        source=SourceKind.DIAL_IN,
        address=OcppAddress(identity=identity),
        at=datetime.now(UTC),
        identity=identity_of(told),
    )


def named(name: str) -> Callable[..., Unit | None]:
    return lambda units: next((u for u in units.values() if u.identity.name == name and u.state), None)


async def test_an_announced_charger_is_asked_who_and_how_it_is() -> None:
    told = {"serial": "SN1234", "model": "Box 2", "backend": "ws://dead.example/ocpp", "connected": False}
    async with Charger(**told, name="left") as charger, finder() as found:
        found.sighted(mdns(charger.address))
        unit = await until(found, named("left"))
    assert unit.identity.serial == "SN1234"
    assert unit.identity.profile_id == "box"
    assert (unit.adoption, unit.health, unit.state) == (Adoption.ORPHANED, Health.ATTENTION, "Available")
    assert [(way.driver_id, way.address, way.is_present) for way in unit.ways] == [("test-http", charger.address, True)]


@pytest.mark.parametrize(
    ("told", "adoption"),
    [
        ({"backend": "", "connected": False}, Adoption.FREE),
        ({"backend": "ws://other.example/x", "connected": True}, Adoption.MANAGED),
        ({"backend": "ws://127.0.0.1:8180/x", "connected": False}, Adoption.OURS),
        ({}, Adoption.UNKNOWN),
    ],
)
async def test_adoption_is_judged_from_what_the_charger_is_configured_to_dial(
    told: dict[str, object], adoption: Adoption
) -> None:
    async with Charger(name="one", **told) as charger, finder(ours=frozenset({"127.0.0.1:8180"})) as found:
        found.sighted(mdns(charger.address))
        assert (await until(found, named("one"))).adoption is adoption


async def test_one_unit_seen_three_ways_is_one_unit() -> None:
    SERIAL_TOLD["/dev/ttyUSB0"] = {"charger": True, "mcu": "AB12CD34EF"}
    told = {"mac": "24:0A:C4:11:A7:D4", "mcu": "AB12CD34EF", "serial": "240AC411A7D4", "name": "hall"}
    async with Charger(**told) as charger, finder() as found:
        found.sighted(cable("/dev/ttyUSB0", vid="10C4", pid="EA60"))
        first = await until(found, lambda units: next(iter(units.values()), None))
        found.sighted(mdns(charger.address))
        await until(found, named("hall"))
        found.sighted(dialled("CP-7", serial="240AC411A7D4"))
        await until(found, lambda units: any(len(unit.ways) == 3 for unit in units.values()))
        assert list(found.units) == [first.unit_id]
        unit = found.units[first.unit_id]
        assert {way.source for way in unit.ways} == {SourceKind.MDNS, SourceKind.SERIAL, SourceKind.DIAL_IN}
        assert unit.adoption is Adoption.OURS


async def test_two_units_that_turn_out_to_be_one_keep_the_older_id() -> None:
    SERIAL_TOLD["COM5"] = {"charger": True, "mcu": "AB12CD34EF"}
    async with Charger(mac="240AC411A7D4", name="hall") as charger, finder() as found:
        found.sighted(mdns(charger.address))
        older = await until(found, named("hall"))
        found.sighted(cable("COM5", vid="10C4", pid="EA60"))
        newer = await until(
            found, lambda units: next((u for u in units.values() if u.ways[0].driver_id == "test-serial"), None)
        )
        charger.told["mcu"] = "AB12CD34EF"
        with found.changes.subscribe() as changes:
            assert (await found.refresh(newer.unit_id)).unit_id == newer.unit_id
            await found.refresh(older.unit_id)
            gone = [change.unit.unit_id for change in changes.take() if change.is_gone]
        assert gone == [newer.unit_id]
        assert list(found.units) == [older.unit_id]
        assert len(found.units[older.unit_id].ways) == 2
        assert (await found.refresh(newer.unit_id)).unit_id == older.unit_id
        assert found.units[newer.unit_id].unit_id == older.unit_id


async def test_one_ocpp_identity_on_two_chargers_stays_two_and_says_so() -> None:
    async with finder() as found:
        found.sighted(dialled("CP-1", serial="AAAA1111", model="One"))
        found.sighted(dialled("CP-1", serial="BBBB2222", model="Two"))
        units = list(found.units.values())
        assert [unit.identity.serial for unit in units] == ["AAAA1111", "BBBB2222"]
        assert [unit.note.split(":")[0] for unit in units] == ["ID-TWIN", "ID-TWIN"]
        assert [unit.is_present for unit in units] == [False, True]
        await until(found, lambda units: any(unit.state == "Preparing" for unit in units.values()))


async def test_a_charger_that_moved_is_at_its_new_address_only() -> None:
    async with finder() as found, Charger(host="127.0.0.2", mac="240AC411A7D4", name="moves") as charger:
        async with Charger(mac="240AC411A7D4", name="moves") as before:
            found.sighted(mdns(before.address))
            first = await until(found, named("moves"))
        found.sighted(mdns(charger.address))
        await until(found, lambda units: any(u.ways[0].address == charger.address for u in units.values()))
        assert [way.address for way in found.units[first.unit_id].ways] == [charger.address]


async def test_an_address_taken_over_by_another_charger_leaves_the_first() -> None:
    async with Charger(serial="AAAA1111", name="first") as charger, finder() as found:
        found.sighted(mdns(charger.address))
        first = await until(found, named("first"))
        charger.told |= {"serial": "BBBB2222", "name": "second"}
        await found.refresh(first.unit_id)
        second = await until(found, named("second"))
        assert second.unit_id != first.unit_id
        assert not found.units[first.unit_id].is_present
        assert found.units[second.unit_id].is_present


async def test_goodbye_unplug_and_hang_up_keep_the_unit() -> None:
    SERIAL_TOLD["COM5"] = {"charger": True, "mcu": "AB12CD34EF"}
    async with Charger(name="net", mac="240AC411A7D4") as charger, finder() as found:
        sightings = [mdns(charger.address), cable("COM5", vid="10C4", pid="EA60"), dialled("CP-1", serial="AAAA1111")]
        for sighting in sightings:
            found.sighted(sighting)
        await until(found, lambda units: len(units) == 3)
        for sighting in sightings:
            found.sighted(replace(sighting, is_gone=True))
        assert len(found.units) == 3
        assert not any(unit.is_present for unit in found.units.values())
        found.sighted(mdns(charger.address))
        await until(found, lambda units: any(unit.is_present for unit in units.values()))


async def test_serial_ports_nobody_named_are_listed_and_not_spoken_to() -> None:
    SERIAL_TOLD.update({"/dev/ttyS0": {"charger": True}, "/dev/ttyUSB7": {"charger": True, "serial": "AAAA1111"}})
    async with finder() as found:
        found.sighted(cable("/dev/ttyS0"))
        found.sighted(cable("/dev/ttyUSB7", vid="0403", pid="6001", product="GPS"))
        assert set(found.ports) == {"/dev/ttyS0", "/dev/ttyUSB7"}
        assert SERIAL_ASKED == []
        unit = await found.add("/dev/ttyUSB7")
        assert set(SERIAL_ASKED) == {"/dev/ttyUSB7"}
        assert unit.identity.serial == "AAAA1111"


async def test_a_busy_port_is_shown_with_its_trouble() -> None:
    SERIAL_TOLD["COM3"] = {"busy": True}
    async with finder() as found:
        found.sighted(cable("COM3", vid="10C4", pid="EA60"))
        unit = await until(found, lambda units: next(iter(units.values()), None))
        assert (unit.title, unit.ways[0].trouble) == ("COM3", "Another program uses COM3.")
        SERIAL_TOLD["COM3"] = {"charger": True, "serial": "AAAA1111"}
        assert (await found.refresh(unit.unit_id)).identity.serial == "AAAA1111"
        assert len(found.units) == 1


async def test_a_serial_charger_that_answered_is_left_in_peace(unit_s: float) -> None:
    SERIAL_TOLD["COM3"] = {"charger": True, "serial": "AAAA1111"}
    async with finder(refresh_s=unit_s) as found:
        found.sighted(cable("COM3", vid="10C4", pid="EA60"))
        await until(found, lambda units: len(units) == 1)
        await asyncio.sleep(6 * unit_s)
        assert SERIAL_ASKED == ["COM3"]


async def test_a_charger_behind_a_password_is_shown_and_becomes_itself_later() -> None:
    async with Charger(http=401, serial="AAAA1111") as charger, finder() as found:
        unit = await found.add(str(charger.address))
        assert unit.ways[0].trouble == "It wants a password."
        charger.told["http"] = 200
        again = await found.refresh(unit.unit_id)
        assert (again.unit_id, again.identity.serial, again.ways[0].trouble) == (unit.unit_id, "AAAA1111", "")


async def test_something_that_is_no_charger_is_no_unit(free_port: int) -> None:
    async with Charger(charger=False) as printer, finder() as found:
        found.sighted(mdns(printer.address, kind="_http._tcp"))
        found.sighted(mdns(NetAddress(host="127.0.0.1", port=free_port), kind="_http._tcp"))
        with pytest.raises(AppError) as failure:
            await found.add(str(printer.address))
        assert failure.value.advice
        with pytest.raises(NotReachable):
            await found.add(f"127.0.0.1:{free_port}")
        assert not found.units


async def test_a_stranger_is_asked_once_until_it_announces_something_else(unit_s: float) -> None:
    async with Charger(charger=False) as printer, Charger(name="last") as charger, finder(refresh_s=unit_s) as found:
        found.sighted(mdns(printer.address, kind="_http._tcp"))
        found.sighted(mdns(charger.address))
        await until(found, named("last"))
        for _ in range(3):
            found.sighted(mdns(printer.address, kind="_http._tcp"))
        charger.told["state"] = "Charging"
        await until(found, lambda units: any(unit.state == "Charging" for unit in units.values()))
        assert printer.asked == 1
        printer.told |= {"charger": True, "name": "converted"}
        found.sighted(mdns(printer.address, kind="_http._tcp", version="2"))
        await until(found, named("converted"))


async def test_a_charger_on_our_endpoint_is_ours_whatever_it_is_configured_to_dial() -> None:
    told = {"serial": "AAAA1111", "backend": "ws://elsewhere.example/", "connected": True, "name": "both"}
    async with Charger(**told) as charger, finder() as found:
        found.sighted(dialled("CP-1", serial="AAAA1111"))
        found.sighted(mdns(charger.address))
        unit = await until(found, lambda units: next((u for u in units.values() if u.backend), None))
        assert unit.adoption is Adoption.OURS
        found.sighted(replace(dialled("CP-1"), is_gone=True))
        assert (await found.refresh(unit.unit_id)).adoption is Adoption.MANAGED


async def test_a_charger_that_died_without_goodbye_is_noticed_and_comes_back(unit_s: float) -> None:
    async with finder(refresh_s=2 * unit_s) as found:
        async with Charger(name="dies", mac="240AC411A7D4") as charger:
            address = charger.address
            found.sighted(mdns(address))
            unit = await until(found, named("dies"))
        lost = await until(found, lambda units: next((u for u in units.values() if not u.is_present), None))
        assert lost.unit_id == unit.unit_id
        assert lost.ways[0].trouble.startswith("Nothing answers")
        async with Charger(port=address.port, name="dies", mac="240AC411A7D4"):
            back = await until(found, lambda units: next((u for u in units.values() if u.is_present), None))
            assert back.ways[0].trouble == ""


async def test_a_charger_that_was_asked_while_it_restarted_is_back_in_seconds(
    unit_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program's question makes it announce itself once more while it goes; its return is no news then."""
    monkeypatch.setattr("app.discovery.tending.RETRY_S", unit_s)
    async with finder(refresh_s=600) as found:
        async with Charger(name="restarts", mac="240AC411A7D4") as charger:
            address = charger.address
            found.sighted(mdns(address))
            unit = await until(found, named("restarts"))
        assert not (await found.refresh(unit.unit_id)).is_present
        async with Charger(port=address.port, name="restarts", mac="240AC411A7D4"):
            back = await until(found, lambda units: next((u for u in units.values() if u.is_present), None))
            assert back.unit_id == unit.unit_id


async def test_state_stays_fresh_and_rests_while_held(unit_s: float) -> None:
    async with Charger(name="live") as charger, finder(refresh_s=unit_s) as found:
        found.sighted(mdns(charger.address))
        unit = await until(found, named("live"))
        charger.told["state"] = "Charging"
        await until(found, lambda units: units[unit.unit_id].state == "Charging")
        async with found.hold(unit.unit_id):
            asked = charger.asked
            charger.told["state"] = "Faulted"
            await asyncio.sleep(4 * unit_s)
            assert charger.asked == asked
        faulted = await until(found, lambda units: units[unit.unit_id].state == "Faulted" and units[unit.unit_id])
        assert faulted.health is Health.FAULT


async def test_hold_waits_for_the_probe_that_is_running() -> None:
    async with Charger(name="slow") as charger, finder() as found:
        found.sighted(mdns(charger.address))
        unit = await until(found, named("slow"))
        charger.gate.clear()
        probing = asyncio.ensure_future(found.refresh(unit.unit_id))
        entered = asyncio.ensure_future(found.hold(unit.unit_id).__aenter__())
        asyncio.get_running_loop().call_soon(charger.gate.set)
        await entered
        assert probing.done() or charger.asked >= 2
        await probing


class Broken:
    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.runs = 0

    async def run(self, report: Report, state: Tell) -> None:
        self.runs += 1
        if self.runs == 1:
            raise self.error
        state(SourceState(source=self.name, health=SourceHealth.WORKING, text="Fine."))
        await asyncio.Event().wait()


class Good(Broken):
    name = "good"

    def __init__(self, sighting: Sighting) -> None:
        self.sighting = sighting

    async def run(self, report: Report, state: Tell) -> None:
        report(self.sighting)
        await asyncio.Event().wait()


@pytest.mark.parametrize("error", [OSError(19, "No such device"), LinkError("It broke.", "Wait."), ValueError("bug")])
async def test_a_broken_source_is_shown_restarted_and_stops_no_other(
    error: Exception, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("bug")
    async with Charger(name="fine") as charger, finder() as found:
        with found.source_changes.subscribe() as states:
            found.start([Broken(error), Good(mdns(charger.address))])
            await until(found, named("fine"))
            async with asyncio.timeout(5):
                seen = [await anext(states), await anext(states)]
        assert [state.health for state in seen] == [SourceHealth.FAILED, SourceHealth.WORKING]
        assert seen[0].text
        assert seen[0].advice


async def test_known_units_are_absent_until_they_answer() -> None:
    async with Charger(name="old", mac="240AC411A7D4") as charger:
        async with finder() as found:
            found.sighted(mdns(charger.address))
            unit = await until(found, named("old"))
        gone = replace(unit, unit_id="other", identity=replace(unit.identity, claims=()), ways=())
        async with finder(known=[unit, gone]) as found:
            assert not any(known.is_present for known in found.units.values())
            found.start([])
            back = await until(found, lambda units: next((u for u in units.values() if u.is_present), None))
            assert (back.unit_id, back.ways[0].source) == (unit.unit_id, SourceKind.MDNS)


async def test_forget_and_update_are_published() -> None:
    async with Charger(name="one") as charger, finder() as found:
        found.sighted(mdns(charger.address))
        unit = await until(found, named("one"))
        with found.changes.subscribe() as changes:
            found.update(replace(unit, adoption=Adoption.OURS))
            found.forget(unit.unit_id)
            assert [(c.unit.adoption, c.is_gone) for c in changes.take()] == [
                (Adoption.OURS, False),
                (Adoption.OURS, True),
            ]
        with pytest.raises(NotReachable):
            await found.refresh(unit.unit_id)


async def test_a_state_told_over_ocpp_shows_at_once() -> None:
    async with finder() as found:
        found.sighted(dialled("CP-1", serial="AAAA1111"))
        await until(found, lambda units: any(unit.state == "Preparing" for unit in units.values()))
        now = datetime.now(UTC)
        for connector, state in [(0, "Available"), (2, "Faulted"), (1, "Charging")]:
            found.noted(StateChange(unit_id="ocpp:CP-1", connector=connector, state=state, at=now))
            found.noted(StateChange(unit_id="nobody", connector=connector, state=state, at=now))
        unit = next(iter(found.units.values()))
        assert (unit.state, unit.health) == ("Charging", Health.GOOD)
        found.noted(StateChange(unit_id=unit.unit_id, connector=1, state="Faulted", at=now))
        assert found.units[unit.unit_id].health is Health.FAULT


async def test_texts_of_a_charger_are_bounded_and_printable() -> None:
    told = {"name": "<b>x</b>\x1b[31m\n" + "y" * 5000, "model": "m" * 100_000, "serial": "S" * 9000}
    async with Charger(**told) as charger, finder() as found:
        unit = await found.add(str(charger.address))
    assert len(unit.identity.name) <= 120
    assert unit.identity.name.isprintable()
    assert len(unit.identity.model) <= 120
    assert len(unit.unit_id) <= 64


async def test_the_other_addresses_of_a_host_are_tried(free_port: int) -> None:
    async with Charger(host="127.0.0.3", name="here") as charger, finder() as found:
        dead = NetAddress(host="127.0.0.1", port=charger.address.port)
        found.sighted(mdns(dead, others="127.0.0.3"))
        unit = await until(found, named("here"))
        assert unit.ways[0].address == charger.address
        found.sighted(replace(mdns(dead, others="127.0.0.3"), is_gone=True))
        assert not found.units[unit.unit_id].is_present
