"""A bridged 1.6 charge point, without a line: what it tells, allows, keeps and obeys (OCPP 1.6 edition 2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.bridge.message import Message
from app.bridge.session import Session
from app.bridge.station import Kept, Start
from app.bridge.station16 import Station16
from app.model.secret import Secret
from app.ocpp import schema
from tests.bridge.kit import NOW, FakeOutlet, MemoryOutbox, equipment, kept

ACCEPTED = {"status": "Accepted", "currentTime": "2026-11-22T12:00:00.000Z", "interval": 300}
FINE = {"idTagInfo": {"status": "Accepted"}}


class Bench:
    """A station in the hands of a test: it plays backend, line, box and clock."""

    def __init__(self, start: Start = Start.REMOTE, stored: Kept | None = None, **more: Any) -> None:
        self.now = NOW
        self.outlet = more.pop("outlet", None) or FakeOutlet()
        self.kept = stored or kept()
        self.start, self.more = start, more
        self.said: list[Message] = []
        self.restarts: list[str] = []
        self.power_on()

    def power_on(self) -> None:
        self.station = Station16(equipment(start=self.start), self.outlet, self.kept, now=self.now, **self.more)
        self.station.say = self.said.append
        self.station.restart = self.restarts.append

    def connect(self) -> None:
        self.station.opened(self.now)
        if not self.station.is_accepted:
            assert self.station.boot_answered(ACCEPTED, self.now) is None

    def disconnect(self) -> None:
        self.said.clear()
        self.station.closed(self.now)

    def order(self, action: str, **payload: Any) -> str:
        answer = self.station.asked(action, payload, self.now)
        if answer.after is not None:
            answer.after()
        return answer.error or str((answer.payload or {}).get("status"))

    def plug_in(self) -> None:
        self.station.noted(self.outlet.plug_in(), self.now)

    def unplug(self) -> None:
        self.station.noted(self.outlet.unplug(), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass as a clockwork would: the station is called whenever it wants to be."""
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(max(self.station.due(self.now), self.now + timedelta(milliseconds=1)), until)
            self.outlet.run(self.now)
        self.station.due(self.now)

    def answer(self, **payload: Any) -> Message:
        """Answer the oldest kept message."""
        head = self.kept.outbox.head()
        assert head is not None
        rendered = self.station.rendered(head)
        assert rendered is not None
        assert schema.is_valid("1.6", head.action, rendered, is_request=True), rendered
        self.station.answered(head, payload, self.now)
        self.kept.outbox.done(head)
        return head

    def answer_said(self, action: str, **payload: Any) -> None:
        for message in [one for one in self.said if one.action == action]:
            self.said.remove(message)
            self.station.answered(message, payload, self.now)

    @property
    def queue(self) -> list[str]:
        assert isinstance(self.kept.outbox, MemoryOutbox)
        return [message.action for message in self.kept.outbox.messages]

    def queued(self, action: str) -> list[dict[str, Any]]:
        assert isinstance(self.kept.outbox, MemoryOutbox)
        return [message.payload for message in self.kept.outbox.messages if message.action == action]

    def states(self, connector: int = 1) -> list[str]:
        told = [one.payload for one in self.said if one.action == "StatusNotification"]
        return [str(one["status"]) for one in told if one["connectorId"] == connector]

    def charge(self, seconds: float = 600.0) -> None:
        self.plug_in()
        if self.start is Start.REMOTE:
            assert self.order("RemoteStartTransaction", idTag="DRIVER") == "Accepted"
        self.answer(transactionId=77, **FINE)
        self.wait(seconds)


def online(start: Start = Start.REMOTE, **more: Any) -> Bench:
    bench = Bench(start, **more)
    bench.connect()
    return bench


# Registration ---------------------------------------------------------------------------------------------------------


