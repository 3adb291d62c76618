"""A simulated EVBox Gen4: its Bluetooth side, with either radio, and the OCPP client behind it.

Source: CReimer/evbox-g4-ble const.py, protocol.py and tests/test_client_session.py. Which status its keys are answered
with, and that it dials the new address at once, is our own assumption.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from bleak.exc import BleakError

from app.model.address import BleAddress
from app.model.backend import JoinRule, dialled_url
from app.scope import Scope
from app.sim.chargepoint import ChargePoint
from app.sim.ether import Ether, Notify
from app.sim.fault import Fault

LEGACY = {"2456e1b9-26e2-8f83-e744-f34f01e9d701": {"2456e1b9-26e2-8f83-e744-f34f01e9d703": ["write", "notify"]}}
ESP32 = {
    "0000a002-0000-1000-8000-00805f9b34fb": {
        "0000c304-0000-1000-8000-00805f9b34fb": ["write"],
        "0000c305-0000-1000-8000-00805f9b34fb": ["notify"],
    }
}
OWN_BACKEND = "wss://EU.EVERON.IO/"


def factory_keys(serial: str, firmware: str) -> dict[str, str]:
    """Return what a charger holds when it comes from its old operator."""
    return {
        "evb_ServerURL": OWN_BACKEND,
        "evb_UseBackend": "true",
        "evb_SerialAsConnectorId": "true",
        "evb_ConnectorList": "true",
        "evb_APNName": "old.apn",
        "evb_APNUser": "",
        "evb_APNPass": "apn-secret-1",
        "evb_AutoStart": "",
        "evb_MaximumStationCurrent": "160",
        "ConnectorPhaseRotation": "1.RST",
        "evb_BootInfo": f"EV-BOX,E3160-A45062,{serial},{firmware},,",
    }


class EvboxUnit:
    """One charger in the air.

    ``instead`` is sent in place of every answer, ``breaks_after`` hangs up after so many pieces of messages, ``loses``
    drops each so-manieth notification, ``reject`` names keys it refuses to change.
    """

    def __init__(
        self,
        ether: Ether,
        *,
        serial: str = "EVB-SIM-0001",
        device: str = "C8:FD:19:00:00:01",
        is_esp32: bool = False,
        code: str = "246813",
        firmware: str = "SIM-G4-1",
        keys: Mapping[str, str] | None = None,
        time_scale: float = 1.0,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.ether = ether
        self.serial = serial
        self.device = device
        self.name = f"EVBox {serial[-4:]}"
        self.rssi_dbm = -63
        self.code = code
        self.gatt: Mapping[str, Mapping[str, list[Any]]] = ESP32 if is_esp32 else LEGACY
        self.mtu = 128 if is_esp32 else 20
        self.faults = set(faults)
        self.instead = b""
        self.breaks_after = 0
        self.loses = 0
        self.reject: set[str] = set()
        self.is_connectable = True
        self.connections = 0
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.held = factory_keys(serial, firmware) | dict(keys or {})
        self.point = ChargePoint(
            serial,
            "",
            boot={"chargePointVendor": "EV-BOX", "chargePointModel": "E3160-A45062", "chargePointSerialNumber": serial},
            time_scale=time_scale,
            faults=self.faults,
        )
        self.scope = Scope(f"sim/evbox/{serial}")
        self.restarts = 0
        self._stack = AsyncExitStack()
        self._heard = b""
        self._is_in = False
        self._told = 0
        self._pieces = 0
        self._notify: Notify | None = None
        self._hang_up: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Self:
        self._dial()
        await self._stack.enter_async_context(self.point)
        self.ether.units[self.device] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ether.units.pop(self.device, None)
        self.hang_up()
        await self.scope.close()
        await self._stack.aclose()

    @property
    def address(self) -> BleAddress:
        """Return where it is in the air."""
        return BleAddress(device=self.device, name=self.name)

    def plug_in(self) -> None:
        """Connect a car."""
        self.point.plug_in()

    def hang_up(self) -> None:
        """Break the Bluetooth connection off."""
        if self._notify is not None:
            self._notify = None
            self._hang_up()

    # The radio

    def connected(self, notify: Notify, hang_up: Callable[[], None]) -> None:
        """Take a connection; everything of the one before is forgotten."""
        self._notify, self._hang_up = notify, hang_up
        self._heard, self._is_in, self._pieces = b"", False, 0
        self.connections += 1

    def disconnected(self) -> None:
        """Lose it."""
        self._notify = None

    async def written(self, characteristic: str, value: bytes) -> None:
        """Take a piece of a message."""
        del characteristic
        self._pieces += 1
        if self.breaks_after and self._pieces > self.breaks_after:
            self.hang_up()
            raise BleakError("disconnected")
        self._heard += value
        digits = len(self._heard) - len(self._heard.lstrip(b"0123456789"))
        if digits and len(self._heard) - digits >= int(self._heard[:digits]):
            end = digits + int(self._heard[:digits])
            message, self._heard = self._heard[digits:end], self._heard[end:]
            asyncio.get_running_loop().call_soon(self._take, message)

    def say(self, message: Any) -> None:
        """Send a message of its own."""
        raw = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
        self.send(str(len(raw)).encode() + raw)

    def send(self, raw: bytes) -> None:
        """Send bytes in pieces; some may get lost on the way."""
        for start in range(0, len(raw), self.mtu):
            self._told += 1
            if self._notify is not None and not (self.loses and self._told % self.loses == 0):
                self._notify(raw[start : start + self.mtu])

    # What it answers

    def _take(self, message: bytes) -> None:
        found = json.loads(message)
        if found[0] != 2 or Fault.SILENT in self.faults:
            return
        _, number, action, payload = found
        self.asked.append((action, payload))
        if self.instead:
            self.send(self.instead)
            return
        answer = self._answer(action, payload)
        whole = [4, number, "NotSupported", "", {}] if answer is None else [3, number, answer]
        if Fault.TRUNCATES in self.faults:
            raw = json.dumps(whole).encode()[:-4]
            self.send(str(len(raw)).encode() + raw)
            return
        self.say([2, "77", "DataTransfer", {"vendorId": "EV-BOX", "messageId": "evbConnectionInfo", "data": "{}"}])
        self.say(whole)
        if Fault.DROPS_MID_WRITE in self.faults and action == "ChangeConfiguration":
            self.hang_up()

    def _answer(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any] | None:
        if action == "DataTransfer" and payload.get("messageId") == "evbBTConnect":
            self._is_in = payload.get("data") == f"Android,{self.code}"
            return {"status": True, "data": "true" if self._is_in else "false"}
        if not self._is_in:
            return {"status": "Rejected"}
        if action == "DataTransfer" and payload.get("messageId") == "evbWifiStatusGet":
            return {"status": True, "data": "7,Site,AA:BB:CC:DD:EE:FF,6,-58,192.168.1.50,255.255.255.0,192.168.1.1"}
        if action == "GetConfiguration":
            return self._get(payload.get("key", []))
        if action == "ChangeConfiguration":
            return {"status": self._change(str(payload.get("key")), str(payload.get("value")))}
        if action == "Reset":
            self.scope.isolated("restart", self._restart())
            return {"status": "Accepted"}
        return None

    def _get(self, keys: list[str]) -> dict[str, Any] | None:
        if len(keys) != 1 or keys[0] not in self.held:
            return None
        shown = "" if keys[0] == "evb_APNPass" else self.held[keys[0]]
        readonly = keys[0] in ("evb_BootInfo",)
        return {"configurationKey": [{"key": keys[0], "readonly": readonly, "value": shown}], "unknownKey": []}

    def _change(self, key: str, value: str) -> str:
        if key not in self.held or key in self.reject or Fault.REFUSES in self.faults:
            return "Rejected"
        if key == "evb_ServerURL" and not (value.lower().startswith(("ws://", "wss://")) and value.endswith("/")):
            return "Rejected"
        if Fault.ACCEPTS_AND_IGNORES not in self.faults:
            self.held[key] = value
        if key in ("evb_ServerURL", "evb_UseBackend"):
            self._dial()
            self.scope.isolated("redial", self.point.redial())
        return "Accepted"

    def _dial(self) -> None:
        is_on = self.held["evb_UseBackend"] == "true" and self.held["evb_ServerURL"] != OWN_BACKEND
        url = dialled_url(self.held["evb_ServerURL"], self.serial, JoinRule.APPEND_IF_MISSING)
        self.point.dial_url = url if is_on else ""

    async def _restart(self) -> None:
        self.restarts += 1
        self.hang_up()
        self.is_connectable = False
        await self.point.power_cycle()
        self.is_connectable = True
