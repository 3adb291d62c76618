"""Searching over Bluetooth LE, and the link itself, on bleak's own classes above a simulated radio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError, BleakError

import app.drivers
from app import resources
from app.discovery.bluetooth import BluetoothSource
from app.discovery.finder import Finder
from app.driver.registry import Registry, load_drivers, load_profiles
from app.errors import LinkLost, NotReachable, NotSupported, TimedOut
from app.links import ble
from app.links.ble import GattLink
from app.links.real import RealLinks
from app.model.address import BleAddress
from app.model.frame import SourceHealth, SourceState
from app.model.secret import Secret
from app.model.unit import Sighting, SourceKind
from app.scope import Scope
from app.sim.ether import Ether
from app.sim.evbox import EvboxUnit
from app.storage.vault import MemoryVault
from tests.drivers.rigs_evbox import CODE, evbox, links

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
NOTIFY = "2456e1b9-26e2-8f83-e744-f34f01e9d703"


class Watched:
    """A source that runs, what it reported and how it said it is."""

    def __init__(self, source: BluetoothSource) -> None:
        self.source = source
        self.sightings: list[Sighting] = []
        self.states: list[SourceState] = []
        self._news = asyncio.Event()

    def report(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)
        self._news.set()

    async def reported(self, count: int) -> Sighting:
        async with asyncio.timeout(5):
            while len(self.sightings) < count:
                self._news.clear()
                await self._news.wait()
        return self.sightings[count - 1]

    def tell(self, state: SourceState) -> None:
        self.states.append(state)
        self._news.set()

    async def until(self, health: SourceHealth, text: str = "") -> SourceState:
        async with asyncio.timeout(5):
            while not (self.states and self.states[-1].health is health and text in self.states[-1].text):
                self._news.clear()
                await self._news.wait()
        return self.states[-1]


@asynccontextmanager
async def watched(ether: Ether, scan_s: float = 0.12) -> AsyncIterator[Watched]:
    found = Watched(BluetoothSource(REGISTRY, radio=ether.radio, scan_s=scan_s))
    async with Scope("test") as scope:
        scope.isolated("source", found.source.run(found.report, found.tell))
        yield found


async def test_nothing_is_heard_before_it_is_wanted():
    async with evbox() as unit, watched(unit.ether) as found:
        await found.until(SourceHealth.OFF, "Not searched")
        assert not found.sightings
        assert not found.source.is_searching


async def test_a_search_reports_the_charger_once_and_nobody_else():
    async with evbox() as unit, watched(unit.ether) as found:
        unit.ether.units["11:22:33:44:55:66"] = stranger = EvboxUnit(unit.ether, device="11:22:33:44:55:66")
        stranger.gatt, stranger.name = {"0000180f-0000-1000-8000-00805f9b34fb": {}}, "Headphones"
        found.source.search()
        await found.until(SourceHealth.OFF, "2 devices heard, 1 that may be a charger")
        [sighting] = found.sightings
        assert sighting.source is SourceKind.BLUETOOTH
        assert sighting.address == unit.address
        assert sighting.hints["rssi"] == "-63"
        assert sighting.hints["name"] == unit.name
        assert "2456e1b9" in sighting.hints["services"]


async def test_a_name_that_comes_later_is_reported_and_hostile_names_are_tamed():
    async with evbox() as unit, watched(unit.ether, scan_s=5) as found:
        unit.name = ""
        found.source.search()
        await found.until(SourceHealth.WORKING, "1 that may be")
        unit.name = "\x1b[2J" + "x" * 500
        name = (await found.reported(2)).hints["name"]
        assert len(name) <= 60
        assert "\x1b" not in name
        found.source.stop()
        await found.until(SourceHealth.OFF, "1 device heard")


REASON = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("trouble", "said", "advised"),
    [
        (BleakBluetoothNotAvailableError("x", REASON.NO_BLUETOOTH), "no Bluetooth Low Energy radio", "adapter"),
        (BleakBluetoothNotAvailableError("x", REASON.POWERED_OFF), "switched off", "Switch it on"),
        (BleakBluetoothNotAvailableError("x", REASON.DENIED_BY_USER), "does not let Rehome", "Privacy"),
        (BleakBluetoothNotAvailableError("x", REASON.UNKNOWN), "not available", "off and on"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), "BlueZ", "bluez"),
        (BleakDBusError("org.bluez.Error.NotReady", ["Resource Not Ready"]), "switched off", "bluetoothctl"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", []), "this user", "group"),
    ],
)
async def test_why_there_is_no_bluetooth_is_said_and_tried_again_on_request(trouble, said, advised):
    async with evbox() as unit, watched(unit.ether) as found:
        unit.ether.trouble = trouble
        found.source.search()
        state = await found.until(SourceHealth.FAILED)
        assert said in state.text
        assert advised in state.advice
        with pytest.raises((NotReachable, NotSupported)) as caught:
            await GattLink.open(unit.address, unit.ether.radio)
        assert said in caught.value.message
        unit.ether.trouble = None
        found.source.search()
        await found.until(SourceHealth.OFF, "1 that may be")


async def test_without_bleak_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "bleak", None)
    with pytest.raises(NotSupported, match="no Bluetooth"):
        await GattLink.open(BleAddress(device="AA:BB:CC:DD:EE:FF"))


async def test_a_computer_without_a_bluetooth_service_is_told_from_a_charger_out_of_reach(monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    monkeypatch.setattr(ble.sys, "platform", "linux")
    with pytest.raises(NotSupported, match="BlueZ"):
        await GattLink.open(BleAddress(device="AA:BB:CC:DD:EE:FF"))
    with pytest.raises(NotReachable, match="not in Bluetooth reach"):
        await GattLink.open(BleAddress(device="AA:BB:CC:DD:EE:FF"), Ether().radio)


async def test_a_connection_that_breaks_off_at_first_is_tried_twice():
    async with evbox() as unit:
        unit.is_connectable = False
        with pytest.raises(NotReachable) as caught:
            await GattLink.open(unit.address, unit.ether.radio)
        assert "nearer" in caught.value.advice


async def test_what_broke_off_at_first_is_not_told_of_the_second_connection():
    async with evbox() as unit:
        tries = []

        class Breaking(unit.ether.radio.client):
            async def connect(self, pair, **options):
                tries.append(self)
                if len(tries) == 1:
                    self._disconnected_callback()
                    raise BleakError("failed to discover services, device disconnected")
                await super().connect(pair, **options)

        link = await GattLink.open(unit.address, ble.Radio(client=Breaking))
        await link.listen(NOTIFY)
        tries[0]._disconnected_callback()
        with pytest.raises(TimedOut):
            await link.receive(timeout_s=0.01)
        await link.close()
        assert len(tries) == 2


async def test_values_too_long_for_the_radio_are_refused_and_a_hang_up_is_told():
    async with evbox() as unit:
        link = await GattLink.open(unit.address, unit.ether.radio)
        await link.listen(NOTIFY)
        with pytest.raises(LinkLost):
            await link.write(NOTIFY, b"x" * 21)
        with pytest.raises(NotSupported):
            await link.write("0000c304-0000-1000-8000-00805f9b34fb", b"x")
        with pytest.raises(TimedOut):
            await link.receive(timeout_s=0.01)
        unit.hang_up()
        with pytest.raises(LinkLost):
            await link.receive(timeout_s=1)
        with pytest.raises(LinkLost):
            await link.write(NOTIFY, b"x")
        await link.close()
        await link.close()


async def test_the_finder_names_the_unit_from_the_air(tmp_path):
    async with evbox() as unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=links(unit), scope=scope, ours=frozenset)
        source = BluetoothSource(REGISTRY, radio=unit.ether.radio, scan_s=0.1)
        with finder.changes.subscribe() as changes:
            finder.start([source])
            source.search()
            async with asyncio.timeout(5):
                async for change in changes:
                    if change.unit is not None and change.unit.identity.serial and change.unit.backend:
                        break
        [found] = finder.units.values()
        assert found.identity.profile_id == "evbox-ble"
        assert found.identity.serial == unit.serial
        assert found.backend.url == "wss://EU.EVERON.IO"


async def test_without_its_code_the_unit_is_named_and_asks_for_it():
    async with evbox() as unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(radio=unit.ether.radio), scope=scope, ours=frozenset)
        finder.sighted(
            Sighting(
                source=SourceKind.BLUETOOTH,
                address=unit.address,
                at=datetime.now(UTC),
                hints={"services": " ".join(unit.gatt)},
            )
        )
        await finder.settled(5)
        [found] = finder.units.values()
        assert found.identity.profile_id == "evbox-ble"
        assert "security code" in found.ways[0].trouble
        assert not unit.asked, "nothing was said to it"


async def test_a_name_that_comes_later_makes_no_second_unit():
    async with evbox() as unit, Scope("test") as scope:
        finder = Finder(registry=REGISTRY, links=RealLinks(radio=unit.ether.radio), scope=scope, ours=frozenset)
        for name in ("", "EVB-1", "EVB-2"):
            hints = {"services": " ".join(unit.gatt), "name": name}
            address = BleAddress(device=unit.device, name=name)
            sighting = Sighting(source=SourceKind.BLUETOOTH, address=address, at=datetime.now(UTC), hints=hints)
            finder.sighted(sighting)
            await finder.settled(5)
        [found] = finder.units.values()
        assert found.title == "EVB-2"


async def test_one_that_is_heard_and_takes_no_connection_is_shown_with_the_reason():
    async with evbox() as unit, Scope("test") as scope:
        unit.is_connectable = False
        finder = Finder(registry=REGISTRY, links=links(unit), scope=scope, ours=frozenset)
        hints = {"services": " ".join(unit.gatt), "name": "EVBox in stall 7"}
        finder.sighted(Sighting(source=SourceKind.BLUETOOTH, address=unit.address, at=datetime.now(UTC), hints=hints))
        await finder.settled(20)
        [found] = finder.units.values()
        assert found.title == "EVBox in stall 7"
        assert not found.is_present
        assert found.ways[0].trouble


def test_bleak_errors_are_translated_with_bounded_text():
    told = ble.told_of(BleakError("x" * 5000), "EVBox")
    assert len(told.message) < 300


async def test_once_the_code_is_entered_the_unit_tells_who_it_is():
    held = MemoryVault()
    async with evbox() as unit, Scope("test") as scope:
        air = RealLinks(radio=unit.ether.radio, vault=held)
        finder = Finder(registry=REGISTRY, links=air, scope=scope, ours=frozenset)
        hints = {"services": " ".join(unit.gatt)}
        finder.sighted(Sighting(source=SourceKind.BLUETOOTH, address=unit.address, at=datetime.now(UTC), hints=hints))
        await finder.settled(5)
        [found] = finder.units.values()
        held.set(f"charger/{unit.address}/password", Secret(CODE))
        again = await finder.refresh(found.unit_id)
        assert again.identity.serial == unit.serial
        assert again.backend.url == "wss://EU.EVERON.IO"
        assert not again.ways[0].trouble
        assert len(finder.units) == 1
