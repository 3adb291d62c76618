"""A charging station on somebody else's code: the ``ocpp`` package's 2.x classes over the stock ``websockets`` client.

The package checks every message of ours against its own schemas, and every one of its own before it is sent.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import ocpp.v21
import ocpp.v201
import websockets
from ocpp.routing import after, on
from websockets.exceptions import ConnectionClosed

from app.scope import Scope

VARIABLES = {
    ("OCPPCommCtrlr", "HeartbeatInterval"): ["300", "ReadWrite", "integer"],
    ("SampledDataCtrlr", "TxUpdatedInterval"): ["60", "ReadWrite", "integer"],
    ("SampledDataCtrlr", "TxUpdatedMeasurands"): ["", "ReadWrite", "MemberList"],
    ("SecurityCtrlr", "SecurityProfile"): ["2", "ReadOnly", "integer"],
    ("EVSE", "AvailabilityState"): ["Available", "ReadOnly", "OptionList"],
}
PLACE = {"id": 1, "connector_id": 1}


def now() -> str:
    return datetime.now(UTC).isoformat()


class Handlers:
    """What a station does, in the package's words; mixed with the class of either version."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.variables = {key: list(value) for key, value in VARIABLES.items()}
        self.running = ""
        self.reason = "PowerUp"
        self.says_boot_again = True
        self.is_resetting = asyncio.Event()
        self.seq = 0

    async def boot(self) -> str:
        who = {"model": "Package", "vendor_name": "Foreign", "serial_number": "F-2", "firmware_version": "3"}
        answer = await self.call(self.calls.BootNotification(charging_station=who, reason=self.reason))
        if answer.status == "Accepted":
            await self.status("Available")
        return str(answer.status)

    async def status(self, state: str) -> None:
        await self.call(
            self.calls.StatusNotification(timestamp=now(), connector_status=state, evse_id=1, connector_id=1)
        )

    @on("GetBaseReport")
    def base(self, request_id: int, report_base: str, **_: Any) -> Any:
        return self.results.GetBaseReport("Accepted" if report_base != "SummaryInventory" else "NotSupported")

    @after("GetBaseReport")
    async def told(self, request_id: int, report_base: str, **_: Any) -> None:
        keys = [key for key, told in self.variables.items() if report_base == "FullInventory" or told[1] == "ReadWrite"]
        if report_base != "SummaryInventory":
            await self.report(request_id, keys)

    @on("GetReport")
    def some(self, request_id: int, component_variable: list[Any] | None = None, **_: Any) -> Any:
        return self.results.GetReport("Accepted" if self.named(component_variable) else "EmptyResultSet")

    @after("GetReport")
    async def some_told(self, request_id: int, component_variable: list[Any] | None = None, **_: Any) -> None:
        if keys := self.named(component_variable):
            await self.report(request_id, keys)

    def named(self, wanted: list[Any] | None) -> list[tuple[str, str]]:
        keys = {(item["component"]["name"], item.get("variable", {}).get("name")) for item in wanted or ()}
        return [key for key in self.variables if key in keys or (key[0], None) in keys]

    async def report(self, request_id: int, keys: list[tuple[str, str]]) -> None:
        for at, key in enumerate(keys):
            value, mutability, kind = self.variables[key]
            component: dict[str, Any] = {"name": key[0]}
            if key[0] == "EVSE":
                component["evse"] = {"id": 1}
            data = {
                "component": component,
                "variable": {"name": key[1]},
                "variable_attribute": [{"value": value, "mutability": mutability}],
                "variable_characteristics": {"data_type": kind, "supports_monitoring": False},
            }
            is_last = at == len(keys) - 1
            await self.call(
                self.calls.NotifyReport(
                    request_id=request_id, generated_at=now(), seq_no=at, report_data=[data], tbc=not is_last
                )
            )

    @on("GetVariables")
    def read(self, get_variable_data: list[Any], **_: Any) -> Any:
        return self.results.GetVariables([self.read_one(item) for item in get_variable_data])

    def read_one(self, item: dict[str, Any]) -> dict[str, Any]:
        status, key = self.found(item)
        told = {"attribute_status": status, "component": item["component"], "variable": item["variable"]}
        return told | ({"attribute_value": self.variables[key][0]} if status == "Accepted" else {})

    def found(self, item: dict[str, Any]) -> tuple[str, tuple[str, str]]:
        key = (item["component"]["name"], item["variable"]["name"])
        if item.get("attribute_type", "Actual") != "Actual":
            return "NotSupportedAttributeType", key
        if key in self.variables:
            return "Accepted", key
        is_known = any(name == key[0] for name, _ in self.variables)
        return "UnknownVariable" if is_known else "UnknownComponent", key

    @on("SetVariables")
    def write(self, set_variable_data: list[Any], **_: Any) -> Any:
        return self.results.SetVariables([self.write_one(item) for item in set_variable_data])

    def write_one(self, item: dict[str, Any]) -> dict[str, Any]:
        status, key = self.found(item)
        if status == "Accepted":
            _, mutability, kind = self.variables[key]
            is_good = mutability == "ReadWrite" and (kind != "integer" or item["attribute_value"].isdigit())
            status = "Accepted" if is_good else "Rejected"
            if is_good:
                self.variables[key][0] = item["attribute_value"]
        return {"attribute_status": status, "component": item["component"], "variable": item["variable"]}

    @on("TriggerMessage")
    def trigger(self, requested_message: str, evse: Any = None, **_: Any) -> Any:
        is_here = evse is None or evse["id"] == 1
        is_known = requested_message in ("Heartbeat", "StatusNotification")
        return self.results.TriggerMessage("Accepted" if is_here and is_known else "Rejected")

    @after("TriggerMessage")
    async def triggered(self, requested_message: str, evse: Any = None, **_: Any) -> None:
        if evse is not None and evse["id"] != 1:
            return
        if requested_message == "Heartbeat":
            await self.call(self.calls.Heartbeat())
        elif requested_message == "StatusNotification":
            await self.status("Occupied" if self.running else "Available")

    @on("Reset")
    def reset(self, **_: Any) -> Any:
        return self.results.Reset("Accepted")

    @after("Reset")
    async def reset_now(self, **_: Any) -> None:
        self.reason = "RemoteReset"
        self.is_resetting.set()

    @on("RequestStartTransaction")
    def begin(self, id_token: Any, remote_start_id: int, evse_id: int = 1, **_: Any) -> Any:
        is_free = evse_id == 1 and not self.running
        return self.results.RequestStartTransaction("Accepted" if is_free else "Rejected")

    @after("RequestStartTransaction")
    async def began(self, id_token: Any, remote_start_id: int, evse_id: int = 1, **_: Any) -> None:
        if evse_id != 1 or self.running:
            return
        self.running, self.seq = str(uuid4()), 0
        await self.status("Occupied")
        info = {"remote_start_id": remote_start_id, "charging_state": "Charging"}
        await self.event("Started", "RemoteStart", id_token, **info)

    @on("RequestStopTransaction")
    def stop(self, transaction_id: str, **_: Any) -> Any:
        return self.results.RequestStopTransaction("Accepted" if transaction_id == self.running else "Rejected")

    @after("RequestStopTransaction")
    async def stopped(self, transaction_id: str, **_: Any) -> None:
        if transaction_id == self.running:
            await self.event("Ended", "RemoteStop", stopped_reason="Remote")
            self.running = ""
            await self.status("Available")

    async def event(self, kind: str, trigger: str, token: Any = None, **info: Any) -> None:
        await self.call(
            self.calls.TransactionEvent(
                event_type=kind,
                timestamp=now(),
                trigger_reason=trigger,
                seq_no=self.seq,
                transaction_info={"transaction_id": self.running, **info},
                evse=PLACE,
                id_token=token,
            )
        )
        self.seq += 1


