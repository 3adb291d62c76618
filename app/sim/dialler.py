"""The line of a simulated charge point to its central system: it dials, boots, speaks in turn, and dials again."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from app.scope import Scope, Trouble
from app.sim.calls import Answered, Calls, Payload, framed
from app.sim.clock import Clock
from app.sim.dialtls import DialTls
from app.sim.fault import Fault
from app.sim.line import opened

log = logging.getLogger(__name__)

OUTBOX_DEPTH = 500
KEPT_OFFLINE = frozenset({"StartTransaction", "StopTransaction", "MeterValues"})
"""Transaction-related messages survive a lost connection (OCPP 1.6 §3.7)."""
SMALL_BUFFER = 4096
"""What a small controller can hold of one message (matth-x/MicroOcpp, src/MicroOcpp/Platform.h)."""
LONGEST_S = 30 * 86_400.0
BOOT_PAUSE_S = 60.0
"""Pause between two BootNotifications where the central system names none."""

After = Callable[[], None]
Reply = tuple[list[Any], After | None]
"""An answer without its id (``[3, payload]``, ``[4, code, text, details]``), and what is done once it has gone out."""


@dataclass(slots=True)
class Outgoing:
    """A message in the outbox. ``is_asked``: the central system asked for it, so it may go out before acceptance."""

    action: str
    payload: Callable[[], Payload]
    answered: Callable[[Payload], None]
    is_asked: bool = False
    attempts: int = 0


class Dialler(ABC):
    """Holds the connection. Whoever builds on it says what is answered and what is told after a Boot.

    States::

        off ──power_on──► dialling ◄──► connected ──power_off──► off
    """

    kept_offline = KEPT_OFFLINE

    def __init__(
        self,
        identity: str,
        dial_url: str,
        *,
        headers: Sequence[tuple[str, str]],
        subprotocols: Sequence[str],
        boot: Mapping[str, Any],
        redial_s: float,
        time_scale: float,
        faults: set[Fault] | None,
        boots_on_redial: bool,
        tls: DialTls | None = None,
    ) -> None:
        self.identity = identity
        self.dial_url = dial_url
        self.headers = tuple(headers)
        self.subprotocols = tuple(subprotocols)
        self.boot = dict(boot)
        self.redial_s = redial_s
        self.time_scale = max(time_scale, 0.001)
        self.faults = faults if faults is not None else set()
        self.boots_on_redial = boots_on_redial
        self.tls = replace(tls) if tls is not None else DialTls(verifies=False)
        self.resolver: tuple[str, int] | None = None
        """The name server it asks, as DHCP told it; ``None``: this computer's way."""
        self.registration = ""
        self.connected = asyncio.Event()
        self.booted = asyncio.Event()
        self.heard: deque[tuple[str, Payload]] = deque(maxlen=200)
        self.said: deque[tuple[str, Payload]] = deque(maxlen=500)
        self.last_error = ""
        self.dials = 0
        self.failed_dials = 0
        self.central_time = ""
        self.clock = Clock(self.faults)
        self._noted = asyncio.Event()
        self._scope = Scope(f"sim/{identity}", report=self._tell)
        self._lost_s = math.inf
        self._has_power = False
        self._dialling: asyncio.Task[None] | None = None
        self._link: ClientConnection | None = None
        self._outbox: deque[Outgoing] = deque(maxlen=OUTBOX_DEPTH)
        self._outbox_filled = asyncio.Event()
        self._boot_wished = False
        self._calls = Calls(identity)

    async def __aenter__(self) -> Self:
        self.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.power_off()
        await self._scope.close()

    # What whoever builds on it decides

    @abstractmethod
    def reply(self, action: str, payload: Payload) -> Reply:
        """Answer a call of the central system."""

    @abstractmethod
    def accepted(self, interval_s: float) -> None:
        """Note that a BootNotification was accepted, and queue what is told then."""

    @abstractmethod
    def returned(self) -> None:
        """Queue what is told after a redial during which states changed."""

    @property
    @abstractmethod
    def heartbeat_s(self) -> float:
        """Return the pause between heartbeats, unscaled."""

    @property
    def ping_s(self) -> float:
        """Return the pause between WebSocket pings of its own, unscaled; 0 = it sends none."""
        return 0.0

    @property
    def offline_threshold_s(self) -> float:
        """Return after how long without a line all states are told again, unscaled; endless in 1.6."""
        return math.inf

    def boot_payload(self) -> Payload:
        """Return what it says of itself at the start."""
        return dict(self.boot)

    @property
    def attempts(self) -> tuple[int, float]:
        """Return how often a transaction's message is sent, and the pause that grows by itself each time."""
        return 1, 0.0

    def lacking(self, _action: str, _payload: Payload) -> str:
        """Return the field that an answer lacks, where this version can say so (2.1)."""
        return ""

    def clock_told(self, text: str) -> None:
        """Note the central system's time, from a BootNotification or Heartbeat answer."""
        self.central_time = text

    def dial_failed(self) -> None:
        """Count an attempt that did not become a connection."""
        self.failed_dials += 1
        self._noted.set()

    def dial_opened(self) -> None:
        """Note that a connection stands."""
        self.failed_dials = 0

    def pause_s(self) -> float:
        """Return the pause before the next attempt, unscaled."""
        return self.redial_s

    # Power and line

    @property
    def is_connected(self) -> bool:
        """Say whether the WebSocket is open."""
        return self.connected.is_set()

    async def until(self, is_true: Callable[[], bool], *, timeout_s: float = 8.0) -> None:
        """Wait until something is true of it (looked at whenever it says, hears or loses something); TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not is_true():
                self._noted.clear()
                await self._noted.wait()

    async def drained(self, *, timeout_s: float = 3.0) -> None:
        """Wait until all is said that could be said, or the line is gone, or the time is over."""
        with suppress(TimeoutError):
            await self.until(lambda: not self._outbox or not self.is_connected, timeout_s=timeout_s)

    @property
    def queued(self) -> int:
        """Count the messages that wait to go out."""
        return len(self._outbox)

    def power_on(self) -> None:
        """Begin to dial; the first connection sends a BootNotification."""
        self._has_power = True
        if self._dialling is None or self._dialling.done():
            self._dialling = self._scope.isolated("dial", self._dial_forever())

    async def power_off(self) -> None:
        """Drop the line without a closing handshake, as a unit that loses power does."""
        self._has_power = False
        if Fault.RETURNS_WITHOUT_BOOT not in self.faults:
            self.booted.clear()
            self.registration = ""
        await self._stop_dialling(abort=True)

    def drop(self) -> None:
        """Lose the network: the line breaks without a closing handshake, and the unit dials again."""
        if self._link is not None:
            self._link.transport.abort()

    async def redial(self) -> None:
        """Close the connection in order and dial again at once with the present ``dial_url`` and ``headers``.

        Nothing happens while it has no power.
        """
        if self._has_power:
            await self._stop_dialling(abort=False)
        if self._has_power:
            self.power_on()

    def redial_soon(self, pause_s: float = 0.0) -> None:
        """Start ``redial`` on its own, after a scaled pause: usable from inside an answer."""
        self._scope.isolated("redial", self._later(pause_s, self.redial))

    def say(
        self,
        action: str,
        payload: Payload | Callable[[], Payload],
        answered: Callable[[Payload], None] = lambda _answer: None,
        *,
        is_asked: bool = False,
    ) -> None:
        """Queue a message; they go out one by one, in order, once the unit is accepted."""
        build = payload if callable(payload) else (lambda: payload)
        self._outbox.append(Outgoing(action, build, answered, is_asked))
        self._outbox_filled.set()

    def send_unconfirmed(self, action: str, payload: Payload) -> None:
        """Send what needs no answer (2.1, SEND); nothing goes out while it is not connected and accepted."""
        link = self._link
        if link is None or not self.booted.is_set():
            return
        text = framed(6, self._calls.next_id(), action, payload)

        async def send() -> None:
            with suppress(ConnectionClosed):
                await link.send(text)

        self._scope.isolated("send", send())

    def boot_again(self) -> None:
        """Send a BootNotification soon: at once while it waits for acceptance, else in its turn."""
        self._boot_wished = True
        self._outbox_filled.set()

    # Inside

    def later(self, name: str, pause_s: float, act: Callable[[], None]) -> None:
        """Do something after a scaled pause."""

        async def wait() -> None:
            await asyncio.sleep(pause_s * self.time_scale)
            act()

        self._scope.isolated(name, wait())

    def at(self, name: str, when: datetime, act: Callable[[], None]) -> None:
        """Do something at a time by the unit's clock; a date is never scaled."""
        left_s = (when - self.clock.now()).total_seconds()
        self.later(name, min(max(left_s, 0.0), LONGEST_S) / self.time_scale, act)

    async def _later(self, pause_s: float, act: Callable[[], Any]) -> None:
        await asyncio.sleep(pause_s * self.time_scale)
        await act()

    async def _stop_dialling(self, *, abort: bool) -> None:
        task, self._dialling = self._dialling, None
        if task is None:
            return
        if abort and self._link is not None:
            self._link.transport.abort()
        task.cancel()
        await asyncio.wait({task})

    async def _dial_forever(self) -> None:
        while True:
            if self.dial_url:
                self.dials += 1
                await self._connect_once()
            await asyncio.sleep(self.pause_s() * self.time_scale)

    async def _connect_once(self) -> None:
        try:
            way = (self.headers, self.subprotocols, self.tls, self.faults)
            link = await opened(self.dial_url, *way, resolver=self.resolver)
        except InvalidStatus as error:
            self.last_error = f"HTTP error {error.response.status_code}"
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            self.last_error = f"connection error: {error}"
        else:
            self.dial_opened()
            await self._talk(link)
            return
        self.dial_failed()

    async def _talk(self, link: ClientConnection) -> None:
        self._link = link
        self.last_error = ""
        self._drop_stale()
        if self.boots_on_redial:
            self.booted.clear()
        self.connected.set()
        self._noted.set()
        tasks = [self._scope.isolated("speak", self._speak(link)), self._scope.isolated("ping", self._ping(link))]
        try:
            async for text in link:
                await self._received(link, text)
        except ConnectionClosed:
            pass
        finally:
            self.connected.clear()
            self._lost_s = time.monotonic()
            self._noted.set()
            self._link = None
            for task in tasks:
                task.cancel()
            self._calls.abandon()
            await link.close()

    def _drop_stale(self) -> None:
        lost = self.faults & {Fault.DROPS_QUEUE}
        kept = [message for message in self._outbox if message.action in self.kept_offline and not lost]
        has_news = any(message.action == "StatusNotification" for message in self._outbox)
        self._outbox.clear()
        self._outbox.extend(kept)
        is_long = time.monotonic() - self._lost_s > self.offline_threshold_s * self.time_scale
        if (has_news or is_long) and self.booted.is_set() and not self.boots_on_redial:
            self.returned()

    async def _ping(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(max(self.ping_s * self.time_scale, 0.02) if self.ping_s else 1.0)
                if self.ping_s:
                    await link.ping()

    async def _speak(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed, asyncio.CancelledError):
            while not self.booted.is_set():
                await self._boot(link)
            while True:
                await self._speak_next(link)

    async def _boot(self, link: ClientConnection) -> None:
        self._boot_wished = False
        answer = (await self._call(link, "BootNotification", self.boot_payload())).payload or {}
        interval = answer.get("interval")
        wait_s = float(interval) if isinstance(interval, int | float) and interval > 0 else 0.0
        self.registration = str(answer.get("status", ""))
        self._noted.set()
        self.clock_told(str(answer.get("currentTime", "")))
        if self.registration == "Accepted" and Fault.REPEATS_BOOT not in self.faults:
            self.booted.set()
            self.accepted(wait_s)
            return
        await self._wait_room(link, min(wait_s or BOOT_PAUSE_S, 86400.0) * self.time_scale)

    async def _wait_room(self, link: ClientConnection, wait_s: float) -> None:
        """Wait to boot again; while Pending, what the central system asked for goes out (OCPP 1.6 §4.2, 2.0.1 B02)."""
        ends_at = time.monotonic() + wait_s
        while (left_s := ends_at - time.monotonic()) > 0 and not self._boot_wished:
            message = next((item for item in self._outbox if item.is_asked), None)
            if message is not None and self.registration == "Pending":
                self._outbox.remove(message)
                message.answered((await self._call(link, message.action, message.payload())).payload or {})
                continue
            self._outbox_filled.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._outbox_filled.wait()

    async def _speak_next(self, link: ClientConnection) -> None:
        if self._boot_wished:
            await self._boot_in_turn(link)
            return
        if not self._outbox:
            self._outbox_filled.clear()
            try:
                async with asyncio.timeout(max((self.heartbeat_s or 86400.0) * self.time_scale, 0.05)):
                    await self._outbox_filled.wait()
            except TimeoutError:
                answer = await self._call(link, "Heartbeat", {})
                self.clock_told(str((answer.payload or {}).get("currentTime", "")))
            return
        await self._deliver(link, self._outbox[0])

    async def _boot_in_turn(self, link: ClientConnection) -> None:
        self._boot_wished = False
        answer = (await self._call(link, "BootNotification", self.boot_payload())).payload or {}
        self.registration = str(answer.get("status", ""))
        self._noted.set()
        if self.registration != "Accepted":
            self.booted.clear()
            link.transport.abort()

    async def _deliver(self, link: ClientConnection, message: Outgoing) -> None:
        message.attempts += 1
        answer = await self._call(link, message.action, message.payload())
        if answer.payload is None and self._is_retried(message):
            await asyncio.sleep(max(self.attempts[1] * message.attempts * self.time_scale, 0.01))
            return
        if self._outbox and self._outbox[0] is message:
            self._outbox.popleft()
            self._noted.set()
        message.answered(answer.payload or {})

    def _is_retried(self, message: Outgoing) -> bool:
        if message.action not in self.kept_offline:
            return False
        return Fault.POISON_QUEUE in self.faults or message.attempts < self.attempts[0]

    async def _call(self, link: ClientConnection, action: str, payload: Payload) -> Answered:
        self.said.append((action, payload))
        self._noted.set()
        is_cut = Fault.BROKEN_JSON in self.faults and action == "StatusNotification"
        return await self._calls.call(link, action, payload, is_cut=is_cut)

    async def _received(self, link: ClientConnection, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        match message:
            case [2, str(uid), str(action), dict(payload)]:
                await self._answer(link, uid, action, payload)
            case [3, str(uid), dict(payload)]:
                await self._take(link, uid, payload)
            case [4, str(uid), code, *_]:
                self._calls.settle(uid, Answered(error=str(code)))

    async def _take(self, link: ClientConnection, uid: str, payload: Payload) -> None:
        lack = self.lacking(self._calls.action_of(uid), payload)
        if lack:
            await link.send(framed(5, uid, "OccurrenceConstraintViolation", f"{lack} is missing", {}))
            self._calls.settle(uid, Answered(error="CallResultError"))
        else:
            self._calls.settle(uid, Answered(payload))

    async def _answer(self, link: ClientConnection, uid: str, action: str, payload: Payload) -> None:
        self.heard.append((action, payload))
        self._noted.set()
        if Fault.SILENT in self.faults:
            return
        if Fault.SLOW in self.faults:
            await asyncio.sleep(2.0 * self.time_scale)
        if Fault.DROPS_MID_WRITE in self.faults and action == "ChangeConfiguration":
            self.reply(action, payload)
            link.transport.abort()
            return
        beat_s = self.heartbeat_s
        answer, after = self.reply(action, payload)
        if beat_s != self.heartbeat_s:
            self._outbox_filled.set()  # the pause that runs is over
        if Fault.CRASHES_ON_UNKNOWN in self.faults and answer[1] == "NotImplemented":
            self._scope.isolated("crash", self._crash())
            return
        text = framed(answer[0], uid, *answer[1:])
        if Fault.BIG_MESSAGE_CHOKE in self.faults and len(text) > SMALL_BUFFER:
            await link.send(text[:SMALL_BUFFER])
            link.transport.abort()
            return
        await link.send(text)
        if after is not None:
            after()

    async def _crash(self) -> None:
        await self.power_off()
        await asyncio.sleep(1.0 * self.time_scale)
        self.power_on()

    def _tell(self, trouble: Trouble) -> None:
        log.error("%s failed: %r", trouble.name, trouble.error, exc_info=trouble.error)