def test_boot_tells_the_unit_within_the_lengths_of_the_standard():
    bench = Bench()
    bench.station.equipment = equipment(vendor="V" * 60, model="", serial="0" * 40 + "S" * 20, firmware="F" * 60)
    told = bench.station.boot(NOW)
    assert schema.is_valid("1.6", "BootNotification", told, is_request=True)
    assert told["chargePointSerialNumber"] == "0" * 5 + "S" * 20  # the end is what tells units apart


@pytest.mark.parametrize("status", ["Pending", "Rejected"])
def test_while_it_is_not_accepted_it_waits_as_told_says_nothing_and_starts_nothing(status: str):
    bench = Bench()
    bench.station.opened(NOW)
    assert bench.station.boot_answered({"status": status, "currentTime": "", "interval": 17}, NOW) == 17
    bench.plug_in()
    bench.wait(1000)
    assert not bench.said
    assert bench.order("RemoteStartTransaction", idTag="DRIVER") == "Rejected"
    assert bench.order("TriggerMessage", requestedMessage="StatusNotification", connectorId=1) == "Accepted"
    assert [one.is_asked for one in bench.said] == [True]


def test_an_answer_to_boot_that_says_nothing_is_no_acceptance():
    bench = Bench()
    assert bench.station.boot_answered({}, NOW) == 60
    assert not bench.station.is_accepted


def test_once_accepted_it_tells_both_connectors_and_beats_as_told():
    bench = online()
    assert bench.states(0) == bench.states(1) == ["Available"]
    bench.wait(900)
    assert len([one for one in bench.said if one.action == "Heartbeat"]) == 3


def test_a_clock_that_cannot_be_right_follows_the_backends():
    bench = Bench()
    bench.station.opened(NOW)
    bench.station.boot_answered(ACCEPTED | {"currentTime": "2027-01-01T00:00:00Z"}, NOW)
    assert bench.said[0].payload["timestamp"] == "2027-01-01T00:00:00.000Z"
    bench.power_on()
    assert bench.station.clock.text(NOW).startswith("2027-01-01")
    bench.station.boot_answered(ACCEPTED | {"currentTime": "2026-11-22T12:00:03Z"}, NOW)
    assert bench.station.clock.text(NOW) == "2026-11-22T12:00:00.000Z"
    bench.station.boot_answered(ACCEPTED | {"currentTime": "0001-01-01T00:00:00Z"}, NOW)
    assert bench.station.clock.text(NOW) == "2026-11-22T12:00:00.000Z"


# Sessions -------------------------------------------------------------------------------------------------------------


def test_a_remote_session_begins_and_ends_with_the_boxs_own_register():
    bench = online()
    bench.outlet.exact_wh = 12_345.9
    bench.plug_in()
    assert bench.outlet.allowed_a == 0
    assert bench.order("RemoteStartTransaction", idTag="DRIVER", connectorId=1) == "Accepted"
    assert bench.outlet.allowed_a == 32
    assert bench.queued("StartTransaction") == [
        {"connectorId": 1, "idTag": "DRIVER", "meterStart": 12_345, "timestamp": "2026-11-22T12:00:00.000Z"}
    ]
    bench.answer(transactionId=9, **FINE)
    bench.wait(3600)
    assert bench.order("RemoteStopTransaction", transactionId=8) == "Rejected"
    assert bench.order("RemoteStopTransaction", transactionId=9) == "Accepted"
    assert bench.outlet.allowed_a == 0
    assert bench.station.state == "Finishing"
    while len(bench.queue) > 1:
        bench.answer()
    stop = bench.station.rendered(bench.kept.outbox.head())  # type: ignore[arg-type]
    assert stop == {
        "transactionId": 9,
        "meterStop": int(bench.outlet.exact_wh),
        "timestamp": "2026-11-22T13:00:00.000Z",
        "reason": "Remote",
    }
    bench.unplug()
    assert bench.station.state == "Available"


def test_a_remote_start_waits_for_the_car_and_is_given_up_in_time():
    bench = online()
    assert bench.order("RemoteStartTransaction", idTag="DRIVER") == "Accepted"
    assert bench.station.state == "Preparing"
    assert bench.outlet.allowed_a == 32
    assert bench.order("RemoteStartTransaction", idTag="OTHER") == "Rejected"
    bench.wait(121)
    assert bench.station.state == "Available"
    assert bench.outlet.allowed_a == 0
    bench.plug_in()
    assert not bench.queue


