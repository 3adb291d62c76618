"""A simulated SmartEVSE v3: settings by query, its own OCPP client, its habits by firmware.

Sources: dingo35/SmartEVSE-3.5 (tags v3.6.1 to v3.11.1: SmartEVSE-3/src/evse.cpp, esp32.cpp, network_common.cpp).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault
from app.sim.login import basic
from app.sim.openevse import micro_ocpp_url
from app.sim.webunit import Answer, WebUnit, drop

CONNECTIONS = 8
CLIENT_AFTER_S = 2.0
"""Its main loop makes the OCPP client a moment after it was switched on (our own assumption)."""
REBOOT_AFTER_S = 5.0
KEY_LIMIT_BYTES = 20
NOT_YET = "Can only update when OCPP enabled"
STATE_IDS = {"Available": 0, "Preparing": 1, "Charging": 2, "SuspendedEV": 1, "SuspendedEVSE": 9, "Finishing": 1}
STATE_TEXTS = {0: "Ready to Charge", 1: "Connected to EV", 2: "Charging", 9: "Charging Stopped"}
ERROR_TEXTS = ("None", "No Power Available", "Communication Error", "Temperature High", "EV Meter Comm Error")


class SmartEvseUnit(WebUnit):
    """One SmartEVSE. ``ocpp`` prepares ``mode`` (bool), ``backend_url``, ``cb_id``, ``auth_key``, ``auto_auth``.

    ``reader`` is the mode of its card reader; ``in_portal`` keeps it in its set-up portal; ``error_id`` is its error.
    """

    def __init__(
        self,
        firmware: str = "v3.11.1",
        *,
        serial: int = 45316,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
        ocpp: Mapping[str, Any] | None = None,
        reader: str = "Rmt/OCPP",
        in_portal: bool = False,
    ) -> None:
        name = f"SmartEVSE-{serial}"
        super().__init__(
            name, host=host, port=port, time_scale=time_scale, announce=announce, label=label, faults=faults
        )
        found = re.match(r"v(\d+)\.(\d+)\.(\d+)", firmware)
        self.version = tuple(int(part) for part in found.groups()) if found else (99, 0, 0)
        self.firmware, self.serial = firmware, serial
        self.reader, self.in_portal, self.error_id, self.mode_id = reader, in_portal, 0, 1
        self.ocpp: dict[str, Any] = {
            "mode": False,
            "backend_url": "",
            "cb_id": "",
            "auth_key": "",
            "auto_auth": False,
            "auto_auth_idtag": "",
        } | dict(ocpp or {})
        self.current_min = 6
        self._stored = dict(self.ocpp)
        self.has_client = False
        self.posts: list[str] = []
        self._lines: set[asyncio.BaseTransport] = set()
        self._reboot_waits = False
        self.point: ChargePoint = self._client()

    # What a family says

    def started(self) -> None:
        """Read what is stored and dial by it."""
        self.ocpp = dict(self._stored)
        self.has_client = bool(self.ocpp["mode"]) and self.has_ocpp
        self._use()

    @property
    def has_ocpp(self) -> bool:
        """Say whether OCPP can be set over HTTP."""
        return self.version >= (3, 6, 3)

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Announce its web page, without TXT."""
        return {"_http._tcp": {}}

    def unplug(self) -> None:
        """Take the car away; a restart that was ordered meanwhile comes now."""
        super().unplug()
        if self._reboot_waits:
            self._reboot_waits = False
            self.restart_soon(REBOOT_AFTER_S)

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request."""
        if self._is_crowded(request):
            return web.Response(status=503, text="Server busy, retry shortly", headers={"Connection": "close"})
        if self.in_portal and self.version >= (3, 11) and request.path not in ("/", "/save", "/erasesettings"):
            return web.Response(status=403, text="Not available in portal mode")
        if request.method == "POST" and self.version >= (3, 6) and "Content-Length" not in request.headers:
            await self._down.wait()
        if request.path == "/settings" and request.method == "GET":
            return web.json_response(self.settings())
        if request.path == "/settings" and request.method == "POST":
            return self._posted(request)
        if request.path == "/reboot":
            return self._reboot()
        if request.path == "/debug":
            token = f"(I) [MO] token {self.ocpp['auth_key']}\n" if self.has_client else ""
            return web.Response(text=f"(I) started {self.firmware}\n{token}")
        return web.Response(status=404, text="Not Found")

    def _is_crowded(self, request: web.Request) -> bool:
        if request.transport is not None:
            self._lines.add(request.transport)
        self._lines = {line for line in self._lines if not line.is_closing()}
        return self.version >= (3, 11) and len(self._lines) > CONNECTIONS

    def _reboot(self) -> Answer:
        if self.point.outlet(1).is_charging and self.version >= (3, 9, 3):
            self._reboot_waits = True
            text = "Reboot scheduled: Device will reboot 5 seconds after the EV stops charging..."
            return web.Response(status=202, text=text)
        self.restart_soon(REBOOT_AFTER_S)
        return web.Response(text="Device will reboot in 5 seconds...")

    # Settings

    def settings(self) -> dict[str, Any]:
        """Return the answer to ``GET /settings``."""
        outlet = self.point.outlet(1)
        state = STATE_IDS.get(outlet.status, 0)
        current = round(outlet.current_a * 10)
        text = STATE_TEXTS[state]
        found: dict[str, Any] = {
            "version": self.firmware,
            "serialnr": self.serial,
            "mode": {0: "OFF", 1: "NORMAL", 4: "PAUSE"}[self.mode_id],
            "mode_id": self.mode_id,
            "car_connected": outlet.is_plugged,
            "wifi": {"status": "WL_CONNECTED", "ssid": "Garage", "rssi": -57, "bssid": "18:E8:29:C7:8F:37"},
            "evse": {
                "temp": 22,
                "temp_max": 65,
                "connected": outlet.is_plugged,
                "access": 1,
                "mode": 0,
                "loadbl": 0,
                "pwm": 273,
                "state": text,
                "state_id": state,
                "error": ERROR_TEXTS[self.error_id] if self.error_id < len(ERROR_TEXTS) else "Multiple Errors",
                "error_id": self.error_id,
                "rfidreader": self.reader,
                "nrofphases": 1,
            },
            "settings": {
                "charge_current": current,
                "override_current": 0,
                "current_min": self.current_min,
                "current_max": 16,
                "current_main": 25,
                "enable_C2": "Not present",
            },
            "mqtt": {"host": "", "port": 1883, "username": "", "password_set": False, "status": "Disconnected"},
            "ev_meter": self._meter(current),
        }
        if self.has_ocpp:
            found["ocpp"] = self._told()
        return found

    def _meter(self, current: int) -> dict[str, Any]:
        outlet = self.point.outlet(1)
        meter: dict[str, Any] = {"description": "Eastron3P", "address": 12}
        meter["currents"] = {"TOTAL": current, "L1": current, "L2": 0, "L3": 0}
        energy_wh, charged_wh = round(outlet.energy_wh), round(outlet.session_wh)
        if self.version >= (3, 10):
            meter |= {"import_active_power": round(outlet.power_w), "total_wh": energy_wh, "charged_wh": charged_wh}
            return meter | {"import_active_energy": energy_wh}
        meter |= {"import_active_power": round(outlet.power_w / 1000, 1), "total_kwh": round(energy_wh / 1000, 1)}
        return meter | {"charged_kwh": round(charged_wh / 1000, 1), "import_active_energy": round(energy_wh / 1000, 1)}

    def _told(self) -> dict[str, Any]:
        lies = Fault.LIES_CONNECTED in self.faults and self.version < (3, 10, 3)
        told: dict[str, Any] = {"mode": "Enabled" if self.ocpp["mode"] else "Disabled"}
        for field in ("backend_url", "cb_id", "auth_key"):
            told[field] = self.ocpp[field] if self.has_client else ""
        if self.version >= (3, 6, 10):
            told["auto_auth"] = "Enabled" if self.has_client and self.ocpp["auto_auth"] else "Disabled"
            told["auto_auth_idtag"] = self.ocpp["auto_auth_idtag"] if self.has_client else ""
        told["status"] = "Connected" if self.point.is_connected or lies else "Disconnected"
        return told

    def _posted(self, request: web.Request) -> Answer:
        self.posts.append(request.path_qs)
        sent, echo = request.query, dict[str, Any]()
        if Fault.REFUSES not in self.faults:
            if "current_min" in sent:
                echo["current_min"] = self._limit(sent["current_min"])
            if self.has_ocpp and sent.get("ocpp_update") == "1":
                echo |= self._updated(sent)
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        return web.json_response(echo)

    def _limit(self, text: str) -> int | str:
        if not text.isdecimal() or not 6 <= int(text) <= 16:
            return "Value not allowed!"
        self.current_min = int(text)
        return self.current_min

    def _updated(self, sent: Mapping[str, str]) -> dict[str, Any]:
        echo: dict[str, Any] = {}
        if "ocpp_mode" in sent:
            echo["ocpp_mode"] = number = int(sent["ocpp_mode"]) if sent["ocpp_mode"].isdecimal() else 0
            self._switch(bool(number))
        for field in ("backend_url", "cb_id", "auth_key", "auto_auth", "auto_auth_idtag"):
            name = f"ocpp_{field}"
            if name in sent and (field in self._told()):
                echo[name] = self._put(field, sent[name]) if self.has_client else NOT_YET
        if self.has_client and set(echo) - {"ocpp_mode"}:
            self._use()
            self.point.redial_soon(0.1)
        return echo

    def _put(self, field: str, text: str) -> Any:
        if field == "auth_key" and len(text.encode()) > KEY_LIMIT_BYTES:
            return self.ocpp[field]
        value: Any = text == "1" if field == "auto_auth" else text
        if Fault.TRUNCATES in self.faults and isinstance(value, str):
            value = value[:24]
        self._store(field, value)
        return int(value) if isinstance(value, bool) else value

    def _store(self, field: str, value: Any) -> None:
        self.ocpp[field] = value
        if Fault.REVERTS not in self.faults:
            self._stored[field] = value

    # Its OCPP client

    def _client(self) -> ChargePoint:
        keys = standard_keys()
        for key in ("Cst_BackendUrl", "Cst_ChargeBoxId", "AuthorizationKey"):
            keys[key] = ConfigKey("", reboot_required=True)
        boot = {
            "chargePointModel": "SmartEVSE",
            "chargePointVendor": "Stegen Electronics",
            "firmwareVersion": self.firmware,
            "chargePointSerialNumber": str(self.serial),
            "meterType": "Eastron3P",
        }
        return ChargePoint(
            self.name,
            "",
            boot=boot,
            configuration=keys,
            on_reset=lambda _kind: self.restart_soon(),
            redial_s=10.0,
            time_scale=self.time_scale,
            faults=self.faults,
        )

    def _use(self) -> None:
        """Dial as MicroOcpp does: a slash only where none is, the password as text."""
        ocpp, point = self.ocpp, self.point
        point.dial_url = micro_ocpp_url(ocpp["backend_url"], ocpp["cb_id"]) if self.has_client else ""
        point.headers = basic(ocpp["cb_id"], ocpp["auth_key"].encode()) if ocpp["auth_key"] else ()
        point.free_vend_tag = ocpp["auto_auth_idtag"] if ocpp["auto_auth"] else ""

    def _switch(self, on: bool) -> None:
        was = self.ocpp["mode"]
        self._store("mode", on)
        if was != on:
            self.scope.isolated("ocpp", self._restart_client(on))

    async def _restart_client(self, on: bool) -> None:
        self.has_client = False
        await self.point.power_off()
        await asyncio.sleep(CLIENT_AFTER_S * self.time_scale if on else 0)
        self.has_client = on and bool(self.ocpp["mode"])
        self._use()
        if self.has_client:
            self.point.power_on()
