"""Match calls and answers of one OCPP-J connection. Pure: time comes in as a number of seconds.

States of an outgoing call::

    call() ──► waiting ──received──► answered | refused
                   └────expired────► timed out ──received──► late (noted, dropped)
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from app.ocpp.frame import Call, Error, Malformed, Message, Result, Send, decode, encode_call, encode_send

REMEMBERED = 64
"""How many answered requests at least, and how many timed out calls, are remembered: they may be repeated, or late."""


@dataclass(slots=True)
class Asked:
    """The peer asks. ``reply`` is set where this very request was answered before: send it again, do nothing."""

    call: Call
    text: str
    reply: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Told:
    """The peer sends what wants no answer (SEND of OCPP 2.1)."""

    call: Send
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Objected:
    """The peer can't make sense of an answer of ours (CALLRESULTERROR of OCPP 2.1); ``action`` if still known."""

    error: Error
    action: str
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


Event = Asked | Told | Answered | RefusedCall | Objected | Stray | Broken


@dataclass(slots=True)
class _Waiting:
    action: str
    payload: dict[str, Any]
    sent_s: float
    until_s: float


@dataclass(slots=True)
class _Reply:
    """What became of a request of the peer's."""

    digest: int
    action: str
    text: str | None = None


class Conversation:
    """Everything one connection must remember about who asked what."""

    __slots__ = ("_late", "_numbers", "_older", "_prefix", "_replies", "_waiting")

    def __init__(self, *, prefix: str = "") -> None:
        self._numbers = itertools.count(1)
        self._prefix = prefix
        self._waiting: dict[str, _Waiting] = {}
        self._late: dict[str, str] = {}
        self._replies: dict[str, _Reply] = {}
        self._older: dict[str, _Reply] = {}

    def call(self, action: str, payload: dict[str, Any], now_s: float, *, timeout_s: float) -> tuple[str, str]:
        """Register an outgoing call; returns its id and the text to send."""
        uid = f"{self._prefix}{next(self._numbers)}"
        text = encode_call(uid, action, payload)
        self.called(uid, action, payload, now_s, timeout_s=timeout_s)
        return uid, text

    def called(self, uid: str, action: str, payload: dict[str, Any], now_s: float, *, timeout_s: float) -> None:
        """Register a call that somebody else has written (a trace)."""
        self._waiting[uid] = _Waiting(action, payload, now_s, now_s + timeout_s)

    def send(self, action: str, payload: dict[str, Any]) -> tuple[str, str]:
        """Write a SEND; returns its id and the text to send. Nothing is waited for."""
        uid = f"{self._prefix}{next(self._numbers)}"
        return uid, encode_send(uid, action, payload)

    def forget(self, uid: str) -> None:
        """Stop waiting for an answer; should it still come, it is late."""
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            self._late[uid] = waiting.action
            if len(self._late) > REMEMBERED:
                del self._late[next(iter(self._late))]

    def received(self, text: str, now_s: float) -> Event:
        """Take in one text."""
        return self.sorted_in(decode(text), text, now_s)

    def sorted_in(self, message: Message, text: str, now_s: float) -> Event:
        """Take in one decoded message."""
        if type(message) is Call:
            return self._asked(message, text)
        if type(message) is Malformed:
            return Broken(message, message.notes)
        if type(message) is Send:
            return Told(message, message.notes)
        assert isinstance(message, Result | Error)
        if type(message) is Error and message.is_of_result:
            reply = self._reply_of(message.uid)
            return Objected(message, reply.action if reply else "", message.notes)
        return self._answered(message, now_s)

    def replied(self, uid: str, reply: str) -> None:
        """Remember what a request was answered, for the case that the peer repeats it."""
        asked = self._reply_of(uid)
        if asked is not None:
            asked.text = reply

    def is_new(self, uid: str) -> bool:
        """Say whether no recent request of the peer's had this id."""
        return uid not in self._replies and uid not in self._older

    def exchanged(self, text: str, uid: str, action: str, reply: str) -> None:
        """Remember a new request together with its answer."""
        self._remember(uid, _Reply(hash(text), action, reply))

    def asked(self, uid: str) -> str:
        """Return the action of a recent request of the peer's, else an empty text."""
        reply = self._reply_of(uid)
        return reply.action if reply else ""

    def action_of(self, uid: str) -> str:
        """Return the action of a call of ours that waits or is late, else an empty text."""
        waiting = self._waiting.get(uid)
        return waiting.action if waiting else self._late.get(uid, "")

    def waiting_for(self, uid: str) -> tuple[str, dict[str, Any], float] | None:
        """Return action, payload and time of a call of ours that waits."""
        waiting = self._waiting.get(uid)
        return None if waiting is None else (waiting.action, waiting.payload, waiting.sent_s)

    def deadline(self) -> float | None:
        """Return when the next waiting call expires."""
        return min((waiting.until_s for waiting in self._waiting.values()), default=None)

    def expired(self, now_s: float) -> list[str]:
        """Give up the calls whose time has come and return their ids."""
        over = self.overdue(now_s)
        for uid in over:
            self.forget(uid)
        return over

    def overdue(self, now_s: float) -> list[str]:
        """Return the ids of the calls whose time has come."""
        return [uid for uid, waiting in self._waiting.items() if waiting.until_s <= now_s]

    def _asked(self, call: Call, text: str) -> Asked:
        digest = hash(text)
        before = self._reply_of(call.uid)
        if before is not None and before.digest == digest:
            return Asked(call, text, before.text, (*call.notes, "REPEATED"))
        notes = call.notes if before is None else (*call.notes, "ID-REUSED")
        self._remember(call.uid, _Reply(digest, call.action))
        return Asked(call, text, None, notes)

    def _remember(self, uid: str, reply: _Reply) -> None:
        if len(self._replies) >= REMEMBERED:
            self._older, self._replies = self._replies, {}
        self._replies[uid] = reply

    def _reply_of(self, uid: str) -> _Reply | None:
        return self._replies.get(uid) or self._older.get(uid)

    def _answered(self, message: Result | Error, now_s: float) -> Event:
        waiting = self._waiting.pop(message.uid, None)
        if waiting is None:
            action = self._late.pop(message.uid, "")
            return Stray(message, action, (*message.notes, "LATE" if action else "UNSOLICITED"))
        took_s = now_s - waiting.sent_s
        if isinstance(message, Result):
            return Answered(message.uid, waiting.action, waiting.payload, message.payload, took_s, message.notes)
        return RefusedCall(message.uid, waiting.action, waiting.payload, message, took_s, message.notes)