def test_a_stopped_car_gets_a_new_session_by_a_new_remote_start_only():
    bench = online()
    bench.charge()
    bench.order("RemoteStopTransaction", transactionId=77)
    bench.wait(600)
    assert bench.outlet.allowed_a == 0
    assert bench.order("RemoteStartTransaction", idTag="DRIVER") == "Accepted"
    assert bench.queue.count("StartTransaction") == 1
    assert bench.station.state in ("Charging", "SuspendedEV", "SuspendedEVSE")


def test_the_units_own_tag_is_asked_about_when_a_car_comes():
    bench = online(Start.TAG)
    bench.plug_in()
    assert bench.outlet.allowed_a == 0
    assert [one.payload for one in bench.said if one.action == "Authorize"] == [{"idTag": "BOXTAG"}]
    bench.answer_said("Authorize", **FINE)
    assert bench.queue == ["StartTransaction"]
    assert bench.outlet.allowed_a == 32


def test_a_refused_tag_starts_nothing_until_the_next_car():
    bench = online(Start.TAG)
    bench.plug_in()
    bench.answer_said("Authorize", idTagInfo={"status": "Blocked"})
    bench.wait(600)
    assert not bench.queue
    assert not [one for one in bench.said if one.action == "Authorize"]
    bench.unplug()
    bench.plug_in()
    assert [one for one in bench.said if one.action == "Authorize"]


def test_an_authorize_without_an_answer_is_asked_again():
    bench = online(Start.TAG)
    bench.plug_in()
    asked = next(one for one in bench.said if one.action == "Authorize")
    bench.said.clear()
    assert not bench.station.refused(asked, "", bench.now)
    bench.wait(59)
    assert not [one for one in bench.said if one.action == "Authorize"]
    bench.wait(2)
    assert [one for one in bench.said if one.action == "Authorize"]


def test_offline_a_tag_that_was_accepted_before_starts_a_session_and_an_unknown_one_does_not():
    bench = online(Start.TAG)
    bench.disconnect()
    bench.plug_in()
    assert not bench.queue
    bench.connect()
    assert [one for one in bench.said if one.action == "Authorize"]
    bench.answer_said("Authorize", **FINE)
    bench.answer(transactionId=1, **FINE)
    bench.unplug()
    bench.answer()
    bench.disconnect()
    bench.plug_in()
    assert bench.queue == ["StartTransaction"]


def test_in_free_mode_current_flows_always_and_sessions_are_told_offline_too():
    bench = Bench(Start.FREE)
    bench.wait(1)
    assert bench.outlet.allowed_a == 32
    bench.plug_in()
    bench.wait(7200)
    bench.unplug()
    assert bench.queue[0] == "StartTransaction"
    assert bench.queue[-1] == "StopTransaction"
    assert bench.queue.count("MeterValues") == 8  # every 15 minutes while nobody listens
    bench.connect()
    bench.answer(transactionId=5, idTagInfo={"status": "Invalid"})
    assert bench.outlet.allowed_a == 32


def test_a_stay_that_nobody_saw_is_told_whole_in_free_mode():
    bench = Bench(Start.FREE)
    bench.wait(1)
    began_wh = int(bench.outlet.exact_wh)
    bench.outlet.plug, bench.outlet.plug_began_wh = bench.outlet.plug + 1, began_wh
    bench.outlet.exact_wh += 5000
    bench.wait(1)
    assert bench.queue == ["StartTransaction", "StopTransaction"]
    assert bench.queued("StartTransaction")[0]["meterStart"] == began_wh
    assert bench.queued("StopTransaction")[0]["meterStop"] == began_wh + 5000


