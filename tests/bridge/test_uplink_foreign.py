"""A bridged 1.6 charge point against a central system that is not ours: the ``ocpp`` package, which checks every message.

It validates what we say and what we answer against its schemas, and raises on what breaks them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.exceptions import ConnectionClosed

from app.model.bridge import LineState
from tests.bridge.lines import living


def now() -> str:
    return datetime.now(UTC).isoformat()


class Central(ChargePoint):  # type: ignore[misc]
    """One charge point as the package's central system sees it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, response_timeout=5)
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.booted = asyncio.Event()

    def note(self, action: str, told: dict[str, Any]) -> None:
        self.heard.append((action, told))

    def told(self, action: str) -> list[dict[str, Any]]:
        return [told for name, told in self.heard if name == action]

    @on("BootNotification")
    def boot(self, **told: Any) -> Any:
        self.note("BootNotification", told)
        self.booted.set()
        return call_result.BootNotification(current_time=now(), interval=60, status="Accepted")

    @on("StatusNotification")
    def status(self, **told: Any) -> Any:
        self.note("StatusNotification", told)
        return call_result.StatusNotification()

    @on("Heartbeat")
    def beat(self, **told: Any) -> Any:
        self.note("Heartbeat", told)
        return call_result.Heartbeat(current_time=now())

    @on("Authorize")
    def authorize(self, **told: Any) -> Any:
        self.note("Authorize", told)
        return call_result.Authorize(id_tag_info={"status": "Accepted"})

    @on("StartTransaction")
    def start_transaction(self, **told: Any) -> Any:
        self.note("StartTransaction", told)
        return call_result.StartTransaction(transaction_id=501, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    def meter(self, **told: Any) -> Any:
        self.note("MeterValues", told)
        return call_result.MeterValues()

    @on("StopTransaction")
    def stop_transaction(self, **told: Any) -> Any:
        self.note("StopTransaction", told)
        return call_result.StopTransaction(id_tag_info={"status": "Accepted"})

    def shows(self, state: str) -> bool:
        return state in [told["status"] for told in self.told("StatusNotification")[-2:]]


@asynccontextmanager
async def foreign() -> AsyncIterator[tuple[str, asyncio.Queue[Central]]]:
    """Serve the package's central system on the stock ``websockets`` server."""
    came: asyncio.Queue[Central] = asyncio.Queue()

    async def serve(link: Any) -> None:
        central = Central(link.request.path.strip("/"), link)
        came.put_nowait(central)
        with suppress(ConnectionClosed):
            await central.start()

    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"], close_timeout=1) as server:  # type: ignore[list-item]
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", came


async def test_a_session_with_everything_passes_the_packages_own_checks():
    async with foreign() as (url, came), living(url, pace=0.02) as unit:
        central = await asyncio.wait_for(came.get(), 5)
        await asyncio.wait_for(central.booted.wait(), 5)
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        told = await central.call(call.GetConfiguration())
        assert len(told.configuration_key) > 25
        for key, value in (("MeterValueSampleInterval", "5"), ("StopTxnSampledData", "Energy.Active.Import.Register")):
            assert (await central.call(call.ChangeConfiguration(key=key, value=value))).status == "Accepted"
        unit.plug_in()
        await unit.until(lambda: central.shows("Preparing"))
        assert (await central.call(call.RemoteStartTransaction(id_tag="DRIVER"))).status == "Accepted"
        await unit.until(lambda: central.shows("Charging"))
        await unit.until(lambda: len(central.told("MeterValues")) >= 3)
        assert (await central.call(call.RemoteStopTransaction(transaction_id=501))).status == "Accepted"
        await unit.until(lambda: central.told("StopTransaction"))
        await unit.until(lambda: central.shows("Finishing"))
        for trigger in ("Heartbeat", "MeterValues", "StatusNotification", "BootNotification"):
            assert (await central.call(call.TriggerMessage(requested_message=trigger))).status == "Accepted"
        await unit.until(lambda: len(central.told("BootNotification")) == 2)
    start, stop = central.told("StartTransaction")[0], central.told("StopTransaction")[0]
    assert start["id_tag"] == "DRIVER"
    assert stop["transaction_id"] == 501
    assert stop["reason"] == "Remote"
    assert stop["meter_stop"] >= start["meter_start"]
    assert stop["transaction_data"]


@pytest.mark.parametrize("purpose", ["TxDefaultProfile", "ChargePointMaxProfile"])
async def test_profiles_of_the_package_are_obeyed(purpose: str):
    place = 0 if purpose == "ChargePointMaxProfile" else 1
    async with foreign() as (url, came), living(url, pace=0.02) as unit:
        central = await asyncio.wait_for(came.get(), 5)
        await unit.until(lambda: unit.uplink.line is LineState.ONLINE)
        unit.plug_in()
        schedule = {"charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 11.0}]}
        profile = {
            "charging_profile_id": 1,
            "stack_level": 0,
            "charging_profile_purpose": purpose,
            "charging_profile_kind": "Relative",
            "charging_schedule": schedule,
        }
        order = call.SetChargingProfile(connector_id=place, cs_charging_profiles=profile)
        assert (await central.call(order)).status == "Accepted"
        assert (await central.call(call.RemoteStartTransaction(id_tag="DRIVER"))).status == "Accepted"
        await unit.until(lambda: unit.outlet.allowed_a == 11.0)
        told = await central.call(call.GetCompositeSchedule(connector_id=1, duration=300))
        assert told.charging_schedule["charging_schedule_period"][0]["limit"] == 11.0
        assert (await central.call(call.ClearChargingProfile(id=1))).status == "Accepted"
        await unit.until(lambda: unit.outlet.allowed_a == 32.0)
