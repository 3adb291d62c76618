"""What is heard and said on one connection, and what it means. Pure: every time is passed in.

The live endpoint and the replay of a trace use the same ear, so that both find the same. Three doors::

    heard(text, at)  ─► Hearing: the event, notes, schema findings, observations
    said(text, at)   ─► kind, id and action of a text of ours (a live endpoint uses ``call``, ``send``, ``replied``)
    tick(at)         ─► observations that come with time: no Boot, no status, no answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.model.finding import Finding
from app.model.frame import Boot, FrameKind, Handshake
from app.model.observation import Answered as AnswerSeen
from app.model.observation import (
    Ended,
    Observation,
    Spoken,
    Stateless,
    Unanswered,
    Unbooted,
)
from app.ocpp import masking, schema
from app.ocpp.conversation import Answered, Asked, Broken, Conversation, Event, Objected, RefusedCall, Stray, Told
from app.ocpp.dating import DATED, Dates
from app.ocpp.frame import UNKNOWN_UID, Call, Error, Malformed, Result, Send, decode, head
from app.ocpp.past import Past
from app.ocpp.registration import ACCEPTED, Registration
from app.ocpp.times import Times
from app.ocpp.versions import spoken_instead

CALL_S = 30.0
"""How long an answer may take where nobody said otherwise (``Endpoint.call``)."""
MAX_ACTIONS = 64
NOT_YET = "BEFORE-ACCEPTED"
"""Note on a request that came although Boot was not accepted."""


@dataclass(slots=True)
class Hearing:
    """What one text was. ``is_valid`` says that it obeys the schema of the version spoken."""

    event: Event
    kind: FrameKind
    uid: str
    action: str
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    observations: Sequence[Observation] = ()
    is_valid: bool = True


class Said(NamedTuple):
    """What a text of ours was."""

    kind: FrameKind
    uid: str
    action: str


class Ear:
    """One connection, heard. ``version`` changes where none was agreed and another is then spoken."""

    __slots__ = (
        "_agreed",
        "_dates",
        "_handshake",
        "_is_settled",
        "_last_call",
        "_patience",
        "_spoken",
        "_talk",
        "_told",
        "actions",
        "has_status",
        "identity",
        "opened_at",
        "past",
        "registration",
        "version",
    )

    def __init__(
        self,
        identity: str,
        version: str = "1.6",
        *,
        opened_at: datetime,
        is_agreed: bool = True,
        handshake: Handshake | None = None,
        past: Past | None = None,
        patience: Times | None = None,
        prefix: str = "",
    ) -> None:
        self.identity = identity
        self.version = version
        self.opened_at = opened_at
        self.past = past or Past()
        self.registration = Registration()
        self.has_status = False
        self.actions: dict[str, int] = {}
        """How often each request was heard."""
        self._handshake = handshake or _bare(identity, version)
        self._patience = patience or Times()
        self._talk = Conversation(prefix=prefix)
        self._dates = Dates(opened_at, self.past)
        self._agreed = version if is_agreed else ""
        self._is_settled = is_agreed
        self._spoken: set[tuple[str, str]] | None = None
        self._last_call: tuple[str, datetime, str] | None = None
        self._told: set[type[Observation]] | None = None

    @property
    def boot(self) -> Boot | None:
        """Return what it said of itself on this connection."""
        return self.registration.boot

    @property
    def boot_status(self) -> str:
        """Return what its last Boot was answered; empty before the first."""
        return self.registration.status

    # What the unit says -------------------------------------------------------------------------------------------

    def heard(self, text: str, at: datetime, notes: tuple[str, ...] = ()) -> Hearing:
        """Take in one text of the unit's."""
        event = self._talk.sorted_in(decode(text), text, at.timestamp())
        notes = notes + event.notes
        if type(event) is Asked:
            return self._request(event, event.call, FrameKind.CALL, at, notes)
        if isinstance(event, Told):
            return self._request(event, event.call, FrameKind.SEND, at, notes)
        if isinstance(event, Answered | RefusedCall):
            return self._answer(event, at, notes, len(text))
        return _loose(event, notes)

    def _request(
        self, event: Asked | Told, call: Call, kind: FrameKind, at: datetime, notes: tuple[str, ...]
    ) -> Hearing:
        action, payload = call.action, call.payload
        self._count(action)
        is_valid = schema.is_valid(self.version, action, payload, is_request=True)
        observations: list[Observation] = []
        if not is_valid or (kind is FrameKind.SEND and self.version != "2.1"):
            self._hear_version(action, payload, at, kind is FrameKind.SEND, observations)
            is_valid = schema.is_valid(self.version, action, payload, is_request=True)
        elif not self._is_settled and payload:
            self._is_settled = True
        findings: tuple[Finding, ...] = ()
        if not is_valid:
            is_known = action in schema.actions(self.version)
            notes = (*notes, "SCHEMA" if is_known else "UNKNOWN-ACTION")
            findings = schema.findings(self.version, action, payload, is_request=True) if is_known else ()
        if self.registration.is_unwanted(action):
            notes = (*notes, NOT_YET)
        is_new = "REPEATED" not in notes
        if action == "BootNotification":
            observations += self.registration.heard(self._handshake, self.version, payload, at)
        elif action in DATED:
            self.has_status = self.has_status or action == "StatusNotification"
            observations += self._dates.seen(action, payload, at, not is_new)
        return Hearing(event, kind, call.uid, action, notes, findings, observations, is_valid)

    def _count(self, action: str) -> None:
        if action in self.actions or len(self.actions) < MAX_ACTIONS:
            self.actions[action] = self.actions.get(action, 0) + 1

    def _hear_version(
        self, action: str, payload: Mapping[str, Any], at: datetime, is_send: bool, found: list[Observation]
    ) -> None:
        proof = spoken_instead(self.version, action, payload, is_send=is_send)
        if proof is None:
            return
        if not self._agreed and not self._is_settled:
            self.version, self._is_settled = proof.version, True
            return
        told = self._spoken = self._spoken if self._spoken is not None else set()
        if (proof.version, action) not in told and len(told) < MAX_ACTIONS:
            told.add((proof.version, action))
            found.append(
                Spoken(
                    agreed=self._agreed or self.version, spoken=proof.version, action=action, proof=proof.proof, at=at
                )
            )
        if not self._agreed:
            self.version = proof.version

    def _answer(self, event: Answered | RefusedCall, at: datetime, notes: tuple[str, ...], size: int) -> Hearing:
        findings: tuple[Finding, ...] = ()
        error = event.error if isinstance(event, RefusedCall) else None
        payload = event.payload if isinstance(event, Answered) else {}
        if error is None:
            findings = schema.findings(self.version, event.action, payload, is_request=False)
            self._learn(event.action, payload, at)
        seen = AnswerSeen(
            identity=self.identity,
            action=event.action,
            request=masking.masked_payload(event.action, event.request),
            answer=masking.masked_payload(event.action, payload),
            at=at,
            took_s=max(0.0, event.took_s),
            error=error.code if error else "",
            error_text=error.description if error else "",
            size=size,
        )
        if self._last_call is not None and self._last_call[2] == event.uid:
            self._last_call = (event.action, self._last_call[1], "")
        kind = FrameKind.RESULT if error is None else FrameKind.ERROR
        notes = (*notes, "SCHEMA") if findings else notes
        return Hearing(event, kind, event.uid, event.action, notes, findings, (seen,), not findings)

    def _learn(self, action: str, answer: Mapping[str, Any], at: datetime) -> None:
        if action == "Reset" and answer.get("status") in (ACCEPTED, "Scheduled"):
            self.past.reset(at)

    # The short way (``swift``) --------------------------------------------------------------------------------------

    @property
    def is_at_ease(self) -> bool:
        """Say whether the version is settled and the unit accepted, or never asked to be."""
        return self._is_settled and self.registration.status in ("", ACCEPTED)

    def is_new(self, uid: str) -> bool:
        """Say whether no recent request had this id."""
        return self._talk.is_new(uid)

    def knows(self, transaction: object) -> bool:
        """Say whether a transaction was heard of before."""
        return not self.past.is_new(transaction)

    def is_live(self, payload: Mapping[str, Any], at: datetime) -> bool:
        """Say whether the time stamps of a message are present ones, from a clock of which all is said."""
        return self._dates.is_live(payload, at)

    def boots_alike(self, payload: Mapping[str, Any]) -> bool:
        """Say whether a Boot is the accepted one, come again so often that this time is not told."""
        return self.registration.is_old_story(payload)

    def boots_again(self, boot: Boot, at: datetime) -> None:
        """Take such a Boot in."""
        self.registration.heard_again(boot, at)

    def swift(self, text: str, uid: str, action: str, reply: str) -> None:
        """Take in a request that needs no word, and its answer."""
        self._count(action)
        self._talk.exchanged(text, uid, action, reply)

    # What we say --------------------------------------------------------------------------------------------------

    def call(self, action: str, payload: dict[str, Any], at: datetime, *, timeout_s: float) -> tuple[str, str]:
        """Register a call of ours; returns its id and the text to send."""
        uid, text = self._talk.call(action, payload, at.timestamp(), timeout_s=timeout_s)
        self._called(uid, action, payload, at)
        return uid, text

    def send(self, action: str, payload: dict[str, Any]) -> tuple[str, str]:
        """Write a SEND of OCPP 2.1; returns its id and the text to send."""
        return self._talk.send(action, payload)

    def replied(self, uid: str, action: str, reply: str, payload: Mapping[str, Any] | None, at: datetime) -> None:
        """Learn what a request was answered: ``reply`` is the text, ``payload`` is ``None`` for a refusal."""
        self._talk.replied(uid, reply)
        if payload is None:
            return
        if action == "BootNotification":
            self.registration.answered(payload, at)
        elif action == "StartTransaction":
            self.past.begun(payload.get("transactionId"))

    def said(self, text: str, at: datetime) -> Said:
        """Take in a text of ours that somebody else wrote (a trace)."""
        message = decode(text)
        match message:
            case Send():
                return Said(FrameKind.SEND, message.uid, message.action)
            case Call():
                payload = message.payload
                self._talk.called(message.uid, message.action, payload, at.timestamp(), timeout_s=CALL_S)
                self._called(message.uid, message.action, payload, at)
                return Said(FrameKind.CALL, message.uid, message.action)
            case Result():
                action = self._talk.asked(message.uid)
                self.replied(message.uid, action, text, message.payload, at)
                return Said(FrameKind.RESULT, message.uid, action)
            case Error():
                action = self._talk.asked(message.uid)
                self.replied(message.uid, action, text, None, at)
                kind = FrameKind.RESULT_ERROR if message.is_of_result else FrameKind.ERROR
                return Said(kind, "" if message.uid == UNKNOWN_UID else message.uid, action)
        return Said(*head(text))

    def gave_up(self, uid: str, at: datetime) -> Unanswered | None:
        """Stop waiting for the answer to a call of ours; ``None`` where it was not waited for."""
        waiting = self._talk.waiting_for(uid)
        if waiting is None:
            return None
        self._talk.forget(uid)
        action, payload, sent_s = waiting
        return Unanswered(
            identity=self.identity,
            action=action,
            request=masking.masked_payload(action, payload),
            waited_s=max(0.0, at.timestamp() - sent_s),
            at=at,
        )

    def forget(self, uid: str) -> None:
        """Stop waiting without a word: nobody wants the answer any more."""
        self._talk.forget(uid)

    def _called(self, uid: str, action: str, payload: Mapping[str, Any], at: datetime) -> None:
        self._last_call = (action, at, uid)
        self.registration.called(action, payload)

    # What time tells ----------------------------------------------------------------------------------------------

    @property
    def due_at(self) -> datetime | None:
        """Return when ``silences`` has something to say at the earliest."""
        patience, told = self._patience, self._told or ()
        due = []
        if self.boot is None and patience.trigger_boot_s is not None and Unbooted not in told:
            due.append(self.opened_at + timedelta(seconds=patience.trigger_boot_s))
        if self.registration.ready_at is not None and not self.has_status and Stateless not in told:
            due.append(self.registration.ready_at + timedelta(seconds=patience.status_s))
        return min(due, default=None)

    def tick(self, at: datetime) -> list[Observation]:
        """Say what has not come by now, answers to our calls included (a live endpoint minds those itself)."""
        given_up = (self.gave_up(uid, at) for uid in self._talk.overdue(at.timestamp()))
        return [*self.silences(at), *(item for item in given_up if item is not None)]

    def silences(self, at: datetime) -> list[Observation]:
        """Say whether Boot or status has not come by now."""
        found: list[Observation] = []
        patience = self._patience
        if self.boot is None and patience.trigger_boot_s is not None:
            waited_s = (at - self.opened_at).total_seconds()
            if waited_s >= patience.trigger_boot_s and self._is_first(Unbooted):
                found.append(Unbooted(waited_s=patience.trigger_boot_s, heard=tuple(self.actions)))
        if self.registration.ready_at is not None and not self.has_status:
            waited_s = (at - self.registration.ready_at).total_seconds()
            if waited_s >= patience.status_s and self._is_first(Stateless):
                found.append(Stateless(waited_s=patience.status_s))
        return found

    def _is_first(self, kind: type[Observation]) -> bool:
        self._told = told = self._told if self._told is not None else set()
        is_first = kind not in told
        told.add(kind)
        return is_first

    def ended(
        self,
        at: datetime,
        code: int,
        reason: str,
        *,
        connection: int = 0,
        is_by_us: bool = False,
        silent_s: float = 0.0,
        pings: int = 0,
        pongs: int = 0,
        peer_pings: int = 0,
        fault: str = "",
    ) -> Ended:
        """Tell how the connection ended; the counts are the WebSocket layer's."""
        action, sent_at, uid = self._last_call or ("", at, "")
        ended = Ended(
            identity=self.identity,
            connection=connection,
            at=at,
            code=code,
            reason=reason,
            is_by_us=is_by_us,
            lasted_s=(at - self.opened_at).total_seconds(),
            silent_s=silent_s,
            pings=pings,
            pongs=pongs,
            peer_pings=peer_pings,
            has_booted=self.boot is not None,
            last_sent=action,
            last_sent_s=(at - sent_at).total_seconds(),
            is_answered=not uid,
            fault=fault,
            remote=self._handshake.remote,
        )
        self.past.ended(ended)
        return ended


def _loose(event: Event, notes: tuple[str, ...]) -> Hearing:
    if isinstance(event, Stray):
        kind = FrameKind.RESULT if isinstance(event.message, Result) else FrameKind.ERROR
        return Hearing(event, kind, event.message.uid, event.action, notes)
    if isinstance(event, Objected):
        return Hearing(event, FrameKind.RESULT_ERROR, event.error.uid, event.action, (*notes, "RESULT-REFUSED"))
    assert isinstance(event, Broken)
    malformed: Malformed = event.malformed
    uid = "" if malformed.echo == UNKNOWN_UID else str(malformed.echo)
    return Hearing(event, FrameKind.BROKEN, uid, malformed.action, notes, is_valid=False)


def _bare(identity: str, version: str) -> Handshake:
    """Stand in for a handshake that nobody recorded."""
    return Handshake(
        raw=b"",
        request_line="",
        path="",
        headers=(),
        identity=identity,
        subprotocols=(),
        chosen_subprotocol="",
        version=version,
    )
