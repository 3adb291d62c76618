"""The simulated 2.x station against the ``ocpp`` package's central system: every message validates both ways."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from app.sim.fault import Fault
from app.sim.station2 import Station2
from tests.sim.csms import CallRefused, Csms, csms

NAME = "CS-2"
SCALE = 0.01
TOKEN = {"idToken": "CARD-1", "type": "ISO14443"}


@asynccontextmanager
async def standing(version: str = "2.0.1", **options: Any) -> AsyncIterator[tuple[Csms, Station2]]:
    async with (
        csms(f"ocpp{version}") as central,
        Station2(central.url, NAME, version, time_scale=SCALE, **options) as station,
    ):
        await central.hears("StatusNotification", lambda told: told["evseId"] == len(station.evses))
        yield central, station


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_it_boots_and_tells_the_state_of_every_connector(version: str):
    async with standing(version, evses=2) as (central, station):
        boot = await central.hears("BootNotification")
        assert boot["reason"] == "PowerUp"
        assert boot["chargingStation"]["model"] == "Station DC 2"
        assert [told["evseId"] for told in central.all("StatusNotification")] == [1, 2]
        assert {told["connectorStatus"] for told in central.all("StatusNotification")} == {"Available"}
        assert central.paths == [f"/ocpp/{NAME}"]
        assert (await central.order("GetTransactionStatus"))["messagesInQueue"] is False
        assert station.registration == "Accepted"


async def test_a_card_charges_and_the_same_card_ends_it():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        started = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Started")
        assert started["idToken"] == TOKEN
        assert started["offline"] is False
        await central.hears("TransactionEvent", lambda told: told["triggerReason"] == "MeterValuePeriodic")
        station.swipe("CARD-1")
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        assert ended["transactionInfo"]["stoppedReason"] == "Local"
        numbers = [told["seqNo"] for told in central.all("TransactionEvent")]
        assert numbers == list(range(len(numbers)))
        assert len({told["transactionInfo"]["transactionId"] for told in central.all("TransactionEvent")}) == 1


async def test_a_remote_start_waits_for_the_car_and_a_remote_stop_ends_it():
    async with standing() as (central, station):
        start = {"idToken": TOKEN, "remoteStartId": 7, "evseId": 1}
        assert (await central.order("RequestStartTransaction", start))["status"] == "Accepted"
        station.plug_in()
        started = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Started")
        assert started["transactionInfo"]["remoteStartId"] == 7
        number = started["transactionInfo"]["transactionId"]
        assert (await central.order("RequestStopTransaction", {"transactionId": number}))["status"] == "Accepted"
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")
        assert (await central.order("RequestStopTransaction", {"transactionId": number}))["status"] == "Rejected"


async def test_events_of_an_offline_session_are_told_in_order_and_marked():
    async with standing(variables={"AuthCtrlr.OfflineTxForUnknownIdEnabled": "true"}) as (central, station):
        station.redial_s = 1.0
        await central.drop()
        await station.until(lambda: not station.is_connected)
        station.plug_in()
        station.swipe("CARD-9")
        station.unplug()
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        events = central.all("TransactionEvent")
        assert [told["seqNo"] for told in events] == list(range(len(events)))
        assert all(told["offline"] for told in events)
        assert ended["transactionInfo"]["stoppedReason"] == "EVDisconnected"


async def test_the_whole_device_model_is_reported_in_parts():
    async with standing() as (central, station):
        order = {"requestId": 5, "reportBase": "FullInventory"}
        assert (await central.order("GetBaseReport", order))["status"] == "Accepted"
        await central.hears("NotifyReport", lambda told: not told["tbc"])
        parts = central.all("NotifyReport")
        assert [part["seqNo"] for part in parts] == list(range(len(parts)))
        assert len(parts) > 3
        found = {(one["component"]["name"], one["variable"]["name"]) for part in parts for one in part["reportData"]}
        assert ("OCPPCommCtrlr", "NetworkConfigurationPriority") in found
        assert ("SecurityCtrlr", "BasicAuthPassword") in found
        assert len(found) > 100
        assert station.model.text("ClockCtrlr", "DateTime")


@pytest.mark.parametrize(
    ("component", "variable", "value", "status"),
    [
        ("OCPPCommCtrlr", {"name": "HeartbeatInterval"}, "60", "Accepted"),
        ("ocppcommctrlr", {"name": "heartbeatinterval"}, "60", "Accepted"),
        ("OCPPCommCtrlr", {"name": "HeartbeatInterval"}, "often", "Rejected"),
        ("OCPPCommCtrlr", {"name": "HeartbeatInterval"}, "0", "Rejected"),
        ("OCPPCommCtrlr", {"name": "ActiveNetworkProfile"}, "2", "Rejected"),
        ("OCPPCommCtrlr", {"name": "NoSuch"}, "2", "UnknownVariable"),
        ("NoSuchCtrlr", {"name": "NoSuch"}, "2", "UnknownComponent"),
        ("OCPPCommCtrlr", {"name": "NetworkConfigurationPriority"}, "2,1", "Rejected"),
        ("OCPPCommCtrlr", {"name": "NetworkConfigurationPriority"}, "1", "RebootRequired"),
        ("SampledDataCtrlr", {"name": "TxUpdatedMeasurands"}, "Voltage,Nonsense", "Rejected"),
    ],
)
async def test_a_variable_is_set_or_refused_as_the_standard_says(
    component: str, variable: dict[str, str], value: str, status: str
):
    async with standing() as (central, _):
        data = {"component": {"name": component}, "variable": variable, "attributeValue": value}
        answer = await central.order("SetVariables", {"setVariableData": [data]})
        assert answer["setVariableResult"][0]["attributeStatus"] == status


async def test_a_write_only_variable_is_not_read_and_too_many_items_are_refused():
    async with standing() as (central, _):
        asked = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
        answer = await central.order("GetVariables", {"getVariableData": [asked]})
        assert answer["getVariableResult"][0]["attributeStatus"] == "Rejected"
        with pytest.raises(CallRefused) as refusal:
            await central.order("GetVariables", {"getVariableData": [asked] * 21})
        assert refusal.value.code == "OccurrenceConstraintViolation"


async def test_a_reset_at_once_ends_the_transaction_and_returns_with_a_boot():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("TransactionEvent")
        mark = central.mark
        assert (await central.order("Reset", {"type": "Immediate"}))["status"] == "Accepted"
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        assert ended["transactionInfo"]["stoppedReason"] == "ImmediateReset"
        boot = await central.hears("BootNotification", after=mark)
        assert boot["reason"] == "RemoteReset"


async def test_a_reset_on_idle_waits_for_the_transaction():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("TransactionEvent")
        mark = central.mark
        assert (await central.order("Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
        assert station.is_connected
        station.swipe("CARD-1")
        assert (await central.hears("BootNotification", after=mark))["reason"] == "ScheduledReset"


async def test_while_pending_it_says_only_what_it_was_asked_for():
    async with csms() as central:
        central.boot_statuses, central.interval = ["Pending"], 100
        async with Station2(central.url, NAME, time_scale=SCALE) as station:
            await central.hears("BootNotification")
            await station.until(lambda: station.registration == "Pending")
            await central.order("GetBaseReport", {"requestId": 1, "reportBase": "SummaryInventory"})
            await central.hears("NotifyReport", lambda told: not told["tbc"])
            assert {action for action, _ in central.said} == {"BootNotification", "NotifyReport"}
            trigger = {"requestedMessage": "BootNotification"}
            assert (await central.order("TriggerMessage", trigger))["status"] == "Accepted"
            again = await central.hears("BootNotification", lambda told: told["reason"] == "Triggered")
            assert again
            await central.hears("StatusNotification")


async def test_a_refused_card_does_not_charge():
    async with standing() as (central, station):
        central.token_status = "Blocked"
        station.plug_in()
        mark = central.mark
        station.swipe("CARD-1")
        await central.hears("Authorize", after=mark)
        await central.order("GetTransactionStatus")
        assert not central.all("TransactionEvent")


async def test_a_station_that_speaks_16_over_a_2_connection_is_a_version_mix(allowed_log: Any):
    allowed_log("Error while handling request")
    async with csms() as central, Station2(central.url, NAME, faults={Fault.SPEAKS_16}, time_scale=SCALE) as station:
        await station.until(lambda: bool(station.said))
        assert station.said[0][1] == {"chargePointVendor": "Simulated", "chargePointModel": "Station DC 2"}


async def test_before_acceptance_nobody_charges_and_nothing_is_ordered():
    async with csms() as central:
        central.boot_statuses, central.interval = ["Pending", "Rejected"], 30
        async with Station2(central.url, NAME, time_scale=SCALE) as station:
            await station.until(lambda: station.registration == "Pending")
            start = {"idToken": TOKEN, "remoteStartId": 1}
            assert (await central.order("RequestStartTransaction", start))["statusInfo"][
                "reasonCode"
            ] == "CSNotAccepted"
            await station.until(lambda: station.registration == "Rejected")
            with pytest.raises(CallRefused) as refusal:
                await central.order("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"})
            assert refusal.value.code == "SecurityError"
            await central.hears("StatusNotification")


async def test_a_shorter_heartbeat_begins_at_once():
    async with standing() as (central, _):
        data = {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "HeartbeatInterval"},
            "attributeValue": "5",
        }
        mark = central.mark
        await central.order("SetVariables", {"setVariableData": [data]})
        await central.hears("Heartbeat", after=mark)


async def test_another_card_of_the_group_ends_the_charge():
    async with standing() as (central, station):
        info = {"status": "Accepted", "groupIdToken": {"idToken": "FAMILY", "type": "Central"}}
        central.answers["Authorize"] = lambda _told: {"idTokenInfo": info}
        central.answers["TransactionEvent"] = lambda _told: {"idTokenInfo": info}
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("TransactionEvent", lambda told: told["triggerReason"] == "MeterValuePeriodic")
        station.swipe("CARD-2")
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        assert ended["triggerReason"] == "StopAuthorized"


async def test_a_charge_that_was_authorised_in_vain_ends_with_its_time():
    points = {"TxCtrlr.TxStartPoint": "Authorized", "TxCtrlr.EVConnectionTimeOut": "20"}
    async with standing(variables=points) as (central, station):
        station.swipe("CARD-1")
        started = await central.hears("TransactionEvent")
        assert started["transactionInfo"]["chargingState"] == "Idle"
        ended = await central.hears("TransactionEvent", lambda told: told["eventType"] == "Ended")
        assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("EVConnectTimeout", "Timeout")


async def test_a_car_that_takes_no_more_suspends_and_goes_on():
    async with standing() as (central, station):
        station.plug_in()
        station.swipe("CARD-1")
        await central.hears("TransactionEvent")
        for wants, state in ((False, "SuspendedEV"), (True, "Charging")):
            mark = central.mark
            station.suspend(wants_current=wants)
            event = await central.hears(
                "TransactionEvent", lambda told: told["triggerReason"] == "ChargingStateChanged", after=mark
            )
            assert event["transactionInfo"]["chargingState"] == state


async def test_clock_aligned_values_come_inside_a_charge_and_when_idle():
    async with standing(variables={"AlignedDataCtrlr.Interval": "10"}) as (central, station):
        await central.hears("MeterValues")
        station.plug_in()
        station.swipe("CARD-1")
        event = await central.hears("TransactionEvent", lambda told: told["triggerReason"] == "MeterValueClock")
        assert event["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


async def test_after_a_long_absence_all_states_are_told_and_no_boot():
    async with standing(variables={"OCPPCommCtrlr.OfflineThreshold": "1"}, evses=2, redial_s=10) as (central, station):
        mark = central.mark
        await central.drop()
        await station.until(lambda: not station.is_connected)
        await central.hears("StatusNotification", lambda told: told["evseId"] == 2, after=mark)
        assert "BootNotification" not in [action for action, _ in central.said[mark:]]


async def test_energy_is_power_times_time():
    async with standing(variables={"SampledDataCtrlr.TxUpdatedInterval": "20"}) as (central, station):
        station.plug_in()
        station.swipe("CARD-1")

        def samples() -> list[tuple[float, float, float]]:
            found = []
            for told in central.all("TransactionEvent"):
                for value in told.get("meterValue", ()) if told["triggerReason"] == "MeterValuePeriodic" else ():
                    by_name = {one["measurand"]: one["value"] for one in value["sampledValue"]}
                    at_s = datetime.fromisoformat(value["timestamp"]).timestamp()
                    found.append((at_s, by_name["Energy.Active.Import.Register"], by_name["Power.Active.Import"]))
            return found

        await central.hears("TransactionEvent", lambda _told: len(samples()) >= 4)
        (begin_s, begin_wh, power_w), *_, (end_s, end_wh, _) = samples()
        assert end_wh - begin_wh == pytest.approx(power_w * (end_s - begin_s) / 3600, rel=0.05)
