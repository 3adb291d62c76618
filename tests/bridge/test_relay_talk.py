"""Whatever units and backends write, what is learnt from it raises nothing and stays bounded."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.bridge.relay_book import MOST_RUNNING, InMemory, UnitBook
from app.bridge.relay_order import RelayOrder
from app.bridge.relay_talk import MOST_ASKED, Talk
from app.bridge.target import Target
from app.model.frame import FrameKind

ORDER = RelayOrder(unit_identity="U", target=Target(url="ws://h", identity="U", subprotocol="ocpp1.6"))
ACTIONS = ("BootNotification", "StartTransaction", "StopTransaction", "MeterValues", "StatusNotification")
KEYS = (
    *("transactionId", "connectorId", "meterStart", "timestamp", "idTag", "status", "meterValue", "sampledValue"),
    *("value", "measurand", "unit", "unitOfMeasure", "multiplier", "transactionInfo", "eventType", "evse", "id"),
    *("chargingStation", "chargePointModel", "connectorStatus", "evseId", "phase", "context"),
)
WORDS = ("Started", "Updated", "Ended", "Accepted", "1e999", "NaN", "-1", "kWh", "Energy.Active.Import.Register", "t-1")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(WORDS))
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
PAYLOADS = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@given(
    said=st.lists(st.tuples(st.sampled_from((*ACTIONS, "TransactionEvent")), PAYLOADS, PAYLOADS), max_size=6),
    version=st.sampled_from(("1.6", "2.0.1")),
)
def test_nothing_a_unit_or_a_backend_writes_upsets_the_book(said: list[tuple[str, Any, Any]], version: str) -> None:
    memory = InMemory()
    talk = Talk(UnitBook(memory))
    for number, (action, payload, answer) in enumerate(said):
        talk.unit_asks(str(number), action, json.dumps([2, str(number), action, payload]), 0.0)
        talk.backend_answers(str(number), FrameKind.RESULT, json.dumps([3, str(number), answer]), "b")
        _look(talk.book, version)
    again = UnitBook(memory)
    assert list(again.running) == list(talk.book.running), "and a restart changes nothing"
    assert not talk.asked


def _look(book: UnitBook, version: str) -> None:
    assert book.session is None or book.session.energy_wh >= 0
    assert isinstance(book.shown_state, str)
    assert sum(book.powers_w.values()) is not None
    book.boot_for(version, ORDER)


RUNNING = st.fixed_dictionaries({"number": LEAVES}, optional={"began_at": JSON, "start_wh": JSON, "connector": JSON})


@given(st.text(max_size=60) | JSON.map(json.dumps) | st.lists(RUNNING, max_size=2).map(json.dumps))
def test_a_damaged_memory_is_read_as_an_empty_one(text: str) -> None:
    memory = InMemory()
    for key in ("relay.boot", "relay.running", "relay.accepted"):
        memory.put(key, text)
    _look(UnitBook(memory), "1.6")


def test_what_is_remembered_is_bounded() -> None:
    talk = Talk(UnitBook(InMemory()))
    for number in range(MOST_ASKED + 50):
        payload = {"connectorId": number, "transactionId": number, "meterValue": []}
        talk.unit_asks(str(number), "MeterValues", json.dumps([2, str(number), "MeterValues", payload]), 0.0)
        talk.backend_asks(str(number), "Reset", 0.0)
    assert (len(talk.asked), len(talk.commands)) == (MOST_ASKED, MOST_ASKED)
    assert len(talk.book.running) <= MOST_RUNNING