def test_a_car_that_was_swapped_unseen_ends_the_session_where_the_next_stay_began():
    bench = online()
    bench.charge()
    sold_wh = int(bench.outlet.exact_wh)
    bench.outlet.plug, bench.outlet.plug_began_wh = bench.outlet.plug + 1, sold_wh
    bench.outlet.exact_wh += 400
    bench.wait(1)
    assert bench.queued("StopTransaction")[0]["meterStop"] == sold_wh
    assert bench.outlet.allowed_a == 0
    assert bench.station.sessions.unsold_wh == 400


def test_an_open_session_goes_on_after_a_restart_of_the_bridge():
    bench = online()
    bench.charge(60)
    bench.power_on()
    assert bench.station.sessions.running is not None
    bench.connect()
    bench.wait(600)
    bench.unplug()
    assert bench.queue.count("StartTransaction") == 0
    stop = bench.queued("StopTransaction")[0]
    assert stop["meterStop"] == int(bench.outlet.exact_wh)


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
def test_a_reset_ends_the_session_and_boots_anew(kind: str, reason: str):
    bench = online()
    bench.charge()
    assert bench.order("Reset", type=kind) == "Accepted"
    assert bench.queued("StopTransaction")[0]["reason"] == reason
    assert bench.outlet.allowed_a == 0
    assert bench.restarts
    assert not bench.station.is_accepted


def test_a_tag_that_the_backend_refuses_late_ends_the_session():
    bench = online()
    bench.plug_in()
    bench.order("RemoteStartTransaction", idTag="DRIVER")
    bench.answer(transactionId=3, idTagInfo={"status": "Invalid"})
    assert bench.queued("StopTransaction")[0]["reason"] == "DeAuthorized"
    assert bench.outlet.allowed_a == 0


def test_where_the_key_says_so_a_refused_session_goes_on_without_energy():
    bench = online()
    assert bench.order("ChangeConfiguration", key="StopTransactionOnInvalidId", value="false") == "Accepted"
    bench.plug_in()
    bench.order("RemoteStartTransaction", idTag="DRIVER")
    bench.answer(transactionId=3, idTagInfo={"status": "Expired"})
    assert bench.outlet.allowed_a == 0
    bench.wait(1)
    assert bench.station.state == "SuspendedEVSE"
    assert "StopTransaction" not in bench.queue


def test_a_remote_start_asks_first_where_the_key_says_so():
    bench = online()
    bench.order("ChangeConfiguration", key="AuthorizeRemoteTxRequests", value="true")
    bench.plug_in()
    assert bench.order("RemoteStartTransaction", idTag="DRIVER") == "Accepted"
    assert not bench.queue
    bench.answer_said("Authorize", **FINE)
    assert bench.queue == ["StartTransaction"]


# The queue ------------------------------------------------------------------------------------------------------------


def test_silence_never_drops_a_message_and_errors_do_so_often_as_the_key_says():
    bench = online()
    bench.plug_in()
    bench.order("RemoteStartTransaction", idTag="DRIVER")
    head = bench.kept.outbox.head()
    assert head is not None
    assert all(bench.station.refused(head, "", bench.now) for _ in range(50))
    assert [bench.station.refused(head, "InternalError", bench.now) for _ in range(3)] == [True, True, False]
    assert bench.station.refused_messages == 1


def test_what_follows_a_start_that_was_refused_for_good_is_not_told_as_somebody_elses():
    bench = online()
    bench.plug_in()
    bench.order("RemoteStartTransaction", idTag="DRIVER")
    bench.kept.outbox.done(bench.kept.outbox.head())  # type: ignore[arg-type]
    bench.wait(60)
    bench.unplug()
    meter, stop = (bench.station.rendered(one) for one in bench.kept.outbox.messages)  # type: ignore[attr-defined]
    assert meter is not None
    assert "transactionId" not in meter
    assert stop is None
    assert bench.station.rendered(bench.kept.outbox.messages[-1]) is None  # type: ignore[attr-defined]
    session = next(iter(bench.kept.sessions.saved.values()))  # type: ignore[attr-defined]
    assert session.stop_wh > session.start_wh
    assert bench.station.untold.wh == session.stop_wh - session.start_wh
    assert "Not in the backend's books: 1 session" in bench.station.untold.words


