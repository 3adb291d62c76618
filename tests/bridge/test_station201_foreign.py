"""A bridged 2.0.1 station before somebody else's central system: the ``ocpp`` package over the stock ``websockets``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from app.bridge.station import Start
from tests.bridge.kit201 import living

TAG = {"id_token": "DRIVER", "type": "Central"}


def now() -> str:
    return datetime.now(UTC).isoformat()


class Foreign(ChargePoint):
    """A central system as the package's users write it: every message is checked against its schema, both ways."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    def _note(self, name: str, **told: Any) -> None:
        self.came.append((name, told))
        self.changed.set()

    async def wait_for(self, name: str, **wanted: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            fitting = (told for action, told in self.came if action == name)
            return next(
                (told for told in fitting if all(told.get(key) == value for key, value in wanted.items())), None
            )

        async with asyncio.timeout(5):
            while (told := found()) is None:
                self.changed.clear()
                await self.changed.wait()
        return told

    @on(Action.boot_notification)
    def boot(self, **told: Any) -> Any:
        self._note("Boot", **told)
        return call_result.BootNotification(current_time=now(), interval=60, status="Accepted")

    @on(Action.status_notification)
    def status(self, **told: Any) -> Any:
        self._note("Status", **told)
        return call_result.StatusNotification()

    @on(Action.security_event_notification)
    def security(self, **told: Any) -> Any:
        self._note("Security", **told)
        return call_result.SecurityEventNotification()

    @on(Action.heartbeat)
    def heartbeat(self) -> Any:
        self._note("Heartbeat")
        return call_result.Heartbeat(current_time=now())

    @on(Action.authorize)
    def authorize(self, **told: Any) -> Any:
        self._note("Authorize", **told)
        return call_result.Authorize(id_token_info={"status": "Accepted"})

    @on(Action.transaction_event)
    def transaction(self, **told: Any) -> Any:
        self._note("Event", **told)
        return call_result.TransactionEvent()

    @on(Action.meter_values)
    def meter(self, **told: Any) -> Any:
        self._note("Meter", **told)
        return call_result.MeterValues()

    @on(Action.notify_report)
    def report(self, **told: Any) -> Any:
        self._note("Report", **told)
        return call_result.NotifyReport()

    @on(Action.report_charging_profiles)
    def profiles(self, **told: Any) -> Any:
        self._note("Profiles", **told)
        return call_result.ReportChargingProfiles()


class Office:
    """Where stations dial in."""

    def __init__(self) -> None:
        self.url = ""
        self.desks: asyncio.Queue[Foreign] = asyncio.Queue()

    async def came(self) -> Foreign:
        async with asyncio.timeout(5):
            return await self.desks.get()

    async def serve(self, link: ServerConnection) -> None:
        assert link.request is not None
        desk = Foreign(link.request.path.rpartition("/")[2], link)
        self.desks.put_nowait(desk)
        with suppress(ConnectionClosed):
            await desk.start()


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    made = Office()
    async with serve(made.serve, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp2.0.1")]) as server:
        made.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        yield made


async def test_a_foreign_central_system_runs_a_session_reads_sets_limits_and_resets():
    async with office() as place, living(place.url) as unit:
        desk = await place.came()
        boot = await desk.wait_for("Boot")
        assert boot["charging_station"]["vendor_name"] == "Enel X"
        await desk.wait_for("Status", connector_status="Available")
        await desk.wait_for("Security", type="StartupOfTheDevice")

        answer = await desk.call(call.GetBaseReport(request_id=1, report_base="FullInventory"))
        assert answer.status == "Accepted"
        await desk.wait_for("Report", tbc=False)
        interval = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
        answer = await desk.call(call.SetVariables(set_variable_data=[interval | {"attribute_value": "1"}]))
        assert answer.set_variable_result[0]["attribute_status"] == "Accepted"

        unit.plug_in()
        await desk.wait_for("Status", connector_status="Occupied")
        answer = await desk.call(call.RequestStartTransaction(id_token=TAG, remote_start_id=9, evse_id=1))
        assert answer.status == "Accepted"
        started = await desk.wait_for("Event", event_type="Started")
        await desk.wait_for("Event", trigger_reason="ChargingStateChanged")
        await desk.wait_for("Event", trigger_reason="MeterValuePeriodic")
        name = started["transaction_info"]["transaction_id"]

        schedule = {"id": 1, "charging_rate_unit": "A", "charging_schedule_period": [{"start_period": 0, "limit": 8}]}
        profile = {
            "id": 1,
            "stack_level": 0,
            "charging_profile_purpose": "TxProfile",
            "charging_profile_kind": "Relative",
            "transaction_id": name,
            "charging_schedule": [schedule],
        }
        answer = await desk.call(call.SetChargingProfile(evse_id=1, charging_profile=profile))
        assert answer.status == "Accepted"
        await desk.wait_for("Event", trigger_reason="ChargingRateChanged")
        assert unit.outlet.allowed_a == 8.0
        answer = await desk.call(call.GetCompositeSchedule(duration=600, evse_id=1))
        assert answer.schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 8.0}]
        answer = await desk.call(call.GetChargingProfiles(request_id=2, charging_profile={"stack_level": 0}))
        assert answer.status == "Accepted"
        await desk.wait_for("Profiles")

        answer = await desk.call(call.RequestStopTransaction(transaction_id=name))
        assert answer.status == "Accepted"
        ended = await desk.wait_for("Event", event_type="Ended")
        assert ended["transaction_info"]["stopped_reason"] == "Remote"
        assert unit.outlet.allowed_a == 0
        numbers = [told["seq_no"] for action, told in desk.came if action == "Event"]
        assert numbers == list(range(len(numbers)))

        answer = await desk.call(call.Reset(type="OnIdle"))
        assert answer.status == "Accepted"
        again = await place.came()
        boot = await again.wait_for("Boot")
        assert boot["reason"] == "RemoteReset"


async def test_a_foreign_central_system_gets_the_sessions_that_happened_while_it_was_away():
    async with office() as place, living(place.url, start=Start.FREE, reports=False) as unit:
        desk = await place.came()
        await desk.wait_for("Status")
        await unit.until(lambda: not unit.outbox.messages)
        transport = desk._connection.transport  # type: ignore[attr-defined]
        transport.abort()
        await unit.until(lambda: not unit.station.is_open)
        unit.plug_in()
        unit.unplug()
        again = await place.came()
        started = await again.wait_for("Event", event_type="Started")
        ended = await again.wait_for("Event", event_type="Ended")
        assert started["offline"]
        assert ended["offline"]
        assert not [told for action, told in again.came if action == "Boot"]
