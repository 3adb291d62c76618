"""What passes through a relay: who waits for which answer, and what that says about the unit. Pure.

Ids are those of the two sides and never changed. What the bridge asks by itself has ids of its own; their answers go to
nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.bridge.message import new_uid
from app.bridge.relay_book import Running, UnitBook, started
from app.model.frame import FrameKind
from app.model.reading import Measurand
from app.ocpp import v2, v16
from app.ocpp.frame import Call, Result, Send, decode, head

ANSWERS = (FrameKind.RESULT, FrameKind.ERROR, FrameKind.RESULT_ERROR)
MOST_ASKED = 256
"""Requests remembered in one direction; the standard allows one at a time (OCPP-J 1.6 §4.1.1)."""
FORGOTTEN_S = 120.0
"""A request this old will not be answered any more [OURS]; units give up after 30 to 60 s."""
_READ = frozenset(
    {
        "BootNotification",
        "StartTransaction",
        "StopTransaction",
        "MeterValues",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""Requests of a unit whose content is looked at; all others pass unread."""
_OF_TRANSACTIONS = _READ - {"BootNotification", "StatusNotification"}
LONGEST_NUMBER = 64
"""Longest number of a transaction that is remembered; 2.x allows 36 characters (P2-201 §2.48)."""
_UNDATED = datetime.fromtimestamp(0, UTC)


def headed(text: str) -> tuple[FrameKind, str, str]:
    """Tell kind, message id and action of a text from its beginning, the id without its JSON escapes."""
    kind, uid, action = head(text)
    if "\\" in uid:
        try:
            uid = json.loads(f'"{uid}"')
        except ValueError:
            return kind, uid, action
    return kind, uid, action


@dataclass(slots=True)
class Asked:
    """A request on its way. ``payload`` only where its content counts."""

    action: str
    at_s: float
    payload: Mapping[str, Any] | None = None


