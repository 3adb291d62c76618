"""What a backend sees of a bridged 2.0.1 station, and what its unit is allowed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.bridge.message import Message
from app.bridge.session import Session
from app.bridge.station import Start
from app.ocpp.stamps import read, written
from tests.bridge.kit import NOW, FakeOutlet, kept
from tests.bridge.kit201 import ACCEPTED, Desk, registers

BLOCKED = {"idTokenInfo": {"status": "Blocked"}}


# Boot and states ----------------------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_its_state_once_it_is_accepted():
    desk = Desk()
    assert desk.boots[0]["reason"] == "PowerUp"
    assert desk.boots[0]["chargingStation"]["model"] == "JuiceBox 40"
    assert [one["connectorStatus"] for one in desk.heard("StatusNotification")] == ["Available"]
    assert [one["type"] for one in desk.heard("SecurityEventNotification")] == ["StartupOfTheDevice"]


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_until_it_is_accepted_it_says_nothing_of_its_own_and_charges_nobody(status: str):
    desk = Desk(connected=False)
    desk.connected = True
    desk.station.opened(desk.now)
    assert desk.boot(status, 17) == 17
    desk.plug_in()
    desk.wait(1000)
    assert not desk.told
    answer = desk.ask_raw(
        "RequestStartTransaction", {"idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 1}
    )
    if status == "Rejected":
        assert answer.error == "SecurityError"
    else:
        assert answer.payload == {"status": "Rejected", "statusInfo": {"reasonCode": "CSNotAccepted"}}
    assert desk.outlet.allowed_a == 0
    assert desk.boot() is None
    assert [one["connectorStatus"] for one in desk.heard("StatusNotification")] == ["Occupied"]


def test_pending_it_tells_its_variables_and_boots_when_asked():
    desk = Desk(connected=False)
    desk.connected = True
    desk.station.opened(desk.now)
    desk.boot("Pending")
    assert desk.ask("GetBaseReport", requestId=1, reportBase="FullInventory")["status"] == "Accepted"
    assert desk.heard("NotifyReport")
    desk.answers["BootNotification"] = lambda _: {"status": "Accepted", "interval": 60, "currentTime": written(NOW)}
    assert desk.ask("TriggerMessage", requestedMessage="BootNotification")["status"] == "Accepted"
    assert desk.station.is_accepted
    assert desk.heard("BootNotification")[0]["reason"] == "Triggered"


def test_heartbeats_come_in_the_interval_the_boot_told():
    desk = Desk(connected=False)
    desk.connect(interval=30)
    desk.wait(95)
    assert len(desk.heard("Heartbeat")) == 3


def test_a_short_absence_is_not_worth_a_state_and_a_long_one_is():
    desk = Desk()
    for away_s, told in ((5, 1), (120, 2)):
        desk.drop()
        desk.wait(away_s)
        desk.connect()
        assert len(desk.heard("StatusNotification")) == told


def test_a_fault_and_silence_of_the_unit_are_told():
    desk = Desk()
    desk.outlet.fault = "GFI test failed"
    desk.note()
    assert desk.station.state == "Faulted"
    desk.outlet.fault = ""
    desk.note()
    desk.outlet.is_present = False
    desk.note()
    assert desk.remote_start() == "Rejected"
    desk.outlet.is_present = True
    desk.note()
    words = [one["connectorStatus"] for one in desk.heard("StatusNotification")]
    assert words == ["Available", "Faulted", "Available", "Faulted", "Available"]
    events = [one["eventData"][0] for one in desk.heard("NotifyEvent")]
    told = [(one["techInfo"], one["actualValue"]) for one in events]
    silent = "The unit is not heard."
    assert told == [("GFI test failed", "true"), ("GFI test failed", "false"), (silent, "true"), (silent, "false")]


def test_a_state_that_was_lost_with_the_line_is_told_again():
    desk = Desk()
    desk.connected = False  # what is said now goes nowhere
    desk.station.noted(desk.outlet.plug_in(), desk.now)
    desk.drop()
    desk.connect()
    assert desk.heard("StatusNotification")[-1]["connectorStatus"] == "Occupied"


def test_a_state_whose_answer_was_lost_is_told_again():
    desk = Desk()
    desk.plug_in()
    desk.station.say_status(desk.now)
    desk.drop()
    desk.connect()
    assert len(desk.heard("StatusNotification")) == 3


def test_after_events_of_an_older_time_the_state_is_told_last():
    desk = Desk(start=Start.FREE)
    desk.drop()
    desk.plug_in()
    desk.wait(1000)
    desk.unplug()
    desk.connect()
    actions = [one.action for one in desk.told]
    last = max(at for at, action in enumerate(actions) if action == "TransactionEvent")
    assert actions[last + 1] == "StatusNotification"
    assert desk.heard("StatusNotification")[-1]["connectorStatus"] == "Available"


def test_a_clock_that_is_set_back_stops_no_heartbeat():
    desk = Desk()
    desk.now -= timedelta(days=1)
    desk.wait(301)
    assert desk.heard("Heartbeat")


def test_a_box_whose_clock_is_years_off_tells_the_backends_time():
    desk = Desk(now=NOW.replace(year=2020), connected=False)
    desk.connected = True
    desk.station.opened(desk.now)
    answer = {"currentTime": written(NOW), "interval": 300, "status": "Accepted"}
    desk.station.boot_answered(answer, desk.now)
    assert not desk.connected or desk.station.stamp(desk.now) == written(NOW)
    for nonsense in ("0000", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        desk.station.boot_answered(answer | {"currentTime": nonsense}, desk.now)
        assert desk.station.stamp(desk.now) == written(NOW)
    sent = [one.payload for one in desk.stored.outbox.messages]  # type: ignore[attr-defined]
    assert [one["type"] for one in sent] == ["SettingSystemTime", "StartupOfTheDevice"]


# Sessions -----------------------------------------------------------------------------------------------------------


def test_nothing_flows_before_the_backend_starts_and_the_stop_is_exact():
    desk = Desk()
    desk.plug_in()
    desk.wait(600)
    assert desk.outlet.exact_wh == 1000.0
    assert desk.remote_start() == "Accepted"
    assert desk.outlet.allowed_a == 32.0
    desk.wait(1800)
    desk.unplug()
    events = desk.events()
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert events[0]["triggerReason"] == "RemoteStart"
    assert events[0]["transactionInfo"]["remoteStartId"] == 1
    assert events[0]["idToken"] == {"idToken": "DRIVER", "type": "Central"}
    assert events[-1]["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    assert registers(events[0]) == [1000]
    assert registers(events[-1]) == [1000, int(desk.outlet.exact_wh)]
    assert len({event["transactionInfo"]["transactionId"] for event in events}) == 1
    assert desk.outlet.allowed_a == 0
    assert desk.station.state == "Available"


def test_a_start_waits_for_its_car_but_not_for_ever():
    desk = Desk()
    assert desk.remote_start() == "Accepted"
    assert desk.remote_start(number=2) == "Rejected"
    desk.wait(30)
    desk.plug_in()
    assert desk.events("Started")[0]["triggerReason"] == "CablePluggedIn"
    desk.unplug()
    assert desk.remote_start(number=3) == "Accepted"
    desk.wait(61)
    desk.plug_in()
    assert len(desk.events("Started")) == 1
    assert desk.outlet.allowed_a == 0


def test_a_remote_stop_takes_the_current_away_until_somebody_starts_again():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    name = desk.events("Started")[0]["transactionInfo"]["transactionId"]
    assert desk.ask("GetTransactionStatus", transactionId=name) == {"ongoingIndicator": True, "messagesInQueue": False}
    assert desk.ask("RequestStopTransaction", transactionId="other")["status"] == "Rejected"
    assert desk.ask("RequestStopTransaction", transactionId=name)["status"] == "Accepted"
    ended = desk.events("Ended")[0]
    assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")
    assert ended["transactionInfo"]["chargingState"] == "EVConnected"
    assert desk.outlet.allowed_a == 0
    desk.wait(600)
    assert len(desk.events("Started")) == 1
    assert desk.remote_start(number=2) == "Accepted"
    assert desk.outlet.allowed_a == 32.0


def test_the_units_own_tag_is_asked_about_when_a_car_comes():
    desk = Desk(start=Start.TAG, id_tag="04A1B2C3")
    desk.plug_in()
    assert desk.heard("Authorize") == [{"idToken": {"idToken": "04A1B2C3", "type": "ISO14443"}}]
    assert desk.events("Started")[0]["triggerReason"] == "Authorized"
    assert desk.outlet.allowed_a == 32.0


def test_a_tag_that_is_refused_gives_no_current_and_is_asked_about_with_the_next_car():
    desk = Desk(start=Start.TAG, answers={"Authorize": lambda _: BLOCKED})
    desk.plug_in()
    desk.wait(600)
    assert len(desk.heard("Authorize")) == 1
    assert not desk.events()
    assert desk.outlet.allowed_a == 0
    desk.answers["Authorize"] = lambda _: ACCEPTED
    desk.unplug()
    desk.plug_in()
    assert desk.events("Started")


def test_a_car_that_came_while_the_line_was_away_is_asked_about_afterwards():
    desk = Desk(start=Start.TAG)
    desk.drop()
    desk.plug_in()
    desk.wait(300)
    assert desk.outlet.allowed_a == 0
    desk.connect()
    assert desk.events("Started")[0]["offline"] is False
    assert desk.outlet.allowed_a == 32.0


def test_where_everybody_may_charge_sessions_are_told_offline_too_and_no_answer_ends_them():
    desk = Desk(start=Start.FREE, answers={"TransactionEvent": lambda _: BLOCKED}, connected=False)
    assert desk.outlet.allowed_a == 0
    desk.note()
    assert desk.outlet.allowed_a == 32.0
    desk.plug_in()
    desk.wait(7200)
    desk.unplug()
    desk.plug_in()
    desk.connect()
    desk.wait(600)
    assert desk.outlet.allowed_a == 32.0
    desk.unplug()
    events = desk.events()
    assert [event["eventType"] for event in events if event["eventType"] != "Updated"] == ["Started", "Ended"] * 2
    assert events[0]["offline"] is True
    assert events[-1]["offline"] is False
    sold = sum(registers(event)[-1] - registers(event)[0] for event in desk.events("Ended"))
    assert sold == int(desk.outlet.exact_wh) - 1000


def test_a_token_that_is_refused_late_ends_the_transaction_or_bars_it():
    for switch, kinds in (("true", ["Started", "Updated", "Ended"]), ("false", ["Started", "Updated", "Updated"])):
        desk = Desk()
        assert desk.set("TxCtrlr.StopTxOnInvalidId", switch) == "Accepted"
        desk.plug_in()
        desk.answers["TransactionEvent"] = lambda event: BLOCKED if "idToken" in event else {}
        desk.remote_start()
        desk.wait(1)
        assert desk.outlet.allowed_a == 0
        assert desk.events()[-1]["transactionInfo"]["chargingState"] in ("EVConnected", "SuspendedEVSE")
        assert [event["eventType"] for event in desk.events()][-1] == kinds[-1]
        anew = desk.again()
        anew.note()
        assert anew.outlet.allowed_a == 0


def test_a_remote_start_is_asked_about_where_the_backend_wants_that():
    desk = Desk(answers={"Authorize": lambda _: BLOCKED})
    desk.set("AuthCtrlr.AuthorizeRemoteStart", "true")
    desk.plug_in()
    token = {"idToken": "04A1B2C3", "type": "ISO14443"}
    assert desk.ask("RequestStartTransaction", idToken=token, remoteStartId=1)["status"] == "Accepted"
    assert not desk.events()
    desk.answers["Authorize"] = lambda _: ACCEPTED
    desk.ask("RequestStartTransaction", idToken=token, remoteStartId=2)
    assert desk.events("Started")[0]["transactionInfo"]["remoteStartId"] == 2
    desk.unplug()
    desk.plug_in()
    desk.remote_start(number=3)
    assert len(desk.heard("Authorize")) == 2  # nobody is asked about tokens of the kind Central


def test_offline_samples_come_seldom_so_that_a_month_of_them_can_be_kept():
    desk = Desk(start=Start.FREE)
    desk.drop()
    desk.plug_in()
    desk.wait(3601)
    kinds = [one.payload["triggerReason"] for one in desk.stored.outbox.messages]  # type: ignore[attr-defined]
    assert kinds.count("MeterValuePeriodic") == 4


@pytest.mark.parametrize("start", [Start.FREE, Start.TAG])
def test_a_car_whose_transaction_was_stopped_from_afar_begins_none_by_itself(start: Start):
    desk = Desk(start=start)
    desk.plug_in()
    name = desk.events("Started")[0]["transactionInfo"]["transactionId"]
    desk.ask("RequestStopTransaction", transactionId=name)
    desk.wait(600)
    assert desk.outlet.allowed_a == 0
    anew = desk.again()
    anew.wait(600)
    assert anew.outlet.allowed_a == 0
    assert not anew.events("Started")
    anew.unplug()
    anew.plug_in()
    assert anew.events("Started")
    assert anew.outlet.allowed_a == 32.0


def test_after_a_reset_a_free_outlet_goes_on_and_no_energy_is_lost_between():
    desk = Desk(start=Start.FREE)
    desk.plug_in()
    desk.wait(600)
    desk.ask("Reset", type="Immediate")
    desk.outlet.exact_wh += 5
    desk.boot()
    desk.wait(600)
    desk.unplug()
    first, second = desk.events("Ended")
    assert registers(second)[0] == registers(first)[-1]
    assert registers(second)[-1] == int(desk.outlet.exact_wh)


def test_a_reset_forgets_who_was_let_in_and_did_not_come():
    desk = Desk()
    desk.remote_start()
    desk.ask("Reset", type="OnIdle")
    desk.boot()
    desk.plug_in()
    assert not desk.events()


def test_a_question_about_the_tag_that_failed_is_asked_again_after_a_minute():
    desk = Desk(start=Start.TAG)
    said: list[Message] = []
    desk.station.say = said.append
    desk.plug_in()
    question = next(one for one in said if one.action == "Authorize")
    said.clear()
    desk.station.refused(question, "InternalError", desk.now)
    desk.wait(59)
    assert not [one for one in said if one.action == "Authorize"]
    desk.wait(2)
    assert [one for one in said if one.action == "Authorize"]


def test_what_was_measured_before_the_unit_fell_silent_is_not_told_as_new():
    desk = Desk()
    desk.set("SampledDataCtrlr.TxEndedMeasurands", "Energy.Active.Import.Register,Power.Active.Import")
    desk.plug_in()
    desk.remote_start()
    desk.wait(600)
    desk.outlet.is_present = False
    name = desk.events("Started")[0]["transactionInfo"]["transactionId"]
    desk.ask("RequestStopTransaction", transactionId=name)
    told = [one["measurand"] for value in desk.events("Ended")[0]["meterValue"] for one in value["sampledValue"]]
    assert told == ["Energy.Active.Import.Register"] * 2


def test_samples_and_clock_aligned_values_come_in_their_rhythms():
    desk = Desk()
    desk.set("SampledDataCtrlr.TxUpdatedInterval", "20")
    desk.set("AlignedDataCtrlr.Interval", "60")
    desk.plug_in()
    desk.remote_start()
    desk.wait(121)
    reasons = [event["triggerReason"] for event in desk.events("Updated")]
    assert reasons.count("MeterValuePeriodic") == 6
    assert reasons.count("MeterValueClock") == 2
    desk.unplug()
    desk.wait(60)
    assert len(desk.heard("MeterValues")) == 1
    told = [value for event in desk.events() for value in registers(event, "Sample.Periodic")]
    assert told == sorted(told)


# Restarts -----------------------------------------------------------------------------------------------------------


def test_an_open_transaction_goes_on_after_a_restart_of_the_bridge():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    desk.wait(600)
    before = len(desk.events())
    anew = desk.again()
    anew.note()
    anew.wait(300)
    anew.unplug()
    events = desk.events() + anew.events()
    assert [event["seqNo"] for event in events] == list(range(len(events)))
    assert len(events) > before
    assert not anew.events("Started")
    assert registers(events[-1])[-1] == int(desk.outlet.exact_wh)


def test_a_car_that_left_and_another_that_came_unseen_end_the_transaction_at_the_register_between():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    desk.wait(600)
    left_wh = int(desk.outlet.run(desk.now).register_wh)
    desk.outlet.unplug()
    desk.outlet.plug_in()
    desk.outlet.exact_wh += 500
    anew = desk.again()
    anew.note()
    ended = anew.events("Ended")[0]
    assert registers(ended)[-1] == left_wh
    assert ended["transactionInfo"]["stoppedReason"] == "EVDisconnected"
    assert anew.outlet.allowed_a == 0


def test_a_stay_nobody_saw_is_told_where_everybody_may_charge():
    desk = Desk(start=Start.FREE)
    desk.plug_in()
    desk.wait(60)
    desk.unplug()
    desk.drop()
    desk.outlet.plug_in()
    desk.outlet.exact_wh += 4000
    desk.outlet.unplug()
    anew = desk.again()
    anew.note()
    anew.note()
    assert [registers(event)[-1] - registers(event)[0] for event in anew.events("Ended")] == [4000]


def test_events_that_were_not_delivered_come_after_a_restart_in_order():
    desk = Desk(start=Start.FREE)
    desk.drop()
    desk.plug_in()
    desk.wait(4000)
    waiting = len(desk.stored.outbox)
    assert waiting >= 3
    assert desk.station.asked("GetTransactionStatus", {}, desk.now).payload == {"messagesInQueue": True}
    anew = desk.again()
    assert [event["seqNo"] for event in anew.events()][:waiting] == list(range(waiting))
    assert anew.ask("GetTransactionStatus") == {"messagesInQueue": False}


def test_reset_ends_the_transaction_and_boots_anew():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    assert desk.ask("Reset", type="OnIdle")["status"] == "Scheduled"
    assert not desk.restarts
    assert desk.ask("Reset", type="Immediate")["status"] == "Accepted"
    assert desk.restarts == ["ScheduledReset"] or desk.restarts[-1] == "RemoteReset"
    desk.settle()
    desk.boot()
    assert desk.events("Ended")[0]["transactionInfo"]["stoppedReason"] == "ImmediateReset"
    assert desk.outlet.allowed_a == 0


def test_a_reset_that_waits_is_done_when_the_car_has_gone():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    desk.ask("Reset", type="OnIdle")
    desk.unplug()
    assert desk.restarts == ["ScheduledReset"]
    desk.boot()
    assert desk.boots[-1]["reason"] == "ScheduledReset"


def test_a_message_the_backend_can_not_process_is_given_up_and_one_it_does_not_answer_is_not():
    desk = Desk(start=Start.FREE)
    desk.drop()
    desk.plug_in()
    message = desk.stored.outbox.head()
    assert message is not None
    assert all(desk.station.refused(message, "", desk.now) for _ in range(100))
    assert [desk.station.refused(message, "InternalError", desk.now) for _ in range(5)] == [True] * 4 + [False]


def test_a_backend_without_security_events_is_told_one_once():
    desk = Desk(connected=False)
    desk.station.opened(desk.now)
    desk.boot()
    message = desk.stored.outbox.head()
    assert message is not None
    assert message.action == "SecurityEventNotification"
    assert desk.station.refused(message, "", desk.now)
    assert not desk.station.refused(message, "NotSupported", desk.now)


def test_what_another_version_left_is_named_and_holds_nothing_up(
    caplog: pytest.LogCaptureFixture, allowed_log: Callable[[str], None]
):
    allowed_log("another OCPP version")
    stored = kept()
    old = Session(identity="BOX-1", plug=1, began_at=NOW, start_wh=900, id_tag="A", transaction_id="7", last_wh=950)
    stored.sessions.save(old)
    stored.outbox.put(Message(action="StartTransaction", payload={}, at=NOW, is_kept=True, session=old.number))
    outlet = FakeOutlet()
    outlet.plug_in()
    desk = Desk(stored=stored, outlet=outlet)
    assert desk.remote_start() == "Accepted"
    assert desk.events()[0]["eventType"] == "Started"
    assert not desk.heard("StartTransaction")
    assert len([record for record in caplog.records if "another OCPP version" in record.message]) == 2


# Availability -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evse", [{}, {"evse": {"id": 1}}, {"evse": {"id": 1, "connectorId": 1}}])
def test_out_of_service_nobody_charges_and_it_outlives_a_restart(evse: dict[str, object]):
    desk = Desk(start=Start.FREE)
    assert desk.ask("ChangeAvailability", operationalStatus="Inoperative", **evse)["status"] == "Accepted"
    anew = desk.again()
    assert anew.heard("StatusNotification")[-1]["connectorStatus"] == "Unavailable"
    anew.plug_in()
    assert anew.outlet.allowed_a == 0
    assert not anew.events()
    assert anew.ask("ChangeAvailability", operationalStatus="Operative", **evse)["status"] == "Accepted"
    assert anew.events("Started")
    assert anew.outlet.allowed_a == 32.0


def test_out_of_service_in_a_transaction_waits_for_its_end():
    desk = Desk()
    desk.plug_in()
    desk.remote_start()
    assert desk.ask("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 1})["status"] == "Scheduled"
    assert desk.outlet.allowed_a == 32.0
    desk.unplug()
    assert desk.heard("StatusNotification")[-1]["connectorStatus"] == "Unavailable"
    assert desk.ask("ChangeAvailability", operationalStatus="Operative", evse={"id": 2})["status"] == "Rejected"


def test_a_circuit_nobody_has_rated_starts_nothing():
    desk = Desk(outlet=FakeOutlet(ceiling_a=0.0))
    desk.plug_in()
    assert desk.remote_start() == "Rejected"


# Smart charging -----------------------------------------------------------------------------------------------------


def profile(limit: float, number: int = 1, purpose: str = "TxDefaultProfile", **more: object) -> dict[str, object]:
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    schedule |= more.pop("schedule", {})  # type: ignore[arg-type]
    return {
        "id": number,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule],
        **more,
    }


def test_a_schedule_is_obeyed_as_it_goes_on_and_outlives_a_restart():
    desk = Desk()
    periods = [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 20.0}]
    told = profile(0, schedule={"chargingSchedulePeriod": periods})
    assert desk.ask("SetChargingProfile", evseId=1, chargingProfile=told)["status"] == "Accepted"
    desk.plug_in()
    desk.remote_start()
    assert desk.outlet.allowed_a == 10.0
    desk.wait(598)
    assert desk.outlet.allowed_a == 10.0
    anew = desk.again()
    anew.wait(3)
    assert anew.outlet.allowed_a == 20.0
    assert anew.events()[-1]["triggerReason"] in ("ChargingRateChanged", "ChargingStateChanged")
    asked = {"requestId": 5, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
    assert anew.ask("GetChargingProfiles", **asked)["status"] == "Accepted"
    assert anew.heard("ReportChargingProfiles")[0]["chargingProfile"][0]["id"] == 1
    assert anew.ask("ClearChargingProfile", chargingProfileId=1)["status"] == "Accepted"
    assert anew.outlet.allowed_a == 32.0


def test_it_asks_to_be_called_when_its_limit_changes():
    desk = Desk(start=Start.FREE)
    periods = [{"startPeriod": 600 * number, "limit": 10.0 + number} for number in range(3)]
    told = profile(0, schedule={"chargingSchedulePeriod": periods, "startSchedule": written(NOW)})
    told["chargingProfileKind"] = "Absolute"
    desk.ask("SetChargingProfile", evseId=1, chargingProfile=told)
    allowed = []
    while desk.now < NOW + timedelta(seconds=1201):
        desk.now = desk.station.due(desk.now)
        allowed.append((desk.outlet.allowed_a, desk.now - NOW))
    assert (10.0, timedelta(seconds=600)) in allowed
    assert (11.0, timedelta(seconds=1200)) in allowed


def test_a_limit_of_the_whole_station_counts_always_and_nothing_lifts_the_ceiling():
    desk = Desk(start=Start.FREE)
    desk.ask("SetChargingProfile", evseId=0, chargingProfile=profile(500, 1, "ChargingStationMaxProfile"))
    assert desk.outlet.allowed_a == 32.0
    desk.ask("SetChargingProfile", evseId=0, chargingProfile=profile(8, 1, "ChargingStationMaxProfile"))
    assert desk.outlet.allowed_a == 8.0
    composite = desk.ask("GetCompositeSchedule", evseId=0, duration=60)["schedule"]
    assert composite["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 8.0}]


def test_a_limit_that_comes_with_a_start_ends_with_its_transaction():
    desk = Desk()
    desk.plug_in()
    assert desk.remote_start(chargingProfile=profile(9, 3, "TxProfile")) == "Accepted"
    assert desk.outlet.allowed_a == 9.0
    desk.unplug()
    desk.plug_in()
    desk.remote_start(number=2)
    assert desk.outlet.allowed_a == 32.0


@pytest.mark.parametrize(
    ("evse", "told", "reason"),
    [
        (2, profile(8), "UnknownEvse"),
        (1, profile(8, stackLevel=99), "InvalidStackLevel"),
        (1, profile(8, 1, "ChargingStationMaxProfile"), "InvalidProfile"),
        (0, profile(8, 1, "ChargingStationExternalConstraints"), "InvalidProfile"),
        (1, profile(8, 1, "TxProfile"), "MissingParam"),
        (1, profile(8, 1, "TxProfile", transactionId="none"), "TxNotFound"),
        (1, profile(-8), "InvalidSchedule"),
        (1, profile(1e300), "InvalidSchedule"),
        (1, profile(8, chargingProfileKind="Recurring"), "InvalidSchedule"),
        (1, profile(8, schedule={"duration": 10**400}), "InvalidSchedule"),
    ],
)
def test_a_profile_that_can_not_be_kept_is_refused_with_its_reason(evse: int, told: dict[str, object], reason: str):
    desk = Desk()
    answer = desk.ask("SetChargingProfile", evseId=evse, chargingProfile=told)
    assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": reason}}


def test_two_profiles_may_not_hold_one_place_at_the_same_time():
    desk = Desk()
    soon = written(NOW + timedelta(hours=1))
    desk.ask("SetChargingProfile", evseId=1, chargingProfile=profile(8, 1, validTo=soon))
    answer = desk.ask("SetChargingProfile", evseId=1, chargingProfile=profile(9, 2))
    assert answer["statusInfo"]["reasonCode"] == "DuplicateProfile"
    assert (
        desk.ask("SetChargingProfile", evseId=1, chargingProfile=profile(9, 2, validFrom=soon))["status"] == "Accepted"
    )
    desk.plug_in()
    desk.remote_start()
    assert desk.outlet.allowed_a == 8.0
    desk.wait(3601)
    assert desk.outlet.allowed_a == 9.0


# What can't be mapped -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("ClearCache", {}, {"status": "Rejected", "statusInfo": {"reasonCode": "NotEnabled"}}),
        ("GetLocalListVersion", {}, {"versionNumber": 0}),
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        (
            "UnlockConnector",
            {"evseId": 1, "connectorId": 1},
            {"status": "UnlockFailed", "statusInfo": {"reasonCode": "FixedCable"}},
        ),
        ("UnlockConnector", {"evseId": 1, "connectorId": 2}, {"status": "UnknownConnector"}),
        ("CustomerInformation", {"requestId": 1, "report": True, "clear": False}, {"status": "Invalid"}),
    ],
)
def test_what_a_box_has_not_is_answered_as_the_standard_demands(action: str, payload: dict, answer: dict):
    assert Desk().ask(action, **payload) == answer


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("FlyToTheMoon", {}, "NotImplemented"),
        ("GetMonitoringReport", {"requestId": 1}, "NotSupported"),
        ("GetInstalledCertificateIds", {}, "NotSupported"),
        ("BootNotification", {}, "OccurrenceConstraintViolation"),
        ("Reset", {}, "OccurrenceConstraintViolation"),
        ("Reset", {"type": 5}, "TypeConstraintViolation"),
        ("Reset", {"type": "Twice"}, "PropertyConstraintViolation"),
        ("Reset", {"type": "OnIdle", "more": 1}, "FormatViolation"),
    ],
)
def test_what_breaks_the_standard_gets_the_code_that_says_so(action: str, payload: dict, code: str):
    assert Desk().ask_raw(action, payload).error == code


def test_a_customers_token_is_all_that_is_told_of_a_customer():
    desk = Desk()
    desk.plug_in()
    desk.remote_start("DRIVER")
    asked = {"requestId": 1, "report": True, "clear": False, "idToken": {"idToken": "driver", "type": "Central"}}
    assert desk.ask("CustomerInformation", **asked)["status"] == "Accepted"
    assert desk.heard("NotifyCustomerInformation")[0]["data"].startswith("transaction ")


# Variables ----------------------------------------------------------------------------------------------------------


def test_what_a_backend_sets_counts_at_once_and_outlives_a_restart():
    desk = Desk()
    assert desk.set("OCPPCommCtrlr.HeartbeatInterval", "10") == "Accepted"
    assert desk.set("OCPPCommCtrlr.HeartbeatInterval", "often") == "Rejected"
    assert desk.set("SecurityCtrlr.SecurityProfile", "0") == "Rejected"
    assert desk.set("OCPPCommCtrlr.NetworkConfigurationPriority", "") == "Rejected"
    assert desk.set("OCPPCommCtrlr.NetworkConfigurationPriority", "1") == "Accepted"
    assert desk.set("AlignedDataCtrlr.Measurands", "") == "Accepted"
    desk.wait(25)
    assert len(desk.heard("Heartbeat")) == 2
    assert desk.set("SampledDataCtrlr.TxUpdatedInterval", "33") == "Accepted"
    assert desk.again().station.model.number("SampledDataCtrlr.TxUpdatedInterval") == 33


def test_a_password_is_refused_where_nobody_could_use_it_and_never_told():
    desk = Desk()
    assert desk.set("SecurityCtrlr.BasicAuthPassword", "0123456789abcdef") == "Rejected"
    used: list[str] = []
    desk.station.rekey = lambda secret: lambda: used.append(secret.reveal())
    assert desk.set("SecurityCtrlr.BasicAuthPassword", "0123456789abcdef") == "Accepted"
    assert used == ["0123456789abcdef"]
    variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    assert desk.ask("GetVariables", getVariableData=[variable])["getVariableResult"][0]["attributeStatus"] == "Rejected"
    desk.ask("GetBaseReport", requestId=1, reportBase="FullInventory")
    assert "0123456789abcdef" not in str([one.payload for one in desk.told]) + str(desk.stored.memory.values)  # type: ignore[attr-defined]


def test_a_report_comes_in_numbered_parts_and_by_criteria():
    desk = Desk()
    desk.ask("GetBaseReport", requestId=1, reportBase="FullInventory")
    parts = desk.heard("NotifyReport")
    assert [part["seqNo"] for part in parts] == list(range(len(parts)))
    assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
    asked = {"requestId": 2, "componentCriteria": ["Problem"]}
    assert desk.ask("GetReport", **asked) == {"status": "EmptyResultSet"}
    desk.outlet.fault = "stuck relay"
    assert desk.ask("GetReport", **asked)["status"] == "Accepted"
    names = {row["component"]["name"] for row in desk.heard("NotifyReport")[-1]["reportData"]}
    assert "EVSE" in names


def test_times_are_told_in_utc_with_their_zone():
    desk = Desk()
    told = desk.heard("StatusNotification")[0]["timestamp"]
    assert told.endswith("Z")
    assert read(told) == NOW
