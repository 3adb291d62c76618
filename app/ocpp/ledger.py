"""What a charge point told us so far: boot, states, transactions. Pure; survives its connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.model.frame import Boot
from app.model.reading import Measurand, Reading, StateChange
from app.ocpp import v16
from app.ocpp.events import (
    Booted,
    EndpointEvent,
    Heard,
    MeterSampled,
    StatusChanged,
    Transaction,
    TransactionStarted,
    TransactionStopped,
)

MAX_CONNECTORS = 64
MAX_TRANSACTIONS = 200
MAX_LATEST = 500

Taken = tuple[dict[str, Any] | None, list[EndpointEvent]]


class Ledger:
    """The books of one identity. ``take`` enters a request and says what to answer and what happened."""

    def __init__(self, unit_id: str, next_transaction: Callable[[], int]) -> None:
        self.unit_id = unit_id
        self.boot: Boot | None = None
        self.statuses: dict[int, StateChange] = {}
        self.transactions: dict[int | str, Transaction] = {}
        self.latest: dict[tuple[int, Measurand, str], Reading] = {}
        """The newest reading of each connector, measurand and phase."""
        self._next_transaction = next_transaction
        self._takers: dict[str, Callable[[Mapping[str, Any], datetime], Taken]] = {
            "BootNotification": self._boot,
            "StatusNotification": self._status,
            "MeterValues": self._meter,
            "StartTransaction": self._start,
            "StopTransaction": self._stop,
        }

    def take(self, action: str, payload: Mapping[str, Any], now: datetime) -> Taken:
        """Enter one request; the answer is ``None`` where 1.6 knows none from a central system."""
        taker = self._takers.get(action)
        if taker is None:
            return v16.answer(action, now), [Heard(action=action, payload=payload)]
        answer, events = taker(payload, now)
        return answer, [Heard(action=action, payload=payload), *events]

    def _boot(self, payload: Mapping[str, Any], now: datetime) -> Taken:
        self.boot = v16.boot(payload, now)
        return v16.answer("BootNotification", now), [Booted(boot=self.boot)]

    def _status(self, payload: Mapping[str, Any], now: datetime) -> Taken:
        change = v16.status(payload, self.unit_id, now)
        if change.connector in self.statuses or len(self.statuses) < MAX_CONNECTORS:
            self.statuses[change.connector] = change
        return {}, [StatusChanged(change=change)]

    def _meter(self, payload: Mapping[str, Any], now: datetime) -> Taken:
        connector = v16.number(payload.get("connectorId"))
        events: list[EndpointEvent] = []
        transaction_id = v16.number(payload.get("transactionId")) if "transactionId" in payload else None
        if transaction_id is not None and transaction_id not in self.transactions:
            # Some units send meter values of a session begun before they came to us (evcc: recover the id).
            events.append(self._open(Transaction(transaction_id=transaction_id, connector=connector, started_at=now)))
        readings = self._remember(v16.readings(payload, self.unit_id, now))
        events.append(MeterSampled(readings=readings, transaction_id=transaction_id))
        return {}, events

    def _start(self, payload: Mapping[str, Any], now: datetime) -> Taken:
        at, _ = v16.when(payload.get("timestamp"), now)
        connector, tag = v16.number(payload.get("connectorId")), v16.text(payload.get("idTag"), 64)
        meter_wh = v16.quantity(payload.get("meterStart"))
        for known in self.transactions.values():
            told = (known.connector, known.tag, known.started_at, known.meter_start_wh)
            if told == (connector, tag, at, meter_wh):
                return v16.answer("StartTransaction", now, transaction_id=known.transaction_id), []
        transaction = Transaction(
            transaction_id=self._next_transaction(),
            connector=connector,
            tag=tag,
            started_at=at,
            meter_start_wh=meter_wh,
        )
        answer = v16.answer("StartTransaction", now, transaction_id=transaction.transaction_id)
        return answer, [self._open(transaction)]

    def _stop(self, payload: Mapping[str, Any], now: datetime) -> Taken:
        transaction_id = v16.number(payload.get("transactionId"))
        known = self.transactions.get(transaction_id) or Transaction(transaction_id=transaction_id, connector=1)
        stopped = replace(
            known,
            stopped_at=v16.when(payload.get("timestamp"), now)[0],
            meter_stop_wh=v16.quantity(payload.get("meterStop")),
            reason=v16.text(payload.get("reason"), 50) or "Local",
        )
        self._keep(stopped)
        events: list[EndpointEvent] = []
        readings = self._remember(v16.readings(payload, self.unit_id, now, connector=known.connector))
        if readings:
            events.append(MeterSampled(readings=readings, transaction_id=transaction_id))
        return {}, [*events, TransactionStopped(transaction=stopped)]

    def _remember(self, readings: list[Reading]) -> tuple[Reading, ...]:
        for reading in readings:
            place = (reading.connector, reading.measurand, reading.phase)
            if place in self.latest or len(self.latest) < MAX_LATEST:
                self.latest[place] = reading
        return tuple(readings)

    def _open(self, transaction: Transaction) -> TransactionStarted:
        self._keep(transaction)
        return TransactionStarted(transaction=transaction)

    def _keep(self, transaction: Transaction) -> None:
        self.transactions[transaction.transaction_id] = transaction
        while len(self.transactions) > MAX_TRANSACTIONS:
            oldest = next((key for key, item in self.transactions.items() if not item.is_running), None)
            del self.transactions[oldest if oldest is not None else next(iter(self.transactions))]
