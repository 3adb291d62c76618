"""What comes in on one OCPP connection: shown, judged, entered and answered. The base of ``Endpoint``."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from app.errors import AppError, LinkLost
from app.feed import Feed
from app.model.finding import Finding
from app.model.frame import Boot, Direction, FrameKind, Handshake
from app.model.observation import Answered as AnswerSeen
from app.model.observation import Backlog, Observation, Unbooted
from app.model.secret import Secret
from app.ocpp import masking, schema
from app.ocpp.answering import Given, SlowAnswers
from app.ocpp.channel import Channel, Text
from app.ocpp.conversation import Answered, Asked, Broken, RefusedCall, Told
from app.ocpp.ear import Ear, Hearing
from app.ocpp.events import Booted, Closed, EndpointEvent, Heard, MeterSampled, StatusChanged
from app.ocpp.frame import (
    FORMAT,
    INTERNAL,
    NOT_IMPLEMENTED,
    NOT_SUPPORTED,
    SECURITY,
    Call,
    encode_error,
    encode_result,
    encode_result_error,
    spelled_code,
)
from app.ocpp.host import Answerer, Habits, Host
from app.ocpp.ledger import Ledger
from app.ocpp.past import Past
from app.ocpp.registration import ACCEPTED, REJECTED
from app.ocpp.tap import Tap
from app.ocpp.turn import Turn
from app.ocpp.versions import is_agreed

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint

MAX_FINDINGS = 100
MIN_WAIT_S = 0.001
LONG_TEXT = 16_000
"""Messages longer than that are not kept to be read later, in characters [OURS]."""

_SESSIONS = frozenset({"MeterValues", "StartTransaction", "StopTransaction", "TransactionEvent"})
"""What a unit throws away when it is refused too often (OCPP 1.6 §3.7.1): money of the site's owner."""


