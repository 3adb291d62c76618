"""Bluetooth LE over bleak, which is loaded only when it is wanted: a computer without Bluetooth runs without it.

What goes wrong below is told in words a technician can act on: no radio, switched off, no permission, out of reach.
Source: bleak 3.1, docs/troubleshooting.rst and bleak/exc.py.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import AppError, LinkLost, NotReachable, NotSupported, TimedOut
from app.model.address import BleAddress

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.scanner import BaseBleakScanner

CONNECT_S = 20.0
"""Longest search for a unit and connection to it; with the second attempt twice that."""
ATTEMPTS = 2
"""A first connection over Bluetooth LE often breaks off while services are looked up."""
WRITE_S = 10.0
CLOSE_S = 5.0
WAITING_LIMIT = 4096
"""Notifications kept until somebody reads them; a flood ends the connection."""
TEXT_LIMIT = 200

for _name in ("bleak", "dbus_fast"):
    # What goes wrong is told in our own errors; and bleak writes every value down, security codes among them.
    logging.getLogger(_name).setLevel(logging.CRITICAL)

AGAIN = "Go nearer to the charger, close its app on every phone, then try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """Which Bluetooth is used: the computer's own where nothing is given, else bleak backend classes (simulators)."""

    client: type[BaseBleakClient] | None = None
    scanner: type[BaseBleakScanner] | None = None


OWN_RADIO = Radio()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advert:
    """What a unit says of itself over the air. ``rssi_dbm`` is how strong it is heard."""

    device: str
    name: str
    services: frozenset[str]
    rssi_dbm: int


def load() -> Any:
    """Import bleak; raises NotSupported where it is missing or fits not this system."""
    try:
        import bleak
        import bleak.exc

        if sys.platform == "win32":
            # The window's thread is a Windows GUI thread, which runs the messages that bleak waits for.
            from bleak.backends.winrt.util import allow_sta

            allow_sta()
    except ImportError as error:
        raise NotSupported(
            f"This copy of Rehome has no Bluetooth: {str(error)[:TEXT_LIMIT]}.",
            "Install Rehome again, or set the charger with its maker's app on a phone.",
        ) from error
    return bleak


