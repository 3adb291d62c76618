"""A simulated OpenEVSE WiFi gateway: HTTP, WebSocket, its own OCPP client, its quirks by firmware.

Sources: OpenEVSE/openevse_esp32_firmware (tags 4.1.7 to v5.1.5, head), matth-x/MicroOcppMongoose v1.0.0 to v1.2.0.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from app.model.address import NetAddress
from app.scope import Scope
from app.sim.announce import Announcement
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault
from app.sim.openevse_config import ConfigStore, Era, defaults, era_of
from app.sim.openevse_web import GatewayWeb
from app.sim.rapi import Controller

RESTART_DELAY_S = 1.0
"""The ESP restarts about a second after its answer."""

HEADER_BUFFER = 128
"""``char extra_headers[128]`` (MicroOcppMongooseClient.cpp); a longer login line is cut and the request is broken."""

STATES = {"Available": 1, "Preparing": 2, "Charging": 3, "SuspendedEV": 2, "Finishing": 2, "Unavailable": 254}
OCPP_ERRORS = {5: "GroundFailure", 6: "GroundFailure", 7: "GroundFailure", 8: "PowerSwitchFailure"}
OCPP_ERRORS |= {9: "GroundFailure", 10: "HighTemperature", 11: "OverCurrentFailure"}


class OpenEvseGateway:
    """One charger: gateway, controller, car. Use it as an async context manager; ``address`` is known inside.

    ``config`` prepares values of ``/config`` before it starts. ``announce`` names local addresses to announce mDNS
    on, under ``label`` where another simulator on this computer may bear the same name.
    ``faults`` may be changed at any time. Times are multiplied by ``time_scale``.
    """

    def __init__(
        self,
        firmware: str = "v5.1.5",
        *,
        name: str = "",
        serial: str = "240AC411A7D4",
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        config: dict[str, Any] | None = None,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        self.serial = serial
        self.era = era_of(firmware)
        self.time_scale = max(time_scale, 0.001)
        self.reboot_s = 3.0
        self.faults: set[Fault] = set(faults)
        self.name = name or f"openevse-{serial[-4:].lower()}"
        self.store = ConfigStore(defaults(firmware, self.era, serial, self.name) | (config or {}), self.faults)
        self.log: list[str] = []
        self.noted = asyncio.Event()
        self.was_erased = False
        self.restarts = 0
        self.restarted = asyncio.Event()
        self.fault_state = 0
        self.rssi_dbm = -61
        self.point = self._charge_point()
        self.controller = Controller(self.point.outlet(1), mcu_id=str(self.config["evse_serial"]))
        self.web = GatewayWeb(self, host, port)
        self._announce = tuple(announce)
        self._label = label or self.name
        self._announcement: Announcement | None = None
        self._scope = Scope(f"sim/{self.name}")
        self._stack = AsyncExitStack()
        self._dialled: tuple[str, tuple[tuple[str, str], ...]] = ("", ())

    async def __aenter__(self) -> Self:
        await self.web.start()
        self._scope.isolated("ticker", self._tick())
        self._apply_ocpp(starts=True)
        await self._stack.enter_async_context(self.point)
        if not self.store.values["ocpp_enabled"]:
            await self.point.power_off()
        if self._announce:
            self._announcement = Announcement(self.services(), self._announce, name=self._label, port=self.web.port)
            await self._announcement.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._scope.close()
        if self._announcement is not None:
            await self._announcement.stop()
        await self._stack.aclose()
        await self.web.stop()

    @property
    def address(self) -> NetAddress:
        """Return where it answers HTTP."""
        return NetAddress(host=self.web.host, port=self.web.port)

    @property
    def config(self) -> dict[str, Any]:
        """Return its present configuration, secrets included."""
        return self.store.values

    # What a person does to it

    def plug_in(self) -> None:
        """Connect a car. It charges at once where everybody may charge or no OCPP runs."""
        outlet = self.point.outlet(1)
        outlet.limit_a = min(float(self.config["max_current_soft"]), 32.0)
        if self.config["ocpp_enabled"]:
            self.point.free_vend_tag = self._free_vend_tag()
            self.point.plug_in()
        else:
            outlet.is_plugged, outlet.status = True, "Charging"
            outlet.is_charging = True
        self.web.publish_state()

    def unplug(self) -> None:
        """Take the car away."""
        outlet = self.point.outlet(1)
        outlet.is_charging = False
        self.point.unplug()
        self.web.publish_state()

    def trip(self, state: int = 6) -> None:
        """Let the controller report a fault state (4 to 17); 0 ends it."""
        self.fault_state = state
        self.point.set_fault(OCPP_ERRORS.get(state, "OtherError") if state else "NoError")
        self.web.publish_state()

    async def power_cycle(self, off_s: float | None = None) -> None:
        """Cut the power for ``off_s`` (scaled; default ``reboot_s``)."""
        await self.power_off()
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        await self.power_on()

    async def power_off(self) -> None:
        """Cut the power: every connection drops."""
        await self.point.power_off()
        await self.web.stop()
        if self._announcement is not None:
            await self._announcement.stop()

    async def power_on(self) -> None:
        """Give it power again: it starts with what is stored."""
        self.restarts += 1
        self.store.reload()
        await self.web.start()
        self._apply_ocpp(starts=True)
        if self.config["ocpp_enabled"]:
            self.point.power_on()
        if self._announcement is not None:
            await self._announcement.start()
        self.restarted.set()

    # What the web pages and the backend do to it

    def restart_soon(self) -> None:
        """Restart the gateway about a second from now."""
        self._scope.isolated("restart", self._restart())

    def changed(self, keys: set[str]) -> None:
        """Act on configuration keys that changed (src/app_config.cpp, config_changed)."""
        self._mirror()
        if "ocpp_enabled" in keys:
            self._scope.isolated("ocpp", self._switch_ocpp())
        elif any(key.startswith("ocpp_") for key in keys) and self.config["ocpp_enabled"]:
            self._apply_ocpp()

    def status(self) -> dict[str, Any]:
        """Return the full status object (buildStatus, units of src/emonesp.h)."""
        config, outlet = self.config, self.point.outlet(1)
        is_connected = self.point.is_connected or Fault.LIES_CONNECTED in self.faults
        return {
            "mode": "STA",
            "wifi_client_connected": 1,
            "eth_connected": 0,
            "net_connected": 1,
            "ipaddress": self.web.host,
            "macaddress": ":".join(re.findall("..", self.serial)),
            "mqtt_connected": 0,
            "emoncms_connected": 0,
            "ocpp_connected": int(is_connected),
            "rapi_connected": 1,
            "comm_sent": 588,
            "comm_success": 588,
            **self.live(),
            "gfcicount": 0,
            "nogndcount": 0,
            "stuckcount": 0,
            "service_level": config["service"],
            "max_current": config["max_current_soft"],
            "srssi": self.rssi_dbm,
            "free_heap": 167436,
            "uptime": 86512,
            "config_version": self.store.version,
            "manual_override": 0,
            "status": "active" if outlet.is_available else "disabled",
        }

    def live(self) -> dict[str, Any]:
        """Return the fields that come with every measurement (create_rapi_json)."""
        outlet = self.point.outlet(1)
        state = self.fault_state or STATES.get(outlet.status, 1)
        fields: dict[str, Any] = {
            "evse_connected": 1,
            "amp": round(outlet.current_a * 1000),
            "voltage": round(outlet.voltage_v),
            "pilot": round(outlet.limit_a),
            "temp": round(outlet.temperature_c * 10),
            "temp1": round(outlet.temperature_c * 10),
            "temp2": False,
            "state": state,
            "flags": 0x0140 if outlet.is_charging else 0x0100 if outlet.is_plugged else 0x0200,
            "vehicle": int(outlet.is_plugged),
            "session_energy": round(outlet.session_wh, 1),
            "total_energy": round(outlet.energy_wh / 1000, 4),
        }
        if self.era is not Era.V4_1_7:
            fields["power"] = round(outlet.power_w * (3 if self.config["is_threephase"] else 1), 1)
        return fields

    # Inside

    def _charge_point(self) -> ChargePoint:
        keys = standard_keys()
        keys["GetConfigurationMaxKeys"] = ConfigKey("30", readonly=True)
        keys["Cst_ReconnectInterval"] = ConfigKey("10")
        keys["Cst_StaleTimeout"] = ConfigKey("300")
        for key in ("Cst_BackendUrl", "Cst_ChargeBoxId", "AuthorizationKey"):
            keys[key] = ConfigKey("", reboot_required=True)
        boot = {
            "chargePointModel": "Advanced Series",
            "chargePointVendor": "OpenEVSE",
            "firmwareVersion": str(self.config["version"]),
            "chargePointSerialNumber": self.serial,
            "meterSerialNumber": str(self.config["firmware"]),
        }
        return ChargePoint(
            self.name,
            "",
            boot=boot,
            configuration=keys,
            on_change=self._change_over_ocpp,
            on_reset=lambda _kind: self.restart_soon(),
            redial_s=10.0,
            time_scale=self.time_scale,
            faults=self.faults,
        )

    def _change_over_ocpp(self, key: str, value: str) -> str:
        mapped = {"Cst_BackendUrl": "ocpp_server", "Cst_ChargeBoxId": "ocpp_chargeBoxId"}
        mapped["AuthorizationKey"] = "ocpp_authkey"
        if key in ("Cst_BackendUrl", "Cst_ChargeBoxId", "AuthorizationKey"):
            checked = self.era in (Era.BLIND_HEX, Era.CHECKED_HEX, Era.HEAD)
            if key == "AuthorizationKey" and checked and not is_key_hex(value):
                return "Rejected"
            self.store.put(mapped[key], value)
            self._mirror()
            return "RebootRequired"
        return self.point.store(key, value)

    def _mirror(self) -> None:
        keys, config = self.point.configuration, self.config
        keys["Cst_BackendUrl"].value = str(config["ocpp_server"])
        keys["Cst_ChargeBoxId"].value = str(config["ocpp_chargeBoxId"])
        keys["AuthorizationKey"].value = str(config.get("ocpp_authkey", ""))
        self.point.free_vend_tag = self._free_vend_tag()

    def _free_vend_tag(self) -> str:
        return str(self.config.get("ocpp_idtag", "")) if self.config.get("ocpp_auth_auto") else ""

    def _apply_ocpp(self, *, starts: bool = False) -> None:
        self._mirror()
        url, identity = str(self.config["ocpp_server"]), str(self.config["ocpp_chargeBoxId"])
        key = key_bytes(str(self.config.get("ocpp_authkey", "")), self.era)
        login = basic_header(identity, key) if key else ()
        if login is None:
            self.note("[ocpp] Basic Authentication failed")
            url, login = "", ()
        dialled = (micro_ocpp_url(url, identity) if self.config["ocpp_enabled"] else "", login)
        # the library compares decoded bytes with the stored text: in the hex era a key makes every change a redial
        always = bool(key) and self.era not in (Era.V4_1_7, Era.TEXT_KEY)
        if dialled == self._dialled and not always and not starts:
            return
        self._dialled = dialled
        self.point.dial_url, self.point.headers = dialled
        if not starts:
            self.point.redial_soon(0.1)

    async def _switch_ocpp(self) -> None:
        await self.point.power_off()
        self._apply_ocpp(starts=True)
        if self.config["ocpp_enabled"]:
            self.point.power_on()

    async def _restart(self) -> None:
        await asyncio.sleep(RESTART_DELAY_S * self.time_scale)
        await self.power_cycle()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(max(1.0 * self.time_scale, 0.02))
            self.web.publish(self.live())
            if self.point.last_error:
                self.note(f"[MO] connection {self.point.dial_url} -- {self.point.last_error}")
                self.point.last_error = ""

    def note(self, text: str) -> None:
        """Write a line to the debug log, the newest 200 of which are kept."""
        self.log = [*self.log[-199:], text]
        self.noted.set()

    def services(self) -> dict[str, dict[str, str]]:
        """Return what it announces by mDNS: type → TXT."""
        txt = {"type": "openevse_wifi_v1", "version": str(self.config["version"]), "id": self.serial.lower()}
        return {"_openevse._tcp": txt, "_http._tcp": {}}


def micro_ocpp_url(url: str, identity: str) -> str:
    """Join as MicroOcpp does: a slash only where none is, and no percent-encoding. Empty URL = don't dial."""
    if not url:
        return ""
    return url + ("" if url.endswith("/") or not identity else "/") + identity


