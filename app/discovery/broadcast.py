"""Ask everybody on the chosen network one harmless question over UDP, and report who answers.

Which question goes to which port the drivers say (``Driver.broadcast``); nothing here knows a maker, and whoever
answers is merely sighted: a probe finds out who it is. It asks when it starts and when a person wants it again, and
not over and over: some chargers tell their changes only to whoever asked last (docs/decisions).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from app.discovery.adapters import Network, networks
from app.discovery.services import clean
from app.discovery.source import Report, Tell
from app.driver.registry import Broadcast
from app.errors import AppError, TimedOut
from app.model.address import NetAddress
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting, SourceKind

ROUNDS = 3
"""How often the question is sent: UDP loses some."""

ROUND_S = 1.5
"""How long answers are awaited after each."""

RETRY_S = 60.0
"""Pause before a question that could not be sent is tried again, unless a person is faster."""

ANSWER_LIMIT = 2000
"""Datagrams looked at after one question; a flood is left to itself."""

SIGHTING_LIMIT = 300
"""Chargers reported of one network and question."""

HINT_LIMIT = 120


class Roundcall(Protocol):
    """UDP to everybody; answers come with who sent them."""

    async def send(self, data: bytes) -> None:
        """Send one datagram."""
        ...

    async def receive_from(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return sender and content of the next answer; raises TimedOut."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


class Everybody(Protocol):
    """Opens a roundcall; raises NotReachable, PortInUse."""

    def __call__(self, address: NetAddress, *, local_port: int) -> Awaitable[Roundcall]:
        """Open it to a broadcast address, from the port the answers go to."""
        ...


class BroadcastSource:
    """Asks the network of one adapter. ``adapter`` gives its address at the moment; loopback only where allowed."""

    name = "broadcast"

    def __init__(
        self,
        questions: Iterable[Broadcast | None],
        everybody: Everybody,
        *,
        adapter: Callable[[], str],
        list_networks: Callable[[], Sequence[Network]] = networks,
        asks_loopback: bool = False,
        round_s: float = ROUND_S,
    ) -> None:
        self._questions = tuple(dict.fromkeys(item for item in questions if item is not None))
        self._everybody = everybody
        self._adapter = adapter
        self._networks = list_networks
        self._asks_loopback = asks_loopback
        self._round_s = round_s
        self._again = asyncio.Event()

    def ask_again(self) -> None:
        """Ask once more, soon: a person wants it."""
        self._again.set()

    async def run(self, report: Report, state: Tell) -> None:
        """Ask now and whenever it is wanted again, until cancelled; a failure is told and tried again by itself."""
        while True:
            self._again.clear()
            state(SourceState(source=self.name, health=SourceHealth.STARTING, text="Asking everybody."))
            try:
                state(await self._round(report))
                await self._again.wait()
            except AppError as error:
                failed = SourceHealth.FAILED
                state(SourceState(source=self.name, health=failed, text=error.message, advice=error.advice))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._again.wait(), RETRY_S)

    async def _round(self, report: Report) -> SourceState:
        """Ask each question once. Raises NotReachable, PortInUse."""
        network = self._chosen()
        if network is None:
            return SourceState(source=self.name, health=SourceHealth.OFF, text="There is no network to ask.")
        found = {host for question in self._questions for host in await self._ask(question, network, report)}
        count = f"{len(found)} answer{'' if len(found) == 1 else 's'} on {network.adapter.title}."
        return SourceState(source=self.name, health=SourceHealth.WORKING, text=count)

    def _chosen(self) -> Network | None:
        """Return the adapter's IPv4 network, where there is anybody else in it."""
        own = self._adapter()
        for network in self._networks():
            is_allowed = self._asks_loopback or not network.adapter.is_loopback
            if network.adapter.address == own and not network.is_ipv6 and network.prefix <= 30 and is_allowed:
                return network
        return None

    async def _ask(self, question: Broadcast, network: Network, report: Report) -> set[str]:
        target = NetAddress(host=broadcast_address(network), port=question.port, scheme="udp")
        call = await self._everybody(target, local_port=question.port)
        found: set[str] = set()
        try:
            for _ in range(ROUNDS):
                await call.send(question.question)
                await self._listen(call, question, network, found, report)
        finally:
            await call.close()
        return found

    async def _listen(
        self, call: Roundcall, question: Broadcast, network: Network, found: set[str], report: Report
    ) -> None:
        """Report each new sender of this network, until the time is up or it is too much."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._round_s
        for _ in range(ANSWER_LIMIT):
            try:
                sender, answer = await call.receive_from(timeout_s=max(until - loop.time(), 0.0))
            except TimedOut:
                return
            # Some systems hand us our own question.
            is_own = sender == network.adapter.address or answer == question.question
            if is_own or sender in found or not network.contains(sender) or len(found) >= SIGHTING_LIMIT:
                continue
            found.add(sender)
            report(_sighting(sender, question.port, answer, network))


def broadcast_address(network: Network) -> str:
    """Return the address that reaches everybody in an IPv4 network."""
    return str(ipaddress.ip_interface(f"{network.adapter.address}/{network.prefix}").network.broadcast_address)


def _sighting(host: str, port: int, answer: bytes, network: Network) -> Sighting:
    said = clean(answer[:HINT_LIMIT].decode("utf-8", "replace").strip(), HINT_LIMIT)
    return Sighting(
        source=SourceKind.BROADCAST,
        address=NetAddress(host=host, port=port, scheme="udp"),
        at=datetime.now(UTC),
        hints={"answer": said},
        adapter=network.adapter.name,
    )
