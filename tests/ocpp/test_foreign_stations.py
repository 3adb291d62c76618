"""Stations built on the ``ocpp`` package, by other people, on our endpoint: versions 2.0.1 and 2.1 and what they report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import ocpp.v21.call
import ocpp.v21.call_result
import ocpp.v201.call
import ocpp.v201.call_result
import pytest
import websockets
from ocpp.routing import after, on
from ocpp.v21 import ChargePoint as Base21
from ocpp.v201 import ChargePoint as Base201

from app.model.finding import Severity
from app.ocpp.endpoint import Endpoint
from app.scope import Scope
from tests.ocpp.endpoint_kit import Site, site

PACKAGES = {
    "2.0.1": (Base201, ocpp.v201.call, ocpp.v201.call_result),
    "2.1": (Base21, ocpp.v21.call, ocpp.v21.call_result),
}


def now() -> str:
    """Stamp a message: an old stamp would be another story (failures 13)."""
    return datetime.now(UTC).isoformat()


def report(number: int, index: int, name: str, value: str, *, is_last: bool) -> dict[str, Any]:
    data = {
        "component": {"name": "OCPPCommCtrlr"},
        "variable": {"name": name},
        "variable_attribute": [{"value": value}],
        "variable_characteristics": {"data_type": "integer", "supports_monitoring": False},
    }
    return {"request_id": number, "generated_at": now(), "seq_no": index, "tbc": not is_last, "report_data": [data]}


def station_of(version: str) -> Any:
    base, call, result = PACKAGES[version]

    class Station(base):  # type: ignore[misc,valid-type]
        """Answers what a commissioning asks."""

        @on("GetBaseReport")  # type: ignore[untyped-decorator]
        def base_report(self, **_: Any) -> Any:
            return result.GetBaseReport(status="Accepted")

        @after("GetBaseReport")  # type: ignore[untyped-decorator]
        async def reports(self, request_id: int, **_: Any) -> None:
            for index, (name, value) in enumerate((("HeartbeatInterval", "300"), ("WebSocketPingInterval", "60"))):
                await self.call(call.NotifyReport(**report(request_id, index, name, value, is_last=index == 1)))

        @on("GetVariables")  # type: ignore[untyped-decorator]
        def variables(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
            told = {"attribute_status": "Accepted", "attribute_value": "60"}
            return result.GetVariables(get_variable_result=[{**item, **told} for item in get_variable_data])

        @on("Reset")  # type: ignore[untyped-decorator]
        def reset(self, **_: Any) -> Any:
            return result.Reset(status="Accepted")

        async def introduce(self) -> None:
            station = {"vendor_name": "Foreign", "model": "One"}
            answer = await self.call(call.BootNotification(charging_station=station, reason="PowerUp"))
            assert answer.status == "Accepted"
            await self.call(call.Heartbeat())
            status = {"evse_id": 1, "connector_id": 1, "connector_status": "Available"}
            await self.call(call.StatusNotification(timestamp=now(), **status))
            info = {"transaction_id": "abc", "charging_state": "Charging"}
            await self.call(
                call.TransactionEvent(
                    event_type="Started",
                    timestamp=now(),
                    trigger_reason="CablePluggedIn",
                    seq_no=0,
                    transaction_info=info,
                    evse={"id": 1},
                    id_token={"id_token": "04AA", "type": "ISO14443"},
                )
            )

    return Station


@asynccontextmanager
async def standing(here: Site, version: str) -> AsyncIterator[Endpoint]:
    url = f"{here.url}FOREIGN"
    async with websockets.connect(url, subprotocols=[f"ocpp{version}"]) as link, Scope("station") as scope:
        station = station_of(version)("FOREIGN", link)
        scope.isolated("listen", listened(station))
        async with asyncio.timeout(10):
            await station.introduce()
        yield here.server.endpoints["FOREIGN"]
        await scope.close()


async def listened(station: Any) -> None:
    try:
        await station.start()
    except websockets.ConnectionClosed:
        return


@pytest.mark.parametrize("version", sorted(PACKAGES))
async def test_a_foreign_station_boots_reports_and_obeys(version: str):
    async with site() as here, standing(here, version) as endpoint:
        assert endpoint.version == version
        assert endpoint.boot is not None
        assert endpoint.boot.vendor == "Foreign"
        assert endpoint.transactions["abc"].tag == "04AA"
        assert endpoint.statuses[1].state == "Charging"
        model = await endpoint.device_model()
        assert {item.name.variable: item.value for item in model} == {
            "HeartbeatInterval": "300",
            "WebSocketPingInterval": "60",
        }
        (setting,) = await endpoint.get_settings(("OCPPCommCtrlr.WebSocketPingInterval",))
        assert setting.value == "60"
        assert await endpoint.reset("Hard") == "Accepted"
        assert not [item for item in here.findings.take() if item.severity is not Severity.INFO]
