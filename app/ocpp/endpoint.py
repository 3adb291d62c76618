"""Our side of one OCPP connection: every command to the unit goes out here; what comes in is ``reception``'s."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from app.errors import AppError, NotSupported, Refused, TimedOut
from app.feed import Subscription
from app.model.address import OcppAddress
from app.model.frame import FrameKind
from app.model.observation import SettingsSeen
from app.model.reading import StateChange
from app.model.setting import Setting
from app.ocpp import masking, settings2, settings16, v16, verbs
from app.ocpp.conversation import Answered, RefusedCall
from app.ocpp.devicemodel import Variable, assemble
from app.ocpp.events import Closed, EndpointEvent, Heard, Transaction
from app.ocpp.frame import NOT_IMPLEMENTED, NOT_SUPPORTED
from app.ocpp.reception import lost
from app.ocpp.swift import SwiftReception

log = logging.getLogger(__name__)
E = TypeVar("E", bound=EndpointEvent)

MAX_PARTS = 5_000
"""Messages of one report that are collected [OURS]."""
PART_QUEUE = 10_000
BASES = ("FullInventory", "ConfigurationInventory", "SummaryInventory")
"""Reports asked for a device model, the best first (P2-201 B07)."""


class Endpoint(SwiftReception):
    """One connection.

    States::

        open ──Boot accepted | 30 s──► commands allowed ──closed──► over

    The commands are the same for OCPP 1.6, 2.0.1 and 2.1; connectors are numbered as ``v2.place`` does.
    """

    @property
    def is_ready(self) -> bool:
        """Say whether commands go out at once: Boot was accepted, or enough time has passed."""
        return self.is_open and self._turn.is_free

    @property
    def is_left_alone(self) -> bool:
        """Say whether nobody may ask it anything by himself: it is being tested."""
        return self._manner.is_left_alone

    @property
    def address(self) -> OcppAddress:
        """Return the address of this unit on our endpoint."""
        return OcppAddress(identity=self.identity)

    @property
    def statuses(self) -> Mapping[int, StateChange]:
        """Return the last state of each connector (0 = the whole charge point)."""
        return self.ledger.statuses

    @property
    def transactions(self) -> Mapping[int | str, Transaction]:
        """Return its charging sessions by transaction id, oldest first."""
        return self.ledger.transactions

    # Messages -----------------------------------------------------------------------------------------------------

    async def call(self, action: str, payload: dict[str, Any], *, timeout_s: float = 30.0) -> dict[str, Any]:
        """Send one CALL and return the answer's payload. Waits for its turn: one call is outstanding at a time.

        Raises LinkLost, TimedOut, NotSupported (the unit does not know the action), Refused (any other CALLERROR).
        """
        async with self._our_turn(action):
            uid, text = self.ear.call(action, payload, self._host.now(), timeout_s=timeout_s)
            future: asyncio.Future[Answered | RefusedCall] = self._loop.create_future()
            self._answers[uid] = future
            self._tap.learn_secret(action, payload)
            try:
                self._send(text, FrameKind.CALL, uid, action, shown=masking.masked_request(text, action, payload))
                async with asyncio.timeout(timeout_s):
                    event = await future
            except TimeoutError as error:
                unanswered = self.ear.gave_up(uid, self._host.now())
                self.observe([unanswered] if unanswered is not None else [])
                raise TimedOut(
                    f"{self.identity} did not answer {action} within {timeout_s:.0f} s.",
                    "Check whether the charger is still connected, then try again.",
                ) from error
            finally:
                self._answers.pop(uid, None)
                self.ear.forget(uid)
        if isinstance(event, RefusedCall):
            raise _refusal(self.identity, event)
        return event.payload

    async def send(self, action: str, payload: dict[str, Any]) -> None:
        """Send a message that wants no answer (SEND of OCPP 2.1). Raises LinkLost, TimedOut, NotSupported."""
        if self.version != "2.1":
            raise NotSupported(f"OCPP {self.version} has no SEND.", "Use an ordinary call.")
        async with self._our_turn(action):
            uid, text = self.ear.send(action, payload)
            self._send(text, FrameKind.SEND, uid, action, shown=masking.masked_request(text, action, payload))

    async def gather(
        self, action: str, payload: dict[str, Any], *, timeout_s: float = 60.0
    ) -> tuple[dict[str, Any], ...]:
        """Ask a 2.x station for a report and return its parts in order; empty where it has nothing to report.

        ``requestId`` is filled in. ``timeout_s`` is the longest wait for the next part. Raises NotSupported, Refused,
        TimedOut, LinkLost.
        """
        report = verbs.report_of(self.version, action)
        number = payload.get("requestId", next(self._requests))
        with self.events.subscribe(PART_QUEUE) as events:
            answer = await self.call(action, {**payload, "requestId": number})
            status = v16.text(answer.get("status"), 50)
            if status in verbs.EMPTY:
                return ()
            if status == "NotSupported":
                raise NotSupported(f"{self.identity} does not support this {action}.", "Ask for less, or not at all.")
            if status != "Accepted":
                raise Refused(f"{self.identity} answered {action} with “{status}”.", "Look at the frame for details.")
            return await self._parts(events, report, number, timeout_s)

    async def _parts(
        self, events: Subscription[EndpointEvent], report: str, number: object, timeout_s: float
    ) -> tuple[dict[str, Any], ...]:
        parts: list[dict[str, Any]] = []
        try:
            while len(parts) < MAX_PARTS:
                async with asyncio.timeout(timeout_s):
                    event = await anext(events)
                if isinstance(event, Closed):
                    raise lost(self.identity)
                if isinstance(event, Heard) and event.action == report and event.payload.get("requestId") == number:
                    parts.append(dict(event.payload))
                    if event.payload.get("tbc") is not True:
                        break
        except TimeoutError as error:
            raise TimedOut(
                f"{self.identity} sent {len(parts)} parts of {report} and no more for {timeout_s:.0f} s.",
                "Try again, or ask for less.",
            ) from error
        return tuple(sorted(parts, key=lambda part: v16.number(part.get("seqNo"))))

    # Commands -----------------------------------------------------------------------------------------------------

    async def get_settings(self, keys: Sequence[str] = ()) -> tuple[Setting, ...]:
        """Read configuration: all of it, or ``keys``; as gently as the unit needs it.

        Keys are those of 1.6, or variables of the device model (``VariableName.text``).
        """
        found = await self._read_settings(keys)
        if not keys:
            shown = {setting.key: setting.shown for setting in found}
            at = self._host.now()
            self.observe([SettingsSeen(identity=self.identity, settings=shown, version=self.version, at=at)])
        return found

    async def _read_settings(self, keys: Sequence[str]) -> tuple[Setting, ...]:
        key_s = self._host.times.key_s
        if verbs.is_old(self.version):
            return await settings16.Reader(self.call, self.habits, key_s).read(keys)
        if not keys:
            return tuple(settings2.setting(variable) for variable in await self.device_model())
        return await settings2.Variables(self.call, self.habits, key_s).read(keys)

    async def set_setting(self, key: str, value: str) -> str:
        """Write one key or variable; returns Accepted, RebootRequired, Rejected or NotSupported.

        Raises ValueRejected where the version can't carry key or value.
        """
        return (await self.set_settings({key: value}))[key]

    async def set_settings(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Write several keys or variables, in as few messages as the unit allows; returns their statuses.

        Raises ValueRejected before anything is sent where the version can't carry one of them.
        """
        if not verbs.is_old(self.version):
            return await settings2.Variables(self.call, self.habits, self._host.times.key_s).write(changes)
        for key, value in changes.items():
            settings16.must_fit(key, value)
        orders = [("ChangeConfiguration", {"key": key, "value": value}) for key, value in changes.items()]
        return {payload["key"]: await self._status(action, payload) for action, payload in orders}

    async def device_model(self) -> tuple[Variable, ...]:
        """Return all variables of a 2.x station, as far as it tells them; kept until it reconnects.

        Raises NotSupported (also in 1.6), Refused, TimedOut, LinkLost.
        """
        known = self.habits.model
        if known is not None:
            return known
        refusal: AppError = NotSupported(f"{self.identity} reports no device model.", "Read single variables.")
        for base in BASES:
            try:
                parts = await self.gather("GetBaseReport", {"reportBase": base})
            except Refused as error:
                refusal = error
                continue
            self.habits.model = model = assemble(parts)
            self.habits.limits.update(settings2.limits_of(model))
            return model
        raise refusal

    async def reset(self, kind: str = "Soft") -> str:
        """Send Reset (``Soft``/``OnIdle`` or ``Hard``/``Immediate``). Accepted is a promise, not a proof."""
        return await self._status(*verbs.reset(self.version, kind))

    async def trigger(self, message: str, connector: int | None = None) -> str:
        """Send TriggerMessage and return its status."""
        return await self._status(*verbs.trigger(self.version, message, connector))

    async def start(self, connector: int, tag: str) -> str:
        """Start a transaction and return the status."""
        return await self._status(*verbs.start(self.version, connector, tag, next(self._requests)))

    async def stop(self, transaction_id: int | str) -> str:
        """Stop a transaction and return the status."""
        return await self._status(*verbs.stop(self.version, transaction_id))

    async def unlock(self, connector: int) -> str:
        """Send UnlockConnector and return its status."""
        return await self._status(*verbs.unlock(self.version, connector))

    async def availability(self, connector: int, is_operative: bool) -> str:
        """Send ChangeAvailability (connector 0 = all of it) and return its status."""
        return await self._status(*verbs.availability(self.version, connector, is_operative))

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
        raise lost(self.identity)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait (shortly) until it is over. Idempotent."""
        await self._end(lambda: self._channel.close(code, reason))

    async def cut(self) -> None:
        """End the connection without a word, as a pulled cable would, and wait (shortly) until it is over."""
        await self._end(self._channel.abort)

    async def _end(self, end: Callable[[], None]) -> None:
        if not self.is_open:
            return
        with self.events.subscribe() as events:
            end()
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
        async with self._turn.taken(self._host.times.queue_s, is_early=self._manner.speaks_early) as is_ours:
            if not is_ours:
                raise TimedOut(
                    f"{action} waited too long for earlier commands to {self.identity}.", "Try again in a moment."
                )
            self._must_be_open()
            yield

    def _must_be_open(self) -> None:
        if not self.is_open:
            raise lost(self.identity)

    def _without_boot(self) -> None:
        self._host.scope.isolated(f"ask {self.connection} for Boot", self._ask_for_boot())

    async def _ask_for_boot(self) -> None:
        try:
            await self.trigger("BootNotification")
        except AppError as error:
            log.debug("%s: %s", self.identity, error)


def _refusal(identity: str, event: RefusedCall) -> Refused:
    error = event.error
    text = f"{identity} refused {event.action}: {error.code}"
    if error.description:
        text += f" ({error.description})"
    if error.code in (NOT_IMPLEMENTED, NOT_SUPPORTED):
        return NotSupported(text + ".", "This charger does not offer that over OCPP; use another way.")
    return Refused(text + ".", "Look at the frame for details, then try again.")