def is_key_hex(text: str) -> bool:
    """Check as ``validateAuthorizationKeyHex``: hex digits in pairs, at most 20 bytes."""
    return re.fullmatch(r"(?:[0-9A-Fa-f]{2}){0,20}", text) is not None


def key_bytes(stored: str, era: Era) -> bytes:
    """Return the bytes a firmware sends as password when ``ocpp_authkey`` holds this text."""
    if era is Era.V4_1_7:
        return b""
    if era is Era.TEXT_KEY:
        return stored.encode()
    if era is Era.BLIND_HEX:
        return bytes(_nibble(stored[i]) << 4 | _nibble(stored[i + 1]) for i in range(0, len(stored) // 2 * 2, 2))
    return bytes.fromhex(stored) if is_key_hex(stored) else b""


def _nibble(digit: str) -> int:
    """Decode as Mongoose 6.14 ``fourbit``: what is no digit counts as zero."""
    return int(digit, 16) if digit in "0123456789abcdefABCDEF" else 0


def basic_header(identity: str, key: bytes) -> tuple[tuple[str, str], ...] | None:
    """Return the login header, or ``None`` where it overflows the client's buffer and the request breaks."""
    token = base64.b64encode(identity.encode() + b":" + key).decode()
    if len(f"Authorization: Basic {token}\r\n") >= HEADER_BUFFER:
        return None
    return (("Authorization", f"Basic {token}"),)
