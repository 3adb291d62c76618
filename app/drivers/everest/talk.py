"""Requests to EVerest's ocpp_consumer_API over MQTT: each answer comes on a topic of our own naming.

Source: EVerest/everest-core docs/source/reference/EVerest_API/ocpp_consumer_API.yaml and its test
test_ocpp_consumer (connection_status and m2e/<variable>/get of newer builds).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Garbled, NotSupported, TimedOut
from app.links.link import MqttLink

ROOT = "everest_api/1/ocpp_consumer"
TOPIC = re.compile(re.escape(ROOT) + r"/([^/+#]{1,100})/e2m/(.{1,200})\Z")
LISTEN_S = 3.0
"""How long a module is listened for: most send a heartbeat every second or so, by configuration [OURS]."""
ANSWER_S = 5.0
STATE_S = 1.0
SOURCE = "rehome"
MESSAGE_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a variable: OCPP's GetVariableStatus and its value."""

    status: str
    value: str | None


class Talk:
    """A conversation with one module."""

    def __init__(self, link: MqttLink, module: str) -> None:
        self._link = link
        self.module = module
        self._numbers = itertools.count(1)
        self.state: dict[str, Any] = {}
        """The newest value of each thing it tells by itself: ``is_connected``, ``connection_status``, …"""

    @classmethod
    async def find(cls, link: MqttLink) -> Talk | None:
        """Listen for any module; ``None`` where none says a word. Raises LinkLost, Garbled, NotSupported."""
        await link.subscribe(f"{ROOT}/+/e2m/#")
        try:
            async with asyncio.timeout(LISTEN_S):
                for _ in range(MESSAGE_LIMIT):
                    topic, payload = await link.receive(timeout_s=LISTEN_S)
                    if match := TOPIC.match(topic):
                        found = cls(link, match[1])
                        found._heard(topic, payload)
                        return found
        except (TimeoutError, TimedOut):
            return None
        return None

    async def get(self, names: Iterable[str]) -> dict[str, Told]:
        """Ask for variables, named ``Component.Variable``; one that is not answered is left out."""
        asked = list(names)
        items = [{"component_variable": _place(name), "attribute_type": "Actual"} for name in asked]
        return _results(await self._ask("get_variables", {"items": items}), asked)

    async def set(self, name: str, value: str) -> str:
        """Write one variable and return its SetVariableStatus."""
        item = {"component_variable": _place(name), "value": value, "attribute_type": "Actual"}
        payload = {"variables": {"items": [item]}, "source": SOURCE}
        found = _results(await self._ask("set_variables", payload), [name])
        if name not in found:
            raise _garbled()
        return found[name].status

    async def connection(self) -> Mapping[str, Any]:
        """Return what it says of its connection; newer builds are asked, older ones told it when it last changed."""
        try:
            status = await self._ask("connection_status", None, patience_s=STATE_S)
            if isinstance(status, dict):
                self.state["connection_status"] = status
        except TimedOut:
            pass
        told = self.state.get("connection_status")
        known = self.state.get("is_connected")
        return told if isinstance(told, dict) else {"connected": known} if isinstance(known, bool) else {}

    async def _ask(self, operation: str, payload: Any, *, patience_s: float | None = None) -> Any:
        timeout_s = ANSWER_S if patience_s is None else patience_s
        base = f"{ROOT}/{self.module}"
        reply = f"{base}/e2m/{operation}/rehome-{next(self._numbers)}"
        body: dict[str, Any] = {"headers": {"replyTo": reply}}
        if payload is None:
            operation = f"{operation}/get"
        else:
            body["payload"] = payload
        await self._link.publish(f"{base}/m2e/{operation}", json.dumps(body, separators=(",", ":")))
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(MESSAGE_LIMIT):
                    topic, text = await self._link.receive(timeout_s=timeout_s)
                    if topic == reply:
                        return _decoded(text)
                    self._heard(topic, text)
        except TimeoutError as error:
            raise TimedOut(f"EVerest did not answer “{operation}”.", "Check that its OCPP module runs.") from error
        raise Garbled("EVerest talks without answering.", "Restart it and try again.")

    def _heard(self, topic: str, payload: str) -> None:
        match = TOPIC.match(topic)
        if match and match[1] == self.module and match[2] in ("is_connected", "connection_status"):
            self.state[match[2]] = _decoded(payload)


def _place(name: str) -> dict[str, Any]:
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _results(answer: Any, asked: list[str]) -> dict[str, Told]:
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise _garbled()
    found: dict[str, Told] = {}
    for item in items[: 2 * len(asked)]:
        if not isinstance(item, dict):
            raise _garbled()
        name, value = _name(item.get("component_variable")), item.get("value")
        if name in asked:
            found[name] = Told(status=str(item.get("status"))[:60], value=value if isinstance(value, str) else None)
    return found


def _name(place: Any) -> str:
    component = place.get("component") if isinstance(place, dict) else None
    variable = place.get("variable") if isinstance(place, dict) else None
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return ""
    return f"{component.get('name')}.{variable.get('name')}"


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _garbled() from error


def _garbled() -> Garbled:
    return Garbled("EVerest answered what is not of its API.", "Note its version and report it.")


def nobody() -> NotSupported:
    """Return the error for a broker on which no EVerest speaks."""
    return NotSupported(
        "No OCPP module of EVerest speaks on this broker.",
        "The module “ocpp_consumer_API” must stand in its configuration; its maker or integrator can add it.",
    )