def test_a_stop_that_is_refused_for_good_is_counted_as_sold_to_nobody():
    bench = online()
    bench.plug_in()
    bench.order("RemoteStartTransaction", idTag="DRIVER")
    bench.answer(transactionId=3, **FINE)
    bench.wait(60)
    bench.unplug()
    stop = bench.kept.outbox.messages[-1]  # type: ignore[attr-defined]
    assert not bench.station.untold.words
    assert [bench.station.refused(stop, "InternalError", bench.now) for _ in range(3)] == [True, True, False]
    assert bench.station.untold.wh > 0
    again = Bench(Start.REMOTE, bench.kept)
    assert again.station.untold.words == bench.station.untold.words


def test_what_ocpp_2_left_behind_is_passed_over_and_the_next_session_is_told(allowed_log: Callable[[str], None]):
    allowed_log("OCPP")
    stored = kept()
    stored.sessions.save(
        Session(identity="BOX-1", plug=0, began_at=NOW, start_wh=1, id_tag="", transaction_id="6c9e-uuid", last_wh=9)
    )
    stored.outbox.put(Message(action="TransactionEvent", payload={"seqNo": 1}, at=NOW, is_kept=True, session="x"))
    bench = Bench(Start.FREE, stored)
    assert bench.station.rendered(stored.outbox.head()) is None  # type: ignore[arg-type]
    stored.outbox.done(stored.outbox.head())  # type: ignore[arg-type]
    assert stored.sessions.running() is None
    bench.connect()
    bench.plug_in()
    assert bench.queue == ["StartTransaction"]


# Meter values ---------------------------------------------------------------------------------------------------------


def test_meter_values_come_in_the_rhythm_and_with_the_measurands_that_were_set():
    bench = online()
    bench.order("ChangeConfiguration", key="MeterValueSampleInterval", value="30")
    bench.order("ChangeConfiguration", key="MeterValuesSampledData", value="Voltage, Energy.Active.Import.Register")
    bench.charge(95)
    told = bench.queued("MeterValues")
    assert len(told) == 3
    values = {one["measurand"]: one for one in told[-1]["meterValue"][0]["sampledValue"]}
    assert list(values) == ["Voltage", "Energy.Active.Import.Register"]
    assert values["Voltage"]["value"] == "230.0"
    assert values["Voltage"]["unit"] == "V"


def test_clock_aligned_values_come_at_full_intervals_also_without_a_session():
    bench = online()
    bench.now += timedelta(seconds=13)
    bench.order("ChangeConfiguration", key="ClockAlignedDataInterval", value="300")
    bench.wait(900)
    stamps = [one.payload["meterValue"][0]["timestamp"] for one in bench.said if one.action == "MeterValues"]
    assert [stamp[14:19] for stamp in stamps] == ["05:00", "10:00", "15:00"]


def test_the_stop_brings_the_samples_that_were_asked_for():
    bench = online()
    bench.order("ChangeConfiguration", key="StopTxnSampledData", value="Energy.Active.Import.Register")
    bench.charge(130)
    bench.unplug()
    data = bench.queued("StopTransaction")[0]["transactionData"]
    contexts = [sample["sampledValue"][0]["context"] for sample in data]
    assert contexts == ["Transaction.Begin", "Sample.Periodic", "Sample.Periodic", "Transaction.End"]


