"""What a charge point told us so far: boot, states, transactions. Pure; survives its connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.model.frame import Boot
from app.model.reading import Measurand, Reading, Samples, StateChange
from app.ocpp import ledger2, ledger16, v16
from app.ocpp.events import EndpointEvent, IdToken, StatusChanged, Transaction, TransactionStarted
from app.ocpp.manner import USUAL, Manner

MAX_CONNECTORS = 64
MAX_TRANSACTIONS = 200
MAX_LATEST = 500
MAX_MISSING = 200
"""Sequence numbers of one transaction that are kept as missing."""
MAX_SHAPES = 8
"""Kinds of meter messages of which the newest is kept unread."""
DUE_A_SECOND = 10
"""Further readings of a kind within one second stay in their frame: curves are drawn ten times a second [OURS]."""

Taken = tuple[dict[str, Any] | None, Sequence[EndpointEvent]]
Place = tuple[int, Measurand, str]


class Count:
    """The sequence numbers of one transaction: the last, and those that were skipped (P2-201 §1.60: seqNo)."""

    __slots__ = ("last", "missing")

    def __init__(self, first: int) -> None:
        self.last = first - 1
        self.missing: set[int] = set()

    def is_in_order(self, number: int) -> bool:
        """Say whether a number neither leaves a gap nor fills one."""
        return number <= self.last + 1 and number not in self.missing

    def heard(self, number: int) -> bool:
        """Enter a number; says whether it came out of order, so that something is (or is no longer) missing."""
        if number == self.last + 1:
            self.last = number
            return False
        if number > self.last:
            self.missing.update(range(self.last + 1, min(number, self.last + 1 + MAX_MISSING - len(self.missing))))
            self.last = number
            return True
        if number in self.missing:
            self.missing.discard(number)
            return True
        return False


class Ledger:
    """The books of one identity. ``take`` enters a request and says what to answer and what happened."""

    def __init__(
        self,
        unit_id: str,
        next_transaction: Callable[[], int],
        *,
        manner: Manner = USUAL,
        authorise: Callable[[IdToken], str] = lambda _: "Accepted",
    ) -> None:
        self.unit_id = unit_id
        self.manner = manner
        self.authorise = authorise
        self.next_transaction = next_transaction
        self.boot: Boot | None = None
        self._boot_payload: Mapping[str, Any] | None = None
        self.statuses: dict[int, StateChange] = {}
        self.transactions: dict[int | str, Transaction] = {}
        self.counts: dict[str, Count] = {}
        """The sequence numbers of running transactions (2.x)."""
        self._latest: dict[Place, Reading] = {}
        self._unread: dict[object, Samples] = {}
        self._due: dict[object, tuple[int, int]] = {}

    def take(
        self,
        action: str,
        payload: Mapping[str, Any],
        now: datetime,
        *,
        version: str = "1.6",
        given: dict[str, Any] | None = None,
    ) -> Taken:
        """Enter one request; the answer is ``None`` where that version knows none from a central system.

        ``given`` is the answer where somebody else has given it: what it grants is entered.
        """
        if version == "1.6":
            return ledger16.take(self, action, payload, now, given)
        return ledger2.take(self, version, action, payload, now, given)

    @property
    def latest(self) -> Mapping[Place, Reading]:
        """Return the newest reading of each connector, measurand and phase."""
        self.settle()
        return self._latest

    def settle(self) -> None:
        """Read what was kept unread, and let go of the messages."""
        unread, self._unread = self._unread, {}
        for samples in unread.values():
            self._read(samples)

    def booted(self, boot: Boot, payload: Mapping[str, Any]) -> None:
        """Enter a BootNotification."""
        if payload != self._boot_payload:
            self._boot_payload = payload if v16.is_small(payload) else None
        self.boot = boot

    def known_boot(self, payload: Mapping[str, Any], now: datetime) -> Boot | None:
        """Return the last BootNotification, as of now, if this is the same again."""
        return replace(self.boot, at=now) if self.boot is not None and payload == self._boot_payload else None

    def stated(self, change: StateChange) -> StatusChanged:
        """Enter a connector's state."""
        if change.connector in self.statuses or len(self.statuses) < MAX_CONNECTORS:
            self.statuses[change.connector] = change
        return StatusChanged(change=change)

    def metered(self, samples: Samples, shape: object, now: datetime) -> bool:
        """Enter readings, unread, and say whether they are due (``MeterSampled.is_due``).

        ``shape`` tells which earlier ones they make obsolete (``None`` = unknown).
        """
        if shape is None:
            self._read(samples)
            return True
        self._unread.pop(shape, None)  # to the end: the newest is read last
        self._unread[shape] = samples
        if len(self._unread) > MAX_SHAPES:
            self._read(self._unread.pop(next(iter(self._unread))))
        second = now.second
        of, count = self._due.get(shape, (second, 0))
        if of != second:
            count = 0
        elif count >= DUE_A_SECOND:
            return False
        if len(self._due) > MAX_SHAPES:
            self._due.clear()
        self._due[shape] = (second, count + 1)
        return True

    def open(self, transaction: Transaction) -> TransactionStarted:
        """Enter a transaction that begins, or is heard of for the first time."""
        self.keep(transaction)
        return TransactionStarted(transaction=transaction)

    def keep(self, transaction: Transaction) -> None:
        """Enter what is known of a transaction now."""
        self.transactions[transaction.transaction_id] = transaction
        while len(self.transactions) > MAX_TRANSACTIONS:
            oldest = next((key for key, item in self.transactions.items() if not item.is_running), None)
            gone = oldest if oldest is not None else next(iter(self.transactions))
            del self.transactions[gone]
            self.counts.pop(str(gone), None)

    def _read(self, samples: Samples) -> None:
        for reading in samples:
            place = (reading.connector, reading.measurand, reading.phase)
            if place in self._latest or len(self._latest) < MAX_LATEST:
                self._latest[place] = reading


def shape_of(connector: int, meter_values: Any) -> object:
    """Tell meter messages apart by how much they measure, and by what comes first and last; ``None`` = unknown."""
    try:
        (value,) = meter_values
        samples = value["sampledValue"]
        first, last = samples[0], samples[-1]
        shape = (
            connector,
            len(samples),
            first.get("measurand"),
            first.get("phase"),
            last.get("measurand"),
            last.get("phase"),
        )
        hash(shape)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None
    return shape
