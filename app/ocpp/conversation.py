"""Match calls and answers of one OCPP-J connection. Pure: time comes in as a number of seconds.

States of an outgoing call::

    call() ──► waiting ──received──► answered | refused
                   └────expired────► timed out ──received──► late (noted, dropped)
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from app.ocpp.frame import Call, Error, Malformed, Message, Result, decode, encode_call

REMEMBERED = 64
"""How many answered requests, and how many timed out calls, are remembered for repetitions and late answers."""


@dataclass(slots=True)
class Asked:
    """The peer asks. ``reply`` is set where this very request was answered before: send it again, do nothing."""

    call: Call
    text: str
    reply: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Answered:
    """The peer answered our call."""

    uid: str
    action: str
    request: dict[str, Any]
    payload: dict[str, Any]
    took_s: float
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class RefusedCall:
    """The peer answered our call with a CALLERROR."""

    uid: str
    action: str
    request: dict[str, Any]
    error: Error
    took_s: float
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Stray:
    """An answer nobody waits for: unsolicited, repeated, or late. ``action`` is known for late ones."""

    message: Result | Error
    action: str
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Broken:
    """A text that is no message."""

    malformed: Malformed
    notes: tuple[str, ...] = ()


Event = Asked | Answered | RefusedCall | Stray | Broken


@dataclass(slots=True)
class _Waiting:
    action: str
    payload: dict[str, Any]
    sent_s: float
    until_s: float


class Conversation:
    """Everything one connection must remember about who asked what."""

    def __init__(self, *, prefix: str = "") -> None:
        self._numbers = itertools.count(1)
        self._prefix = prefix
        self._waiting: dict[str, _Waiting] = {}
        self._late: OrderedDict[str, str] = OrderedDict()
        self._replies: OrderedDict[str, tuple[int, str | None]] = OrderedDict()

    def call(self, action: str, payload: dict[str, Any], now_s: float, *, timeout_s: float) -> tuple[str, str]:
        """Register an outgoing call; returns its id and the text to send."""
        uid = f"{self._prefix}{next(self._numbers)}"
        text = encode_call(uid, action, payload)
        self._waiting[uid] = _Waiting(action, payload, now_s, now_s + timeout_s)
        return uid, text

    def forget(self, uid: str) -> None:
        """Stop waiting for an answer; should it still come, it is late."""
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            self._late[uid] = waiting.action
            if len(self._late) > REMEMBERED:
                self._late.popitem(last=False)

    def received(self, text: str, now_s: float) -> Event:
        """Take in one text."""
        return self.sorted_in(decode(text), text, now_s)

    def sorted_in(self, message: Message, text: str, now_s: float) -> Event:
        """Take in one decoded message."""
        if type(message) is Call:
            return self._asked(message, text)
        if type(message) is Malformed:
            return Broken(message, message.notes)
        assert isinstance(message, Result | Error)
        return self._answered(message, now_s)

    def replied(self, call: Call, text: str, reply: str) -> None:
        """Remember what a request was answered, for the case that the peer repeats it."""
        if call.uid in self._replies:
            self._replies[call.uid] = (hash(text), reply)

    def action_of(self, uid: str) -> str:
        """Return the action of a call of ours that waits or is late, else an empty text."""
        waiting = self._waiting.get(uid)
        return waiting.action if waiting else self._late.get(uid, "")

    def deadline(self) -> float | None:
        """Return when the next waiting call expires."""
        return min((waiting.until_s for waiting in self._waiting.values()), default=None)

    def expired(self, now_s: float) -> list[str]:
        """Give up the calls whose time has come and return their ids."""
        over = [uid for uid, waiting in self._waiting.items() if waiting.until_s <= now_s]
        for uid in over:
            self.forget(uid)
        return over

    def _asked(self, call: Call, text: str) -> Asked:
        before = self._replies.get(call.uid)
        if before is not None and before[0] == hash(text):
            return Asked(call, text, before[1], (*call.notes, "REPEATED"))
        notes = call.notes if before is None else (*call.notes, "ID-REUSED")
        self._replies[call.uid] = (hash(text), None)
        if len(self._replies) > REMEMBERED:
            self._replies.popitem(last=False)
        return Asked(call, text, None, notes)

    def _answered(self, message: Result | Error, now_s: float) -> Event:
        waiting = self._waiting.pop(message.uid, None)
        if waiting is None:
            action = self._late.pop(message.uid, "")
            return Stray(message, action, (*message.notes, "LATE" if action else "UNSOLICITED"))
        took_s = now_s - waiting.sent_s
        if isinstance(message, Result):
            return Answered(message.uid, waiting.action, waiting.payload, message.payload, took_s, message.notes)
        return RefusedCall(message.uid, waiting.action, waiting.payload, message, took_s, message.notes)
