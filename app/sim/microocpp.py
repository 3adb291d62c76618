"""A simulated MicroOcpp charger with the simulator's HTTP interface, by library version and OCPP version.

Sources: matth-x/MicroOcppSimulator 2cb07cd (src/net_mongoose.cpp, src/api.cpp), matth-x/MicroOcppMongoose v1.0.0 to
v1.2.0 (src/MicroOcppMongooseClient.cpp).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any, Self

from aiohttp import web

from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault
from app.sim.login import basic
from app.sim.openevse import micro_ocpp_url
from app.sim.station2 import Station2
from app.sim.webunit import Answer, WebUnit, drop

KEY_LIMIT_BYTES = 20
KEY_LIMIT_BYTES_2 = 40
"""MO_AUTHKEY_LEN_MAX without and with OCPP 2.0.1."""
TRUNCATED = 16
CORS = {"Access-Control-Allow-Origin": "*"}


class MicroOcppUnit(WebUnit):
    """One charger. ``library`` is its MicroOcppMongoose; ``has_201`` says whether it is built with OCPP 2.0.1.

    ``user`` and ``password`` guard the interface; ``ocpp`` is the version it speaks.
    """

    def __init__(
        self,
        library: str = "1.2.0",
        *,
        ocpp: str = "1.6",
        has_201: bool = True,
        serial: str = "",
        url: str = "",
        identity: str = "charger-01",
        key: str = "",
        user: str = "",
        password: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        name = f"microocpp-{(serial or identity).lower()}"
        super().__init__(
            name, host=host, port=port, time_scale=time_scale, announce=announce, label=label, faults=faults
        )
        self.library, self.ocpp, self.serial = library, ocpp, serial
        self.key_limit = KEY_LIMIT_BYTES_2 if has_201 else KEY_LIMIT_BYTES
        self.login = (user, password)
        self.held: dict[str, Any] = {"backendUrl": url, "chargeBoxId": identity, "authorizationKey": key}
        self.held |= {"pingInterval": 5, "reconnectInterval": 10}
        self._stored = dict(self.held)
        self.posts: list[dict[str, Any]] = []
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
        """Start with what is stored."""
        await super().power_on()
        await self._stack.enter_async_context(self.dialler)

    def started(self) -> None:
        """Read what is stored and make its OCPP client."""
        self.held = dict(self._stored)
        self.dialler = self._station2() if self.ocpp == "2.0.1" else self._charge_point()

    def plug_in(self) -> None:
        """Connect a car."""
        self.dialler.plug_in()

    def unplug(self) -> None:
        """Take the car away."""
        self.dialler.unplug()

    # Its interface

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request."""
        if not self._may_enter(request):
            text = "Unauthorized. Expect Basic Auth user and / or password\n"
            return web.Response(status=401, text=text, content_type="application/json", headers=CORS)
        if request.path == "/api/websocket":
            return await self._posted(request) if request.method == "POST" else self._json(self.held)
        if request.path == "/api/connectors":
            return self._json(["1", "2"])
        found = re.fullmatch(r"/api/connector/([12])/(evse|meter|transaction|smartcharging)", request.path)
        if found is None:
            is_api = request.path.startswith("/api")
            return web.Response(status=404, text="{}" if is_api else "API endpoint not found", headers=CORS)
        return self._json(self._connector(int(found[1]), found[2]))

    def _json(self, found: Any) -> Answer:
        text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
        return web.Response(text=text, content_type="application/json", headers=CORS)

    def _may_enter(self, request: web.Request) -> bool:
        token = base64.b64encode(":".join(self.login).encode()).decode()
        shown = request.headers.get("Authorization", "Basic Og==")
        return shown == f"Basic {token}"

    async def _posted(self, request: web.Request) -> Answer:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        body = body if isinstance(body, dict) else {}
        self.posts.append(body)
        if Fault.REFUSES not in self.faults:
            self._put(body)
        if Fault.DROPS_MID_WRITE in self.faults:
            drop(request)
        return self._json(self.held)

    def _put(self, body: dict[str, Any]) -> None:
        for key in ("backendUrl", "chargeBoxId"):
            if isinstance(body.get(key), str):
                self.held[key] = body[key][:TRUNCATED] if Fault.TRUNCATES in self.faults else body[key]
        if isinstance(body.get("authorizationKey"), str):
            self._put_key(body["authorizationKey"])
        for key in ("pingInterval", "reconnectInterval"):
            if isinstance(body.get(key), int) and body[key] > 0:
                self.held[key] = body[key]
        if Fault.REVERTS not in self.faults:
            self._stored = dict(self.held)
        self.scope.isolated("reload", self._reload())

    def _put_key(self, key: str) -> None:
        if self.library == "1.0.0":
            self.held["authorizationKey"] = key
        elif len(key.encode()) <= self.key_limit:
            # v1.1.0 writes the hexadecimal digits of every second byte, with an end after the first
            self.held["authorizationKey"] = key[:1] if self.library == "1.1.0" else key

    def _connector(self, number: int, what: str) -> dict[str, Any]:
        point = self.dialler
        outlet = point.outlet(number) if isinstance(point, ChargePoint) else point.evse(number).outlet
        running = outlet.is_charging
        answers: dict[str, dict[str, Any]] = {
            "evse": {
                "evPlugged": outlet.is_plugged,
                "evsePlugged": outlet.is_plugged,
                "evReady": running,
                "evseReady": running,
                "chargePointStatus": "Charging" if running else "Preparing" if outlet.is_plugged else "Available",
            },
            "meter": {
                "energy": round(outlet.energy_wh),
                "power": round(outlet.power_w),
                "current": round(outlet.current_a),
                "voltage": round(outlet.voltage_v, 2),
            },
            "transaction": {
                "idTag": "04AABBCCDD" if running else "",
                "transactionId": 7001 if running else -1,
                "authorizationStatus": "",
            },
            "smartcharging": {"maxPower": 11000, "maxCurrent": 0},
        }
        return answers[what]

    # Its OCPP client

    async def _reload(self) -> None:
        """Close the connection and dial by what is held now (reloadConfigs)."""
        if isinstance(self.dialler, ChargePoint):
            self._use(self.dialler)
            await self.dialler.redial()
            return
        await self.dialler.power_off()
        self.dialler = self._station2()
        await self._stack.enter_async_context(self.dialler)

    def _use(self, point: ChargePoint) -> None:
        held = self.held
        url, identity, key = held["backendUrl"], held["chargeBoxId"], held["authorizationKey"]
        point.dial_url = micro_ocpp_url(url, identity) if url else ""
        point.headers = basic(identity, key.encode()) if key else ()

    def _charge_point(self) -> ChargePoint:
        keys = standard_keys()
        for key in ("Cst_BackendUrl", "Cst_ChargeBoxId", "AuthorizationKey"):
            keys[key] = ConfigKey("", reboot_required=True)
        boot = {"chargePointModel": "MicroOcpp Simulator", "chargePointVendor": "MicroOcpp"}
        if self.serial:
            boot["chargePointSerialNumber"] = self.serial
        point = ChargePoint(
            self.name,
            "",
            boot=boot,
            configuration=keys,
            connectors=2,
            redial_s=10.0,
            on_reset=lambda _kind: self.restart_soon(),
            time_scale=self.time_scale,
            faults=self.faults,
        )
        self._use(point)
        return point

    def _station2(self) -> Station2:
        return Station2(
            self.held["backendUrl"],
            self.held["chargeBoxId"],
            password=self.held["authorizationKey"],
            vendor="MicroOcpp",
            model="MicroOcpp Simulator",
            firmware="",
            serial=self.serial,
            evses=2,
            time_scale=self.time_scale,
            faults=self.faults,
        )
