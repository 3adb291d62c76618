"""The line of a bridged charge point to its backend: it dials, boots, speaks in turn, answers, and dials again."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from app.bridge.clockwork import Clockwork
from app.bridge.dialling import OPEN_S, dial
from app.bridge.message import Message, Payload, new_uid
from app.bridge.outlet import OutletState
from app.bridge.pending import Pending, Reply, Said, shown
from app.bridge.replying import Replies
from app.bridge.standing import RHYTHM, Rhythm, fits_as_password, standing
from app.bridge.station import Station
from app.bridge.target import Target
from app.errors import AppError
from app.model.bridge import LineState, UnitStatus
from app.model.frame import Direction
from app.model.secret import Secret
from app.ocpp import frame
from app.ocpp.masking import masked_known, masked_request, spellings
from app.scope import Scope

__all__ = ["RHYTHM", "Heard", "Rhythm", "Uplink"]

log = logging.getLogger(__name__)

SEND_S = 20.0
"""How long the network may take to accept a message."""
PONG_S = 10.0
"""How long a line that fell silent may take to answer a ping [OURS]."""
GOODBYE_S = 1.0
"""How long a line may take to close when we leave [OURS]."""
STORE_S = 30.0
"""How long the disk may take; a store that failed is asked again so much later [OURS]."""
MOST_PAUSE_S = 3600.0
"""The longest pause before a message is repeated [OURS]."""
Heard = Callable[[Direction, str], None]
"""Takes every text of the line, secrets masked: ``OUT`` is what we say."""


async def _nothing_to_flush() -> None:
    return


class Uplink:
    """Holds the line of one station. ``run`` is started by its owner; cancelling it hangs up.

    ``flush`` puts what the station keeps on disk. ``rekeyed`` is told a password the backend gave, so that it is kept;
    where nobody keeps it, none is taken.
    The owner passes on what the unit does by ``noted``.

    States: see ``LineState``.
    """

    def __init__(
        self,
        target: Target,
        station: Station,
        clockwork: Clockwork,
        *,
        flush: Callable[[], Awaitable[None]] = _nothing_to_flush,
        heard: Heard | None = None,
        rekeyed: Callable[[Secret], None] | None = None,
        delivered: Callable[[], int] | None = None,
        rhythm: Rhythm = RHYTHM,
        local_address: str = "",
    ) -> None:
        self.target = target
        self.station = station
        self.heard = heard
        self.line = LineState.OFF
        self.line_since = clockwork.now()
        self.trouble = ""
        self.advice = ""
        self.dials = 0
        self.pong_s = PONG_S
        self._clockwork = clockwork
        self._flush = flush
        self.rekeyed = rekeyed
        self._delivered = delivered
        self._count = 0
        self._rhythm = rhythm
        self._local_address = local_address
        self._alarm = clockwork.alarm(self._tick)
        self._link: ClientConnection | None = None
        self._wake = asyncio.Event()
        self._said = Said()
        self._pending = Pending()
        self._replies = Replies(station)
        self._hangs_up = ""
        self._kept_after_s = 0.0
        self._boot_after_s = 0.0
        self._failures = 0
        self._has_unflushed = False
        self._last_heard_s = 0.0
        self._ping_at_s = 0.0
        self._pong: Awaitable[float] | None = None
        self._secrets = spellings(target.secret)
        station.say, station.woken = self._say, self._woken
        station.restart, station.rekey = self.restart, self._rekey

    # What its owner does

    async def run(self) -> None:
        """Hold the line until cancelled."""
        self._alarm.set(self._now)
        try:
            await self._wait_offline(self._rhythm.first_s * random.random())
            while True:
                pause_s = await self._attempt()
                self._become(LineState.DIALLING)
                await self._wait_offline(pause_s)
        finally:
            self._alarm.off()
            self._become(LineState.OFF)

    def noted(self, state: OutletState) -> None:
        """Pass on what the unit does."""
        self.station.noted(state, self._now)
        self._alarm.set(self._now)

    def restart(self, reason: str) -> None:
        """Hang up in order, and dial anew soon."""
        self._hangs_up = reason or "restart"
        self._boot_after_s = 0.0
        if self.line is not LineState.ONLINE:  # a Boot; other answers are waited for, or it would be said twice
            self._pending.abandon()
        self._wake.set()

    @property
    def status(self) -> UnitStatus:
        """Return how it stands, for the status page."""
        delivered = self._delivered() if self._delivered else self._count
        return standing(
            self.station,
            self.target,
            line=self.line,
            line_since=self.line_since,
            trouble=self.trouble,
            delivered=delivered,
        )

    # What the station asks of it

    def _say(self, message: Message) -> None:
        if self._link is not None:
            self._said.put(message)
            self._wake.set()

    def _woken(self) -> None:
        self._has_unflushed = True
        self._wake.set()

    def _rekey(self, password: Secret) -> Callable[[], None] | None:
        """Take a new password in the dialect of the present one (SEC16 A01)."""
        keep = self.rekeyed
        if keep is None or not fits_as_password(password.reveal(), is_hex=self.target.is_hex):
            return None

        def after() -> None:
            self.target = replace(self.target, secret=password)
            self._secrets = (*self._secrets, *spellings(password))
            keep(password)
            self.restart("new password")

        return after

    # The line

    @property
    def _now(self) -> datetime:
        return self._clockwork.now()

    def _become(self, line: LineState) -> None:
        if line is not self.line:
            self.line, self.line_since = line, self._now

    def _in_trouble(self, error: AppError) -> None:
        self.trouble, self.advice = error.message, error.advice

    async def _attempt(self) -> float:
        """Dial and talk; a disk that gives nothing back costs the line, and not the unit for good."""
        try:
            return await self._once()
        except AppError as error:
            log.warning("%s: %s", self.target.identity, error.message)
            self._in_trouble(error)
            self._failures += 1
            return self._rhythm.pause_s(self._failures)

    async def _once(self) -> float:
        """Dial and talk until the line is gone; returns the pause before the next attempt."""
        self._become(LineState.DIALLING)
        self.dials += 1
        try:
            link = await dial(self.target, local_address=self._local_address, limit_s=OPEN_S)
        except AppError as error:
            self._in_trouble(error)
            self._failures += 1
            return self._rhythm.pause_s(self._failures)
        await self._talk(link)
        if self._hangs_up:
            self._hangs_up = ""
            return self._rhythm.restart_s * random.uniform(0.5, 1.0)
        self._failures += 1
        return self._rhythm.pause_s(self._failures)

    async def _talk(self, link: ClientConnection) -> None:
        self._link, self._hangs_up, self._pong = link, "", None
        self._last_heard_s = time.monotonic()
        self._kept_after_s, self._ping_at_s = 0.0, math.inf
        self._replies.forget()
        self._become(LineState.ONLINE if self.station.is_accepted else LineState.PENDING)
        self.station.opened(self._now)
        self._alarm.set(self._now)
        try:
            async with Scope(f"uplink {self.target.identity}") as scope:
                speaking = scope.required("speak", self._speak(link))
                await self._listen(link)
                if self._hangs_up:  # or what has just been answered would be said once more
                    await asyncio.wait({speaking}, timeout=SEND_S)
                speaking.cancel()
        finally:
            self._link = None
            self._said.clear()
            self._pending.abandon()
            self.station.closed(self._now)
            self._alarm.set(self._now)
            self._tell_close(link)
            await _let_go(link)

    def _tell_close(self, link: ClientConnection) -> None:
        code = link.close_code
        if not self._hangs_up and self.line is LineState.PENDING:
            self.trouble = f"The backend hung up before it had accepted the unit ({code})."
            self.advice = "Look whether the backend knows the unit, and whether another one uses its identity."
        elif not self._hangs_up and code not in (1000, 1001, 1012):
            self.trouble = f"The line broke ({code})."
            self.advice = "Nothing to do: it is dialled again."

    async def _wait_offline(self, pause_s: float) -> None:
        """Wait for the next attempt; what the unit does meanwhile is put on disk."""
        until_s = time.monotonic() + pause_s
        while (left_s := until_s - time.monotonic()) > 0:
            self._wake.clear()
            if self._has_unflushed and not await self._flushed():
                left_s = min(left_s, STORE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._wake.wait()

    async def _flushed(self) -> bool:
        """Put all on disk; where that fails the unit goes on, and the queue waits."""
        self._has_unflushed, is_done = False, False
        try:
            await self._flush()
            is_done = True
        except AppError as error:
            self._in_trouble(error)
        finally:
            self._has_unflushed = self._has_unflushed or not is_done
        return is_done

    # Listening

    async def _listen(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in link:
                self._last_heard_s = time.monotonic()
                if isinstance(text, str):
                    await self._received(link, text)

    async def _received(self, link: ClientConnection, text: str) -> None:
        message = frame.decode(text)
        self._record(Direction.IN, shown(text, message))
        if isinstance(message, frame.Result):
            self._pending.settle(message.uid, Reply(payload=message.payload))
        elif isinstance(message, frame.Error):
            self._pending.settle(message.uid, Reply(code=message.code or frame.INTERNAL))
        if isinstance(message, frame.Result | frame.Error):
            await asyncio.sleep(0)  # the speaker acts on an answer before the next order is looked at
        else:
            answer, after = self._replies.to(message, text, self._now)
            if answer:
                self._record(Direction.OUT, answer)
                await self._send(link, answer)
            if after is not None:
                after()
            self._alarm.set(self._now)

    async def _send(self, link: ClientConnection, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await link.send(text)
        except TimeoutError:
            link.transport.abort()

    def _record(self, direction: Direction, text: str) -> None:
        if self.heard is not None:
            self.heard(direction, masked_known(text, self._secrets))

    # Speaking

    async def _speak(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while not self._hangs_up:
                if self.station.is_accepted:
                    await self._speak_next(link)
                else:
                    await self._boot(link)
            await self._flushed()
        await link.close(1000, self._hangs_up[:100])

    async def _boot(self, link: ClientConnection) -> None:
        """Boot, and wait as long as the backend says, unless it asks for something (§4.2, B02).

        The wait goes on over lost lines.
        """
        self._become(LineState.PENDING)
        if time.monotonic() >= self._boot_after_s:
            await self._booted(link)
        while not self.station.is_accepted and not self._hangs_up:
            left_s = self._boot_after_s - time.monotonic()
            message = self._said.asked()
            if left_s <= 0 or (message is not None and message.action == "BootNotification"):
                self._boot_after_s = 0.0
                return
            if message is not None:
                await self._exchange(link, message)
            else:
                await self._pause(link, left_s)

    async def _booted(self, link: ClientConnection) -> None:
        reply = await self._call(link, new_uid(), "BootNotification", self.station.boot(self._now))
        if reply.is_lost:
            return
        wait_s = self.station.boot_answered(reply.payload or {}, self._now)
        self._alarm.set(self._now)
        self._boot_after_s = time.monotonic() + (wait_s or 0.0)
        if wait_s is None:
            self._failures, self.trouble, self.advice = 0, "", ""
            self._become(LineState.ONLINE)
        elif not self._hangs_up:
            said = (reply.payload or {}).get("status") or reply.code or "no answer"
            self.trouble = f"The backend has not accepted the unit yet: {str(said)[:40]}."
            self.advice = "Release the unit in the backend."

    async def _speak_next(self, link: ClientConnection) -> None:
        if self.line is not LineState.ONLINE or self._failures:
            self._failures, self.trouble, self.advice = 0, "", ""
            self._become(LineState.ONLINE)
        message = self._said.next()
        if message is not None and message.action == "BootNotification":
            await self._booted(link)
        elif message is not None:
            await self._exchange(link, message)
        elif (wait_s := self._kept_after_s - time.monotonic()) > 0:
            await self._pause(link, wait_s)
        elif (head := self.station.kept.outbox.head()) is not None:
            await self._deliver(link, head)
        else:
            await self._pause(link, MOST_PAUSE_S)

    async def _exchange(self, link: ClientConnection, message: Message) -> None:
        payload = self.station.rendered(message)
        if payload is None:
            return
        reply = await self._call(link, message.uid, message.action, payload)
        if reply.payload is not None:
            self.station.answered(message, reply.payload, self._now)
        elif not reply.is_lost:
            self.station.refused(message, reply.code, self._now)
        self._alarm.set(self._now)

    async def _deliver(self, link: ClientConnection, message: Message) -> None:
        """Deliver the oldest kept message: on disk before it goes out, gone from there once it is answered."""
        outbox, payload = self.station.kept.outbox, self.station.rendered(message)
        if payload is not None:
            outbox.attempted(message)
            if not await self._flushed():
                self._kept_after_s = time.monotonic() + STORE_S
                return
            reply = await self._call(link, message.uid, message.action, payload)
            if reply.is_lost or not self._is_settled(message, reply):
                return
            self._count += reply.payload is not None
        outbox.done(message)
        self._has_unflushed = True
        self._alarm.set(self._now)
        if not await self._flushed():
            self._kept_after_s = time.monotonic() + STORE_S

    def _is_settled(self, message: Message, reply: Reply) -> bool:
        """Hand over what came of a kept message; says whether it is done with."""
        if reply.payload is not None:
            self.station.answered(message, reply.payload, self._now)
            return True
        if not self.station.refused(message, reply.code, self._now):
            log.warning("%s: the backend refused %s for good (%s)", self.target.identity, message.action, reply.code)
            return True
        pause_s = min(self.station.retry_s * max(message.attempts, 1), MOST_PAUSE_S)
        self._kept_after_s = time.monotonic() + pause_s
        return False

    async def _call(self, link: ClientConnection, uid: str, action: str, payload: Payload) -> Reply:
        """Send a CALL and wait for its answer; one at a time (J16 §4.1.1)."""
        began_s = time.monotonic()
        waiting = self._pending.begin(uid)
        try:
            text = frame.encode_call(uid, action, payload)
            self._record(Direction.OUT, masked_request(text, action, payload))
            await self._send(link, text)
            async with asyncio.timeout(self.station.call_limit_s):
                return await waiting
        except TimeoutError:
            if self._last_heard_s < began_s:
                await self._look_for_life(link)
            return Reply()
        finally:
            self._pending.end()

    async def _look_for_life(self, link: ClientConnection) -> None:
        """Hang up on a line where nothing comes back, not even the pong that every WebSocket owes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.pong_s):
                await (await link.ping())
                return
        self.trouble, self.advice = "The backend answers nothing any more.", "It is dialled again."
        link.transport.abort()

    async def _pause(self, link: ClientConnection, limit_s: float) -> None:
        """Wait until there is something to say, at most so long; ping meanwhile."""
        if self._has_unflushed:
            await self._flushed()
        until_s = time.monotonic() + limit_s
        while not self._wake.is_set() and not self._hangs_up:
            left_s = min(until_s - time.monotonic(), await self._pinged(link))
            if until_s <= time.monotonic():
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(max(left_s, 0.0)):
                    await self._wake.wait()
        self._wake.clear()

    async def _pinged(self, link: ClientConnection) -> float:
        """Ping when that is due; returns after how many seconds the next one is. A line without a pong is dead."""
        every_s = self.station.ping_s
        if not every_s:
            return MOST_PAUSE_S
        now_s = time.monotonic()
        self._ping_at_s = min(self._ping_at_s, now_s + every_s)
        if now_s < self._ping_at_s:
            return self._ping_at_s - now_s
        if isinstance(self._pong, asyncio.Future) and not self._pong.done() and self._last_heard_s < now_s - every_s:
            self.trouble, self.advice = "The backend answers no ping any more.", "It is dialled again."
            link.transport.abort()
            return MOST_PAUSE_S
        self._pong = await link.ping()
        self._ping_at_s = now_s + every_s
        return every_s

    # Time

    def _tick(self, now: datetime) -> None:
        self._alarm.set(self.station.due(now))


async def _let_go(link: ClientConnection) -> None:
    """End a connection, in order where that is quick."""
    with suppress(TimeoutError, ConnectionClosed):
        async with asyncio.timeout(GOODBYE_S):
            await link.close(1001)
    link.transport.abort()
