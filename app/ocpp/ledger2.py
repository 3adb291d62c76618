"""Enter what an OCPP 2.0.1 or 2.1 charging station says into its books. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from app.model.reading import Samples, StateChange
from app.ocpp import ledger, v2, v16
from app.ocpp.events import Booted, EndpointEvent, MeterSampled, Transaction, TransactionStarted, TransactionStopped

if TYPE_CHECKING:
    from app.ocpp.ledger import Ledger, Taken

Given = dict[str, Any] | None
Taker = Callable[["Ledger", Mapping[str, Any], datetime, Given], "Taken"]
NOTHING: Sequence[EndpointEvent] = ()
ID_LIMIT = 36
"""transactionId (part 2 §2.48): identifierString[36]."""
ENERGY_CONTEXTS = ("Transaction.Begin", "Transaction.End")


def take(books: Ledger, version: str, action: str, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    """Enter one request (``Ledger.take``)."""
    taker = _TAKERS.get(action)
    if taker is not None:
        return taker(books, payload, now, given)
    return (v2.answer(version, action, payload, now, books.manner) if given is None else given), NOTHING


def _boot(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    boot = books.known_boot(payload, now) or v2.boot(payload, now)
    answer = v16.greeting("BootNotification", now, books.manner) if given is None else given
    books.booted(boot, payload)
    return answer, (Booted(boot=boot, status=v16.text(answer.get("status"), 20)),)


def _status(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    connector = v2.place(payload.get("evseId"), payload.get("connectorId"))
    charging = next((item for item in _running(books) if item.connector == connector), None)
    return given or {}, (books.stated(v2.status(payload, books.unit_id, now, charging.state if charging else "")),)


def _authorize(books: Ledger, payload: Mapping[str, Any], _: datetime, given: Given) -> Taken:
    token = v2.token(payload.get("idToken"))
    if given is not None:
        return given, NOTHING
    status = books.authorise(token) if token is not None else "Invalid"
    return {"idTokenInfo": v2.token_info(status)}, NOTHING


def _meter(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    # evseId 0 is the main meter (part 2 §1.32).
    values, connector = payload.get("meterValue"), v16.number(payload.get("evseId"))
    return given or {}, (metered(books, values, connector, now),)


def _transaction(books: Ledger, payload: Mapping[str, Any], now: datetime, given: Given) -> Taken:
    info = payload.get("transactionInfo")
    info = info if isinstance(info, dict) else {}
    transaction_id = v16.text(info.get("transactionId"), ID_LIMIT)
    answer = _transaction_answer(books, payload) if given is None else given
    known = books.transactions.get(transaction_id)
    events: list[EndpointEvent] = []
    values, connector = payload.get("meterValue"), v2.place_of(payload) or (known.connector if known else 0)
    if values:
        events.append(metered(books, values, connector, now, transaction_id))
    kind = payload.get("eventType")
    is_gap = _counted(books, transaction_id, payload.get("seqNo"))
    if known is not None and kind == "Updated" and not is_gap and not tells(payload, info, known):
        return answer, events
    present = _told(payload, info, known or _unknown(transaction_id, connector, now), now)
    present = replace(present, missing=len(books.counts[transaction_id].missing))
    books.keep(present)
    if known is None:
        events.insert(0, TransactionStarted(transaction=present))
    changed = _state_of(books, present, known, now)
    if changed is not None:
        events.append(books.stated(changed))
    if kind == "Ended":
        events.append(TransactionStopped(transaction=present))
    return answer, events


def _counted(books: Ledger, transaction_id: str, number: object) -> bool:
    """Enter a sequence number; says whether it came out of order."""
    count = books.counts.get(transaction_id)
    if count is None:
        # What went before the first that is heard may have gone elsewhere.
        count = books.counts[transaction_id] = ledger.Count(number if type(number) is int else 0)
    return type(number) is int and 0 <= number < 2**31 and count.heard(number)


def _transaction_answer(books: Ledger, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A token that is sent along wants its verdict (part 2 E05.FR.08); without one the answer is empty."""
    token = v2.token(payload.get("idToken"))
    return {"idTokenInfo": v2.token_info(books.authorise(token))} if token is not None else {}


def _unknown(transaction_id: str, connector: int, now: datetime) -> Transaction:
    return Transaction(transaction_id=transaction_id, connector=connector, started_at=now)


def tells(payload: Mapping[str, Any], info: Mapping[str, Any], known: Transaction) -> bool:
    """Say whether an update tells more of a transaction than its meter values."""
    state = v2.charging_state(info.get("chargingState"))
    return (
        bool(state and state != known.state)
        or (known.connector == 0 and "evse" in payload)
        or (not known.tag and "idToken" in payload)
        or (known.meter_start_wh is None and "meterValue" in payload)
        or (not known.was_offline and payload.get("offline") is True)
    )


def _told(payload: Mapping[str, Any], info: Mapping[str, Any], known: Transaction, now: datetime) -> Transaction:
    """Return a transaction with what an event adds; events may come out of order."""
    kind, at = payload.get("eventType"), v16.when(payload.get("timestamp"), now)[0]
    token = v2.token(payload.get("idToken"))
    present = replace(
        known,
        connector=known.connector or v2.place_of(payload),
        tag=known.tag or (token.value[:64] if token else ""),
        started_at=at if kind == "Started" else known.started_at,
        meter_start_wh=_start_wh(payload, known, now),
        state=v2.charging_state(info.get("chargingState")) or known.state,
        was_offline=known.was_offline or payload.get("offline") is True,
    )
    if kind != "Ended":
        return present
    end_wh = v2.register_wh(payload.get("meterValue"), ENERGY_CONTEXTS[1], now)
    return replace(
        present,
        stopped_at=at,
        meter_stop_wh=end_wh if end_wh is not None else v2.register_wh(payload.get("meterValue"), "", now),
        reason=v16.text(info.get("stoppedReason"), 50) or "Local",
    )


def _start_wh(payload: Mapping[str, Any], known: Transaction, now: datetime) -> float | None:
    begun = v2.register_wh(payload.get("meterValue"), ENERGY_CONTEXTS[0], now)
    if begun is not None or known.meter_start_wh is not None or payload.get("eventType") == "Ended":
        return begun if begun is not None else known.meter_start_wh
    return v2.register_wh(payload.get("meterValue"), "", now)


def _state_of(books: Ledger, present: Transaction, known: Transaction | None, now: datetime) -> StateChange | None:
    """Return the state of its connector as the transaction tells it: StatusNotification only says Occupied."""
    if not present.state or present.connector == 0 or not present.is_running:
        return None
    if known is not None and known.state == present.state:
        return None
    return StateChange(
        unit_id=books.unit_id, connector=present.connector, state=present.state, at=now, detail="Occupied"
    )


def _running(books: Ledger) -> list[Transaction]:
    return [item for item in books.transactions.values() if item.is_running]


def metered(
    books: Ledger, values: object, connector: int, now: datetime, transaction_id: int | str | None = None
) -> MeterSampled:
    """Enter meter values, and tell of them."""
    samples = Samples(books.unit_id, partial(v2.rows, values, now, connector))
    is_due = books.metered(samples, ledger.shape_of(connector, values), now)
    return MeterSampled(samples, transaction_id, is_due)


_TAKERS: dict[str, Taker] = {
    "BootNotification": _boot,
    "StatusNotification": _status,
    "Authorize": _authorize,
    "MeterValues": _meter,
    "TransactionEvent": _transaction,
}
