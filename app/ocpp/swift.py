"""The short way for what healthy units say all day: Heartbeat, meter values, and the same Boot again.

A request takes it only where nothing about it is worth a word: strict JSON, valid by its schema, a new id, a live time
stamp, a transaction that is known, a unit that is accepted and treated as usual, nobody else to answer. Everything
else goes the whole way (``reception``), and so does every first one of its kind. Both ways lead to the same frames,
books, events and answers; a test sends the same talk both ways and compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from app.errors import LinkLost
from app.model.reading import Row, Samples
from app.ocpp import ledger2, schema, v2, v16
from app.ocpp.events import Booted, EndpointEvent, Heard, MeterSampled
from app.ocpp.frame import MAX_UID, encode_result
from app.ocpp.ledger import shape_of
from app.ocpp.lenient import MAX_DEPTH
from app.ocpp.listener import Text
from app.ocpp.reception import Reception
from app.ocpp.registration import ACCEPTED

LONGEST = 8_192
"""Characters; longer ones have time for the whole way."""

Taken = tuple[dict[str, Any], EndpointEvent | None] | None
"""The answer and what happened; ``None`` where the whole way must be gone. Then nothing was done."""


class SwiftReception(Reception):
    """A reception that knows the short way."""

    def received(self, texts: list[Text]) -> None:
        """Take the messages that came together."""
        at = self.last_heard_at = self._host.now()
        for text in texts:
            if text.notes or not self._is_swift(text.text, at):
                self._one(text, at)

    def _is_swift(self, text: str, at: datetime) -> bool:
        """Take a request the short way; false where it is not one of those: then nothing was done."""
        if len(text) > LONGEST or not self._turn.is_free or text.count("[") + text.count("{") > MAX_DEPTH:
            return False
        try:
            message = orjson.loads(text)
        except ValueError:
            return False
        if type(message) is not list or len(message) != 4 or type(message[2]) is not str:
            return False
        kind, uid, action, payload = message
        way = _WAYS.get((self.ear.version, action))
        if way is None or kind != 2 or type(kind) is not int or type(payload) is not dict or not self._is_plain(action):
            return False
        if type(uid) is not str or not 0 < len(uid) <= MAX_UID or not self.ear.is_new(uid):
            return False
        taken = way(self, payload, text, at)
        if taken is None:
            return False
        self._reply_swiftly(text, uid, action, payload, taken, at)
        return True

    def _reply_swiftly(
        self,
        text: str,
        uid: str,
        action: str,
        payload: Mapping[str, Any],
        taken: tuple[dict[str, Any], EndpointEvent | None],
        at: datetime,
    ) -> None:
        answer, event = taken
        reply = encode_result(uid, answer)
        self.ear.swift(text, uid, action, reply)
        try:
            self._channel.send(reply)
        except LinkLost:
            self._tap.publish_in(text, uid, action, at)
        else:
            self._tap.publish_pair(text, reply, uid, action, at)
        if type(event) is MeterSampled and event.is_due:
            self._host.samples.publish(event.samples)
        if self.events.is_heard:
            heard = Heard(action=action, payload=payload)
            self.events.publish_all((heard,) if event is None else (heard, event))

    def _is_plain(self, action: str) -> bool:
        """Say whether the unit is accepted and treated as usual, and nobody else answers."""
        manner, host = self._manner, self._host
        return (
            self.ear.is_at_ease
            and self._tap.is_open
            and not manner.withheld
            and manner.answer_delay_s <= 0
            and manner.boot_status == ACCEPTED
            and action not in host.answerers
            and action not in host.repliers
        )


def _beat(unit: SwiftReception, payload: Mapping[str, Any], _: str, at: datetime) -> Taken:
    return None if payload else (v16.greeting("Heartbeat", at, unit.ledger.manner), None)


def _boot(unit: SwiftReception, payload: Mapping[str, Any], _: str, at: datetime) -> Taken:
    """The very same Boot again, of a unit about which nothing was found: discovery knows all of it."""
    boot = unit.ledger.known_boot(payload, at)
    if unit.findings or boot is None or not unit.ear.boots_alike(payload):
        return None
    unit.ear.boots_again(boot, at)
    unit.ledger.booted(boot, payload)
    return v16.greeting("BootNotification", at, unit.ledger.manner), Booted(boot=boot, status=ACCEPTED)


def _meter(unit: SwiftReception, payload: dict[str, Any], text: str, at: datetime) -> Taken:
    transaction = payload.get("transactionId")
    if transaction is not None and type(transaction) is not int:
        return None
    if transaction is not None and (transaction not in unit.ledger.transactions or not unit.ear.knows(transaction)):
        return None
    if not unit.ear.is_live(payload, at) or not schema.is_valid("1.6", "MeterValues", payload, is_request=True):
        return None
    connector, values = v16.number(payload.get("connectorId")), payload.get("meterValue")
    samples = Samples(unit.unit_id, partial(_rows16, text, at, connector))
    return {}, MeterSampled(samples, transaction, unit.ledger.metered(samples, shape_of(connector, values), at))


def _event(unit: SwiftReception, payload: dict[str, Any], text: str, at: datetime) -> Taken:
    info = payload.get("transactionInfo")
    if payload.get("eventType") != "Updated" or type(info) is not dict or "idToken" in payload:
        return None
    name = info.get("transactionId")
    known = unit.ledger.transactions.get(name) if type(name) is str else None
    if known is None or ledger2.tells(payload, info, known) or payload.get("offline") is True:
        return None
    if not unit.ear.knows(name) or not unit.ear.is_live(payload, at):
        return None
    number, count = payload.get("seqNo"), unit.ledger.counts.get(str(name))
    if type(number) is not int or count is None or not count.is_in_order(number):
        return None
    if not schema.is_valid(unit.ear.version, "TransactionEvent", payload, is_request=True):
        return None
    count.heard(number)
    values, connector = payload.get("meterValue"), known.connector
    if not values:
        return {}, None
    samples = Samples(unit.unit_id, partial(_rows2, text, at, connector))
    return {}, MeterSampled(samples, name, unit.ledger.metered(samples, shape_of(connector, values), at))


def _rows16(text: str, at: datetime, connector: int) -> list[Row]:
    """Read the values out of the text: what was parsed is not kept, its hundred small parts cost more than that."""
    return v16.rows(orjson.loads(text)[3], at, connector)


def _rows2(text: str, at: datetime, connector: int) -> list[Row]:
    return v2.rows(orjson.loads(text)[3].get("meterValue"), at, connector)


_WAYS: dict[tuple[str, str], Callable[[SwiftReception, dict[str, Any], str, datetime], Taken]] = {
    ("1.6", "Heartbeat"): _beat,
    ("2.0.1", "Heartbeat"): _beat,
    ("2.1", "Heartbeat"): _beat,
    ("1.6", "BootNotification"): _boot,
    ("1.6", "MeterValues"): _meter,
    ("2.0.1", "TransactionEvent"): _event,
    ("2.1", "TransactionEvent"): _event,
}
