"""A simulated Peblar: the interface of its web page, the local REST interface, and an OCPP client.

Source: app/drivers/peblar.py. What it does with the OCPP settings is our own assumption, because nobody has published
it: it dials what is stored when it starts, as it stands or (``appends_serial``) with its serial number behind it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from app.sim.chargepoint import ChargePoint, standard_keys
from app.sim.fault import Fault
from app.sim.webunit import Answer, WebUnit, drop

PASSWORD = "peblar-pass-1"
PILOT = {"Available": "State A", "Charging": "State C", "Faulted": "State F", "Unavailable": "State F"}


def configuration() -> dict[str, Any]:
    """Return config/user as a fresh charger has it, in part (tests/fixtures/user_configuration.json)."""
    return {
        "ConnectHubVisibility": True,
        "ConnectedPhases": 3,
        "CurrentCtrlFixedChargeCurrentLimit": 16,
        "HmiBuzzerVolume": 4,
        "HmiLedIntensityManual": 22,
        "HmiLedIntensityMode": "Fixed",
        "LocalRestApiAccessMode": "ReadWrite",
        "LocalRestApiAllowed": True,
        "LocalRestApiEnable": True,
        "ModbusServerAccessMode": "ReadOnly",
        "ModbusServerAllowed": True,
        "ModbusServerEnable": False,
        "PhaseRotation": "RST",
        "PredefinedCpoName": "",
        "SeccOcppActive": True,
        "SeccOcppUri": "ws://127.0.0.1:9/old/OLD-1",
        "SessionManagerChargeWithoutAuth": True,
        "SolarChargingMode": "MaxSolar",
        "TimeZone": "Europe/Amsterdam",
        "UserDefinedChargeLimitCurrent": 16,
        "UserKeepSocketLocked": False,
    }


class PeblarCharger(WebUnit):
    """One charger. ``takes_ocpp`` false = it refuses to change its OCPP settings."""

    def __init__(
        self,
        firmware: str = "1.9.0+1+WL-1",
        *,
        serial: str = "24-01-A1B-001",
        password: str = PASSWORD,
        appends_serial: bool = False,
        takes_ocpp: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        self.hostname = f"PBLR-{''.join(filter(str.isalnum, serial))[-7:]}"
        super().__init__(
            self.hostname.lower(),
            host=host,
            port=port,
            time_scale=time_scale,
            announce=announce,
            label=label or self.hostname,
            faults=faults,
        )
        self.firmware, self.serial, self.password = firmware, serial, password
        self.appends_serial, self.takes_ocpp = appends_serial, takes_ocpp
        self.logins = 0
        self.config = configuration()
        self.token = secrets.token_hex(32)
        self.patches: list[dict[str, Any]] = []
        self._session = ""
        self.point = self._charge_point()

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Return what it announces: its own service from firmware 1.8 on."""
        parts = [int(part) for part in self.firmware.partition("+")[0].split(".")[:2]]
        own = {"_pblr._tcp": {"sn": self.serial, "version": self.firmware}} if parts >= [1, 8] else {}
        return {**own, "_http._tcp": {}}

    def started(self) -> None:
        """Dial what is stored; a login does not outlive a restart."""
        self._session = ""
        assert self.point is not None
        uri = str(self.config["SeccOcppUri"]) if self.config["SeccOcppActive"] else ""
        self.point.dial_url = f"{uri.rstrip('/')}/{self.serial}" if uri and self.appends_serial else uri

    def _charge_point(self) -> ChargePoint:
        boot = {
            "chargePointVendor": "Peblar",
            "chargePointModel": "WLAC1-H11R0WE0ICR00",
            "chargePointSerialNumber": self.serial,
            "firmwareVersion": self.firmware,
        }
        return ChargePoint(
            self.serial,
            "",
            boot=boot,
            configuration=standard_keys(),
            on_reset=lambda _kind: self.restart_soon(),
            time_scale=self.time_scale,
            faults=self.faults,
        )

    # Its web interface

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request: what is known wants a login, what is not is not found."""
        call = (request.method, request.path)
        if call == ("POST", "/api/v1/auth/login"):
            return await self._log_in(request)
        if request.path.startswith("/api/wlac/v1/"):
            return self._rest(request)
        answers: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "/api/v1/system/info"): self._info,
            ("GET", "/api/v1/config/user"): lambda: self.config,
            ("GET", "/api/v1/config/api-token"): lambda: {"ApiToken": self.token},
            ("POST", "/api/v1/system/reboot"): self._reboot,
            ("GET", "/api/v1/system/software/automatic-update/current-versions"): lambda: {"Firmware": self.firmware},
        }
        is_patch = call == ("PATCH", "/api/v1/config/user")
        if call not in answers and not is_patch:
            return web.Response(status=404)
        if not self._session or request.cookies.get("sessionid") != self._session:
            return web.Response(status=401)
        return await self._patch(request) if is_patch else web.json_response(answers[call]())

    async def _log_in(self, request: web.Request) -> Answer:
        self.logins += 1
        if (await _body(request)).get("Password") != self.password:
            return web.Response(status=401)
        self._session = self._session or secrets.token_hex(16)
        answer = web.Response()
        answer.set_cookie("sessionid", self._session)
        return answer

    async def _patch(self, request: web.Request) -> Answer:
        body = await _body(request)
        is_ocpp = bool(body.keys() & {"SeccOcppActive", "SeccOcppUri"})
        if Fault.REFUSES in self.faults or not body.keys() <= self.config.keys() or (is_ocpp and not self.takes_ocpp):
            return web.Response(status=400)
        self.patches.append(body)
        if Fault.ACCEPTS_AND_IGNORES not in self.faults:
            self.config |= body
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        return web.Response(status=204)

    def _reboot(self) -> dict[str, Any]:
        self.restart_soon(0.5)
        return {}

    def _rest(self, request: web.Request) -> Answer:
        if not self.config["LocalRestApiEnable"] or request.headers.get("Authorization") != self.token:
            return web.Response(status=401)
        assert self.point is not None
        outlet = self.point.outlet(1)
        answers: dict[str, dict[str, Any]] = {
            "health": {"AccessMode": self.config["LocalRestApiAccessMode"], "ApiVersion": "1.0"},
            "evinterface": {"CpState": PILOT.get(outlet.status, "State B"), "ChargeCurrentLimit": 16000},
            "system": {"ActiveErrorCodes": [], "ActiveWarningCodes": [], "ProductSn": self.serial},
            "meter": {
                **{f"CurrentPhase{n}": round(outlet.current_a * 1000) if n == 1 else 0 for n in (1, 2, 3)},
                **{f"VoltagePhase{n}": round(outlet.voltage_v) for n in (1, 2, 3)},
                "PowerTotal": round(outlet.power_w),
                "EnergyTotal": round(outlet.energy_wh),
            },
        }
        found = answers.get(request.path.rpartition("/")[2])
        return web.json_response(found) if found is not None else web.Response(status=404)

    def _info(self) -> dict[str, Any]:
        digits = f"{sum(map(ord, self.serial)):06d}"
        return {
            "EthMacAddr": f"02:50:42:{digits[-6:-4]}:{digits[-4:-2]}:{digits[-2:]}",
            "FwIdent": self.firmware,
            "Hostname": self.hostname,
            "HwFwCompat": "wlac-2",
            "HwMaxCurrent": 16,
            "ProductModelName": "WLAC1-H11R0WE0ICR00",
            "ProductPn": "0000-0000-0000",
            "ProductSn": self.serial,
            "ProductVendorName": "Peblar",
        }


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
