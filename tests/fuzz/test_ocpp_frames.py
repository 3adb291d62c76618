"""Frames, requests and payloads that nobody thought of: the pure readers never raise and never lose a good message."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.diagnosis.catalogue import explain, explain_note
from app.diagnosis.watch import Watch
from app.model.finding import Finding, Severity
from app.model.frame import Boot, FrameKind
from app.model.secret import Secret
from app.ocpp import schema, v16
from app.ocpp.conversation import Answered, Asked, Broken, Conversation
from app.ocpp.ear import Ear
from app.ocpp.frame import Call, Malformed, decode, encode_call, encode_error, encode_result, head
from app.ocpp.handshake import clean_identity, identity_of, read_handshake
from app.ocpp.ledger import Ledger
from app.ocpp.lenient import MAX_DEPTH, depth
from app.ocpp.request import end_of_head, parse_request, without_password

NOW = datetime(2026, 11, 22, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text(max_size=20), JSON, max_size=6)
VERSIONS = st.sampled_from(sorted(schema.FOLDERS))
ACTIONS = st.sampled_from(sorted(set[str]().union(*map(schema.actions, schema.FOLDERS)))) | st.text(max_size=70)
SHARDS = st.sampled_from(
    ["[", "]", "{", "}", '"', ",", ":", "2", "3", "4", "\\", "\\u", "\x00", "\ufeff", "a", "null", " "]
)


@given(st.text())
@example("[" * 5000)
@example('"' * 5000)
@example('[2,"1","A",{"x":"\\ud800"}]')
@example("[2," + "9" * 5000 + ',"A",{}]')
@example("[2," + "9" * 30 + ',"A",{}')
def test_any_text_is_decoded_to_something(text: str):
    message = decode(text)
    assert isinstance(head(text)[0], FrameKind)
    if isinstance(message, Malformed):
        json.loads(encode_error(message.echo, message.code, message.reason))
    elif isinstance(message, Call):
        json.loads(encode_result(message.echo, {}))


@given(st.lists(SHARDS, max_size=60).map("".join))
def test_shards_of_messages_are_decoded_to_something(text: str):
    message = decode(text)
    if isinstance(message, Call):
        json.loads(encode_result(message.echo, {}))


@given(st.text(min_size=1, max_size=36), st.text(min_size=1, max_size=64), st.dictionaries(st.text(), st.text()))
def test_a_good_call_comes_through_untouched(uid: str, action: str, payload: dict[str, str]):
    message = decode(json.dumps([2, uid, action, payload]))
    assert isinstance(message, Call)
    assert (message.uid, message.action, message.payload, message.notes) == (uid, action, payload, ())


@given(st.text(min_size=1, max_size=36), OBJECTS, st.integers(0, 400))
def test_a_call_cut_anywhere_never_raises_and_keeps_its_id_where_it_can(uid: str, payload: dict[str, Any], cut: int):
    text = json.dumps([2, uid, "DataTransfer", payload])
    message = decode(text[:cut])
    if isinstance(message, Call):
        assert message.uid == uid


@given(JSON)
def test_depth_is_never_less_than_it_is(value: Any):
    def deep(item: Any) -> int:
        children = item if isinstance(item, list) else list(item.values()) if isinstance(item, dict) else None
        return 0 if children is None else 1 + max(map(deep, children), default=0)

    assert depth(json.dumps(value)) == deep(value)


@given(st.integers(MAX_DEPTH, 3000))
def test_too_deep_is_refused_whatever_is_inside(levels: int):
    message = decode('[2,"1","A",' + '{"a":' * levels + "1" + "}" * levels + "]")
    assert isinstance(message, Malformed)
    assert "TOO-DEEP" in message.notes


@given(ACTIONS, OBJECTS, VERSIONS)
def test_any_payload_can_be_judged_and_entered(action: str, payload: dict[str, Any], version: str):
    schema.findings(version, action, payload, is_request=True)
    schema.findings(version, action, payload, is_request=False)
    ledger = Ledger("ocpp:x", lambda: 1)
    answer, events = ledger.take(action, payload, NOW, version=version)
    assert len(events) <= 4
    if answer is not None and action != "NotifyPeriodicEventStream":
        assert schema.is_valid(version, action, answer, is_request=False)


@given(st.lists(st.tuples(st.integers(2, 6), st.integers(0, 3), ACTIONS, OBJECTS), max_size=8), VERSIONS, st.booleans())
def test_an_ear_bears_any_conversation(
    messages: list[tuple[int, int, str, dict[str, Any]]], version: str, is_agreed: bool
):
    ear = Ear("x", version, opened_at=NOW, is_agreed=is_agreed)
    for kind, uid, action, payload in messages:
        parts = {2: [action, payload], 3: [payload], 6: [action, payload]}.get(kind, [action, "text", payload])
        text = json.dumps([kind, str(uid), *parts])
        hearing = ear.heard(text, NOW)
        assert isinstance(hearing.kind, FrameKind)
        for observation in hearing.observations:
            list(Watch()(observation))
        ear.said(text, NOW)
    ear.tick(NOW + timedelta(hours=1))
    assert ear.ended(NOW, 1006, "").identity == "x"


SAMPLES = st.fixed_dictionaries(
    {},
    optional={
        "value": JSON,
        "unit": st.sampled_from(["kWh", "Wh", "W", "Celcius", "K", "x"]) | JSON,
        "measurand": st.sampled_from(["Voltage", "SoC", "Temperature"]) | JSON,
        "phase": JSON,
        "format": JSON,
    },
)


@given(JSON, st.lists(SAMPLES, max_size=5) | JSON, JSON)
def test_any_meter_value_becomes_finite_readings_or_none(stamp: Any, samples: Any, connector: Any):
    payload = {"connectorId": connector, "meterValue": [{"timestamp": stamp, "sampledValue": samples}]}
    for reading in v16.readings(payload, "ocpp:x", NOW):
        assert abs(reading.value) < float("inf")
        assert reading.at.tzinfo is UTC
    v16.has_unset_clock(payload)


@given(st.binary(max_size=400))
def test_any_request_head_is_read_or_refused(data: bytes):
    end_of_head(data)
    request = parse_request(data)
    without_password(data)
    if request is not None:
        shake = read_handshake(data, request, lambda _: Secret("x"), remote="1.2.3.4:5", local="")
        list(Watch()(shake))
        assert shake.identity


@given(st.text(max_size=200))
def test_any_path_gives_a_harmless_identity(path: str):
    identity, _ = identity_of(path)
    assert not set(identity) & set("/\\\0\r\n")
    assert clean_identity(identity) == identity
    assert len(identity) <= 96
    assert identity not in (".", "..")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), OBJECTS), max_size=40))
def test_a_conversation_answers_each_waiting_call_at_most_once(steps: list[tuple[bool, int, dict[str, Any]]]):
    talk = Conversation()
    waiting: set[str] = set()
    for is_ours, number, payload in steps:
        if is_ours:
            uid, text = talk.call("Reset", payload, 0.0, timeout_s=5)
            assert decode(text).uid == uid  # type: ignore[union-attr]
            waiting.add(uid)
        else:
            event = talk.received(encode_result(str(number), payload), 1.0)
            assert isinstance(event, Answered) == (str(number) in waiting)
            waiting.discard(str(number))
    assert set(talk.expired(10.0)) == waiting
    assert talk.deadline() is None


def test_a_conversation_knows_repetitions_and_garbage():
    talk = Conversation()
    text = encode_call("1", "Heartbeat", {})
    first = talk.received(text, 0.0)
    assert isinstance(first, Asked)
    talk.replied(first.call.uid, "the answer")
    again = talk.received(text, 0.0)
    assert isinstance(again, Asked)
    assert again.reply == "the answer"
    other = talk.received(encode_call("1", "Heartbeat", {"a": 1}), 0.0)
    assert isinstance(other, Asked)
    assert (other.reply, other.notes) == (None, ("ID-REUSED",))
    assert isinstance(talk.received("no", 0.0), Broken)


@given(st.sampled_from(["URL-COMPOSE", "AUTH-401", "no such code"]), st.dictionaries(st.text(), st.text(max_size=999)))
def test_any_finding_can_be_explained(code: str, details: dict[str, str]):
    text = explain(Finding(code=code, severity=Severity.INFO, details=details))
    assert text.title
    assert text.remedy
    explain_note(code)


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=5))
def test_any_boot_is_read(payload: dict[str, Any]):
    assert isinstance(v16.boot(payload, NOW), Boot)
