"""A charge point on somebody else's code: the ``ocpp`` package over the stock ``websockets`` client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.exceptions import ConnectionClosed

from app.acceptance.tempo import Tempo
from app.model.acceptance import Verdict
from app.ocpp.server import OcppServer
from app.scope import Scope
from tests.acceptance.kit import central, run_cases, told

KEYS = {
    "NumberOfConnectors": "1",
    "SupportedFeatureProfiles": "Core,RemoteTrigger",
    "HeartbeatInterval": "300",
    "MeterValueSampleInterval": "60",
    "GetConfigurationMaxKeys": "20",
}


def now() -> str:
    return datetime.now(UTC).isoformat()


class Foreign(ChargePoint):
    """Core and RemoteTrigger, as the package's users write them."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.keys = dict(KEYS)
        self.session: int | None = None

    async def boot(self) -> None:
        await self.call(
            call.BootNotification(
                charge_point_vendor="Foreign", charge_point_model="Package", charge_point_serial_number="F-1",
                firmware_version="2",
            )
        )  # fmt: skip
        for connector in (0, 1):
            await self.status(connector, "Available")

    async def status(self, connector: int, state: str) -> None:
        await self.call(call.StatusNotification(connector, "NoError", state, timestamp=now()))

    @on(Action.get_configuration)
    def read(self, key: list[str] | None = None) -> Any:
        wanted = key or list(self.keys)
        found = [
            {"key": name, "readonly": name == "NumberOfConnectors", "value": self.keys[name]}
            for name in wanted
            if name in self.keys
        ]
        return call_result.GetConfiguration(found, [name for name in wanted if name not in self.keys])

    @on(Action.change_configuration)
    def write(self, key: str, value: str) -> Any:
        if key == "NumberOfConnectors":
            return call_result.ChangeConfiguration("Rejected")
        if key not in self.keys:
            return call_result.ChangeConfiguration("NotSupported")
        self.keys[key] = value
        return call_result.ChangeConfiguration("Accepted")

    @on(Action.trigger_message)
    def trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        is_known = connector_id in (None, 0, 1)
        return call_result.TriggerMessage("Accepted" if is_known else "Rejected")

    @after(Action.trigger_message)
    async def triggered(self, requested_message: str, connector_id: int | None = None) -> None:
        if requested_message == "Heartbeat":
            await self.call(call.Heartbeat())
        elif requested_message == "StatusNotification" and connector_id in (0, 1):
            await self.status(connector_id, "Preparing" if connector_id else "Available")
        elif requested_message == "BootNotification":
            await self.boot()

    @on(Action.remote_start_transaction)
    def start(self, id_tag: str, connector_id: int = 1) -> Any:
        return call_result.RemoteStartTransaction("Accepted")

    @after(Action.remote_start_transaction)
    async def started(self, id_tag: str, connector_id: int = 1) -> None:
        answer = await self.call(call.StartTransaction(connector_id, id_tag, 100, now()))
        self.session = answer.transaction_id
        await self.status(1, "Charging")

    @on(Action.remote_stop_transaction)
    def stop(self, transaction_id: int) -> Any:
        return call_result.RemoteStopTransaction("Accepted" if transaction_id == self.session else "Rejected")

    @after(Action.remote_stop_transaction)
    async def stopped(self, transaction_id: int) -> None:
        if transaction_id == self.session:
            await self.call(call.StopTransaction(90, now(), transaction_id, reason="Remote"))
            await self.status(1, "Available")


@asynccontextmanager
async def foreign(server: OcppServer) -> AsyncIterator[Foreign]:
    async with (
        websockets.connect(f"{server.state.url}CP-1", subprotocols=["ocpp1.6"]) as link,
        Scope("foreign") as scope,
    ):
        point = Foreign("CP-1", link)

        async def listen() -> None:
            with suppress(ConnectionClosed):
                await point.start_reading()

        point.start_reading = ChargePoint.start.__get__(point)  # its own ``start`` is a handler here
        scope.required("listen", listen())
        await asyncio.wait_for(point.boot(), 5)
        yield point
        await link.close()


async def test_the_ocpp_package_as_a_charge_point_gets_the_verdicts_it_earns(allowed_log: Callable[[str], None]):
    allowed_log("Error while handling request")
    async with central() as server, foreign(server) as point:
        await point.status(1, "Preparing")
        chosen = [
            "A16-BOOT-01", "A16-STATUS-01", "A16-CLOCK-01", "A16-CONF-01", "A16-CONF-02", "A16-CONF-03", "A16-CONF-04",
            "A16-CONF-05", "A16-CONF-06", "A16-TRIG-02", "A16-TRIG-07", "A16-WIRE-01", "A16-WIRE-02", "A16-SMART-01",
            "A16-SESS-01", "A16-SESS-02",
        ]  # fmt: skip
        result = await run_cases(server, chosen, tempo=Tempo(pace=0.02, least_s=0.8))
    verdicts = {item.case_id: item.verdict for item in result.results}
    everything = "\n".join(told(item) for item in result.results)
    earned = {
        "A16-CONF-01": Verdict.PARTIAL,  # few of the required keys
        "A16-CONF-06": Verdict.FAIL,  # takes “often” for a number
        "A16-SMART-01": Verdict.NOT_APPLICABLE,  # not claimed
        "A16-WIRE-01": Verdict.PARTIAL,  # says NotSupported of what it does not know
        "A16-SESS-01": Verdict.FAIL,  # its register falls from 100 to 90 Wh
    }
    for case_id in chosen:
        assert verdicts[case_id] is earned.get(case_id, Verdict.PASS), everything
    fall = next(check for check in result.results[-2].checks if not check.is_met and check.is_must)
    assert "100 → 90 Wh" in fall.sentence
    assert point.keys["MeterValueSampleInterval"] == "60"