@asynccontextmanager
async def listening(heard: Callable[[Advert], None], radio: Radio = OWN_RADIO) -> AsyncIterator[None]:
    """Listen for advertisements inside the context. Raises NotReachable, NotSupported."""
    bleak = load()

    def told(device: Any, data: Any) -> None:
        name = data.local_name or device.name or ""
        services = frozenset(str(item).lower() for item in data.service_uuids)
        heard(Advert(device=str(device.address), name=name, services=services, rssi_dbm=int(data.rssi)))

    options = {} if radio.scanner is None else {"backend": radio.scanner}
    try:
        scanner = bleak.BleakScanner(told, **options)
        async with asyncio.timeout(CONNECT_S):
            await scanner.start()
    except (bleak.exc.BleakError, OSError, TimeoutError) as error:
        raise told_of(error, "Bluetooth") from error
    try:
        yield
    finally:
        with suppress(bleak.exc.BleakError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await scanner.stop()


class GattLink:
    """A connection to one unit. Notifications wait in order until they are received."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._client: BleakClient | None = None
        self._waiting: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()
        self._is_lost = False
        self._errors: tuple[type[Exception], ...] = (OSError, TimeoutError, EOFError)

    @classmethod
    async def open(cls, address: BleAddress, radio: Radio = OWN_RADIO) -> GattLink:
        """Connect and look its services up. Raises NotReachable, NotSupported (no Bluetooth here)."""
        bleak = load()
        options = {} if radio.client is None else {"backend": radio.client}
        for attempt in range(ATTEMPTS):
            # a new one each time: what broke off before may be told late, and is none of the next one's
            link = cls(str(address))
            link._errors = (bleak.exc.BleakError, OSError, TimeoutError, EOFError)
            client = bleak.BleakClient(address.device, link._hung_up, timeout=CONNECT_S, **options)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await client.connect()
            except link._errors as error:
                told = told_of(error, address.name or address.device)
                if attempt + 1 < ATTEMPTS and isinstance(told, LinkLost):
                    continue
                if isinstance(told, LinkLost):
                    told = NotReachable(told.message, told.advice)
                raise told from error
            link._client = client
            return link
        raise NotReachable(f"{address} can't be connected to.", AGAIN)

    @property
    def services(self) -> frozenset[str]:
        """Return the UUIDs of its services, lower case."""
        return frozenset(service.uuid.lower() for service in self._connected().services)

    async def listen(self, characteristic: str) -> None:
        """Ask for its notifications; raises LinkLost, NotSupported where there is no such characteristic."""
        client, found = self._connected(), self._characteristic(characteristic)
        try:
            async with asyncio.timeout(WRITE_S):
                await client.start_notify(found, lambda sender, data: self._heard(sender.uuid, bytes(data)))
        except self._errors as error:
            raise self._failed(error) from error

    async def write(self, characteristic: str, data: bytes) -> None:
        """Write one value with response; raises LinkLost, TimedOut, NotSupported."""
        client, found = self._connected(), self._characteristic(characteristic)
        try:
            async with asyncio.timeout(WRITE_S):
                await client.write_gatt_char(found, data, response=True)
        except self._errors as error:
            raise self._failed(error) from error

    async def receive(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return characteristic and value of the next notification; raises TimedOut, LinkLost."""
        if self._is_lost and self._waiting.empty():
            raise self._lost()
        try:
            async with asyncio.timeout(timeout_s):
                item = await self._waiting.get()
        except TimeoutError as error:
            raise TimedOut(f"{self._where} said nothing for {timeout_s:.0f} s.", AGAIN) from error
        if item is None:
            raise self._lost()
        return item

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        client, self._client = self._client, None
        self._hung_up(None)
        if client is None:
            return
        with suppress(*self._errors):
            async with asyncio.timeout(CLOSE_S):
                await client.disconnect()

    def _heard(self, characteristic: str, value: bytes) -> None:
        if self._waiting.qsize() < WAITING_LIMIT:
            self._waiting.put_nowait((characteristic.lower(), value))
        else:
            self._hung_up(None)

    def _hung_up(self, _client: Any) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._waiting.put_nowait(None)

    def _connected(self) -> BleakClient:
        if self._client is None or self._is_lost:
            raise self._lost()
        return self._client

    def _characteristic(self, uuid: str) -> Any:
        """Find it by UUID; a unit that names one twice would make bleak refuse."""
        found = [item for service in self._connected().services for item in service.characteristics]
        for item in found:
            if item.uuid.lower() == uuid.lower():
                return item
        raise NotSupported(f"{self._where} has no Bluetooth characteristic {uuid}.", "It is another kind of device.")

    def _failed(self, error: Exception) -> AppError:
        if self._is_lost:
            return self._lost()
        return told_of(error, self._where)

    def _lost(self) -> LinkLost:
        return LinkLost(f"The Bluetooth connection to {self._where} broke off.", AGAIN)


def told_of(error: Exception, where: str) -> AppError:
    """Say in words what bleak or the system reported."""
    from bleak import exc

    if isinstance(error, exc.BleakBluetoothNotAvailableError):
        return _not_available(error.reason)
    if isinstance(error, exc.BleakDeviceNotFoundError):
        return NotReachable(f"{where} is not in Bluetooth reach.", AGAIN)
    if isinstance(error, exc.BleakCharacteristicNotFoundError):
        return NotSupported(f"{where} has no such Bluetooth characteristic.", "It is another kind of device.")
    if isinstance(error, exc.BleakDBusError):
        return _by_dbus(error, where)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where} did not answer over Bluetooth.", AGAIN)
    if isinstance(error, OSError) and sys.platform == "linux":
        return _no_bluez()
    return LinkLost(f"Bluetooth to {where} failed: {str(error)[:TEXT_LIMIT]}.", AGAIN)


def _not_available(reason: Any) -> AppError:
    name = reason.name
    if name in ("NO_BLUETOOTH", "NO_BLE_CENTRAL_ROLE"):
        return NotSupported(
            "This computer has no Bluetooth Low Energy radio that is ready.",
            "Plug a USB Bluetooth 4.0 (or later) adapter in, or use the maker's app on a phone.",
        )
    if name == "POWERED_OFF":
        return NotReachable("Bluetooth is switched off on this computer.", "Switch it on in the system's settings.")
    if name.startswith("DENIED"):
        return NotReachable(
            "The system does not let Rehome use Bluetooth.",
            "macOS: System Settings › Privacy & Security › Bluetooth, allow Rehome (or the Terminal it was started "
            "from). Windows: Settings › Privacy & security › Radios. Then start Rehome again.",
        )
    return NotReachable("Bluetooth is not available right now.", "Switch it off and on again in the system's settings.")


def _by_dbus(error: Any, where: str) -> AppError:
    name = str(error.dbus_error)
    if name.endswith(("ServiceUnknown", "NameHasNoOwner", "Spawn.ServiceNotFound")):
        return _no_bluez()
    if name.endswith(("NotReady", "NotPowered")):
        return NotReachable("Bluetooth is switched off on this computer.", "Switch it on: bluetoothctl power on.")
    if name.endswith(("AccessDenied", "NotAuthorized", "NotPermitted")):
        return NotReachable(
            "The system does not let this user use Bluetooth.", "Add the user to the group “bluetooth”, log in again."
        )
    if name.endswith(("UnknownObject", "DoesNotExist")):
        return NotReachable(f"{where} is not in Bluetooth reach.", AGAIN)
    return LinkLost(f"Bluetooth to {where} failed: {str(error)[:TEXT_LIMIT]}.", AGAIN)


def _no_bluez() -> NotSupported:
    return NotSupported(
        "This Linux has no Bluetooth service (BlueZ) that answers.",
        "Install and start it (package bluez, service bluetooth), or use the maker's app on a phone.",
    )
