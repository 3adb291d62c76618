"""A simulated OpenOCPP charger: portal over HTTP or HTTPS, staged settings with their trial, OCPP 1.6 or 2.0.1.

Sources: ChargeLab/OpenOCPP efdaa21 (demo-esp32/main/portal_demo.h, include/openocpp/common/settings.h,
module/boot_notification_module.h, implementation/platform_esp.h). That it shows no Basic header without a password is
our own assumption.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from aiohttp import web

from app.sim.chargepoint import ChargePoint
from app.sim.fault import Fault
from app.sim.login import basic
from app.sim.openevse import micro_ocpp_url
from app.sim.openocpp_store import SLOT_COUNT, TRUNCATED, Parameters, Slots, Staged, network_slot
from app.sim.selfsigned import self_signed
from app.sim.station2 import Station2
from app.sim.webunit import Answer, WebUnit, drop

BODY_LIMIT = 5 * 1024
PROTOCOLS = {"OCPP16": "1.6", "OCPP20": "2.0.1"}
WIFI = {"WifiSSID": "Garage", "WifiPassword": "garage-wifi-pass"}
PLAIN = {
    "HeartbeatInterval": "300",
    "SecurityProfile": "0",
    "MeterValueSampleInterval": "60",
    "ActiveNetworkProfile": "0",
}
NOT_FOUND, HELLO = "<h1>Not found</h1>", "<h1>Hello Secure World - Post!</h1>"


class OpenOcppUnit(WebUnit):
    """One charger. ``slots`` are its network profiles by number, ``transition_s`` is the trial of a new address.

    ``dials_nothing`` cuts it off from every backend; it restarts when the key ``restarts_at`` is written.
    """

    def __init__(
        self,
        *,
        serial: str = "OO-000117",
        vendor: str = "ChargeLab",
        model: str = "Simulator",
        firmware: str = "v1.0.0",
        url: str = "",
        identity: str = "",
        password: str = "",
        protocol: str = "OCPP16",
        slots: Mapping[int, Mapping[str, Any]] | None = None,
        priority: str = "0",
        connectors: int = 1,
        transition_s: float = 300.0,
        is_secure: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        super().__init__(
            f"openocpp-{serial.lower()}",
            host=host,
            port=port,
            time_scale=time_scale,
            announce=announce,
            label=label,
            faults=faults,
            tls=self_signed("OpenOCPP") if is_secure else None,
        )
        self.factory = {"serialNumber": serial, "vendor": vendor, "model": model, "firmwareVersion": firmware}
        self.said = dict(self.factory)
        self.connectors = connectors
        texts = {"ChargePointId": identity, "BasicAuthPassword": password, "NetworkConfigurationPriority": priority}
        self.staged = Staged({**WIFI, **texts}, _slots(slots or {0: network_slot(url, protocol)}))
        self.parameters = Parameters(self.staged, {**PLAIN, "ConnectionTransitionTimeout": f"{transition_s:g}"})
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.rollbacks = 0
        self.dials_nothing = False
        self.restarts_at = ""
        self._at_rest = asyncio.Event()
        self.dialler: ChargePoint | Station2

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        await self._stack.enter_async_context(self.dialler)
        return self

    async def power_off(self) -> None:
        """Cut the power."""
        await self.dialler.power_off()
        await super().power_off()

    async def power_on(self) -> None:
        """Start with what is stored: whatever is staged is on trial now."""
        if Fault.REVERTS in self.faults:
            self.staged.rollback()
        self.said = dict(self.factory)
        await super().power_on()
        await self._stack.enter_async_context(self.dialler)

    def started(self) -> None:
        """Make its OCPP client by what is stored, or staged."""
        has_trial = self.staged.start()
        self.dialler = self._client()
        self._at_rest.clear() if has_trial else self._at_rest.set()
        if has_trial:
            self.scope.isolated("trial", self._trial(self.dialler))

    async def _trial(self, dialler: ChargePoint | Station2) -> None:
        limit_s = float(self.parameters.plain["ConnectionTransitionTimeout"]) * self.time_scale
        try:
            async with asyncio.timeout(limit_s):
                await dialler.booted.wait()
        except TimeoutError:
            if dialler is self.dialler and self.staged.is_on_trial:
                self.staged.rollback()
                self.rollbacks += 1
                await self.power_cycle()
            return
        self.staged.commit()
        self._at_rest.set()

    async def until_at_rest(self, *, timeout_s: float = 8.0) -> None:
        """Wait until no address is on trial; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._at_rest.wait()

    # Its portal

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request; whatever it does not know is an HTML page with status 200."""
        if request.method == "POST":
            return await self._posted(request)
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "/chargerInfo": lambda: {"info": {key: self.said[key] for key in ("serialNumber", "firmwareVersion")}},
            "/getDeviceConfiguration": self.configuration,
            "/getOcppParameters": lambda: {"rsp": {"configurationKey": self.parameters.listed(), "unknownKey": []}},
        }
        if request.path in answers:
            return web.json_response(answers[request.path]())
        if request.path == "/getConnectorStatus":
            number = int(text) if (text := request.query.get("connectorId", "1")).isdecimal() else 1
            known = 1 <= number <= self.connectors
            return web.json_response(self._connector(number)) if known else web.Response(status=400, text="Bad Request")
        return web.Response(text=NOT_FOUND, content_type="text/html")

    def configuration(self) -> dict[str, Any]:
        """Return the answer to ``GET /getDeviceConfiguration``: the protocol stands in quotes of its own."""
        slot = self.staged.shown("slots")[0]
        return {
            "centralSystemUrl": slot["ocppCsmsUrl"] if slot else "",
            "chargePointId": self.staged.shown("ChargePointId"),
            "ocppProtocol": self.parameters.virtual()["OcppProtocol"],
            "securityProfile": int(self.parameters.plain["SecurityProfile"]),
            "clearCertificates": False,
            "maxCurrentAmps": "40",
            "numberOfConnectors": self.connectors,
            **self.said,
        }

    def _connector(self, number: int) -> dict[str, Any]:
        point = self.dialler
        outlet = point.outlet(number) if isinstance(point, ChargePoint) else point.evse(number).outlet
        first = point.outlet(1) if isinstance(point, ChargePoint) else point.evse(1).outlet
        samples = (
            ("Energy.Active.Import.Register", "Wh", outlet.energy_wh),
            ("Current.Import", "A", outlet.current_a),
            ("Voltage", "V", outlet.voltage_v),
        )
        return {
            "connectorStatus": {
                "connector_available": outlet.is_available,
                "vehicle_connected": outlet.is_plugged,
                "charging_enabled": outlet.is_charging,
                "suspended_by_vehicle": False,
                "suspended_by_charger": False,
            },
            "meterValues1_6": [
                {"value": f"{value:.1f}", "measurand": kind, "unit": unit} for kind, unit, value in samples
            ],
            "meterValues2_0": [],
            "connectorSettings": {"vehicleConnected": outlet.is_plugged},
            "chargePointStatus1_6": "Charging"
            if first.is_charging
            else "Preparing"
            if first.is_plugged
            else "Available",
        }

    async def _posted(self, request: web.Request) -> Answer:
        raw = await request.read()
        if len(raw) > BODY_LIMIT:
            return web.Response(status=400, text="Bad Request")
        if request.path == "/reboot":
            self.restart_soon(0.0)
            return web.json_response({})
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return web.Response(status=400, text="Bad Request")
        self.posts.append((request.path, body))
        answer = self._changed(request.path, body)
        if self.restarts_at and body.get("key") == self.restarts_at:
            self.restarts_at = ""
            self._at_rest.clear()
            self.restart_soon(0.0)
            drop(request)
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        return answer

    def _changed(self, path: str, body: dict[str, Any]) -> Answer:
        try:
            if path == "/updateOcppParameter":
                return web.json_response({"status": self._parameter(body["key"], body["value"])})
            if path == "/updateDeviceConfiguration":
                return web.json_response({"successful": self._device(body)})
            if path == "/submitSetup":
                return web.json_response(self._set_up(body))
        except (KeyError, TypeError):
            return web.Response(status=400, text="Bad Request")
        return web.Response(text=HELLO, content_type="text/html")

    def _parameter(self, key: str, value: str) -> str:
        if Fault.REFUSES in self.faults:
            return "Rejected"
        if Fault.ACCEPTS_AND_IGNORES in self.faults:
            return "Accepted"
        return self.parameters.change(key, value, limit=TRUNCATED if Fault.TRUNCATES in self.faults else None)

    def _device(self, body: dict[str, Any]) -> bool:
        """Write the whole object past the trial: only the exact word selects 2.0.1."""
        version = "OCPP20" if body["ocppProtocol"] == "OCPP20" else "OCPP16"
        slot = network_slot(body["centralSystemUrl"], version, body["securityProfile"])
        self.staged.force("slots", _slots({0: slot}))
        self.staged.force("NetworkConfigurationPriority", "0")
        self.staged.force("ChargePointId", body["chargePointId"])
        self.parameters.plain["SecurityProfile"] = str(body["securityProfile"])
        self.said = {key: body[key] for key in self.said}
        self.connectors = body["numberOfConnectors"]
        return True

    def _set_up(self, body: dict[str, Any]) -> dict[str, Any]:
        self.staged.force("slots", _slots({0: network_slot(body["networkUrl"], body["ocppProtocol"])}))
        self.staged.force("NetworkConfigurationPriority", "0")
        self.staged.force("ChargePointId", body["ocppId"])
        self.staged.force("WifiSSID", body["ssid"])
        self.staged.force("WifiPassword", body["password"])
        self.restart_soon(0.0)
        return {}

    # A car

    def plug_in(self) -> None:
        """Connect a car."""
        self.dialler.plug_in()

    def unplug(self) -> None:
        """Take the car away."""
        self.dialler.unplug()

    # Its OCPP client

    def _client(self) -> ChargePoint | Station2:
        staged = self.staged
        first = str(staged.used("NetworkConfigurationPriority")).partition(",")[0]
        slot = staged.used("slots")[int(first)] or network_slot("", "OCPP16")
        url = "ws://127.0.0.1:9/nowhere" if self.dials_nothing else slot["ocppCsmsUrl"]
        identity, password = staged.used("ChargePointId"), staged.used("BasicAuthPassword")
        self.parameters.plain["ActiveNetworkProfile"] = first
        if PROTOCOLS.get(slot["ocppVersion"]) == "2.0.1":
            return Station2(
                url,
                identity,
                password=password,
                vendor=self.said["vendor"],
                model=self.said["model"],
                serial=self.said["serialNumber"],
                firmware=self.said["firmwareVersion"],
                evses=self.connectors,
                time_scale=self.time_scale,
                faults=self.faults,
            )
        boot = {
            "chargePointVendor": self.said["vendor"],
            "chargePointModel": self.said["model"],
            "chargePointSerialNumber": self.said["serialNumber"],
            "firmwareVersion": self.said["firmwareVersion"],
        }
        return ChargePoint(
            self.name,
            micro_ocpp_url(url, identity) if url and identity else "",
            headers=basic(identity, password.encode()) if password else (),
            boot=boot,
            connectors=self.connectors,
            on_reset=lambda _kind: self.restart_soon(),
            time_scale=self.time_scale,
            faults=self.faults,
        )


def _slots(named: Mapping[int, Mapping[str, Any]]) -> Slots:
    return tuple(dict(named[number]) if number in named else None for number in range(SLOT_COUNT))
