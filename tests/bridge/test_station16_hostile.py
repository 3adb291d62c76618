"""Whatever a backend sends, in whatever order things happen: valid messages come, and nothing raises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.bridge.message import Message
from app.bridge.station import Answer, Start
from app.bridge.station16 import Station16
from app.ocpp import schema
from tests.bridge.drawing import JUNK, TIMES, broken, obeying
from tests.bridge.kit import NOW, FakeOutlet, MemoryOutbox, equipment, kept

ORDERS = sorted(
    {
        "CancelReservation",
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "ClearChargingProfile",
        "DataTransfer",
        "GetCompositeSchedule",
        "GetConfiguration",
        "GetDiagnostics",
        "GetLocalListVersion",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "ReserveNow",
        "Reset",
        "SendLocalList",
        "SetChargingProfile",
        "TriggerMessage",
        "UnlockConnector",
        "UpdateFirmware",
    }
)
SPENT_ON = ["RemoteStartTransaction", "SetChargingProfile", "GetCompositeSchedule", "ChangeConfiguration"]
KEYS = ["HeartbeatInterval", "MeterValueSampleInterval", "ClockAlignedDataInterval", "StopTxnSampledData", "Nope"]
VALUES = ["0", "10", "-1", "x", "86400", "999999999999", "Voltage", "Energy.Active.Import.Register,Voltage", "true", ""]
CODES = {
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "ProtocolError",
    "SecurityError",
    "FormationViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "GenericError",
}
"""OCPP-J 1.6 §4.2.3, its spelling included."""


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    action = draw(st.sampled_from(ORDERS) | st.sampled_from(SPENT_ON))
    document = schema.document("1.6", action, True)
    assert document is not None
    made = draw(st.one_of(obeying(document), obeying(document), broken(document)))
    return action, made if isinstance(made, dict) else {}


@st.composite
def answers(draw: st.DrawFn, action: str) -> dict[str, Any]:
    document = schema.document("1.6", action, False)
    assert document is not None
    return dict(draw(st.one_of(obeying(document), obeying(document), broken(document))))


def station_in(start: Start, moment: str) -> Station16:
    """Return a station in the middle of its life."""
    outlet = FakeOutlet()
    found = Station16(equipment(start=start), outlet, kept(), now=NOW, security_profile=2)
    found.rekey = lambda _: None
    if moment == "unaccepted":
        found.opened(NOW)
        return found
    found.opened(NOW)
    found.boot_answered({"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 60}, NOW)
    if moment != "idle":
        found.noted(outlet.plug_in(), NOW)
        after = found.asked("RemoteStartTransaction", {"idTag": "DRIVER"}, NOW).after
        if after is not None:
            after()
        head = found.kept.outbox.head()
        if head is not None:
            found.answered(head, {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}, NOW)
    if moment == "finished":
        after = found.asked("RemoteStopTransaction", {"transactionId": 1}, NOW).after
        if after is not None:
            after()
    return found


def judge(action: str, answer: Answer) -> None:
    if answer.error:
        assert answer.error in CODES
        return
    assert answer.payload is not None
    orjson.dumps(answer.payload)
    assert schema.is_valid("1.6", action, answer.payload, is_request=False), (action, answer.payload)


@pytest.mark.parametrize("action", ORDERS)
@settings(max_examples=20)
@given(
    data=st.data(),
    start=st.sampled_from(list(Start)),
    moment=st.sampled_from(["unaccepted", "idle", "charging", "finished"]),
)
def test_every_order_gets_a_valid_answer(action: str, data: st.DataObject, start: Start, moment: str):
    document = schema.document("1.6", action, True)
    assert document is not None
    found = station_in(start, moment)
    for number in range(3):
        payload = data.draw(obeying(document) if number < 2 else broken(document))
        answer = found.asked(action, payload, NOW)
        judge(action, answer)
        if schema.is_valid("1.6", action, payload, is_request=True):
            assert answer.error in ("", "NotSupported", "OccurenceConstraintViolation")
        if answer.after is not None:
            answer.after()
        found.due(NOW + timedelta(minutes=number))
        assert 0 <= found.outlet.allowed_a <= found.outlet.ceiling_a


BIG = st.sampled_from([0, 1, 60, 3600, 86_400, 10**9, 10**15, 10**30])


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    """Draw profiles that can be taken, with odd times and sizes."""
    starts = sorted({0, *draw(st.lists(BIG, max_size=4))})
    limits = st.sampled_from([0, 5.9, 6, 16, 32, 7400, 1e6])
    phases = st.fixed_dictionaries({}, optional={"numberPhases": st.sampled_from([1, 3, 0, 10**20])})
    periods = [{"startPeriod": at, "limit": draw(limits), **draw(phases)} for at in starts]
    purpose = draw(st.sampled_from(["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]))
    kind = draw(st.sampled_from(["Absolute", "Recurring", "Relative"]))
    schedule = {"chargingRateUnit": draw(st.sampled_from(["A", "W"])), "chargingSchedulePeriod": periods}
    schedule |= draw(st.fixed_dictionaries({}, optional={"duration": BIG, "startSchedule": TIMES}))
    profile = {
        "chargingProfileId": draw(st.integers(0, 3)),
        "stackLevel": draw(st.integers(0, 2)),
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        "chargingSchedule": schedule,
    }
    more = {"validFrom": TIMES, "validTo": TIMES, "recurrencyKind": st.sampled_from(["Daily", "Weekly"])}
    return profile | draw(st.fixed_dictionaries({}, optional=more))


@settings(max_examples=80)
@given(made=st.lists(profiles(), min_size=1, max_size=3), duration=BIG, moment=st.sampled_from(["idle", "charging"]))
def test_no_profile_lifts_a_limit_or_breaks_the_schedule(made: list[dict[str, Any]], duration: int, moment: str):
    found = station_in(Start.REMOTE, moment)
    for profile in made:
        place = 0 if profile["chargingProfilePurpose"] == "ChargePointMaxProfile" else 1
        answer = found.asked("SetChargingProfile", {"connectorId": place, "csChargingProfiles": profile}, NOW)
        judge("SetChargingProfile", answer)
    for connector in (0, 1):
        asked_for = {"connectorId": connector, "duration": duration}
        judge("GetCompositeSchedule", found.asked("GetCompositeSchedule", asked_for, NOW))
    for days in (0, 1, 400):
        found.due(NOW + timedelta(days=days))
        assert 0 <= found.outlet.allowed_a <= found.outlet.ceiling_a
    again = Station16(equipment(), found.outlet, found.kept, now=NOW)
    assert again.charging.stack.profiles == found.charging.stack.profiles


class Life(RuleBasedStateMachine):
    """A station's life: a backend of all kinds, a car, time, lost lines, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.said: list[Message] = []
        self.told_wh = 0

    @initialize(start=st.sampled_from(list(Start)), profile=st.sampled_from([0, 1, 3]))
    def begin(self, start: Start, profile: int) -> None:
        self.outlet = FakeOutlet()
        self.kept = kept()
        self.start, self.profile = start, profile
        self._live()
        self.connect()

    def _live(self) -> None:
        self.station = Station16(
            equipment(start=self.start), self.outlet, self.kept, now=self.now, security_profile=self.profile
        )
        self.said.clear()
        self.station.say = self.said.append
        self.is_open = False

    @rule(order=asked())
    def order(self, order: tuple[str, dict[str, Any]]) -> None:
        self._ask(*order)

    @rule(key=st.sampled_from(KEYS), value=st.sampled_from(VALUES))
    def configure(self, key: str, value: str) -> None:
        self._ask("ChangeConfiguration", {"key": key, "value": value})

    @rule(action=st.text(max_size=20), payload=st.dictionaries(st.text(max_size=8), JUNK, max_size=3))
    def nonsense(self, action: str, payload: dict[str, Any]) -> None:
        self._ask(action, payload)

    @rule()
    def start_and_stop(self) -> None:
        self._ask("RemoteStartTransaction", {"idTag": "DRIVER"})
        session = self.station.sessions.running
        if session is not None and session.transaction_id:
            self._ask("RemoteStopTransaction", {"transactionId": int(session.transaction_id)})

    def _ask(self, action: str, payload: dict[str, Any]) -> None:
        answer = self.station.asked(action, payload, self.now)
        judge(action, answer)
        if answer.after is not None:
            answer.after()

    @rule()
    def connect(self) -> None:
        if not self.is_open:
            self.is_open = True
            self.station.opened(self.now)
        assert schema.is_valid("1.6", "BootNotification", self.station.boot(self.now), is_request=True)
        answer = {"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 60}
        assert self.station.boot_answered(answer, self.now) is None

    @rule(payload=answers("BootNotification"))
    def answer_boot(self, payload: dict[str, Any]) -> None:
        if self.is_open:
            pause_s = self.station.boot_answered(payload, self.now)
            assert pause_s is None or pause_s > 0

    @rule(data=st.data(), code=st.sampled_from(["", "InternalError", "NotSupported"]))
    def deliver_all(self, data: st.DataObject, code: str) -> None:
        for _ in range(12):
            self._deliver(data, code, data.draw(st.integers(0, 5)))

    def _deliver(self, data: st.DataObject, code: str, is_good: int) -> None:
        head = self.kept.outbox.head()
        message = self.said.pop(0) if self.said else head
        if message is None or not self.is_open or not self.station.is_accepted:
            return
        payload = self.station.rendered(message)
        if message.action == "BootNotification":
            return
        if payload is None:
            assert message.is_kept
            self.kept.outbox.done(message)
            return
        self._look_at(message, payload)
        if is_good == 0:
            if not self.station.refused(message, code, self.now) and message.is_kept:
                self.kept.outbox.done(message)
            return
        answer = {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}
        if is_good == 1 and message.action != "SecurityEventNotification":
            answer = data.draw(answers(message.action))
        self.station.answered(message, answer, self.now)
        if message.is_kept:
            self.kept.outbox.done(message)

    def _look_at(self, message: Message, payload: dict[str, Any]) -> None:
        orjson.dumps(payload)
        if message.action != "SecurityEventNotification":
            assert schema.is_valid("1.6", message.action, payload, is_request=True), (message.action, payload)
        register_wh = payload.get("meterStart", payload.get("meterStop"))
        if message.is_kept and register_wh is not None:
            assert register_wh >= self.told_wh
            self.told_wh = register_wh

    @rule()
    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.said.clear()
            self.station.closed(self.now)

    @rule(seconds=st.sampled_from([0, 1, 30, 121, 3600, 86_400, -3600]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.outlet.run(self.now)
        assert self.station.due(self.now) > self.now

    @rule()
    def plug_in(self) -> None:
        self.station.noted(self.outlet.plug_in(), self.now)

    @rule()
    def unplug(self) -> None:
        self.station.noted(self.outlet.unplug(), self.now)

    @rule(fault=st.sampled_from(["", "Error 5"]), is_present=st.booleans(), wants=st.booleans())
    def change(self, fault: str, is_present: bool, wants: bool) -> None:
        self.outlet.fault, self.outlet.is_present, self.outlet.wants_current = fault, is_present, wants
        self.station.noted(self.outlet.state, self.now)

    @rule()
    def bridge_restarts(self) -> None:
        before = self.kept.sessions.running()
        self._live()
        assert self.station.sessions.running == before

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "outlet"):
            return
        assert 0 <= self.outlet.allowed_a <= self.outlet.ceiling_a
        sessions = self.station.sessions
        if self.start is not Start.FREE and sessions.running is None and not sessions.is_waiting:
            self.station.noted(self.outlet.state, self.now)
            assert self.station.sessions.running is not None or self.outlet.allowed_a == 0

    @invariant()
    def every_session_begins_and_ends_once(self) -> None:
        if not hasattr(self, "kept"):
            return
        outbox = self.kept.outbox
        assert isinstance(outbox, MemoryOutbox)
        told = [(message.action, message.session) for message in [*outbox.delivered, *outbox.messages]]
        turns = [one for one in told if one[0] != "MeterValues"]
        assert len(set(turns)) == len(turns)
        for begun, ended in zip(turns[::2], turns[1::2], strict=False):
            assert begun == ("StartTransaction", ended[1])
            assert ended[0] == "StopTransaction"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=40)
