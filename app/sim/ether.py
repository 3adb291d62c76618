"""A simulated Bluetooth: units in the air, and the bleak backend that finds and connects to them.

Only bleak's lowest layer is replaced (its documented ``backend`` classes); scanner, client and everything above are
the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from app.links.ble import Radio

Notify = Callable[[bytes], None]


class Peripheral(Protocol):
    """A unit in the air. ``gatt`` maps service → characteristic → properties; ``mtu`` limits one value's bytes."""

    device: str
    name: str
    rssi_dbm: int
    gatt: Mapping[str, Mapping[str, list[Any]]]
    mtu: int

    @property
    def is_connectable(self) -> bool:
        """Say whether it takes a connection now."""
        ...

    def connected(self, notify: Notify, hang_up: Callable[[], None]) -> None:
        """Take a connection: answers go to ``notify``."""
        ...

    def disconnected(self) -> None:
        """Lose it."""
        ...

    async def written(self, characteristic: str, value: bytes) -> None:
        """Take one value; raises BleakError where it refuses."""
        ...


@dataclass(slots=True)
class Ether:
    """What is in the air. ``trouble`` is what the computer's radio raises instead of working."""

    units: dict[str, Peripheral] = field(default_factory=dict)
    trouble: Exception | None = None

    @property
    def radio(self) -> Radio:
        """Return the radio that hears this air."""
        client = type("SimulatedClient", (SimulatedClient,), {"ether": self})
        scanner = type("SimulatedScanner", (SimulatedScanner,), {"ether": self})
        return Radio(client=client, scanner=scanner)


class SimulatedScanner(BaseBleakScanner):
    """Hears every unit once when it starts, and again each ``PERIOD_S``."""

    ether: Ether
    PERIOD_S = 0.05

    def __init__(self, callback: Any, services: Any, _mode: str, **_options: Any) -> None:
        super().__init__(callback, services)
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to listen."""
        if self.ether.trouble is not None:
            raise self.ether.trouble
        self.seen_devices = {}
        self._tick()

    async def stop(self) -> None:
        """Stop listening."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        for unit in list(self.ether.units.values()):
            data = AdvertisementData(
                local_name=unit.name,
                manufacturer_data={},
                service_data={},
                service_uuids=list(unit.gatt),
                tx_power=None,
                rssi=unit.rssi_dbm,
                platform_data=(),
            )
            device = self.create_or_update_device(unit.device, unit.device, unit.name, None, data)
            self.call_detection_callbacks(device, data)
        self._timer = asyncio.get_running_loop().call_later(self.PERIOD_S, self._tick)


class SimulatedClient(BaseBleakClient):
    """A connection to one unit in the air."""

    ether: Ether

    def __init__(self, address: Any, **options: Any) -> None:
        kept = {name: options[name] for name in ("disconnected_callback", "timeout")}
        super().__init__(address, **kept)
        self._unit: Peripheral | None = None
        self._callbacks: dict[str, Callable[[bytearray], None]] = {}

    @property
    def name(self) -> str:
        """Return what the unit calls itself."""
        return self._unit.name if self._unit else ""

    @property
    def mtu_size(self) -> int:
        """Return the ATT MTU."""
        return (self._unit.mtu if self._unit else 20) + 3

    @property
    def is_connected(self) -> bool:
        """Say whether it is connected."""
        return self._unit is not None

    async def connect(self, pair: bool, **_options: Any) -> None:
        """Connect and look the services up."""
        del pair
        if self.ether.trouble is not None:
            raise self.ether.trouble
        unit = self.ether.units.get(self.address)
        if unit is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        if not unit.is_connectable:
            raise BleakError("failed to discover services, device disconnected")
        self._unit = unit
        self.services = _services(unit)
        unit.connected(self._notify, self._hung_up)

    async def disconnect(self) -> None:
        """Hang up."""
        unit, self._unit = self._unit, None
        if unit is not None:
            unit.disconnected()

    async def pair(self, *_args: Any, **_options: Any) -> None:
        """Refuse: these units don't pair."""
        raise BleakError("pairing failed")

    async def unpair(self) -> None:
        """Refuse."""
        raise BleakError("unpairing failed")

    async def read_gatt_char(self, characteristic: Any, **_options: Any) -> bytearray:
        """Refuse: these units are not read."""
        del characteristic
        raise BleakGATTProtocolError(0x02)

    async def read_gatt_descriptor(self, descriptor: Any, **_options: Any) -> bytearray:
        """Refuse."""
        del descriptor
        raise BleakGATTProtocolError(0x02)

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        """Refuse."""
        del descriptor, data
        raise BleakGATTProtocolError(0x03)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: Any, response: bool) -> None:
        """Hand one value to the unit."""
        del response
        if self._unit is None:
            raise BleakError("Not connected")
        if len(data) > self._unit.mtu:
            raise BleakGATTProtocolError(0x0D)
        await self._unit.written(characteristic.uuid, bytes(data))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: Any, **_options: Any) -> None:
        """Hand the unit's notifications to the callback."""
        if "notify" not in characteristic.properties:
            raise BleakGATTProtocolError(0x06)
        self._callbacks[characteristic.uuid] = callback

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Stop it."""
        self._callbacks.pop(characteristic.uuid, None)

    def _notify(self, value: bytes) -> None:
        for callback in self._callbacks.values():
            callback(bytearray(value))

    def _hung_up(self) -> None:
        self._unit = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()


def _services(unit: Peripheral) -> BleakGATTServiceCollection:
    collection = BleakGATTServiceCollection()
    handle = 1
    for uuid, characteristics in unit.gatt.items():
        service = BleakGATTService(None, handle, uuid)
        collection.add_service(service)
        for name, properties in characteristics.items():
            handle += 2
            found = BleakGATTCharacteristic(None, handle, name, properties, lambda: unit.mtu, service)
            collection.add_characteristic(found)
        handle += 2
    return collection