class Talk:
    """The requests of one unit and its backend that wait for answers."""

    def __init__(self, book: UnitBook) -> None:
        self.book = book
        self.asked: dict[str, Asked] = {}
        """By the unit."""
        self.commands: dict[str, Asked] = {}
        """By the backend."""
        self.own_up: dict[str, str] = {}
        """By the bridge, of the backend: id → action."""
        self.own_down: dict[str, str] = {}
        """By the bridge, of the unit."""
        self.is_refused = False
        """The backend answered the unit's last Boot with Pending or Rejected."""
        self._stale: dict[str, None] = {}

    def new_uid(self) -> str:
        """Return an id that neither side uses."""
        while (uid := new_uid()) in self.asked or uid in self.commands:
            pass
        return uid

    # The unit speaks ------------------------------------------------------------------------------------------------

    def unit_asks(self, uid: str, action: str, text: str, at_s: float) -> None:
        """Note a request that is being passed on to the backend."""
        payload = _payload(text) if action in _READ else None
        _put(self.asked, uid, Asked(action, at_s, payload))
        if payload is not None:
            self._learn(action, payload)

    def unit_answers(self, uid: str) -> str:
        """Note an answer for the backend; return the action it belongs to."""
        asked = self.commands.pop(uid, None)
        return asked.action if asked is not None else ""

    def is_stale(self, uid: str) -> bool:
        """Say whether an answer belongs to a line that is gone: the backend has forgotten what it asked there."""
        if uid in self._stale and uid not in self.commands:
            del self._stale[uid]
            return True
        return False

    # The backend speaks ---------------------------------------------------------------------------------------------

    def backend_asks(self, uid: str, action: str, at_s: float) -> None:
        """Note a command that is being passed on to the unit."""
        self._stale.pop(uid, None)
        _put(self.commands, uid, Asked(action, at_s))

    def backend_answers(self, uid: str, kind: FrameKind, text: str, backend: str) -> str:
        """Note an answer for the unit; return the action it belongs to."""
        asked = self.asked.pop(uid, None)
        if asked is None:
            return ""
        self.book.delivered += asked.action in _OF_TRANSACTIONS
        if kind is FrameKind.RESULT and asked.payload is not None:
            self._settled(asked.action, asked.payload, text, backend)
        return asked.action

    def line_lost(self) -> None:
        """Forget what belonged to the line to the backend."""
        self._stale = dict.fromkeys(list({**self._stale, **self.commands})[-MOST_ASKED:])
        self.commands.clear()
        self.asked.clear()
        self.own_up.clear()

    # Where things stand ---------------------------------------------------------------------------------------------

    @property
    def is_owed(self) -> bool:
        """Say whether the unit waits for an answer of which nobody knows whether the backend gave it."""
        return bool(self.asked)

    def is_quiet(self, now_s: float) -> bool:
        """Say whether nobody waits for anybody."""
        waiting = (*self.asked.values(), *self.commands.values())
        return not self.own_up and not self.own_down and all(now_s - one.at_s > FORGOTTEN_S for one in waiting)

    # Inside ---------------------------------------------------------------------------------------------------------

    def _learn(self, action: str, payload: Mapping[str, Any]) -> None:
        """Learn what the unit says whether or not it is answered."""
        book = self.book
        if action == "BootNotification":
            book.booted(dict(payload))
        elif action == "StatusNotification":
            status = payload.get("status", payload.get("connectorStatus"))
            connector = payload.get("evseId", payload.get("connectorId"))
            if isinstance(connector, int) and isinstance(status, str):
                book.state(connector, status)
        elif action == "MeterValues":
            self._running(payload.get("transactionId"), payload)
        elif action == "TransactionEvent":
            info = payload.get("transactionInfo")
            number = info.get("transactionId") if isinstance(info, dict) else None
            self._running(number, payload, is_new=payload.get("eventType") in ("Started", "Updated"))

    def _running(self, number: object, payload: Mapping[str, Any], *, is_new: bool = True) -> None:
        """Know a transaction by what is said of it, also one that began before the bridge came."""
        name = str(number) if isinstance(number, str | int) and not isinstance(number, bool) else ""
        known = self.book.running.get(name)
        evse = payload.get("evse")
        found = evse.get("id") if isinstance(evse, dict) else payload.get("connectorId")
        connector = found if isinstance(found, int) else known.connector if known is not None else 0
        if known is None and is_new and 0 < len(name) <= LONGEST_NUMBER:
            at = str(payload.get("timestamp", ""))[:40]
            self.book.began(Running(number=name, connector=connector, began_at=at))
        self.book.metered(name, connector, *_measured(payload))

    def _settled(self, action: str, payload: Mapping[str, Any], text: str, backend: str) -> None:
        """Learn from an answer of the backend."""
        answer = decode(text)
        if not isinstance(answer, Result):
            return
        if action == "BootNotification":
            self.is_refused = answer.payload.get("status") != "Accepted"
            if not self.is_refused:
                self.book.accepted(backend)
        elif action == "StartTransaction" and isinstance(number := answer.payload.get("transactionId"), int):
            self.book.began(started(payload, number))
        elif action == "StopTransaction":
            self.book.ended(str(payload.get("transactionId")))
        elif action == "TransactionEvent" and payload.get("eventType") == "Ended":
            info = payload.get("transactionInfo")
            self.book.ended(str(info.get("transactionId")) if isinstance(info, dict) else "")


def _measured(payload: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the last energy register in Wh and the last power in W, of all phases, that a message tells."""
    if "meterValue" not in payload:
        return None, None
    is_new = "transactionInfo" in payload
    found = v2.rows(payload["meterValue"], _UNDATED, 0) if is_new else v16.rows(payload, _UNDATED, 0)
    whole = {measurand: value for measurand, value, _, _, phase in found if not phase}
    return whole.get(Measurand.ENERGY), whole.get(Measurand.POWER)


def _payload(text: str) -> Mapping[str, Any] | None:
    call = decode(text)
    return call.payload if isinstance(call, Call) and not isinstance(call, Send) else None


def _put(waiting: dict[str, Asked], uid: str, asked: Asked) -> None:
    waiting[uid] = asked
    if len(waiting) > MOST_ASKED:
        del waiting[next(iter(waiting))]