def test_triggered_values_come_with_the_running_transaction():
    bench = online()
    bench.charge(10)
    assert bench.order("TriggerMessage", requestedMessage="MeterValues", connectorId=1) == "Accepted"
    told = bench.said[-1].payload
    assert told["transactionId"] == 77
    assert told["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"


# States ---------------------------------------------------------------------------------------------------------------


def test_states_follow_car_current_limit_and_fault():
    bench = online()
    bench.charge(1)
    bench.outlet.wants_current = False
    bench.wait(1)
    assert bench.station.state == "SuspendedEV"
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}]},
    }
    assert bench.order("SetChargingProfile", connectorId=1, csChargingProfiles=profile) == "Accepted"
    assert bench.station.state == "SuspendedEVSE"
    bench.outlet.fault = "Ground fault"
    bench.wait(1)
    assert bench.said[-1].payload["info"] == "Ground fault"
    assert bench.said[-1].payload["errorCode"] == "OtherError"
    bench.outlet.fault, bench.outlet.is_present = "", False
    bench.wait(1)
    assert bench.station.state == "Faulted"
    assert bench.order("RemoteStartTransaction", idTag="DRIVER") == "Rejected"


def test_a_state_that_does_not_last_is_not_told():
    bench = online()
    bench.order("ChangeConfiguration", key="MinimumStatusDuration", value="10")
    bench.said.clear()
    bench.plug_in()
    bench.wait(5)
    bench.unplug()
    bench.wait(30)
    assert not bench.states()
    bench.plug_in()
    bench.wait(10)
    assert bench.states() == ["Preparing"]


def test_after_an_outage_only_what_changed_is_told():
    bench = online()
    bench.answer_said("StatusNotification")
    bench.disconnect()
    bench.connect()
    assert not bench.states()
    bench.disconnect()
    bench.plug_in()
    bench.connect()
    assert bench.states(0) == []
    assert bench.states(1) == ["Preparing"]


def test_a_connector_out_of_service_gives_no_current_also_after_a_restart():
    bench = online(Start.FREE)
    bench.wait(1)
    assert bench.order("ChangeAvailability", connectorId=1, type="Inoperative") == "Accepted"
    assert bench.outlet.allowed_a == 0
    bench.power_on()
    bench.wait(1)
    assert bench.station.state == "Unavailable"
    bench.plug_in()
    assert not bench.queue
    assert bench.order("ChangeAvailability", connectorId=0, type="Operative") == "Accepted"
    assert bench.queue == ["StartTransaction"]
    assert bench.order("ChangeAvailability", connectorId=2, type="Operative") == "Rejected"


def test_a_connector_cannot_be_in_service_while_the_whole_is_not():
    bench = online(Start.FREE)
    bench.order("ChangeAvailability", connectorId=0, type="Inoperative")
    bench.order("ChangeAvailability", connectorId=1, type="Operative")
    assert bench.station.state == "Unavailable"
    assert bench.outlet.allowed_a == 0


def test_taken_out_of_service_in_a_session_it_waits_for_the_end():
    bench = online()
    bench.charge()
    assert bench.order("ChangeAvailability", connectorId=0, type="Inoperative") == "Scheduled"
    assert bench.outlet.allowed_a == 32
    bench.unplug()
    assert bench.station.state == "Unavailable"


# Configuration --------------------------------------------------------------------------------------------------------


def test_configuration_is_kept_and_values_that_cannot_be_right_are_refused():
    bench = online()
    assert bench.order("ChangeConfiguration", key="HeartbeatInterval", value="17") == "Accepted"
    assert bench.order("ChangeConfiguration", key="HeartbeatInterval", value="often") == "Rejected"
    assert bench.order("ChangeConfiguration", key="MeterValuesSampledData", value="Current.Import.L7") == "Rejected"
    assert bench.order("ChangeConfiguration", key="NumberOfConnectors", value="2") == "Rejected"
    assert bench.order("ChangeConfiguration", key="Nope", value="2") == "NotSupported"
    bench.power_on()
    answer = bench.station.asked("GetConfiguration", {"key": ["HeartbeatInterval", "Nope"]}, NOW).payload
    assert answer == {
        "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "17"}],
        "unknownKey": ["Nope"],
    }