class Reception:
    """One connection from its admission to its end: every text of the unit's passes here."""

    def __init__(
        self,
        *,
        identity: str,
        connection: int,
        handshake: Handshake,
        channel: Channel,
        host: Host,
        ledger: Ledger,
        habits: Habits,
        secret: Secret | None,
        past: Past | None = None,
    ) -> None:
        self.identity = identity
        self.connection = connection
        self.handshake = handshake
        self.ledger = ledger
        self.habits = habits
        self.opened_at: datetime = host.now()
        self.last_heard_at: datetime = self.opened_at
        self.last_past_at: datetime = self.opened_at
        """When it last sent something about the past (``Backlog``); at first, when it came."""
        self.is_open = True
        self.findings: list[Finding] = []
        self.events: Feed[EndpointEvent] = Feed()
        self.ear = Ear(
            identity,
            handshake.version,
            opened_at=self.opened_at,
            is_agreed=is_agreed(handshake.chosen_subprotocol),
            handshake=handshake,
            past=past,
            patience=host.times,
            prefix=f"rehome-{connection}-",
        )
        self._channel = channel
        self._host = host
        self._manner = ledger.manner
        self._loop = asyncio.get_running_loop()
        self._answers: dict[str, asyncio.Future[Answered | RefusedCall]] = {}
        # A report that was asked for on an earlier connection may still come: no number is used twice.
        self._requests = itertools.count(connection * 1000 + 1)
        self._turn = Turn()
        self._tap = Tap(host, identity, connection, secret)
        self._slow: SlowAnswers | None = None
        self._told: dict[tuple[str, str], int] = {}
        self._sighted: Boot | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gate_s = self._loop.time() + host.times.command_gate_s
        self._wait()

    @property
    def boot(self) -> Boot | None:
        """Return what it said of itself on this connection; ``ledger.boot`` also remembers an earlier one."""
        return self.ear.boot

    @property
    def version(self) -> str:
        """Return the OCPP version spoken on this connection: ``1.6``, ``2.0.1`` or ``2.1``."""
        return self.ear.version

    @property
    def unit_id(self) -> str:
        """Return the id under which readings and findings of this unit are published."""
        return self.ledger.unit_id

    @property
    def heard_actions(self) -> Mapping[str, int]:
        """Return how often each request was heard on this connection."""
        return self.ear.actions

    # The listener's side (``listener.Receiver``) ------------------------------------------------------------------

    def received(self, texts: list[Text]) -> None:
        """Take the messages that came together."""
        at = self.last_heard_at = self._host.now()
        for text in texts:
            self._one(text, at)

    def closed(self, code: int, reason: str) -> None:
        """Learn that the connection is over."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
        self._turn.free()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(lost(self.identity))
        self.events.publish(Closed(code=code, reason=reason))
        channel, at = self._channel, self._host.now()
        self._host.ended(
            self._endpoint,
            self.ear.ended(
                at,
                code,
                reason,
                connection=self.connection,
                is_by_us=channel.is_by_us,
                silent_s=channel.silent_s,
                pings=channel.pings,
                pongs=channel.pongs,
                peer_pings=channel.peer_pings,
                fault=channel.fault,
            ),
        )

    def replaced(self) -> None:
        """Give way to a newer connection of the same identity."""
        self._channel.close(1000, "a newer connection of this identity took over")

    async def finish(self) -> None:
        """End what still answers this unit's requests. Idempotent."""
        if self._slow is not None:
            await self._slow.close()

    def find(self, findings: Iterable[Finding]) -> None:
        """Publish findings about this unit; the same one again at most three times."""
        for finding in findings:
            proof = (finding.code, finding.evidence[0].text if finding.evidence else "")
            count = self._told.get(proof, 0)
            if count >= 3 or (count == 0 and len(self._told) >= MAX_FINDINGS):
                continue
            self._told[proof] = count + 1
            stamped = replace(finding, unit_id=self.unit_id, at=finding.at or self._host.now())
            if count == 0:
                self.findings.append(stamped)
            self._host.findings.publish(stamped)

    def observe(self, observations: Sequence[Observation]) -> None:
        """Have observations about this unit judged."""
        for observation in observations:
            if isinstance(observation, Backlog):
                self.last_past_at = observation.at
            self.find(self._host.judge(observation))

    @property
    def _endpoint(self) -> Endpoint:
        """Return itself as what it is: nothing but an ``Endpoint`` is ever built."""
        return cast("Endpoint", self)

    # Texts ---------------------------------------------------------------------------------------------------------

    def _one(self, text: Text, at: datetime) -> None:
        hearing = self.ear.heard(text.text, at, text.notes)
        event = hearing.event
        if isinstance(event, RefusedCall) and not self._tap.is_open:
            self._hush(event, hearing)
        if type(event) is Asked:
            self._asked(event, hearing, text, at)
        elif isinstance(event, Told):
            self._show_request(event.call, hearing, text, at)
            self._enter(event.call, at)
        elif isinstance(event, Answered | RefusedCall):
            self._answered(event, hearing, text, at)
        else:
            self._show_as(masking.masked_loosely(text.text), hearing, text, at)
            if isinstance(event, Broken):
                self._broken(event, hearing)
        if hearing.findings:
            self.find(hearing.findings)
        if hearing.observations:
            self.observe(hearing.observations)
        if len(text.text) > LONG_TEXT:
            self.ledger.settle()

    def _hush(self, event: RefusedCall, hearing: Hearing) -> None:
        """Take known passwords out of the words of a refusal: some units repeat the value they do not like."""
        error = event.error
        error.description = self._tap.masked(error.description)
        hearing.observations = [
            replace(seen, error_text=error.description) if isinstance(seen, AnswerSeen) else seen
            for seen in hearing.observations
        ]

    def _asked(self, event: Asked, hearing: Hearing, text: Text, at: datetime) -> None:
        call = event.call
        self._show_request(call, hearing, text, at)
        if event.reply is not None:
            self._answer(call, event.reply)
            return
        refusal = self._refusal_of(call, hearing)
        if refusal is not None:
            self._reply(call, None, refusal, at)
            return
        answerer = self._host.answerers.get(call.action)
        if answerer is not None:
            self._answer_slowly(answerer, call)
            return
        try:
            replier = self._host.repliers.get(call.action)
            given = replier(self._endpoint, call.payload) if replier is not None else None
        except AppError as error:
            self._reply(call, None, self._error(call, INTERNAL, error.message), at)
            return
        self._enter(call, at, given, hearing)

    def _refusal_of(self, call: Call, hearing: Hearing) -> str | None:
        """Return the error a request gets instead of an answer.

        Before Boot is accepted everything else is refused (J16 errata 3.10, P2-201 B01.FR.10, B02.FR.09, B03.FR.07)
        but, in tolerant mode, the messages of sessions: a unit that is refused these may drop them for good. What
        breaks its schema is refused in strict mode only.
        """
        is_strict = self.handshake.is_strict
        if self.ear.registration.is_unwanted(call.action) and (is_strict or call.action not in _SESSIONS):
            return self._error(call, SECURITY, f"BootNotification was answered {self.ear.boot_status}")
        if is_strict and not hearing.is_valid and call.action in schema.actions(self.version):
            code, told = schema.error_of(self.version, call.action, call.payload)
            return self._error(call, code, told)
        return None

    def _enter(
        self, call: Call, at: datetime, given: dict[str, Any] | None = None, hearing: Hearing | None = None
    ) -> None:
        """Enter a request in the books, answer it (``hearing`` is ``None`` for a SEND), and tell what happened."""
        answer, events = self.ledger.take(call.action, call.payload, at, version=self.ear.version, given=given)
        if hearing is not None:
            if answer is not None:
                self._reply(call, answer, encode_result(call.echo, answer), at)
            else:
                self._reply(call, None, self._unanswerable(call, hearing), at)
        self._happened(call.action, call.payload, events)

    def _unanswerable(self, call: Call, hearing: Hearing) -> str:
        if call.action not in schema.actions(self.version):
            return self._error(call, NOT_IMPLEMENTED, f"OCPP {self.version} has no action {call.action}")
        if not hearing.is_valid:
            return self._error(call, FORMAT, f"the payload of {call.action} can't be answered")
        return self._error(call, NOT_SUPPORTED, f"{call.action} is not sent by a charge point")

    def _error(self, call: Call, code: str, text: str) -> str:
        return encode_error(call.echo, spelled_code(code, self.version), text)

    def _reply(self, call: Call, payload: dict[str, Any] | None, text: str, at: datetime) -> None:
        if not self._manner.withholds(call.action, call.payload):
            self.ear.replied(call.uid, call.action, text, payload, at)
            self._answer(call, text)

    def _answer(self, call: Call, text: str) -> None:
        manner = self._manner
        kind = FrameKind.RESULT if text.startswith("[3") else FrameKind.ERROR
        if manner.answer_delay_s > 0:
            send = partial(self._send, text, kind, call.uid, call.action)
            if not self._slowly.is_full:
                self._slowly.hold_back(f"hold {call.action}", manner.answer_delay_s, send)
            return
        self._send(text, kind, call.uid, call.action)

    def _happened(self, action: str, payload: Mapping[str, Any], events: Sequence[EndpointEvent]) -> None:
        if not self._turn.is_free and self.boot is None and self.ledger.boot is not None:
            # It was accepted before and goes on without a new Boot (OCPP-J 1.6 §5.4).
            self._turn.free()
        for event in events:
            if type(event) is MeterSampled:
                if event.is_due:
                    self._host.samples.publish(event.samples)
            elif isinstance(event, StatusChanged):
                self._host.samples.publish(event.change)
            elif isinstance(event, Booted):
                self._booted(event)
        if self.events.is_heard:
            self.events.publish_all((Heard(action=action, payload=payload), *events))

    def _booted(self, event: Booted) -> None:
        if event.status == REJECTED:
            self._turn.bar()
        elif "BootNotification" not in self._manner.withheld:
            self._free()
        if event.status == ACCEPTED:
            self._wait()
        if self.boot is not self._sighted:
            self._sighted = self.boot
            self._host.booted(self._endpoint)

    def _free(self) -> None:
        """Let commands out, behind the answer to Boot where answers are held back."""
        delay_s = self._manner.answer_delay_s
        if delay_s > 0 and not self._slowly.is_full:
            self._slowly.hold_back("free", delay_s, self._turn.free)
        else:
            self._turn.free()

    def _answered(self, event: Answered | RefusedCall, hearing: Hearing, text: Text, at: datetime) -> None:
        shown = text.text
        if isinstance(event, Answered):
            shown = masking.masked_answer(shown, event.action, event.payload)
        self._show(shown, hearing, None, at)
        if isinstance(event, Answered) and not hearing.is_valid and self.handshake.is_strict and self.version == "2.1":
            code, told = schema.error_of(self.version, event.action, event.payload, is_request=False)
            self._send(encode_result_error(event.uid, code, told), FrameKind.RESULT_ERROR, event.uid, event.action)
        future = self._answers.get(event.uid)
        if future is not None and not future.done():
            future.set_result(event)

    def _broken(self, event: Broken, hearing: Hearing) -> None:
        malformed = event.malformed
        if malformed.is_answerable or (malformed.is_unknown_kind and self.version != "1.6"):
            reply = encode_error(malformed.echo, spelled_code(malformed.code, self.version), malformed.reason)
            self._send(reply, FrameKind.ERROR, hearing.uid, malformed.action)

    # Slow answers -------------------------------------------------------------------------------------------------

    @property
    def _slowly(self) -> SlowAnswers:
        if self._slow is None:
            self._slow = SlowAnswers(f"endpoint {self.connection}")
        return self._slow

    def _answer_slowly(self, answerer: Answerer, call: Call) -> None:
        if self._slowly.is_full:
            self._answer(call, self._error(call, INTERNAL, "too many requests are waiting"))
            return
        self._slowly.work_out(call.action, answerer(self._endpoint, call.payload), partial(self._worked_out, call))

    def _worked_out(self, call: Call, given: Given) -> None:
        if not self.is_open:
            return
        at = self._host.now()
        if not isinstance(given, AppError):
            _, events = self.ledger.take(call.action, call.payload, at, version=self.version, given=given)
            self._reply(call, given, encode_result(call.echo, given), at)
        else:
            _, events = self.ledger.take(call.action, call.payload, at, version=self.version)
            self._reply(call, None, self._error(call, INTERNAL, given.message), at)
        self._happened(call.action, call.payload, events)

    # Frames -------------------------------------------------------------------------------------------------------

    def _send(self, text: str, kind: FrameKind, uid: str, action: str, shown: str = "") -> None:
        try:
            self._channel.send(text)
        except LinkLost:
            if kind in (FrameKind.CALL, FrameKind.SEND):
                raise
            return
        self._tap.publish(Direction.OUT, shown or text, kind, uid, action)

    def _show_request(self, call: Call, hearing: Hearing, text: Text, at: datetime) -> None:
        self._show_as(masking.masked_request(text.text, call.action, call.payload), hearing, text, at)

    def _show_as(self, shown: str, hearing: Hearing, text: Text, at: datetime) -> None:
        """Show a text as it may be shown; its bytes only where nothing in them had to be masked."""
        self._show(shown, hearing, text.raw if shown == text.text else None, at)

    def _show(self, text: str, hearing: Hearing, raw: bytes | None, at: datetime) -> None:
        notes = hearing.notes
        frame = self._tap.publish(
            Direction.IN, text, hearing.kind, hearing.uid, hearing.action, raw=raw, notes=notes, at=at
        )
        if notes:
            self.find(self._host.judge(frame))

    # Silence ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Set the one timer to what comes next: the gate, or what the ear waits for."""
        if self._timer is not None:
            self._timer.cancel()
        now_s, due_at = self._loop.time(), self.ear.due_at
        delays = [] if due_at is None else [(due_at - self._host.now()).total_seconds()]
        if self._gate_s:
            delays.append(self._gate_s - now_s)
        self._timer = self._loop.call_later(max(MIN_WAIT_S, min(delays)), self._tick) if delays else None

    def _tick(self) -> None:
        if not self.is_open or self._host.scope.is_closed:
            return
        if self._gate_s and self._loop.time() >= self._gate_s:
            self._gate_s = 0.0
            if self.ear.boot_status != REJECTED:
                self._turn.free()
        found = self.ear.silences(self._host.now())
        self.observe(found)
        if any(isinstance(item, Unbooted) for item in found):
            self._without_boot()
        self._wait()

    def _without_boot(self) -> None:
        """Do what helps a unit that sent no Boot."""


def lost(identity: str) -> LinkLost:
    """Say that a unit is gone."""
    return LinkLost(f"{identity} is not connected any more.", "Wait until it dials again, or check its network.")
