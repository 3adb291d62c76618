"""What the time stamps in a unit's messages tell: a clock that is wrong, or a past that is caught up with. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime, timedelta
from typing import Any

from app.model.observation import Backlog, Drift, Observation, UnsetClock
from app.ocpp import v16
from app.ocpp.past import Past

PAST_S = 600.0
"""A stamp so long before the connection opened is about the past, not a clock that is slow [OURS]."""
MAX_SLOW_S = 26 * 3600.0
"""The widest mistake of a time zone, with summer time and some drift [OURS]."""
DRIFT_STEP_S = 30.0
"""A drift that changed by so much is told again [OURS]."""

DATED = frozenset(
    {
        "StatusNotification",
        "MeterValues",
        "StartTransaction",
        "StopTransaction",
        "TransactionEvent",
        "SecurityEventNotification",
        "NotifyEvent",
    }
)
"""Messages with a time stamp that says when they were made."""
_QUEUED = frozenset({"MeterValues", "StartTransaction", "StopTransaction", "TransactionEvent"})
"""Messages that a unit keeps for later when it is offline (OCPP 1.6 §3.7, P2-201 E04)."""
_UNJUDGED = frozenset({"SecurityEventNotification", "NotifyEvent"})
"""Messages that may be old without being part of a session, and may be late without a wrong clock."""


class Dates:
    """Judges the stamps of one connection."""

    __slots__ = ("_drift_s", "_line", "_past", "_states")

    def __init__(self, opened_at: datetime, past: Past) -> None:
        self._line = opened_at - timedelta(seconds=PAST_S)
        self._past = past
        self._drift_s: float | None = None
        self._states: dict[Hashable, str] = {}

    def seen(self, action: str, payload: Mapping[str, Any], at: datetime, is_repeated: bool) -> list[Observation]:
        """Judge one message of those in ``DATED``."""
        stamp = _stamp(payload)
        told_at = v16.moment(stamp) if stamp else None
        found: list[Observation] = []
        if stamp and v16.is_unset(stamp):
            found.append(UnsetClock(action=action, stamp=stamp[:40], at=at))
            told_at = None
        is_past = told_at is not None and told_at < self._line + self._slowness
        is_live = not is_past
        if action == "StatusNotification":
            is_live = self._is_change(payload) or is_live
        elif action in _UNJUDGED:
            is_live = False
        if action in _QUEUED:
            is_live = is_live and payload.get("offline") is not True
            backlog = self._backlog(action, payload, stamp, at, (told_at, is_past, is_repeated))
            if backlog is not None:
                found.append(backlog)
            if backlog is not None or self._may_be_kept(action, told_at):
                is_live = False
        if told_at is not None and is_live and (drift := self._drift(action, stamp, told_at, at)) is not None:
            found.append(drift)
        return found

    def _may_be_kept(self, action: str, told_at: datetime | None) -> bool:
        """Say whether a message may have waited for the connection: it says nothing about the clock then.

        TransactionEvent says so itself (``offline``).
        """
        opened_at = self._line + timedelta(seconds=PAST_S)
        return action != "TransactionEvent" and told_at is not None and told_at < opened_at + self._slowness

    @property
    def _slowness(self) -> timedelta:
        """Return by how much its clock is known to be slow: then what it says of now looks old.

        Local time sent as UTC is the usual case; what is more than a day off may as well be a queue.
        """
        drift_s = self._drift_s or 0.0
        return timedelta(seconds=drift_s) if -MAX_SLOW_S < drift_s < 0 else timedelta(0)

    def is_live(self, payload: Mapping[str, Any], at: datetime) -> bool:
        """Say whether ``seen`` has nothing to say about a message's stamp and would remember nothing."""
        if self._drift_s is None:
            return False
        told_at = v16.moment(_stamp(payload))
        if told_at is None or told_at < self._line:
            return False
        return abs((told_at - at).total_seconds() - self._drift_s) < DRIFT_STEP_S

    def _drift(self, action: str, stamp: str, told_at: datetime, at: datetime) -> Drift | None:
        drift_s = (told_at - at).total_seconds()
        if self._drift_s is not None and abs(drift_s - self._drift_s) < DRIFT_STEP_S:
            return None
        self._drift_s = drift_s
        return Drift(action=action, stamp=stamp[:40], drift_s=drift_s, at=at)

    def _is_change(self, payload: Mapping[str, Any]) -> bool:
        """Say whether a connector changed its state on this connection: then it speaks of now."""
        place = (v16.number(payload.get("connectorId")), v16.number(payload.get("evseId")))
        state = v16.text(payload.get("status") or payload.get("connectorStatus"), 50)
        before = self._states.get(place)
        if before is not None or len(self._states) < 64:
            self._states[place] = state
        return before is not None and before != state

    def _backlog(
        self,
        action: str,
        payload: Mapping[str, Any],
        stamp: str,
        at: datetime,
        told: tuple[datetime | None, bool, bool],
    ) -> Backlog | None:
        told_at, is_past, is_repeated = told
        transaction, is_unknown = self._transaction(action, payload)
        if is_past or _is_edge(action, payload):
            is_repeated = self._past.told_again(_mark(action, transaction, stamp, payload)) or is_repeated
        if not (is_past or is_unknown or is_repeated or payload.get("offline") is True):
            return None
        return Backlog(
            action=action,
            stamp=stamp[:40],
            age_s=(at - told_at).total_seconds() if told_at is not None else 0.0,
            transaction=transaction,
            is_unknown=is_unknown,
            is_repeated=is_repeated,
            at=at,
        )

    def _transaction(self, action: str, payload: Mapping[str, Any]) -> tuple[str, bool]:
        """Return the transaction a message names, and whether it did not begin with us.

        Of a strange one that goes on, only the first meter message is worth a word.
        """
        if action == "TransactionEvent":
            info = payload.get("transactionInfo")
            name = v16.text(info.get("transactionId"), 36) if isinstance(info, dict) else ""
            if payload.get("eventType") == "Started" and name:
                self._past.begun(name)
        else:
            name = v16.text(payload.get("transactionId"), 36)
        if not name or action == "StartTransaction":
            return name, False
        is_first = self._past.is_new(name)
        if is_first:
            self._past.begun(name, is_ours=False)
        if self._past.is_ours(name):
            return name, False
        return name, is_first or _is_edge(action, payload)


def _is_edge(action: str, payload: Mapping[str, Any]) -> bool:
    """Say whether a message begins or ends a transaction."""
    return action in ("StartTransaction", "StopTransaction") or payload.get("eventType") in ("Started", "Ended")


def _mark(action: str, transaction: str, stamp: str, payload: Mapping[str, Any]) -> Hashable:
    """Return what makes two messages of a session the same, small."""
    counter = v16.text(payload.get("meterStart", payload.get("meterStop")), 20)
    number = v16.number(payload.get("seqNo"))
    return action, transaction, stamp[:40], v16.text(payload.get("eventType"), 10), number, counter


def _stamp(payload: Mapping[str, Any]) -> str:
    """Return the stamp that counts: the message's own, else the first of its meter values."""
    stamp = payload.get("timestamp", payload.get("generatedAt"))
    return stamp if isinstance(stamp, str) else next(v16.stamps(payload), "")