def test_the_password_is_handed_on_and_never_told():
    bench = online(security_profile=2)
    taken: list[Secret] = []

    def rekey(password: Secret) -> Any:
        return lambda: taken.append(password)

    bench.station.rekey = rekey
    assert bench.order("ChangeConfiguration", key="AuthorizationKey", value="0123456789abcdef") == "Accepted"
    assert taken == [Secret("0123456789abcdef")]
    told = bench.station.asked("GetConfiguration", {}, NOW).payload
    assert told is not None
    assert {"key": "AuthorizationKey", "readonly": False} in told["configurationKey"]
    assert "0123456789abcdef" not in str(told) + str(bench.kept.memory.values)  # type: ignore[attr-defined]


def test_on_tls_a_start_is_told_as_a_security_event_once():
    bench = online(security_profile=2)
    assert [one.payload["type"] for one in bench.said if one.action == "SecurityEventNotification"] == [
        "StartupOfTheDevice"
    ]
    assert not [one for one in online().said if one.action == "SecurityEventNotification"]


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("UnlockConnector", {"connectorId": 1}, "NotSupported"),
        ("DataTransfer", {"vendorId": "x"}, "UnknownVendorId"),
        ("ClearCache", {}, "Accepted"),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, "NotSupported"),
        ("GetDiagnostics", {"location": "ftp://x"}, "NotSupported"),
        ("ReserveNow", {}, "NotSupported"),
        ("SignCertificate", {}, "NotImplemented"),
        ("InstallCertificate", {}, "NotImplemented"),
        ("NoSuchThing", {}, "NotImplemented"),
        ("Reset", {"type": "Warm"}, "PropertyConstraintViolation"),
        ("Reset", {}, "OccurenceConstraintViolation"),
        ("Reset", {"type": "Soft", "more": 1}, "FormationViolation"),
        ("UnlockConnector", {"connectorId": "1"}, "TypeConstraintViolation"),
        ("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}, "NotImplemented"),
    ],
)
def test_what_is_not_offered_is_answered_as_the_standard_demands(action: str, payload: dict[str, Any], answer: str):
    assert online().order(action, **payload) == answer


# Smart charging -------------------------------------------------------------------------------------------------------


def _profile(limit: float, *, purpose: str = "TxDefaultProfile", unit: str = "A", **more: Any) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": limit}, {"startPeriod": 600, "limit": limit / 2}]
    return {
        "chargingProfileId": 5,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": unit, "chargingSchedulePeriod": periods},
        **more,
    }


def test_a_schedule_limits_the_outlet_step_by_step_and_ends_with_its_session():
    bench = online()
    bench.plug_in()
    start = {"idTag": "DRIVER", "chargingProfile": _profile(20, purpose="TxProfile")}
    assert bench.order("RemoteStartTransaction", **start) == "Accepted"
    assert bench.outlet.allowed_a == 20
    bench.answer(transactionId=1, **FINE)
    bench.wait(615)
    assert bench.outlet.allowed_a == 10
    bench.unplug()
    assert not bench.station.charging.stack.profiles


def test_no_profile_allows_more_than_the_circuit():
    bench = online(Start.FREE)
    assert bench.order("SetChargingProfile", connectorId=1, csChargingProfiles=_profile(80)) == "Accepted"
    bench.wait(1)
    assert bench.outlet.allowed_a == 32


def test_a_limit_in_watts_becomes_amperes_and_outlives_a_restart():
    bench = online(Start.FREE)
    given = _profile(2300, purpose="ChargePointMaxProfile", unit="W", chargingProfileKind="Relative")
    assert bench.order("SetChargingProfile", connectorId=0, csChargingProfiles=given) == "Accepted"
    assert bench.outlet.allowed_a == pytest.approx(10)
    bench.power_on()
    bench.wait(1)
    assert bench.outlet.allowed_a == pytest.approx(10)
    assert bench.order("ClearChargingProfile", id=5) == "Accepted"
    assert bench.outlet.allowed_a == 32
    assert bench.order("ClearChargingProfile", id=5) == "Unknown"


def test_remote_starts_with_profiles_of_another_purpose_are_refused():
    bench = online()
    bench.plug_in()
    assert bench.order("RemoteStartTransaction", idTag="D", chargingProfile=_profile(10)) == "Rejected"