class Station201(Handlers, ocpp.v201.ChargePoint):  # type: ignore[misc]
    calls, results = ocpp.v201.call, ocpp.v201.call_result


class Station21(Handlers, ocpp.v21.ChargePoint):  # type: ignore[misc]
    calls, results = ocpp.v21.call, ocpp.v21.call_result


STATIONS = {"2.0.1": Station201, "2.1": Station21}


class Life:
    """One station through its restarts: it dials, boots, and dials again after each Reset and each lost line."""

    def __init__(self, version: str, url: str, trust: ssl.SSLContext | None, *, says_boot_again: bool = True) -> None:
        self.version, self.url, self.trust = version, url, trust
        self.says_boot_again = says_boot_again
        self.station: Handlers | None = None
        self.times = 0

    async def live(self) -> None:
        """Go on until cancelled."""
        reason, kept = "PowerUp", {key: list(value) for key, value in VARIABLES.items()}
        while True:
            with suppress(ConnectionClosed, OSError):
                async with websockets.connect(self.url, subprotocols=[f"ocpp{self.version}"], ssl=self.trust) as link:
                    self.times += 1
                    point = self.station = STATIONS[self.version]("CP-1", link, response_timeout=5)
                    point.reason, point.variables = reason, kept
                    async with Scope("package") as scope:
                        scope.required("listen", _heard(point))
                        await self.booted(point)
                        await point.is_resetting.wait()
                        reason = point.reason
                        await link.close()
            await asyncio.sleep(0)

    async def booted(self, point: Handlers) -> None:
        """Boot as the standard wants it; or, as some programs do, once and never again."""
        while await point.boot() != "Accepted" and self.says_boot_again:
            with suppress(TimeoutError):
                await asyncio.wait_for(point.is_resetting.wait(), 0.2)


async def _heard(point: Any) -> None:
    with suppress(ConnectionClosed):
        await point.start()
    point.is_resetting.set()


@asynccontextmanager
async def living(version: str, url: str, trust: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Life]:
    """Have a station live inside the block."""
    life = Life(version, url, trust, **options)
    async with Scope("foreign") as scope:
        task = scope.required("life", life.live())
        yield life
        task.cancel()
