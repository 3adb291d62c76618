"""The stand-in services of one garage: start, stop, choose names, hear who asks."""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from app.errors import AppError, PortInUse, ServerError, ValueRejected
from app.feed import Feed
from app.links import ports
from app.model.garage import Asked, NameSet, Privilege, Recipe, Stand, StandState
from app.scope import Scope, Trouble
from app.standin import names, privileges, recipes
from app.standin.bounds import Ground
from app.standin.names import Choice, NameBook, Verdict

if TYPE_CHECKING:  # the services are imported when one starts: every start of the program would wait for them
    from app.standin.dhcp import DhcpStand
    from app.standin.dns import DnsStand
    from app.standin.ntp import NtpStand
    from app.standin.web import WebStand

KEPT = 2000
"""Questions kept in the log."""
TOLD_EVERY_S = 0.5
"""How often a rising count is published."""
PORTS: Mapping[Stand, int] = {Stand.DNS: 53, Stand.NTP: 123, Stand.DHCP: 67, Stand.WEB: 80}


class Service(Protocol):
    """A service that runs."""

    host: str
    port: int
    tried: int
    """The port it asked the system for last."""

    async def close(self) -> None:
        """Stop. Idempotent."""


S = TypeVar("S", bound=Service)


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
        visitor: Callable[[], asyncio.Protocol | None] = lambda: None,
        is_demo: bool = False,
        report: Callable[[Trouble], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.changes: Feed[StandState] = Feed()
        self.asked: Feed[Asked] = Feed()
        self._grounds = grounds
        self._address = address
        self._visitor = visitor
        self._is_demo = is_demo
        self._report = report
        self._now = now
        self._book: NameBook | None = None
        self._choice = Choice()
        self._scope = Scope("garage", report=report)
        self._running: dict[Stand, Service] = {}
        self._states = {stand: StandState(stand=stand) for stand in Stand}
        self._log: deque[Asked] = deque(maxlen=KEPT)
        self._locks = {stand: asyncio.Lock() for stand in Stand}
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
        dns = self._running.get(Stand.DNS)
        if dns is not None:
            cast("DnsStand", dns).choice = choice
        return choice

    def answers(self, name: str) -> bool:
        """Say whether our name server, which runs, answers a name with our address."""
        is_on = self._states[Stand.DNS].is_on
        return is_on and self._choice.verdict(name.lower().rstrip(".")) is Verdict.ANSWERED

    def privileges(self) -> tuple[Privilege, ...]:
        """Say what each service needs on this computer and how to allow it: one entry for each way."""
        return privileges.read()

    def recipes(self, address: str = "") -> tuple[Recipe, ...]:
        """Say how the site's own router sends the chosen names to us. Raises ValueRejected where none are chosen."""
        return recipes.recipes(address or self._address(), self._choice)

    # Life

    async def start(
        self,
        stand: Stand,
        *,
        host: str = "",
        port: int | None = None,
        secure_port: int | None = None,
        directory: str = "reset",
    ) -> StandState:
        """Start a service on one adapter's address (default: the one chargers reach us at). Running: as it is.

        DHCP has no default: ``host`` is the address of the adapter with the direct cable. ``port`` and ``secure_port``
        (the web answers' TLS) replace the usual ones, but not DHCP's; 0 = any free one. ``directory``: how the web
        answers refuse the JuiceBox directory, ``reset`` or ``404``.
        Raises ServerError (no right to, no such address, another DHCP server), PortInUse, ValueRejected.
        """
        from app.standin.web import SECURE_PORT, Directory, WebStand

        if directory not in (item.value for item in Directory):
            raise ValueRejected(f"“{directory}” is no way to refuse the directory.", "Choose reset or 404.")
        if stand is Stand.DHCP and self._is_demo:
            raise ServerError("The demo gives out no addresses.", "Start Rehome without the demo for that.")
        if stand is Stand.DHCP and not host:  # the best adapter is the one of the site's network
            raise ValueRejected("Which cable?", "Name the adapter of the direct cable by its address (--host).")
        async with self._locks[stand]:
            if stand in self._running:
                return self._states[stand]
            host = host or self._address()
            places = (self._wanted(port, PORTS[stand]), self._wanted(secure_port, SECURE_PORT))
            try:
                service = await self._started(stand, host, *places, directory)
            except ServerError as error:
                self._tell(replace(self._states[stand], trouble=error.message, advice=error.advice))
                raise
            self._running[stand] = service
            secure = service.secure_port if isinstance(service, WebStand) else 0
            return self._tell(
                StandState(stand=stand, is_on=True, host=service.host, port=service.port, secure_port=secure)
            )

    def _wanted(self, port: int | None, usual: int) -> int:
        if port is not None:
            return port
        return 0 if self._is_demo else usual

    async def stop(self, stand: Stand) -> None:
        """Stop a service. Idempotent."""
        async with self._locks[stand]:
            service = self._running.pop(stand, None)
            if service is not None:
                await service.close()
                self._tell(replace(self._states[stand], is_on=False, port=0, secure_port=0))

    async def close(self) -> None:
        """Stop all of them. Idempotent."""
        for stand in Stand:
            await self.stop(stand)
        if self._teller is not None:
            self._teller.cancel()
        await self._scope.close()

    async def _started(self, stand: Stand, host: str, port: int, secure_port: int, directory: str) -> Service:
        ground = self._ground(host)
        if stand is Stand.DNS:
            return await _opened(self._dns_stand(ground), lambda service: service.open(host, port))
        if stand is Stand.NTP:
            return await _opened(self._ntp_stand(ground), lambda service: service.open(host, port))
        if stand is Stand.DHCP:
            return await _opened(self._dhcp_stand(ground), lambda service: service.open())
        return await _opened(self._web_stand(ground, directory), lambda service: service.open(host, port, secure_port))

    def _dns_stand(self, ground: Ground) -> DnsStand:
        from app.standin.dns import DnsStand

        return DnsStand(
            choice=self._choice,
            is_near=ground.contains,
            tell=self._heard,
            knows=self.book.knows,
            now=self._now,
            report=self._report,
        )

    def _ntp_stand(self, ground: Ground) -> NtpStand:
        from app.standin.ntp import NtpStand

        return NtpStand(is_near=ground.contains, tell=self._heard, now=self._now)

    def _dhcp_stand(self, ground: Ground) -> DhcpStand:
        from app.standin.dhcp import DhcpStand

        return DhcpStand(ground, tell=self._heard, now=self._now, gave_way=self._gave_way, report=self._report)

    def _web_stand(self, ground: Ground, directory: str) -> WebStand:
        from app.standin import captive
        from app.standin.web import Directory, WebStand

        refused = frozenset(name for item in self.name_sets for name in item.refused)
        return WebStand(
            checks=captive.read(),
            directory=Directory(directory),
            is_refused=lambda name: name in refused or self._choice.verdict(name) is Verdict.REFUSED,
            visitor=self._visitor,
            is_near=ground.contains,
            tell=self._heard,
            knows=self.book.knows,
            now=self._now,
        )

    def _gave_way(self, error: AppError) -> None:
        self._scope.isolated("give way", self._give_way(error))

    async def _give_way(self, error: AppError) -> None:
        self._states[Stand.DHCP] = replace(self._states[Stand.DHCP], trouble=error.message, advice=error.advice)
        await self.stop(Stand.DHCP)

    def _ground(self, host: str) -> Ground:
        for ground in self._grounds():
            if ground.adapter.address == host and ":" not in host:
                return ground
        raise ServerError(
            f"This computer has no adapter with the IPv4 address {host}.",
            "Choose the adapter that the chargers' network is plugged into.",
        )

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


async def _opened(service: S, how: Callable[[S], Awaitable[None]]) -> S:
    try:
        await how(service)
    except OSError as error:
        await service.close()
        raise await _explained(error, service.host, service.tried) from error
    except BaseException:
        await service.close()
        raise
    return service


async def _explained(error: OSError, host: str, port: int) -> ServerError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return ServerError(
            f"The system does not allow this program to open port {port}.",
            "“rehome standin privileges” says how to allow it.",
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
