"""A simulated Tesla Wall Connector Gen 3: it tells, and takes nothing.

Answers as in einarhauks/tesla-wall-connector 1.2.0, tests/test_wall_connector.py. ``is_sloppy`` is firmware whose
counters are no JSON.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from app.sim.fault import Fault
from app.sim.webunit import Answer, WebUnit


class TeslaUnit(WebUnit):
    """One charger; ``firmware`` before 25 names one relay, later ones two."""

    def __init__(
        self,
        *,
        serial: str = "ACB12345678901",
        firmware: str = "21.29.1+g4152353e50f744",
        is_sloppy: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(f"tesla/{serial}", **options)
        self.serial = serial
        self.firmware = firmware
        self.is_sloppy = is_sloppy
        self.is_plugged = False
        self.asked: list[str] = []

    def plug_in(self) -> None:
        """Connect a car, which charges at once."""
        self.is_plugged = True

    def unplug(self) -> None:
        """Take the car away."""
        self.is_plugged = False

    async def answer(self, request: web.Request) -> Answer:
        """Answer a GET; anything else is not there."""
        self.asked.append(f"{request.method} {request.path}")
        told = {"version": self._version, "vitals": self._vitals, "lifetime": self._lifetime, "wifi_status": self._wifi}
        tell = told.get(request.path.removeprefix("/api/1/"))
        if request.method != "GET" or tell is None:
            return web.Response(status=404, text="Not found")
        answer = web.json_response(tell())
        text = answer.text or ""
        if Fault.TRUNCATES in self.faults:
            text = text[: len(text) // 2]
        if self.is_sloppy and request.path.endswith("lifetime"):
            text = text.replace("27.8", "nan").removesuffix("}")
        return web.Response(text=text, content_type="application/json")

    def _version(self) -> dict[str, Any]:
        return {
            "firmware_version": self.firmware,
            "git_branch": "HEAD",
            "part_number": "1529455-02-D",
            "serial_number": self.serial,
            "web_service": "h3-hermes-prd.sn.tesla.services",
        }

    def _vitals(self) -> dict[str, Any]:
        amps = 15.9 if self.is_plugged else 0.0
        relays = (
            {"relay_coil_v": 11.9} if int(self.firmware.split(".")[0]) < 25 else {"relay_k1_v": 12.0, "relay_k2_v": 0.0}
        )
        return {
            "contactor_closed": self.is_plugged,
            "vehicle_connected": self.is_plugged,
            "session_s": 60 if self.is_plugged else 0,
            "grid_v": 228.8,
            "grid_hz": 50.003,
            "vehicle_current_a": amps,
            "currentA_a": amps,
            "currentB_a": amps,
            "currentC_a": amps,
            "currentN_a": 0.0,
            "voltageA_v": 230.1,
            "voltageB_v": 230.2,
            "voltageC_v": 230.3,
            **relays,
            "pcba_temp_c": 13.8,
            "handle_temp_c": 9.9,
            "mcu_temp_c": 20.8,
            "uptime_s": 35779,
            "session_energy_wh": 22128.301,
            "config_status": 5,
            "evse_state": 11 if self.is_plugged else 1,
            "current_alerts": [],
        }

    def _lifetime(self) -> dict[str, Any]:
        return {
            "contactor_cycles": 175,
            "contactor_cycles_loaded": 3,
            "alert_count": 1603,
            "thermal_foldbacks": 0,
            "avg_startup_temp": 27.8,
            "charge_starts": 175,
            "energy_wh": 386204,
            "connector_cycles": 23,
            "uptime_s": 1945056,
            "charging_time_s": 183022,
        }

    def _wifi(self) -> dict[str, Any]:
        return {
            "wifi_ssid": "VGVzdE5ldHdvcms=",
            "wifi_signal_strength": 44,
            "wifi_rssi": -68,
            "wifi_snr": 18,
            "wifi_connected": True,
            "wifi_infra_ip": self.host,
            "internet": True,
            "wifi_mac": "98:ED:5C:00:00:01",
        }
