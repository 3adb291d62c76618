"""Our side of one OCPP connection: everything the unit says comes in here, every command to it goes out here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from app.errors import AppError, LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.feed import Feed
from app.model.address import OcppAddress
from app.model.finding import Finding
from app.model.frame import Boot, Direction, FrameKind, Handshake
from app.model.observation import BootSeen, Stateless, Unbooted, UnsetClock
from app.model.reading import StateChange
from app.model.secret import Secret
from app.model.setting import Setting
from app.ocpp import masking, schema, v16
from app.ocpp.conversation import Answered, Asked, Broken, Conversation, RefusedCall, Stray
from app.ocpp.devicemodel import Variable, assemble
from app.ocpp.events import (
    Booted,
    Closed,
    EndpointEvent,
    MeterSampled,
    StatusChanged,
    Transaction,
)
from app.ocpp.frame import (
    NOT_IMPLEMENTED,
    NOT_SUPPORTED,
    Call,
    Result,
    decode,
    encode_error,
    encode_result,
)
from app.ocpp.host import Answerer, Habits, Host
from app.ocpp.ledger import Ledger
from app.ocpp.listener import Channel, Text
from app.ocpp.settings16 import Reader
from app.ocpp.tap import Tap
from app.scope import Scope

log = logging.getLogger(__name__)
E = TypeVar("E", bound=EndpointEvent)

MAX_SLOW = 16
"""Requests of one unit that are answered at the same time (measured part 3: "a semaphore per connection (16)")."""
MAX_WAITING = 128
"""Requests of one unit that may wait for a slow answer; more are refused."""
MAX_FINDINGS = 100
KEY_LIMIT = 50
VALUE_LIMIT = 500
"""ChangeConfiguration.req (OCPP 1.6 §6.9): CiString50 and CiString500."""


class Endpoint:
    """One connection.

    States::

        open ──Boot accepted | 30 s──► commands allowed ──closed──► over

    ``boot`` is what it said on this connection; ``ledger.boot`` also remembers an earlier one.
    """

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
    ) -> None:
        self.identity = identity
        self.connection = connection
        self.handshake = handshake
        self.ledger = ledger
        self.habits = habits
        self.boot: Boot | None = None
        self.opened_at: datetime = host.now()
        self.last_heard_at: datetime = self.opened_at
        self.is_open = True
        self.findings: list[Finding] = []
        self.events: Feed[EndpointEvent] = Feed()
        self.heard_actions: dict[str, int] = {}
        self._channel = channel
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._talk = Conversation(prefix=f"rehome-{connection}-")
        self._answers: dict[str, asyncio.Future[Answered | RefusedCall]] = {}
        self._turn = asyncio.Lock()
        self._may_command = asyncio.Event()
        self._tap = Tap(host, identity, connection, secret)
        self._scope: Scope | None = None
        self._slots = asyncio.Semaphore(MAX_SLOW)
        self._slow = 0
        self._told: dict[tuple[str, str], int] = {}
        times = host.times
        self._timers = {"gate": self._loop.call_later(times.command_gate_s, self._may_command.set)}
        if times.trigger_boot_s is not None:
            self._timers["boot"] = self._loop.call_later(times.trigger_boot_s, self._without_boot)

    @property
    def unit_id(self) -> str:
        """Return the id under which readings and findings of this unit are published."""
        return self.ledger.unit_id

    @property
    def is_ready(self) -> bool:
        """Say whether commands go out at once: Boot was accepted, or enough time has passed."""
        return self.is_open and self._may_command.is_set()

    @property
    def address(self) -> OcppAddress:
        """Return the address of this unit on our endpoint."""
        return OcppAddress(identity=self.identity)

    @property
    def statuses(self) -> Mapping[int, StateChange]:
        """Return the last state of each connector (0 = the whole charge point)."""
        return self.ledger.statuses

    @property
    def version(self) -> str:
        """Return the OCPP version spoken on this connection: ``1.6``, ``2.0.1`` or ``2.1``."""
        return self.handshake.version

    @property
    def transactions(self) -> Mapping[int | str, Transaction]:
        """Return its charging sessions by transaction id, oldest first."""
        return self.ledger.transactions

    # Commands -----------------------------------------------------------------------------------------------------

    async def call(self, action: str, payload: dict[str, Any], *, timeout_s: float = 30.0) -> dict[str, Any]:
        """Send one CALL and return the answer's payload. Waits for its turn: one call is outstanding at a time.

        Raises LinkLost, TimedOut, NotSupported (the unit does not know the action), Refused (any other CALLERROR).
        """
        async with self._our_turn(action):
            uid, text = self._talk.call(action, payload, self._loop.time(), timeout_s=timeout_s)
            future: asyncio.Future[Answered | RefusedCall] = self._loop.create_future()
            self._answers[uid] = future
            self._tap.learn_secret(action, payload)
            try:
                self._send(text, FrameKind.CALL, uid, action, shown=masking.masked_request(text, action, payload))
                async with asyncio.timeout(timeout_s):
                    event = await future
            except TimeoutError as error:
                raise TimedOut(
                    f"{self.identity} did not answer {action} within {timeout_s:.0f} s.",
                    "Check whether the charger is still connected, then try again.",
                ) from error
            finally:
                self._answers.pop(uid, None)
                self._talk.forget(uid)
        if isinstance(event, RefusedCall):
            raise _refusal(self.identity, event)
        return event.payload

    async def get_settings(self, keys: Sequence[str] = ()) -> tuple[Setting, ...]:
        """Read configuration: all of it, or ``keys``. In batches, key by key where the unit chokes."""
        return await Reader(self.call, self.habits, self._host.times.key_s).read(keys)

    async def set_setting(self, key: str, value: str) -> str:
        """Send ChangeConfiguration and return its status: Accepted, RebootRequired, Rejected or NotSupported.

        Raises ValueRejected where OCPP 1.6 can't carry key or value.
        """
        if len(key) > KEY_LIMIT or len(value) > VALUE_LIMIT:
            raise ValueRejected(
                f"“{key[:60]}” with {len(value)} characters does not fit into OCPP 1.6 "
                f"({KEY_LIMIT} for the key, {VALUE_LIMIT} for the value).",
                "Use a shorter address or value.",
            )
        return await self._status("ChangeConfiguration", {"key": key, "value": value})

    async def reset(self, kind: str = "Soft") -> str:
        """Send Reset (``Soft`` or ``Hard``) and return its status. Accepted is a promise, not a proof."""
        return await self._status("Reset", {"type": kind})

    async def trigger(self, message: str, connector: int | None = None) -> str:
        """Send TriggerMessage and return its status."""
        payload: dict[str, Any] = {"requestedMessage": message}
        if connector is not None:
            payload["connectorId"] = connector
        return await self._status("TriggerMessage", payload)

    async def start(self, connector: int, tag: str) -> str:
        """Send RemoteStartTransaction and return its status."""
        return await self._status("RemoteStartTransaction", {"connectorId": connector, "idTag": tag[:20]})

    async def stop(self, transaction_id: int | str) -> str:
        """Send RemoteStopTransaction and return its status."""
        return await self._status("RemoteStopTransaction", {"transactionId": transaction_id})

    async def unlock(self, connector: int) -> str:
        """Send UnlockConnector and return its status."""
        return await self._status("UnlockConnector", {"connectorId": connector})

    async def availability(self, connector: int, is_operative: bool) -> str:
        """Send ChangeAvailability (connector 0 = all of it) and return its status."""
        kind = "Operative" if is_operative else "Inoperative"
        return await self._status("ChangeAvailability", {"connectorId": connector, "type": kind})

    async def gather(
        self, action: str, payload: dict[str, Any], *, timeout_s: float = 60.0
    ) -> tuple[dict[str, Any], ...]:
        """Ask for a report of OCPP 2.x and return its parts in order. Raises NotSupported in 1.6."""
        raise NotSupported(
            f"OCPP {self.version} has no reports.", f"{action} is of no use here ({timeout_s}, {payload})."
        )

    async def device_model(self) -> tuple[Variable, ...]:
        """Return all variables of a 2.x station; kept until it reconnects. Raises NotSupported in 1.6."""
        return assemble(await self.gather("GetBaseReport", {"reportBase": "FullInventory"}))

    async def wait_for(self, kind: type[E], *, where: Callable[[E], bool] = lambda _: True, timeout_s: float) -> E:
        """Wait for the next event of a kind; raises TimedOut, and LinkLost when the connection ends first."""
        self._must_be_open()
        with self.events.subscribe() as events:
            try:
                async with asyncio.timeout(timeout_s):
                    async for event in events:
                        if isinstance(event, kind) and where(event):
                            return event
                        if isinstance(event, Closed):
                            break
            except TimeoutError as error:
                raise TimedOut(
                    f"{self.identity} sent no {kind.__name__} within {timeout_s:.0f} s.",
                    "Give it more time, or look at its frames.",
                ) from error
        raise _lost(self.identity)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait (shortly) until it is over. Idempotent."""
        if not self.is_open:
            return
        with self.events.subscribe() as events:
            self._channel.close(code, reason)
            try:
                async with asyncio.timeout(2.0):
                    async for event in events:
                        if isinstance(event, Closed):
                            return
            except TimeoutError:
                log.debug("%s did not close in time", self.identity)

    async def _status(self, action: str, payload: dict[str, Any]) -> str:
        answer = await self.call(action, payload)
        return v16.text(answer.get("status"), 50)

    @asynccontextmanager
    async def _our_turn(self, action: str) -> AsyncIterator[None]:
        self._must_be_open()
        try:
            async with asyncio.timeout(self._host.times.queue_s):
                await self._may_command.wait()
                await self._turn.acquire()
        except TimeoutError as error:
            raise TimedOut(
                f"{action} waited too long for earlier commands to {self.identity}.", "Try again in a moment."
            ) from error
        try:
            self._must_be_open()
            yield
        finally:
            self._turn.release()

    def _must_be_open(self) -> None:
        if not self.is_open:
            raise _lost(self.identity)

    # What comes in ------------------------------------------------------------------------------------------------

    def received(self, texts: list[Text]) -> None:
        """Take the messages that came together (``listener.Receiver``)."""
        self.last_heard_at = self._host.now()
        for text in texts:
            self._one(text)

    def closed(self, code: int, reason: str) -> None:
        """Learn that the connection is over (``listener.Receiver``)."""
        self.is_open = False
        for timer in self._timers.values():
            timer.cancel()
        self._may_command.set()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(_lost(self.identity))
        self.events.publish(Closed(code=code, reason=reason))
        self._host.ended(self)

    def replaced(self) -> None:
        """Give way to a newer connection of the same identity."""
        self._channel.close(1000, "a newer connection of this identity took over")

    async def finish(self) -> None:
        """End what still answers this unit's requests. Idempotent."""
        if self._scope is not None:
            await self._scope.close()

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

    def _one(self, text: Text) -> None:
        event = self._talk.sorted_in(decode(text.text), text.text, self._loop.time())
        notes = text.notes + event.notes
        match event:
            case Asked():
                self._asked(event, text, notes)
            case Answered() | RefusedCall():
                self._answered(event, text, notes)
            case Stray():
                kind = FrameKind.RESULT if isinstance(event.message, Result) else FrameKind.ERROR
                self._show_loosely(text, kind, event.message.uid, event.action, notes)
            case Broken():
                self._broken(event, text, notes)

    def _asked(self, event: Asked, text: Text, notes: tuple[str, ...]) -> None:
        call = event.call
        is_valid = schema.is_valid(v16.VERSION, call.action, call.payload, is_request=True)
        if not is_valid:
            notes = (*notes, "SCHEMA" if call.action in schema.actions(v16.VERSION) else "UNKNOWN-ACTION")
        self._show(text.text, FrameKind.CALL, call.uid, call.action, text.raw, notes)
        if not is_valid and "SCHEMA" in notes:
            self.find(schema.findings(v16.VERSION, call.action, call.payload, is_request=True))
        if event.reply is not None:
            self._reply(call, event.reply)
            return
        answerer = self._host.answerers.get(call.action)
        if answerer is not None:
            self._answer_slowly(answerer, event)
            return
        answer, events = self.ledger.take(call.action, call.payload, self.last_heard_at)
        self._reply(call, self._worded(call, answer), event.text)
        self._happened(call.action, call.payload, events)

    def _worded(self, call: Call, answer: dict[str, Any] | None) -> str:
        if answer is not None:
            return encode_result(call.echo, answer)
        if call.action in schema.actions(v16.VERSION):
            return encode_error(call.echo, NOT_SUPPORTED, f"{call.action} is not sent by a charge point")
        return encode_error(call.echo, NOT_IMPLEMENTED, f"OCPP 1.6 has no action {call.action}")

    def _reply(self, call: Call, reply: str, text: str = "") -> None:
        if text:
            self._talk.replied(call, text, reply)
        kind = FrameKind.RESULT if reply.startswith("[3") else FrameKind.ERROR
        self._send(reply, kind, call.uid, call.action)

    def _happened(self, action: str, payload: Mapping[str, Any], events: list[EndpointEvent]) -> None:
        self.heard_actions[action] = self.heard_actions.get(action, 0) + 1
        if self.ledger.boot is not None:
            # It was accepted before and goes on without a new Boot (OCPP-J 1.6 §5.4), or has just been accepted.
            self._may_command.set()
        if len(self.heard_actions) > 64:
            self.heard_actions.popitem()
        for event in events:
            if isinstance(event, Booted):
                self._booted(event.boot)
            elif isinstance(event, StatusChanged):
                self._host.samples.publish(event.change)
            elif isinstance(event, MeterSampled):
                self._host.samples.publish_all(list(event.readings))
        if v16.has_unset_clock(payload):
            stamp = str(payload.get("timestamp", "in its meter values"))[:40]
            self.find(self._host.judge(UnsetClock(action=action, stamp=stamp, at=self.last_heard_at)))
        self.events.publish_all(events)

    def _booted(self, boot: Boot) -> None:
        self.boot = boot
        self._may_command.set()
        self.find(self._host.judge(BootSeen(handshake=self.handshake, boot=boot)))
        if "status" not in self._timers:
            self._timers["status"] = self._loop.call_later(self._host.times.status_s, self._without_status)
        self._host.booted(self)

    def _answered(self, event: Answered | RefusedCall, text: Text, notes: tuple[str, ...]) -> None:
        kind = FrameKind.RESULT if isinstance(event, Answered) else FrameKind.ERROR
        shown = text.text
        found: tuple[Finding, ...] = ()
        if isinstance(event, Answered):
            shown = masking.masked_answer(shown, event.action, event.payload)
            found = schema.findings(v16.VERSION, event.action, event.payload, is_request=False)
        self._show(shown, kind, event.uid, event.action, None, (*notes, "SCHEMA") if found else notes)
        self.find(found)
        future = self._answers.get(event.uid)
        if future is not None and not future.done():
            future.set_result(event)

    def _broken(self, event: Broken, text: Text, notes: tuple[str, ...]) -> None:
        malformed = event.malformed
        uid = "" if malformed.echo == "-1" else str(malformed.echo)
        self._show_loosely(text, FrameKind.BROKEN, uid, malformed.action, notes)
        if malformed.is_answerable:
            reply = encode_error(malformed.echo, malformed.code, malformed.reason)
            self._send(reply, FrameKind.ERROR, uid, malformed.action)

    # Slow answers -------------------------------------------------------------------------------------------------

    def _answer_slowly(self, answerer: Answerer, event: Asked) -> None:
        if self._slow >= MAX_WAITING:
            self._reply(event.call, encode_error(event.call.echo, "InternalError", "too many requests are waiting"))
            return
        if self._scope is None:
            self._scope = Scope(f"endpoint {self.connection}")
        self._slow += 1
        self._scope.isolated(event.call.action, self._answer_with(answerer, event))

    async def _answer_with(self, answerer: Answerer, event: Asked) -> None:
        call = event.call
        try:
            async with self._slots:
                reply = encode_result(call.echo, await answerer(self, call.payload))
        except AppError as error:
            reply = encode_error(call.echo, "InternalError", error.message)
        finally:
            self._slow -= 1
        if self.is_open:
            _, events = self.ledger.take(call.action, call.payload, self._host.now())
            self._reply(call, reply, event.text)
            self._happened(call.action, call.payload, events)

    # Frames -------------------------------------------------------------------------------------------------------

    def _send(self, text: str, kind: FrameKind, uid: str, action: str, shown: str = "") -> None:
        try:
            self._channel.send(text)
        except LinkLost:
            if kind is FrameKind.CALL:
                raise
            return
        self._tap.publish(Direction.OUT, shown or text, kind, uid, action)

    def _show_loosely(self, text: Text, kind: FrameKind, uid: str, action: str, notes: tuple[str, ...]) -> None:
        """Show what nobody asked for, or can't be read; the bytes only where nothing in them had to be masked."""
        shown = masking.masked_loosely(text.text)
        self._show(shown, kind, uid, action, text.raw if shown == text.text else None, notes)

    def _show(
        self, text: str, kind: FrameKind, uid: str, action: str, raw: bytes | None, notes: tuple[str, ...]
    ) -> None:
        frame = self._tap.publish(Direction.IN, text, kind, uid, action, raw=raw, notes=notes)
        if notes:
            self.find(self._host.judge(frame))

    # Silence ------------------------------------------------------------------------------------------------------

    def _without_boot(self) -> None:
        if self.boot is None and self.is_open and not self._host.scope.is_closed:
            waited_s = self._host.times.trigger_boot_s or 0.0
            self.find(self._host.judge(Unbooted(waited_s=waited_s, heard=tuple(self.heard_actions))))
            self._host.scope.isolated(f"ask {self.connection} for Boot", self._ask_for_boot())

    async def _ask_for_boot(self) -> None:
        try:
            await self.trigger("BootNotification")
        except AppError as error:
            log.debug("%s: %s", self.identity, error)

    def _without_status(self) -> None:
        if self.is_open and not self.statuses:
            self.find(self._host.judge(Stateless(waited_s=self._host.times.status_s)))


def _refusal(identity: str, event: RefusedCall) -> Refused:
    error = event.error
    text = f"{identity} refused {event.action}: {error.code}"
    if error.description:
        text += f" ({error.description})"
    if error.code in (NOT_IMPLEMENTED, NOT_SUPPORTED):
        return NotSupported(text + ".", "This charger does not offer that over OCPP; use another way.")
    return Refused(text + ".", "Look at the frame for details, then try again.")


def _lost(identity: str) -> LinkLost:
    return LinkLost(f"{identity} is not connected any more.", "Wait until it dials again, or check its network.")
