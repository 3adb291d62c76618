"""Enter what an OCPP 1.6 charge point says into its books. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from app.model.reading import Samples
from app.ocpp import ledger, v16
from app.ocpp.events import Booted, EndpointEvent, IdToken, MeterSampled, Transaction, TransactionStopped

if TYPE_CHECKING:
    from app.ocpp.ledger import Ledger, Taken

Given = dict[str, Any] | None
Taker = Callable[["Ledger", Mapping[str, Any], datetime, Given], "Taken"]
NOTHING: Sequence[EndpointEvent] = ()


def take(books: Ledger, action: str, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    """Enter one request (``Ledger.take``)."""
    taker = _TAKERS.get(action)
    if taker is not None:
        return taker(books, payload, now, given)
    return (v16.answer(action, now, manner=books.manner) if given is None else given), NOTHING


def _boot(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    boot = books.known_boot(payload, now) or v16.boot(payload, now)
    answer = v16.greeting("BootNotification", now, books.manner) if given is None else given
    books.booted(boot, payload)
    return answer, (Booted(boot=boot, status=v16.text(answer.get("status"), 20)),)


def _status(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    return given or {}, (books.stated(v16.status(payload, books.unit_id, now)),)


def _authorize(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    if given is not None:
        return given, NOTHING
    return v16.answer("Authorize", now, token_status=_judged(books, payload)), NOTHING


def _meter(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    transaction_id = v16.number(payload["transactionId"]) if "transactionId" in payload else None
    sampled = metered(books, payload, transaction_id, now)
    if transaction_id is None or transaction_id in books.transactions:
        return given or {}, (sampled,)
    # Some units send meter values of a session begun before they came to us (evcc: recover the id).
    connector = v16.number(payload.get("connectorId"))
    begun = books.open(Transaction(transaction_id=transaction_id, connector=connector, started_at=now))
    return given or {}, (begun, sampled)


def metered(books: Ledger, payload: Mapping[str, Any], transaction_id: int | None, now: datetime) -> MeterSampled:
    """Enter meter values, and tell of them."""
    connector = v16.number(payload.get("connectorId"))
    samples = Samples(books.unit_id, partial(v16.rows, payload, now, connector))
    is_due = books.metered(samples, ledger.shape_of(connector, payload.get("meterValue")), now)
    return MeterSampled(samples, transaction_id, is_due)


def _start(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    at, _ = v16.when(payload.get("timestamp"), now)
    connector, tag = v16.number(payload.get("connectorId")), v16.text(payload.get("idTag"), 64)
    meter_wh = v16.quantity(payload.get("meterStart"))
    token_status = _judged(books, payload) if given is None else ""
    for known in books.transactions.values():
        told = (known.connector, known.tag, known.started_at, known.meter_start_wh)
        if told == (connector, tag, at, meter_wh):
            return given or _started(now, token_status, known.transaction_id), NOTHING
    number = books.next_transaction() if given is None else v16.number(given.get("transactionId"))
    begun = Transaction(transaction_id=number, connector=connector, tag=tag, started_at=at, meter_start_wh=meter_wh)
    return given or _started(now, token_status, number), (books.open(begun),)


def _started(now: datetime, token_status: str, number: int | str) -> Given:
    return v16.answer("StartTransaction", now, token_status=token_status, transaction_id=number)


def _stop(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    transaction_id = v16.number(payload.get("transactionId"))
    known = books.transactions.get(transaction_id) or Transaction(transaction_id=transaction_id, connector=1)
    stopped = replace(
        known,
        stopped_at=v16.when(payload.get("timestamp"), now)[0],
        meter_stop_wh=v16.quantity(payload.get("meterStop")),
        reason=v16.text(payload.get("reason"), 50) or "Local",
    )
    books.keep(stopped)
    answer = _stop_answer(books, payload) if given is None else given
    samples = Samples(books.unit_id, partial(v16.rows, payload, now, known.connector))
    if not samples.rows:
        return answer, (TransactionStopped(transaction=stopped),)
    books.metered(samples, None, now)
    return answer, (MeterSampled(samples, transaction_id), TransactionStopped(transaction=stopped))


def _stop_answer(books: Ledger, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Who stops may show a card, which may be unknown; the transaction ends all the same (OCPP 1.6 §4.10)."""
    return {"idTagInfo": {"status": v16.known_status(_judged(books, payload))}} if payload.get("idTag") else {}


def _judged(books: Ledger, payload: Mapping[str, Any]) -> str:
    return books.authorise(IdToken(v16.text(payload.get("idTag"), 64)))


_TAKERS: dict[str, Taker] = {
    "BootNotification": _boot,
    "StatusNotification": _status,
    "Authorize": _authorize,
    "MeterValues": _meter,
    "StartTransaction": _start,
    "StopTransaction": _stop,
}
