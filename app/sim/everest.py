"""A simulated EVerest: its ocpp_consumer_API on a broker, and the OCPP 2.0.1 station behind it.

Source: EVerest/everest-core docs/source/reference/EVerest_API/ocpp_consumer_API.yaml. ``is_new`` builds also tell
``connection_status`` and answer ``m2e/<variable>/get``. With ``broker`` it talks over another one than its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self

from app.errors import LinkError
from app.links.link import Credentials
from app.links.mqtt import MqttTcp
from app.model.address import NetAddress
from app.model.secret import Secret
from app.scope import Scope
from app.sim.broker import Broker
from app.sim.fault import Fault
from app.sim.station2 import Station2

ROOT = "everest_api/1/ocpp_consumer"
PROFILES = "InternalCtrlr.NetworkConnectionProfiles"
PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
ACTIVE = "OCPPCommCtrlr.ActiveNetworkProfile"
ALLOW_ZERO = "InternalCtrlr.AllowSecurityLevelZeroConnections"
IDENTITY = "SecurityCtrlr.Identity"
PASSWORD = "SecurityCtrlr.BasicAuthPassword"
READ_ONLY = frozenset({ACTIVE, "InternalCtrlr.SupportedOcppVersions"})


def slot(number: int, url: str, level: int = 1) -> dict[str, Any]:
    """Return a network profile as libocpp writes it."""
    data = {"messageTimeout": 30, "ocppCsmsUrl": url, "ocppInterface": "Wired0", "ocppTransport": "JSON"}
    return {"configurationSlot": number, "connectionData": {**data, "ocppVersion": "OCPP20", "securityProfile": level}}


class EverestUnit:
    """One charger. Use it as an async context manager. ``instead`` is sent in place of every answer."""

    def __init__(
        self,
        *,
        serial: str = "EVEREST-SIM-1",
        module: str = "ocpp_api",
        host: str = "127.0.0.1",
        port: int = 0,
        broker: NetAddress | None = None,
        login: tuple[str, str] = ("", ""),
        url: str = "ws://127.0.0.1:1/dead",
        is_new: bool = True,
        is_16: bool = False,
        time_scale: float = 1.0,
        faults: Iterable[Fault] = (),
        values: Mapping[str, str] | None = None,
    ) -> None:
        self.module = module
        self.is_new = is_new
        self.faults = set(faults)
        self.instead = ""
        self.reject: set[str] = set()
        self.writes: list[tuple[str, str]] = []
        self.restarts = 0
        self._broker = Broker(host=host, port=port, login=login) if broker is None else None
        self._address = broker
        self._login = login
        self._beat_s = max(time_scale, 0.001)
        self.held = {
            "ChargingStation.Model": "Yeti DC",
            "ChargingStation.VendorName": "Pionix",
            "ChargingStation.SerialNumber": serial,
            IDENTITY: "OLD-1",
        }
        if not is_16:
            self.held |= {
                PROFILES: json.dumps([slot(1, url)]),
                PRIORITY: "1",
                ACTIVE: "1",
                PASSWORD: "old-password-4711",
                ALLOW_ZERO: "false",
                "InternalCtrlr.SupportedOcppVersions": "ocpp2.1,ocpp2.0.1",
            }
        self.held |= dict(values or {})
        self.station = Station2(url, "OLD-1", "2.0.1", serial=serial, time_scale=time_scale, faults=self.faults)
        self.station.dial_url = ""
        self.scope = Scope(f"sim/everest/{serial}")
        self._stack = AsyncExitStack()
        self._link: MqttTcp | None = None
        self._voice: MqttTcp | None = None

    async def __aenter__(self) -> Self:
        if self._broker is not None:
            await self._stack.enter_async_context(self._broker)
        login = Credentials(user=self._login[0], password=Secret(self._login[1]))
        self._link = await MqttTcp.open(self.address, credentials=login)
        self._voice = await MqttTcp.open(self.address, credentials=login)
        await self._link.subscribe(f"{ROOT}/{self.module}/m2e/#")
        self._dial()
        await self._stack.enter_async_context(self.station)
        self._say("is_connected", False)
        self.scope.isolated("module", self._serve())
        self.scope.isolated("heart", self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.scope.close()
        for link in (self._link, self._voice):
            if link is not None:
                await link.close()
        await self._stack.aclose()

    @property
    def address(self) -> NetAddress:
        """Return where its broker answers."""
        return self._address or (self._broker or Broker()).address

    @property
    def broker(self) -> Broker:
        """Return its own broker."""
        assert self._broker is not None
        return self._broker

    def restart(self) -> None:
        """Restart it as a person does: the first slot of the order counts from now on."""
        self.restarts += 1
        self._dial()
        self.scope.isolated("redial", self.station.redial())

    def _dial(self) -> None:
        slots = {
            item["configurationSlot"]: item["connectionData"] for item in json.loads(self.held.get(PROFILES, "[]"))
        }
        order = [int(part) for part in self.held.get(PRIORITY, "").split(",") if part]
        first = next((item for item in order if item in slots), None)
        if first is None:
            return
        self.held[ACTIVE] = str(first)
        data, identity = slots[first], self.held[IDENTITY]
        may = data["securityProfile"] or self.held[ALLOW_ZERO] == "true"
        url = data["ocppCsmsUrl"].rstrip("/")
        self.station.dial_url = (url if url.endswith("/" + identity) else f"{url}/{identity}") if may else ""
        self.station.headers = _basic(identity, self.held[PASSWORD]) if data["securityProfile"] in (1, 2) else ()

    async def _beat(self) -> None:
        number = 0
        while True:
            number += 1
            self._say("heartbeat", number)
            await asyncio.sleep(self._beat_s)

    def _say(self, name: str, value: Any) -> None:
        if Fault.SILENT not in self.faults:
            self._spread(f"{ROOT}/{self.module}/e2m/{name}", json.dumps(value))

    def _spread(self, topic: str, payload: str) -> None:
        """Publish in its own time: messages go out one after the other."""
        self.scope.isolated("say", self._publish(topic, payload))

    async def _publish(self, topic: str, payload: str) -> None:
        assert self._voice is not None
        with suppress(LinkError):
            await self._voice.publish(topic, payload)

    async def _serve(self) -> None:
        assert self._link is not None
        while True:
            try:
                topic, payload = await self._link.receive(timeout_s=3600)
            except LinkError:
                return
            if Fault.SILENT not in self.faults:
                self._answer(topic.rpartition("/m2e/")[2], json.loads(payload))

    def _answer(self, operation: str, body: Mapping[str, Any]) -> None:
        reply = str(body["headers"]["replyTo"])
        if self.instead:
            self._spread(reply, self.instead)
        elif operation == "get_variables":
            items = [self._get(item["component_variable"]) for item in body["payload"]["items"]]
            self._spread(reply, json.dumps({"items": items}))
        elif operation == "set_variables":
            items = [self._set(item) for item in body["payload"]["variables"]["items"]]
            self._spread(reply, json.dumps({"items": items}))
        elif operation == "connection_status/get" and self.is_new:
            self._spread(reply, json.dumps({"connected": self.station.is_connected, "identity": self.held[IDENTITY]}))

    def _get(self, place: Mapping[str, Any]) -> dict[str, Any]:
        name = f"{place['component']['name']}.{place['variable']['name']}"
        if name not in self.held:
            return {"status": "UnknownVariable", "component_variable": place}
        if name == PASSWORD:
            return {"status": "Rejected", "component_variable": place}
        return {"status": "Accepted", "component_variable": place, "value": self.held[name], "attribute_type": "Actual"}

    def _set(self, item: Mapping[str, Any]) -> dict[str, Any]:
        place, value = item["component_variable"], str(item["value"])
        name = f"{place['component']['name']}.{place['variable']['name']}"
        self.writes.append((name, value))
        status = "RebootRequired"
        if name not in self.held:
            status = "UnknownVariable"
        elif name in READ_ONLY or name in self.reject or Fault.REFUSES in self.faults or len(value) > 1000:
            status = "Rejected"
        elif Fault.ACCEPTS_AND_IGNORES not in self.faults:
            self.held[name] = value
        return {"status": status, "component_variable": place}


def _basic(user: str, password: str) -> tuple[tuple[str, str], ...]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return (("Authorization", f"Basic {token}"),)
