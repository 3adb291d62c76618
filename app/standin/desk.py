"""The stand-in services of one garage: start, stop, choose names, hear who asks."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from app.errors import PortInUse, ServerError
from app.feed import Feed
from app.links import ports
from app.model.garage import Asked, NameSet, Stand, StandState
from app.scope import Trouble
from app.standin import names
from app.standin.bounds import Ground
from app.standin.names import Choice, NameBook

if TYPE_CHECKING:
    from app.standin.dns import DnsStand

KEPT = 2000
"""Questions kept in the log."""
TOLD_EVERY_S = 0.5
"""How often a rising count is published."""
PORTS: Mapping[Stand, int] = {Stand.DNS: 53, Stand.NTP: 123, Stand.DHCP: 67, Stand.WEB: 80}


class Service(Protocol):
    """A service that runs."""

    host: str
    port: int

    async def close(self) -> None:
        """Stop. Idempotent."""


class GarageDesk:
    """All stand-in services. None runs until it is started; each listens on one adapter's address.

    States of a service::

        off ──start──► on ──stop, or it has to give way──► off
    """

    def __init__(
        self,
        grounds: Callable[[], Sequence[Ground]],
        address: Callable[[], str],
        *,
        is_demo: bool = False,
        report: Callable[[Trouble], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.changes: Feed[StandState] = Feed()
        self.asked: Feed[Asked] = Feed()
        self._grounds = grounds
        self._address = address
        self._is_demo = is_demo
        self._report = report
        self._now = now
        self._book: NameBook | None = None
        self._choice = Choice()
        self._dns: DnsStand | None = None
        self._running: dict[Stand, Service] = {}
        self._states = {stand: StandState(stand=stand) for stand in Stand}
        self._log: deque[Asked] = deque(maxlen=KEPT)
        self._lock = asyncio.Lock()
        self._teller: asyncio.TimerHandle | None = None
        self._untold: set[Stand] = set()

    # What there is

    @property
    def states(self) -> Mapping[Stand, StandState]:
        """Return how each service stands."""
        return self._states

    @property
    def log(self) -> Sequence[Asked]:
        """Return who asked for what, the newest last, at most ``KEPT``."""
        return self._log

    @property
    def book(self) -> NameBook:
        """Return the ready sets and known hosts. Read once."""
        if self._book is None:
            self._book = names.read()
        return self._book

    @property
    def name_sets(self) -> tuple[NameSet, ...]:
        """List the ready sets of names."""
        return self.book.sets

    @property
    def choice(self) -> Choice:
        """Return what the DNS answers, or would answer."""
        return self._choice

    def choose(
        self,
        sets: Sequence[str] = (),
        *,
        names: Sequence[str] = (),
        refused: Sequence[str] = (),
        forward_to: str = "",
    ) -> Choice:
        """Choose by ids of ready sets and by names which get our address; counts at once, also while the DNS runs.

        ``forward_to``: a resolver's IP address for all other names; empty: they are refused. Raises ValueRejected.
        """
        choice = self.book.choice(sets, names=names, refused=refused, forward_to=forward_to)
        self._choice = choice
        if self._dns is not None:
            self._dns.choice = choice
        return choice

    # Life

    async def start(self, stand: Stand, *, host: str = "", port: int | None = None) -> StandState:
        """Start a service on one adapter's address (default: the one chargers reach us at). Running: as it is.

        Raises ServerError (no right to, no such address), PortInUse.
        """
        async with self._lock:
            if stand in self._running:
                return self._states[stand]
            host = host or self._address()
            usual = 0 if self._is_demo else PORTS[stand]
            wanted = usual if port is None else port
            try:
                service = await self._dns_started(host, wanted)
            except OSError as error:
                trouble = await _explained(error, stand, host, wanted)
                self._tell(replace(self._states[stand], trouble=trouble.message, advice=trouble.advice))
                raise trouble from error
            self._running[stand] = service
            return self._tell(StandState(stand=stand, is_on=True, host=service.host, port=service.port))

    async def stop(self, stand: Stand) -> None:
        """Stop a service. Idempotent."""
        async with self._lock:
            service = self._running.pop(stand, None)
            if service is not None:
                if service is self._dns:
                    self._dns = None
                await service.close()
                self._tell(replace(self._states[stand], is_on=False, port=0))

    async def close(self) -> None:
        """Stop all of them. Idempotent."""
        for stand in Stand:
            await self.stop(stand)
        if self._teller is not None:
            self._teller.cancel()

    async def _dns_started(self, host: str, port: int) -> Service:
        from app.standin.dns import DnsStand  # dnslib takes its time to load

        service = DnsStand(
            choice=self._choice,
            is_near=self._near(host),
            tell=self._heard,
            knows=self.book.knows,
            now=self._now,
            report=self._report,
        )
        try:
            await service.open(host, port)
        except OSError:
            await service.close()
            raise
        self._dns = service
        return service

    def _ground(self, host: str) -> Ground:
        for ground in self._grounds():
            if ground.adapter.address == host and ":" not in host:
                return ground
        raise ServerError(
            f"This computer has no adapter with the IPv4 address {host}.",
            "Choose the adapter that the chargers' network is plugged into.",
        )

    def _near(self, host: str) -> Callable[[str], bool]:
        return self._ground(host).contains

    # Who asks

    def _heard(self, asked: Asked) -> None:
        self._log.append(asked)
        self.asked.publish(asked)
        state = self._states[asked.stand]
        self._states[asked.stand] = replace(state, asked=state.asked + 1)
        self._untold.add(asked.stand)
        if self._teller is None:
            self._teller = asyncio.get_running_loop().call_later(TOLD_EVERY_S, self._tell_counts)

    def _tell_counts(self) -> None:
        self._teller = None
        for stand in self._untold:
            self.changes.publish(self._states[stand])
        self._untold.clear()

    def _tell(self, state: StandState) -> StandState:
        self._states[state.stand] = state
        self.changes.publish(state)
        return state


async def _explained(error: OSError, stand: Stand, host: str, port: int) -> ServerError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return ServerError(
            f"The system does not allow this program to open port {port}.",
            f"“rehome standin privileges” says how to allow it for {stand.value.upper()}.",
        )
    found = await ports.explain(error, host, port)
    if isinstance(found, PortInUse):
        return PortInUse(
            found.message,
            "Stop that program on this adapter, or let the site's own router do it: “rehome standin recipes”.",
            port=port,
            owner=found.owner,
        )
    return found
