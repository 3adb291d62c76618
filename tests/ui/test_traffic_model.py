"""The list of frames: pairing, folding, bounds, filter, and what is done with hostile text."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QAbstractItemModelTester

from app.model.frame import Direction, Frame, FrameKind
from app.model.masking import mask_secrets
from ui.models.frame_filter import FrameFilter
from ui.models.frame_rows import COLUMNS, Fold, Row
from ui.models.frame_words import summary
from ui.models.frames import FrameModel
from ui.models.json_tree import parse
from ui.models.plain import hex_dump, visible, visible_lines
from ui.models.saved_filters import SavedFilters

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Script:
    """Makes frames with rising numbers, 10 ms apart."""

    def __init__(self, seq: int = 0) -> None:
        self.seq = seq

    def frame(self, text: str, kind: FrameKind, **fields: Any) -> Frame:
        self.seq += 1
        values = {"identity": "CP-1", "connection": 1, "direction": Direction.IN, "uid": "", "action": "", **fields}
        return Frame(seq=self.seq, at=START + timedelta(milliseconds=10 * self.seq), text=text, kind=kind, **values)

    def call(self, action: str, uid: str, payload: object | None = None, **fields: Any) -> Frame:
        text = json.dumps([2, uid, action, payload or {}])
        return self.frame(text, FrameKind.CALL, uid=uid, action=action, **fields)

    def answer(self, action: str, uid: str, payload: object | None = None, **fields: Any) -> Frame:
        text = json.dumps([3, uid, payload or {}])
        values = {"direction": Direction.OUT, **fields}
        return self.frame(text, FrameKind.RESULT, uid=uid, action=action, **values)

    def exchange(self, action: str, uid: str, **fields: Any) -> list[Frame]:
        return [self.call(action, uid, **fields), self.answer(action, uid, **fields)]

    def exchanges(self, action: str, count: int, **fields: Any) -> list[Frame]:
        return [frame for number in range(count) for frame in self.exchange(action, f"{action}-{number}", **fields)]


@pytest.fixture
def script() -> Script:
    return Script()


def model_of(frames: Sequence[Frame] = (), *, is_watched: bool = True, **options: Any) -> FrameModel:
    owner = QObject()
    model = FrameModel(owner, **options)
    model.owner_kept = owner  # type: ignore[attr-defined]
    if is_watched:
        QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.take(frames)
    return model


def seqs(model: FrameModel) -> list[int]:
    return [entry.seq for entry in model.entries]


def test_answer_knows_its_request_and_how_long_it_took(script: Script) -> None:
    model = model_of(script.exchange("BootNotification", "7"))
    request, answer = model.entries
    assert isinstance(answer, Row)
    assert answer.pair_seq == request.seq
    assert answer.latency_s == pytest.approx(0.01)
    assert model.data(model.index(1, 7)) == "10 ms"


def test_same_id_in_both_directions_is_not_mixed_up(script: Script) -> None:
    theirs = script.call("BootNotification", "1")
    ours = script.call("Reset", "1", direction=Direction.OUT)
    answer_to_ours = script.answer("Reset", "1", direction=Direction.IN)
    answer_to_theirs = script.answer("BootNotification", "1")
    model = model_of([theirs, ours, answer_to_ours, answer_to_theirs])
    pairs = {entry.seq: entry.pair_seq for entry in model.entries if isinstance(entry, Row)}
    assert pairs == {1: 4, 4: 1, 2: 3, 3: 2}


def test_same_id_on_another_connection_is_another_pair(script: Script) -> None:
    first = script.call("BootNotification", "1", connection=1)
    again = script.call("BootNotification", "1", connection=2)
    answer = script.answer("BootNotification", "1", connection=2)
    model = model_of([first, again, answer])
    entry = model.entries[2]
    assert isinstance(entry, Row)
    assert entry.pair_seq == 2


def test_noise_of_one_charger_becomes_one_line_until_it_says_something(script: Script) -> None:
    frames = [
        *script.exchange("BootNotification", "b"),
        *script.exchanges("Heartbeat", 5),
        *script.exchanges("MeterValues", 3),
        *script.exchange("StatusNotification", "s"),
        *script.exchanges("Heartbeat", 2),
    ]
    model = model_of(frames)
    kinds = [type(entry) for entry in model.entries]
    assert kinds == [Row, Row, Fold, Row, Row, Fold]
    assert "5 × Heartbeat" in model.entries[2].summary
    assert "3 × MeterValues" in model.entries[2].summary
    assert model.folded == 15 + 3
    model.set_folding(False)
    assert len(model.entries) == len(frames)
    assert model.folded == 0


def test_noise_with_a_finding_is_never_folded(script: Script) -> None:
    model = model_of([*script.exchanges("Heartbeat", 2), script.call("Heartbeat", "x", notes=("ID-AS-NUMBER",))])
    assert [type(entry) for entry in model.entries] == [Fold, Row]


def test_a_fold_opens_in_place_and_closes_again(script: Script) -> None:
    model = model_of([*script.exchanges("Heartbeat", 3), *script.exchange("StatusNotification", "s")])
    assert model.toggle_fold(0)
    assert seqs(model) == [1, 1, 2, 3, 4, 5, 6, 7, 8]
    assert model.row_of(4) == 4
    assert model.toggle_fold(0)
    assert seqs(model) == [1, 7, 8]
    assert model.row_of(4) == 0
    assert not model.toggle_fold(1)


def test_list_is_bounded_and_keeps_the_newest(script: Script) -> None:
    model = model_of(capacity=1000, is_watched=False)
    model.set_folding(False)
    for _ in range(30):
        model.take(script.exchanges("StatusNotification", 50))
    assert 800 <= len(model.entries) <= 1000
    assert model.last_seq == script.seq
    assert len(model._pairing._open) <= 1000
    assert seqs(model) == list(range(model.entries[0].seq, script.seq + 1))


def test_folded_noise_is_bounded_too(script: Script) -> None:
    model = model_of(capacity=1000)
    for _ in range(30):
        model.take(script.exchanges("Heartbeat", 50))
        model.take(script.exchange("StatusNotification", "s"))
    total = sum(len(entry.rows) if isinstance(entry, Fold) else 1 for entry in model.entries)
    assert total <= 1000 + 102


def test_held_list_stands_still_and_catches_up(script: Script) -> None:
    model = model_of(script.exchanges("StatusNotification", 2))
    model.hold()
    held: list[int] = []
    model.held_changed.connect(held.append)
    model.take(script.exchanges("StatusNotification", 3))
    assert len(model.entries) == 4
    assert held[-1] == 6
    assert model.follow()
    assert seqs(model) == list(range(1, 11))
    assert held[-1] == 0


def test_list_held_for_longer_than_the_ring_says_so(script: Script) -> None:
    model = model_of(script.exchanges("StatusNotification", 20), capacity=100)
    model.hold()
    model.take(script.exchanges("StatusNotification", 100))
    assert not model.follow()
    model.rebuild()
    assert model.is_following
    assert seqs(model) == list(range(141, 241))


def test_filter_combines_conditions(script: Script) -> None:
    frames = [
        *script.exchange("StatusNotification", "1", identity="A"),
        *script.exchange("BootNotification", "2", identity="B"),
        *script.exchange("StatusNotification", "3", identity="B"),
    ]
    model = model_of(frames)
    model.set_filter(FrameFilter(identities=frozenset({"B"}), actions=frozenset({"StatusNotification"})))
    assert seqs(model) == [5, 6]
    model.set_filter(FrameFilter(identities=frozenset({"B"}), directions=frozenset({Direction.IN}), text="boot"))
    assert seqs(model) == [3]
    model.set_filter(FrameFilter())
    assert len(model.entries) == 6


def test_chips_name_every_condition_and_take_it_away() -> None:
    full = FrameFilter(
        identities=frozenset({"A"}),
        kinds=frozenset({FrameKind.ERROR}),
        has_notes=True,
        text="x",
        notes=frozenset({"N"}),
    )
    for part, value, _ in full.chips():
        full = full.without(part, value)
    assert full.is_empty


def test_older_pages_come_in_front_and_are_paired(script: Script) -> None:
    old = script.exchanges("StatusNotification", 5)
    split = script.exchange("GetConfiguration", "g")
    model = model_of([split[1]])
    assert model.prepend([*old, split[0]]) == 11
    assert seqs(model) == list(range(1, 13))
    answer = model.entries[-1]
    assert isinstance(answer, Row)
    assert answer.latency_s == pytest.approx(0.01)


def test_reading_back_never_grows_the_list(script: Script) -> None:
    frames = script.exchanges("StatusNotification", 3000)
    model = model_of(frames[-200:], capacity=1000, is_watched=False)
    edge = len(frames) - 200
    while edge > 0:
        start = max(0, edge - 300)
        model.prepend(frames[start:edge])
        assert len(model.entries) <= 1000
        edge = start
    assert not model.is_following
    assert model.first_seq == 1
    assert len(model._pairing._open) <= 1600


def test_cleared_view_shows_only_what_comes(script: Script) -> None:
    model = model_of(script.exchanges("StatusNotification", 3))
    model.clear()
    assert model.entries == []
    model.take(script.exchange("StatusNotification", "n"))
    assert seqs(model) == [7, 8]
    model.rebuild()
    assert seqs(model) == [7, 8]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Heartbeat", "MeterValues", "StatusNotification", "hold", "fold", "toggle", "page"]),
        max_size=40,
    )
)
def test_any_order_of_events_keeps_the_list_in_order(steps: list[str]) -> None:
    script = Script(seq=5000)
    older = Script()
    pages = [older.exchanges("StatusNotification", 10) for _ in range(40)]
    model = model_of(capacity=60)
    chance = random.Random(1)
    for step in steps:
        if step == "hold":
            model.hold() if model.is_following else model.follow()
        elif step == "fold":
            model.set_folding(not model.is_folding)
        elif step == "toggle" and model.entries:
            model.toggle_fold(chance.randrange(len(model.entries)))
        elif step == "page":
            model.prepend(pages.pop())
        else:
            model.take(script.exchanges(step, 3))
        assert model.folded >= 0
        assert model.rowCount() == len(model.entries)
    model.set_folding(False)
    numbers = seqs(model)
    assert numbers == sorted(set(numbers))


# Text


def test_control_characters_and_direction_marks_are_seen() -> None:
    shown = visible("a\x00b\x1b[31m\u202ec\ud800\n")
    assert shown == "a‹NUL›b‹ESC›[31m‹U+202E›c‹U+D800›‹LF›"
    assert visible_lines("a\r\nb", mark_breaks=True) == "a‹CR›‹LF›\nb"


def test_hex_dump_shows_offset_bytes_and_text() -> None:
    assert hex_dump(b"\x16\x03GET") == f"0000  {'16 03 47 45 54':<48} ··GET"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (Script().call("BootNotification", "1", {"chargePointVendor": "V", "chargePointModel": "M"}), "V M"),
        (Script().call("StatusNotification", "1", {"connectorId": 2, "status": "Faulted", "errorCode": "GroundFailure"}), "connector 2 · Faulted · GroundFailure"),
        (Script().call("ChangeConfiguration", "1", {"key": "AuthorizationKey", "value": "geheim"}), "AuthorizationKey = •••"),
        (Script().call("X", "1", {"a": {"b": 1}, "c": [1, 2], "d": None}), "a {1} · c [2] · d null"),
        (Script().frame('[4,"1","FormationViolation","bad",{}]', FrameKind.ERROR), "FormationViolation: bad"),
        (Script().frame("\x00\x01nonsense", FrameKind.BROKEN), "‹NUL›‹SOH›nonsense"),
        (Script().frame("", FrameKind.BROKEN, raw=b"\xff\xfe"), "ff fe"),
    ],
)  # fmt: skip
def test_summary_says_what_is_in_a_frame(frame: Frame, words: str) -> None:
    assert summary(frame) == words


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


ACTIONS = [
    "MeterValues", "BootNotification", "GetConfiguration", "ChangeConfiguration", "StatusNotification",
    "TransactionEvent", "SetVariables", "GetVariables", "Y",
]  # fmt: skip


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        (
            "BootNotification",
            {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Wall 2", "serialNumber": "S"}},
            "Acme Wall 2 · serial S · PowerUp",
        ),
        (
            "StatusNotification",
            {"evseId": 2, "connectorId": 1, "connectorStatus": "Occupied", "timestamp": "t"},
            "EVSE 2 connector 1 · Occupied",
        ),
        (
            "TransactionEvent",
            {
                "eventType": "Updated", "triggerReason": "MeterValuePeriodic", "evse": {"id": 1},
                "transactionInfo": {"transactionId": "t-1", "chargingState": "Charging"},
                "meterValue": [{"sampledValue": [{"value": 7, "unitOfMeasure": {"unit": "kWh"}}]}],
            },
            "Updated · MeterValuePeriodic · Charging · EVSE 1 · t-1 · Energy 7 kWh",
        ),
        (
            "SetVariables",
            {"setVariableData": [{"component": {"name": "A"}, "variable": {"name": "B"}, "attributeValue": "1"}]},
            "A.B = 1",
        ),
    ],
)  # fmt: skip
def test_summary_knows_2x(action: str, payload: dict[str, Any], words: str) -> None:
    text = json.dumps([2, "1", action, payload])
    assert summary(Script().frame(text, FrameKind.CALL, action=action, uid="1")) == words


@pytest.mark.parametrize("kind", FrameKind)
def test_every_kind_of_frame_has_its_columns(kind: FrameKind) -> None:
    row = Row(Script().frame("[6]", kind, action="X", uid="1"))
    assert all(isinstance(column.text(row), str) for column in COLUMNS)


@settings(max_examples=150, deadline=None)
@given(JSON_LIKE, st.sampled_from(ACTIONS))
def test_no_payload_breaks_summary_or_tree(payload: object, action: str) -> None:
    for kind, text in ((FrameKind.CALL, [2, "1", action, payload]), (FrameKind.RESULT, [3, "1", payload])):
        raw = json.dumps(text)
        frame = Script().frame(raw, kind, action=action, uid="1")
        assert "\n" not in summary(frame)
        for column in COLUMNS:
            assert isinstance(column.text(Row(frame)), str)
        parse(raw)


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert visible(text).isprintable()
    parse(text)
    summary(Script().frame(text, FrameKind.CALL, action="MeterValues"))


def test_deep_and_long_json_is_named_not_parsed() -> None:
    deep = parse("[" * 100_000 + "]" * 100_000)
    assert "too deep" in deep.trouble.lower()
    long = parse(json.dumps([2, "1", "X", {"a": "x" * 300_000}]))
    assert "Too long" in long.trouble
    wide = parse(json.dumps([2, "1", "X", {str(number): number for number in range(10_000)}]))
    assert len(wide.nodes[3].children) <= 3001


def test_tree_gives_the_path_of_every_field() -> None:
    parsed = parse('[2,"1","MeterValues",{"meterValue":[{"a b":1}]}]')
    payload = parsed.nodes[3]
    assert payload.children[0].children[0].children[0].path == '$[3].meterValue[0]["a b"]'


def test_broken_json_is_located() -> None:
    parsed = parse('[2,"1",NoError]')
    assert parsed.position == 7
    assert "character 8" in parsed.trouble


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"geheim"}]',
        '[2,"1","ChangeConfiguration",{"value":"geheim","key":"authorizationKEY"}]',
        '[3,"1",{"configurationKey":[{"key":"A","value":"1"},{"key":"AuthorizationKey","readonly":false,"value":"geheim"}]}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"geheim"',
        '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"geheim","component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}}]}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"geheim',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"{geheim}"}]',
        '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"}geheim\\"{"}]',
        '[2,"1","ChangeConfiguration",{"key":"vendorPw","value":"geheim"}]',
    ],
)
def test_secrets_are_masked_everywhere(text: str) -> None:
    shown = mask_secrets(text, ("VendorPW",))
    assert "geheim" not in shown
    assert "•••" in shown


def test_masking_hostile_text_stays_fast() -> None:
    for text in (
        '{"key":"AuthorizationKey"' * 20_000,
        '{"' * 100_000 + "AuthorizationKey",
        '"\\\\' * 50_000 + "{authorizationkey",
    ):
        began = time.process_time()
        mask_secrets(text)
        assert time.process_time() - began < 5


def test_nothing_else_is_masked() -> None:
    text = '[3,"1",{"configurationKey":[{"key":"A","value":"AuthorizationKey"},{"key":"B","value":"2"}]}]'
    assert mask_secrets(text) == text


def test_saved_filters_survive_and_damage_is_left_out(tmp_path: Any) -> None:
    file = tmp_path / "filters.ini"
    wanted = FrameFilter(
        identities=frozenset({"A/b=c"}),
        kinds=frozenset({FrameKind.ERROR}),
        directions=frozenset({Direction.OUT}),
        text="ü",
    )
    SavedFilters(file).save("night / shift", wanted)
    assert SavedFilters(file).all() == {"night / shift": wanted}
    file.write_text(file.read_text().replace("ERROR", "x").replace('\\"error\\"', '\\"nonsense\\"'))
    assert SavedFilters(file).all() == {}


def test_rows_speak(script: Script) -> None:
    model = model_of(script.exchange("BootNotification", "1"))
    spoken = model.data(model.index(0, 0), Qt.ItemDataRole.AccessibleTextRole)
    assert "BootNotification" in str(spoken)
    assert "→ in" in str(spoken)
