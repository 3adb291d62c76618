"""The EVBox driver over a Bluetooth stack that is not ours: Google's bumble, host and virtual controllers on both sides.

Skipped where bumble is not installed (it is in no lock): ``pip install bumble`` into the environment, by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("bumble")

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bumble.controller import Controller
from bumble.device import Device, Peer
from bumble.gatt import Characteristic, CharacteristicValue, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

import app.drivers
from app import resources
from app.driver.registry import Registry, load_drivers, load_profiles
from app.links.ble import Radio
from app.links.real import RealLinks
from app.model.address import BleAddress
from app.model.backend import Backend
from app.sim.ether import SimulatedClient
from app.sim.evbox import EvboxUnit
from tests.drivers.rigs_evbox import CODE, evbox, vault

RIGHTS = {"write": Characteristic.Properties.WRITE, "notify": Characteristic.Properties.NOTIFY}


def device(name: str, link: LocalLink, address: str) -> Device:
    controller = Controller(name, link=link)
    return Device(name=name, address=Address(address), host=Host(controller, AsyncPipeSink(controller)))


def long_uuid(uuid: Any) -> str:
    text = uuid.to_hex_str("-").lower()
    return text if len(text) > 8 else f"0000{text}-0000-1000-8000-00805f9b34fb"


@asynccontextmanager
async def in_the_air(unit: EvboxUnit, link: LocalLink, sizes: list[int]) -> AsyncIterator[Callable[[bytes], None]]:
    """Put a unit behind a real GATT server; yields what sends its notifications."""
    peripheral = device("evbox", link, unit.device)
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    told: list[Any] = []
    for service, characteristics in unit.gatt.items():
        made = []
        for uuid, names in characteristics.items():

            async def take(_connection: Any, value: bytes, uuid: str = uuid) -> None:
                sizes.append(len(value))
                await unit.written(uuid, bytes(value))

            rights = Characteristic.Properties(0)
            for name in names:
                rights |= RIGHTS[name]
            may = Characteristic.READABLE | Characteristic.WRITEABLE
            made.append(Characteristic(uuid, rights, may, CharacteristicValue(write=take)))
            told += made[-1:] if "notify" in names else []
        peripheral.add_service(Service(service, made))
    await peripheral.power_on()
    await peripheral.start_advertising(auto_restart=True)

    async def say() -> None:
        while True:
            await peripheral.notify_subscribers(told[0], await waiting.get())

    saying = asyncio.ensure_future(say())
    try:
        yield waiting.put_nowait
    finally:
        saying.cancel()
        await peripheral.power_off()


def client_of(central: Device, unit: EvboxUnit, notify: Callable[[bytes], None]) -> type[SimulatedClient]:
    class BumbleClient(SimulatedClient):
        """bleak's lowest layer on bumble's host."""

        async def connect(self, pair: bool, **_options: Any) -> None:
            del pair
            self.line = await central.connect(Address(self.address))
            self._unit = unit
            unit.connected(notify, self._hung_up)
            self.peer = Peer(self.line)
            await self.peer.discover_services()
            await self.peer.discover_characteristics()
            if unit.mtu > 20:
                await self.peer.request_mtu(185)
            self.services = BleakGATTServiceCollection()
            for found in self.peer.services:
                service = BleakGATTService(found, found.handle, long_uuid(found.uuid))
                self.services.add_service(service)
                for item in found.characteristics:
                    held = BleakGATTCharacteristic(item, item.handle, long_uuid(item.uuid), [], lambda: 20, service)
                    self.services.add_characteristic(held)

        async def disconnect(self) -> None:
            await super().disconnect()
            await self.line.disconnect()

        async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
            await self.peer.write_value(characteristic.obj, bytes(data), with_response=response)

        async def start_notify(self, characteristic: Any, callback: Any, **_options: Any) -> None:
            await self.peer.subscribe(characteristic.obj, lambda value: callback(bytearray(value)))

    return BumbleClient


@pytest.mark.parametrize(("is_esp32", "longest"), [(False, 20), (True, 128)])
async def test_an_evbox_is_read_and_moved_over_bumble(is_esp32: bool, longest: int) -> None:
    registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
    profile = registry.profiles["evbox-ble"]
    driver = registry.driver_of(profile)
    link, sizes = LocalLink(), []
    central = device("central", link, "C0:C1:C2:C3:C4:C5")
    await central.power_on()
    async with evbox(is_esp32=is_esp32, device="F0:F1:F2:F3:F4:F5") as unit, in_the_air(unit, link, sizes) as notify:
        address = BleAddress(device=unit.device, name=unit.name)
        links = RealLinks(vault=vault(unit, CODE), radio=Radio(client=client_of(central, unit, notify)))
        found = await driver.probe(address, profile, links)
        assert found.serial == unit.serial
        async with driver.open(address, profile, links) as session:
            wanted = Backend(url="wss://csms.example/" + "x" * 150, identity=unit.serial)
            for change in await session.plan_backend(wanted, await session.read_settings()):
                assert (await session.write_setting(change)).read_back == change.after
        assert unit.held["evb_ServerURL"] == wanted.url + "/"
        assert max(sizes) == longest
    await central.power_off()
