"""What simulated chargers with a web interface share: a server that keeps its port, power, mDNS, and an OCPP client.

A family subclasses ``WebUnit``: ``answer`` is its web interface, ``point`` its OCPP client (a ``ChargePoint`` whose
``dial_url`` it sets by its own joining of URL and identity). Everything a firmware does differently is the family's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, ClassVar, Self

from aiohttp import web

from app.model.address import NetAddress
from app.scope import Scope
from app.sim.announce import Announcement
from app.sim.chargepoint import ChargePoint
from app.sim.fault import Fault

Answer = web.StreamResponse


class WebUnit:
    """One charger. Use it as an async context manager; ``address`` is known inside.

    ``host`` and ``port`` are where it listens (port 0: any free one, kept over restarts). ``announce`` names local
    addresses to announce mDNS on under ``label``. ``faults`` may be changed at any time. Times are multiplied by
    ``time_scale``. ``point`` is ``None`` for a unit that speaks no OCPP.
    """

    body_limit = 100_000
    service_ports: ClassVar[Mapping[str, int]] = {}
    """Ports of services it announces besides its web pages."""

    def __init__(
        self,
        name: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.time_scale = max(time_scale, 0.001)
        self.faults: set[Fault] = set(faults)
        self.reboot_s = 3.0
        self.restarts = 0
        self.restarted = asyncio.Event()
        self.point: ChargePoint | None = None
        self.scope = Scope(f"sim/{name}")
        self._tls = tls
        self._announce = tuple(announce)
        self._label = label or name
        self._announcement: Announcement | None = None
        self._runner: web.AppRunner | None = None
        self._stack = AsyncExitStack()
        self._down = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._listen()
        self.started()
        if self.point is not None:
            await self._stack.enter_async_context(self.point)
        services = self.services()
        if self._announce and services:
            self._announcement = Announcement(
                services, self._announce, name=self._label, port=self.port, ports=self.service_ports
            )
            await self._announcement.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.scope.close()
        if self._announcement is not None:
            await self._announcement.stop()
        await self._stack.aclose()
        await self._deafen()

    @property
    def address(self) -> NetAddress:
        """Return where it answers."""
        return NetAddress(host=self.host, port=self.port, scheme="https" if self._tls else "http")

    # What a family says

    async def answer(self, request: web.Request) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def started(self) -> None:
        """Act as the firmware does when it starts: read what is stored, set ``point.dial_url``."""

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Return what it announces by mDNS: type → TXT."""
        return {}

    # What a person does to it

    def plug_in(self) -> None:
        """Connect a car."""
        if self.point is not None:
            self.point.plug_in()

    def unplug(self) -> None:
        """Take the car away."""
        if self.point is not None:
            self.point.unplug()

    async def power_off(self) -> None:
        """Cut the power: every connection drops."""
        if self.point is not None:
            await self.point.power_off()
        await self._deafen()
        if self._announcement is not None:
            await self._announcement.stop()

    async def power_on(self) -> None:
        """Give it power again: it starts with what is stored."""
        self.restarts += 1
        await self._listen()
        self.started()
        if self.point is not None:
            self.point.power_on()
        if self._announcement is not None:
            await self._announcement.start()
        self.restarted.set()

    async def power_cycle(self, off_s: float | None = None) -> None:
        """Cut the power for ``off_s`` (scaled; default ``reboot_s``)."""
        await self.power_off()
        await asyncio.sleep((self.reboot_s if off_s is None else off_s) * self.time_scale)
        await self.power_on()

    def restart_soon(self, delay_s: float = 1.0) -> None:
        """Restart by itself, ``delay_s`` (scaled) from now."""
        self.scope.isolated("restart", self._restart(delay_s))

    async def _restart(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s * self.time_scale)
        await self.power_cycle()

    # The server

    async def _listen(self) -> None:
        if self._runner is not None:
            return
        self._down.clear()
        app = web.Application(middlewares=[self._guard], client_max_size=self.body_limit)
        app.router.add_route("*", "/{path:.*}", self.answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, reuse_address=True, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _deafen(self) -> None:
        runner, self._runner = self._runner, None
        self._down.set()
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> Answer:
        if Fault.SILENT in self.faults:
            await self._down.wait()
        if Fault.SLOW in self.faults:
            await asyncio.sleep(2.0 * self.time_scale)
        answer: Answer = await handler(request)
        return answer


def drop(request: web.Request) -> None:
    """Cut the line under a request."""
    if request.transport is not None:
        request.transport.abort()
