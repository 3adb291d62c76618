"""A simulated NRGkick Gen2: its local API, with and without a login, switched on and off.

Answers as in DiniTech's "NRGkick Gen2 Local API Documentation" (return_info_json, return_values_json).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from app.sim.fault import Fault
from app.sim.webunit import Answer, WebUnit

NUMBERS = {"STANDBY": 1, "CONNECTED": 2, "CHARGING": 3, "ERROR": 6, "NO_ERROR": 0, "GENERAL_ERROR": 1}


class NrgKickUnit(WebUnit):
    """One charger. ``login`` is user and password, empty for none. What comes in on /control steers it, by GET."""

    def __init__(
        self,
        *,
        serial: str = "T2332500000000000S1D2",
        model: str = "NRGkick Gen2 SIM",
        login: tuple[str, str] = ("", ""),
        is_api_on: bool = True,
        mac: str = "AB:CD:12:34:56:78",
        **options: Any,
    ) -> None:
        super().__init__(f"nrgkick/{serial}", **options)
        self.serial = serial
        self.model = model
        self.login = login
        self.is_api_on = is_api_on
        self.mac = mac
        self.status = "STANDBY"
        self.error = "NO_ERROR"
        self.control: dict[str, Any] = {"current_set": 6, "charge_pause": 0, "energy_limit": 0, "phase_count": 3}

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Announce it as the documentation shows."""
        txt = {"serial_number": self.serial, "model_type": self.model, "device_name": "NRGkick left"}
        apis = {"json_api_enabled": str(int(self.is_api_on)), "json_api_version": "v1", "modbus_api_enabled": "0"}
        return {"_nrgkick._tcp": {**txt, **apis}}

    def plug_in(self) -> None:
        """Connect a car, which charges."""
        self.status = "CHARGING"

    def unplug(self) -> None:
        """Take the car away."""
        self.status = "STANDBY"

    async def answer(self, request: web.Request) -> Answer:
        """Answer a GET."""
        if not self._may(request):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="NRGkick"'})
        told = {"/info": self._info, "/values": self._values, "/control": self._control}.get(request.path)
        if told is None or not self.is_api_on:
            return web.json_response({"Response": "API must be enabled within the NRGkick App"}, status=404)
        wanted = {key for key in request.query if key != "raw"} if request.path != "/control" else set()
        found = told(request)
        answer = web.json_response({key: value for key, value in found.items() if not wanted or key in wanted})
        if Fault.TRUNCATES in self.faults:
            return web.Response(text=(answer.text or "")[:30], content_type="application/json")
        return answer

    def _may(self, request: web.Request) -> bool:
        token = base64.b64encode(":".join(self.login).encode()).decode()
        return not self.login[0] or request.headers.get("Authorization") == f"Basic {token}"

    def _info(self, _request: web.Request) -> dict[str, Any]:
        return {
            "general": {
                "serial_number": self.serial,
                "model_type": self.model,
                "device_name": "NRGkick left",
                "rated_current": 32,
            },
            "connector": {"phase_count": 3, "max_current": 32, "type": "CEE", "serial": "A1234567"},
            "grid": {"voltage": 230, "frequency": 50, "phases": "L1, L2, L3"},
            "network": {"ip_address": self.host, "mac_address": self.mac, "ssid": "My WiFi", "rssi": -61},
            "cellular": {"imei": "123456789012345", "imsi": "123456789012345", "operator": "DiniTech", "rssi": -60},
            "gps": {"latitude": 46.911354, "longitude": 15.712250},
            "versions": {"sw_sm": "4.0.0.33", "hw_sm": "1.0.0.3", "sw_ma": "3.1.4.5"},
        }

    def _values(self, request: web.Request) -> dict[str, Any]:
        amps = 15.9 if self.status == "CHARGING" else 0.0
        is_raw = "raw" in request.query
        phase = {"voltage": 230.0, "current": amps, "active_power": amps * 230, "power_factor": 100}
        return {
            "energy": {"total_charged_energy": 14187, "charged_energy": 0},
            "powerflow": {
                "charging_voltage": 230.0,
                "charging_current": self.control["current_set"],
                "grid_frequency": 50.01,
                "peak_power": 0.0,
                "total_active_power": 3 * amps * 230,
                **dict.fromkeys(("l1", "l2", "l3"), phase),
                "n": {"current": 0.0},
            },
            "general": {
                "status": NUMBERS[self.status] if is_raw else self.status,
                "charge_permitted": 0,
                "relay_state": 0 if is_raw else "NO_RELAY",
                "rcd_trigger": 0 if is_raw else "NO_FAULT",
                "warning_code": 0 if is_raw else "NO_WARNING",
                "error_code": NUMBERS[self.error] if is_raw else self.error,
            },
            "temperatures": {"housing": 31.5, "connector_l1": 28.0, "domestic_plug_1": 0},
        }

    def _control(self, request: web.Request) -> dict[str, Any]:
        self.control |= dict(request.query)
        return self.control
