"""Whatever a backend sends to a 2.0.1 station, in whatever order things happen: valid messages come, nothing raises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.bridge.message import Message
from app.bridge.station import Start
from app.bridge.station201 import ORDERS, Station201
from app.bridge.station201_variables import TABLE
from app.ocpp import schema
from tests.bridge.drawing import JUNK, broken, obeying
from tests.bridge.kit import NOW, FakeOutlet, MemoryOutbox, equipment, kept
from tests.bridge.kit201 import VERSION, must_fit, registers

ACTIONS = sorted(schema.actions(VERSION))
SPENT_ON = sorted(ORDERS)
SETTABLE = sorted(one.path for one in TABLE.variables if one.is_writable)
VALUES = ["0", "1", "10", "-1", "x", "86400", "999999999999", "Voltage", "true", "false", "", "nan", "1e999", "1"]
CODES = {
    "NotImplemented",
    "NotSupported",
    "SecurityError",
    "FormatViolation",
    "PropertyConstraintViolation",
    "OccurrenceConstraintViolation",
    "TypeConstraintViolation",
}
"""Of OCPP-J 2.0.1 §4.3; InternalError is none of ours."""


@st.composite
def asked(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    action = draw(st.sampled_from(SPENT_ON) | st.sampled_from(SPENT_ON) | st.sampled_from(ACTIONS))
    document = schema.document(VERSION, action, True)
    assert document is not None
    made = draw(st.one_of(obeying(document), obeying(document), broken(document)))
    return action, made if isinstance(made, dict) else {}


@st.composite
def answers(draw: st.DrawFn, action: str) -> dict[str, Any]:
    document = schema.document(VERSION, action, False)
    assert document is not None
    made = draw(st.one_of(obeying(document), obeying(document), broken(document)))
    return made if isinstance(made, dict) else {}


class Life(RuleBasedStateMachine):
    """A station's life: a backend of all kinds, a car, time, lost lines, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.said: list[Message] = []

    @initialize(start=st.sampled_from(list(Start)), tag=st.sampled_from(["", "BOXTAG", "04A1B2C3"]))
    def begin(self, start: Start, tag: str) -> None:
        self.outlet, self.kept = FakeOutlet(), kept()
        self.start, self.tag = start, tag
        self._live()

    def _live(self) -> None:
        mine = equipment(start=self.start, id_tag=self.tag)
        self.station = Station201(mine, self.outlet, self.kept, now=self.now)
        self.said.clear()
        self.station.say = self.said.append
        self.is_open = False

    # Orders

    @rule(order=asked())
    def order(self, order: tuple[str, dict[str, Any]]) -> None:
        self._ask(*order)

    @rule(path=st.sampled_from(SETTABLE), value=st.sampled_from(VALUES))
    def configure(self, path: str, value: str) -> None:
        variable = TABLE.by_path[path]
        names = {"component": variable.component_json, "variable": variable.variable_json}
        self._ask("SetVariables", {"setVariableData": [{**names, "attributeValue": value}]})

    @rule(action=st.text(max_size=20), payload=st.dictionaries(st.text(max_size=8), JUNK, max_size=3))
    def nonsense(self, action: str, payload: dict[str, Any]) -> None:
        self._ask(action, payload)

    @rule(limit=st.sampled_from([0, 5.9, 6, 16, 1e6, -1]), purpose=st.sampled_from(["TxProfile", "TxDefaultProfile"]))
    def limit(self, limit: float, purpose: str) -> None:
        session = self.station.tx.session
        periods = [{"startPeriod": 0, "limit": limit}, {"startPeriod": 3600, "limit": 7}]
        told = {"id": 1, "stackLevel": 0, "chargingProfilePurpose": purpose, "chargingProfileKind": "Relative"}
        told["chargingSchedule"] = [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}]
        if session is not None and purpose == "TxProfile":
            told["transactionId"] = session.transaction_id
        self._ask("SetChargingProfile", {"evseId": 1, "chargingProfile": told})

    @rule(stops=st.booleans())
    def start_and_stop(self, stops: bool) -> None:
        self._ask("RequestStartTransaction", {"idToken": {"idToken": "A", "type": "Central"}, "remoteStartId": 1})
        session = self.station.tx.session
        if stops and session is not None:
            self._ask("RequestStopTransaction", {"transactionId": session.transaction_id})

    def _ask(self, action: str, payload: dict[str, Any]) -> None:
        answer = self.station.asked(action, payload, self.now)
        if answer.error:
            assert answer.error in CODES
            assert len(answer.text) <= 255
        else:
            assert answer.payload is not None
            orjson.dumps(answer.payload)
            must_fit(action, answer.payload, is_request=False)
        if answer.after is not None:
            answer.after()

    # The line

    @rule()
    def open(self) -> None:
        if not self.is_open:
            self.is_open = True
            self.station.opened(self.now)

    @rule()
    def accept(self) -> None:
        if self.is_open:
            must_fit("BootNotification", self.station.boot(self.now))
            answer = {"status": "Accepted", "currentTime": "2026-11-22T12:00:00Z", "interval": 60}
            assert self.station.boot_answered(answer, self.now) is None

    @rule(payload=answers("BootNotification"))
    def answer_boot(self, payload: dict[str, Any]) -> None:
        if self.is_open:
            pause_s = self.station.boot_answered(payload, self.now)
            assert pause_s is None or pause_s > 0

    @rule(data=st.data(), code=st.sampled_from(["", "InternalError", "NotSupported"]), turn=st.integers(0, 3))
    def deliver(self, data: st.DataObject, code: str, turn: int) -> None:
        message = self.said.pop(0) if self.said else self.kept.outbox.head()
        if message is None or not self.is_open or (message.is_kept and not self.station.is_accepted):
            return
        payload = self.station.rendered(message)
        if payload is None:
            return
        orjson.dumps(payload)
        must_fit(message.action, payload)
        if turn == 0:
            if not self.station.refused(message, code, self.now) and message.is_kept:
                self.kept.outbox.done(message)
            return
        answer = data.draw(answers(message.action)) if turn == 1 else {"idTokenInfo": {"status": "Accepted"}}
        self.station.answered(message, answer, self.now)
        if message.is_kept:
            self.kept.outbox.done(message)

    @rule()
    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.said.clear()
            self.station.closed(self.now)

    # The unit and time

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
        assert self.station.tx.session == before

    # What always holds

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "outlet"):
            return
        assert 0 <= self.outlet.allowed_a <= self.outlet.ceiling_a
        self.station.noted(self.outlet.state, self.now)
        if self.start is not Start.FREE and self.station.tx.session is None:
            assert self.outlet.allowed_a == 0

    @invariant()
    def transactions_are_told_whole_and_once(self) -> None:
        if not hasattr(self, "kept"):
            return
        outbox = self.kept.outbox
        assert isinstance(outbox, MemoryOutbox)
        told = [one for one in [*outbox.delivered, *outbox.messages] if one.action == "TransactionEvent"]
        last: dict[str, int] = {}
        register_wh = 0.0
        for message in told:
            event, name = message.payload, message.payload["transactionInfo"]["transactionId"]
            assert event["seqNo"] == last.get(name, -1) + 1
            assert (event["eventType"] == "Started") == (event["seqNo"] == 0)
            last[name] = event["seqNo"]
            for value in registers(event, "Transaction.Begin")[-1:] + registers(event, "Sample.Periodic"):
                register_wh = max(register_wh, value)
            for value in registers(event, "Transaction.End"):
                assert value >= register_wh
        ended = [one.payload["transactionInfo"]["transactionId"] for one in told if one.payload["eventType"] == "Ended"]
        assert len(set(ended)) == len(ended)
        assert len(last) - len(ended) == (self.station.tx.session is not None)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
