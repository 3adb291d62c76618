"""The line of a simulated charge point to its central system: it dials, boots, speaks in turn, and dials again."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import ssl
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from app.scope import Scope, Trouble
from app.sim.fault import Fault

log = logging.getLogger(__name__)

OPEN_LIMIT_S = 10.0
CALL_LIMIT_S = 20.0
OUTBOX_DEPTH = 500
KEPT_OFFLINE = frozenset({"StartTransaction", "StopTransaction", "MeterValues"})
"""Transaction-related messages survive a lost connection (OCPP 1.6 §3.7)."""

Reply = tuple[list[Any], Callable[[], None] | None]
"""An answer without its id (``[3, payload]``, ``[4, code, text, details]``), and what is done once it has gone out."""


@dataclass(slots=True)
class _Outgoing:
    action: str
    payload: Callable[[], dict[str, Any]]
    answered: Callable[[dict[str, Any]], None]


class Dialler(ABC):
    """Holds the connection. Whoever builds on it says what is answered and what is told after a Boot.

    States::

        off ──power_on──► dialling ◄──► connected ──power_off──► off
    """

    def __init__(
        self,
        identity: str,
        dial_url: str,
        *,
        headers: Sequence[tuple[str, str]],
        subprotocols: Sequence[str],
        boot: Mapping[str, str],
        redial_s: float,
        time_scale: float,
        faults: set[Fault] | None,
        boots_on_redial: bool,
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
        self.connected = asyncio.Event()
        self.booted = asyncio.Event()
        self.heard: deque[tuple[str, dict[str, Any]]] = deque(maxlen=200)
        self.last_error = ""
        self.dials = 0
        self._scope = Scope(f"sim/{identity}", report=self._tell)
        self._has_power = False
        self._dialling: asyncio.Task[None] | None = None
        self._link: ClientConnection | None = None
        self._outbox: deque[_Outgoing] = deque(maxlen=OUTBOX_DEPTH)
        self._outbox_filled = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._uids = itertools.count(1)

    async def __aenter__(self) -> Self:
        self.power_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.power_off()
        await self._scope.close()

    @abstractmethod
    def reply(self, action: str, payload: dict[str, Any]) -> Reply:
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
    def is_connected(self) -> bool:
        """Say whether the WebSocket is open."""
        return self.connected.is_set()

    def power_on(self) -> None:
        """Begin to dial; the first connection sends a BootNotification."""
        self._has_power = True
        if self._dialling is None or self._dialling.done():
            self._dialling = self._scope.isolated("dial", self._dial_forever())

    async def power_off(self) -> None:
        """Drop the line without a closing handshake, as a unit that loses power does."""
        self._has_power = False
        self.booted.clear()
        await self._stop_dialling(abort=True)

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
        payload: dict[str, Any] | Callable[[], dict[str, Any]],
        answered: Callable[[dict[str, Any]], None] = lambda _answer: None,
    ) -> None:
        """Queue a message; they go out one by one, in order, once the unit is accepted."""
        build = payload if callable(payload) else (lambda: payload)
        self._outbox.append(_Outgoing(action, build, answered))
        self._outbox_filled.set()

    # Inside

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
            await asyncio.sleep(self.redial_s * self.time_scale)

    async def _connect_once(self) -> None:
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                link = await connect(
                    self.dial_url,
                    additional_headers=list(self.headers),
                    subprotocols=[Subprotocol(name) for name in self.subprotocols] or None,
                    compression=None,
                    proxy=None,
                    ping_interval=None,
                    close_timeout=1,
                    user_agent_header=None,
                    **_tls(self.dial_url),
                )
        except InvalidStatus as error:
            self.last_error = f"HTTP error {error.response.status_code}"
            return
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            self.last_error = f"connection error: {error}"
            return
        await self._talk(link)

    async def _talk(self, link: ClientConnection) -> None:
        self._link = link
        self.last_error = ""
        self._drop_stale()
        if self.boots_on_redial:
            self.booted.clear()
        self.connected.set()
        speaker = self._scope.isolated("speak", self._speak(link))
        try:
            async for text in link:
                await self._received(link, text)
        except ConnectionClosed:
            pass
        finally:
            self.connected.clear()
            self._link = None
            speaker.cancel()
            for future in self._waiting.values():
                future.cancel()
            self._waiting.clear()
            await link.close()

    def _drop_stale(self) -> None:
        kept = [message for message in self._outbox if message.action in KEPT_OFFLINE]
        has_news = any(message.action == "StatusNotification" for message in self._outbox)
        self._outbox.clear()
        self._outbox.extend(kept)
        if has_news and self.booted.is_set() and not self.boots_on_redial:
            self.returned()

    async def _speak(self, link: ClientConnection) -> None:
        with suppress(ConnectionClosed, asyncio.CancelledError):
            while not self.booted.is_set():
                await self._boot(link)
            while True:
                await self._speak_next(link)

    async def _boot(self, link: ClientConnection) -> None:
        answer = await self._call(link, "BootNotification", dict(self.boot)) or {}
        interval = answer.get("interval")
        wait_s = float(interval) if isinstance(interval, int | float) and interval > 0 else 0.0
        if answer.get("status") != "Accepted":
            await asyncio.sleep(min(wait_s or 60.0, 86400.0) * self.time_scale)
            return
        self.booted.set()
        self.accepted(wait_s)

    async def _speak_next(self, link: ClientConnection) -> None:
        pause_s = self.heartbeat_s or 86400.0
        if not self._outbox:
            self._outbox_filled.clear()
            try:
                async with asyncio.timeout(max(pause_s * self.time_scale, 0.05)):
                    await self._outbox_filled.wait()
            except TimeoutError:
                await self._call(link, "Heartbeat", {})
                return
        message = self._outbox[0]
        answer = await self._call(link, message.action, message.payload())
        if self._outbox and self._outbox[0] is message:
            self._outbox.popleft()
        message.answered(answer or {})

    async def _call(self, link: ClientConnection, action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        uid = f"{self.identity[:20]}-{next(self._uids)}"
        future = asyncio.get_running_loop().create_future()
        self._waiting[uid] = future
        try:
            await link.send(json.dumps([2, uid, action, payload], separators=(",", ":")))
            async with asyncio.timeout(CALL_LIMIT_S):
                answer: dict[str, Any] = await future
                return answer
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(uid, None)

    async def _received(self, link: ClientConnection, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        match message:
            case [2, str(uid), str(action), dict(payload)]:
                await self._answer(link, uid, action, payload)
            case [3, str(uid), dict(payload)]:
                self._settle(uid, payload)
            case [4, str(uid), *_]:
                self._settle(uid, {})

    def _settle(self, uid: str, payload: dict[str, Any]) -> None:
        future = self._waiting.get(uid)
        if future is not None and not future.done():
            future.set_result(payload)

    async def _answer(self, link: ClientConnection, uid: str, action: str, payload: dict[str, Any]) -> None:
        self.heard.append((action, payload))
        if Fault.SILENT in self.faults:
            return
        if Fault.SLOW in self.faults:
            await asyncio.sleep(2.0 * self.time_scale)
        if Fault.DROPS_MID_WRITE in self.faults and action == "ChangeConfiguration":
            self.reply(action, payload)
            link.transport.abort()
            return
        answer, after = self.reply(action, payload)
        await link.send(json.dumps([answer[0], uid, *answer[1:]], separators=(",", ":")))
        if after is not None:
            after()

    def _tell(self, trouble: Trouble) -> None:
        log.error("%s failed: %r", trouble.name, trouble.error, exc_info=trouble.error)


def _tls(url: str) -> dict[str, Any]:
    """Simulated units verify nothing, like the small clients they stand for."""
    if not url.lower().startswith("wss:"):
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}
