"""What the relay's tests share: a backend, a bridge before it, and units that dial the bridge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import Server, ServerConnection, serve

from app.bridge.relay import RelayTimes
from app.bridge.relay_book import InMemory
from app.bridge.relay_desk import RelayDesk
from app.bridge.relay_order import RelayOrder
from app.bridge.target import Target
from app.model.bridge import Correction, UnitStatus
from app.model.frame import Frame
from app.ocpp.listener import Bounds

HOST = "127.0.0.1"
TIMES = RelayTimes(grace_s=0.5, gate_s=0.5, short_gate_s=0.2, pause_s=0.02, longest_pause_s=0.1, closing_s=0.5)
PATIENT = replace(TIMES, grace_s=10.0, gate_s=10.0, short_gate_s=5.0)
BOUNDS = Bounds(first_s=0.5, closing_s=0.3)
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "Wall 1"}


def order(url: str, unit: str = "CP-1", *, identity: str = "", version: str = "1.6", **more: Any) -> RelayOrder:
    target = more.pop("target", {})
    return RelayOrder(
        unit_identity=unit,
        target=Target(url=url, identity=identity or unit, subprotocol=f"ocpp{version}", **target),
        without=frozenset(more.pop("without", ())),
        **more,
    )


class Bridge:
    """An open desk and what it recorded."""

    def __init__(self, desk: RelayDesk, frames: list[Frame]) -> None:
        self.desk = desk
        self.frames = frames

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.desk.port}/"

    @property
    def status(self) -> UnitStatus:
        return self.desk.statuses[0]

    @property
    def codes(self) -> set[str]:
        return {correction.code for correction in self.status.corrections}

    def correction(self, code: str) -> Correction:
        return next(one for one in self.status.corrections if one.code == code)


@asynccontextmanager
async def bridge(
    *orders: RelayOrder, times: RelayTimes = TIMES, port: int = 0, **options: Any
) -> AsyncIterator[Bridge]:
    frames: list[Frame] = []
    options.setdefault("memory", lambda _: InMemory())
    desk = RelayDesk(times=times, bounds=BOUNDS, heard=frames.append, **options)
    desk.adopt(orders)
    await desk.open(HOST, port)
    try:
        yield Bridge(desk, frames)
    finally:
        await desk.close()


class Backend:
    """A backend whose every word a test decides: the stock server, with what it heard."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.texts: list[str | bytes] = []
        self.connected: list[ServerConnection] = []
        self.answers: dict[str, Any] = {}
        """Action → payload; what is not named stays unanswered."""
        self.port = 0
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.port}/ocpp"

    async def start(self, **options: Any) -> None:
        options.setdefault("subprotocols", ["ocpp1.6", "ocpp2.0.1"])
        self._server = await serve(self._serve, HOST, self.port, compression=None, close_timeout=0.3, **options)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def line(self) -> ServerConnection:
        """Return the next connection."""
        async with asyncio.timeout(5):
            return await self.lines.get()

    async def next(self) -> Any:
        """Return the next message, parsed."""
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def _serve(self, line: ServerConnection) -> None:
        self.lines.put_nowait(line)
        self.connected.append(line)
        try:
            async for text in line:
                self.texts.append(text)
                try:
                    message = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                self.heard.put_nowait(message)
                if isinstance(message, list) and len(message) > 2 and message[0] == 2 and message[2] in self.answers:
                    answer = self.answers[message[2]]
                    answer = answer(message[3]) if callable(answer) else answer
                    await line.send(json.dumps([3, message[1], answer]))
        except websockets.ConnectionClosed:
            return
        finally:
            self.connected.remove(line)


@asynccontextmanager
async def backend(**options: Any) -> AsyncIterator[Backend]:
    made = Backend()
    await made.start(**options)
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def unit(at: Bridge, path: str = "CP-1", **options: Any) -> AsyncIterator[ClientConnection]:
    """Dial the bridge as a charger does, with the stock client."""
    options.setdefault("subprotocols", ["ocpp1.6"])
    async with websockets.connect(at.url + path, compression=None, proxy=None, **options) as link:
        yield link


async def told(link: ClientConnection | ServerConnection) -> Any:
    async with asyncio.timeout(5):
        return json.loads(await link.recv())


async def closed(link: ClientConnection | ServerConnection) -> tuple[int, str]:
    """Wait until the other side hangs up; return how it did."""
    async with asyncio.timeout(5):
        await link.wait_closed()
    return link.close_code or 0, link.close_reason or ""


async def until(true: Callable[[], Any], limit_s: float = 5.0) -> None:
    async with asyncio.timeout(limit_s):
        while not true():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)
