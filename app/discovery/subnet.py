"""Ask every address of the adapter's own network whether a charger may be there; only when a person wants it.

It opens and closes one TCP connection per port that a charger family uses, and sends each family's harmless question
over UDP. Whatever has a port open is merely sighted: the finder's probes, which change nothing, find out who it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum

from app.discovery import neighbours
from app.discovery.adapters import Network, networks
from app.discovery.finder import Finder
from app.discovery.ranges import Span, chosen, searchable
from app.driver.registry import Broadcast, Driver, Registry, addresses
from app.errors import LinkError, PortInUse
from app.feed import Feed
from app.links.http import local_address
from app.links.link import Links
from app.model.address import NetAddress
from app.model.lan import Answer, Asked, Progress
from app.model.unit import Sighting, SourceKind, Unit
from app.scope import Scope

log = logging.getLogger(__name__)

RATE = 200.0
"""Connections begun per second: what a small router's tables bear."""

AT_A_TIME = 96
"""Hosts asked at the same time: each has one socket open, far below the 512 of Windows' select()."""

CONNECT_S = 0.6
"""Chargers accept within milliseconds, over a bad WiFi within some hundred."""

ANSWER_S = 0.6
"""How long an answer over UDP is awaited."""

ARP_AGE_S = 0.25
"""The system's table of neighbours is read at most this often."""

TELL_S = 0.2
"""How often progress is told."""

SETTLE_S = 60.0
"""Longest wait for who the found ones are."""


class Door(Enum):
    """What became of a connection."""

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"


Connect = Callable[[str, int, str], Awaitable[Door]]
Table = Callable[[], Awaitable[Mapping[str, str] | None]]


class LanSearch:
    """One search at a time; ``progress`` is told over ``changes``, ``answers`` stay until the next one starts."""

    def __init__(
        self,
        *,
        registry: Registry,
        finder: Finder,
        links: Links,
        scope: Scope,
        asks_loopback: bool = False,
        connect: Connect | None = None,
        table: Table = neighbours.read,
        list_networks: Callable[[], list[Network]] = networks,
        rate: float = RATE,
    ) -> None:
        self._registry = registry
        self._finder = finder
        self._links = links
        self._scope = scope
        self._asks_loopback = asks_loopback
        self._connect = connect or knock
        self._table = _Cached(table)
        self._networks = list_networks
        self._pace_s = 1.0 / rate
        self._doors = doors(registry)
        self._questions = questions(registry)
        self._task: asyncio.Task[None] | None = None
        self._answers: dict[str, Answer] = {}
        self._begun_at = self._next_at = self._told_at = 0.0
        self._counts: Counter[str] = Counter()
        self._trouble = ""
        self.progress = Progress()
        self.changes: Feed[Progress] = Feed()

    # What a person sees before

    def networks(self) -> list[Network]:
        """List the networks that can be searched, the best first. A demo stays on this computer."""
        found = searchable(self._networks(), with_loopback=self._asks_loopback)
        return [item for item in found if item.adapter.is_loopback or not self._asks_loopback]

    def span(self, text: str = "", *, adapter: str = "") -> Span:
        """Return what would be asked, on the adapter of that address, else where the range lies. Raises NotAllowed."""
        return chosen(self.networks(), text, adapter)

    def asks(self) -> list[Asked]:
        """List everything that is asked of a host whose port is open. None of it can change a charger."""
        found: dict[str, Asked] = {}
        for profile in self._registry.profiles.values():
            driver = self._registry.driver_of(profile)
            if _is_fit(driver) and profile.match.ports:
                ports = ", ".join(str(port) for port in profile.match.ports)
                where = f"{'UDP' if profile.match.scheme == 'udp' else 'TCP'} {ports}"
                found.setdefault(driver.id, Asked(title=driver.title, where=where, calls=driver.asks))
        return sorted(found.values(), key=lambda item: item.title.lower())

    # The search

    @property
    def answers(self) -> list[Answer]:
        """List the hosts that answered, and who each turned out to be."""
        return [self._judged(item) for item in sorted(self._answers.values(), key=_order)]

    def start(self, wanted: Span) -> None:
        """Search; does nothing while a search runs."""
        if not self.progress.is_running:
            self._task = self._scope.isolated("lan search", self._run(wanted))
            self.progress = Progress(title=wanted.title, is_running=True, total=len(wanted.hosts))

    def stop(self) -> None:
        """End a running search; what was found stays."""
        if self._task is not None:
            self._task.cancel()

    async def finished(self) -> None:
        """Wait until the search has ended and everybody found was asked who it is (60 s at most)."""
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._finder.settled(SETTLE_S)

    async def _run(self, wanted: Span) -> None:
        loop = asyncio.get_running_loop()
        self._answers.clear()
        self._counts.clear()
        self._trouble = ""
        self._begun_at = self._next_at = loop.time()
        known = self._known()
        hosts = [host for host in wanted.hosts if host not in known]
        self._counts.update(total=len(hosts), skipped=len(wanted.hosts) - len(hosts))
        waiting = iter(hosts)
        try:
            self._tell(wanted, is_running=True)
            async with Scope("lan search") as scope:
                workers = [
                    scope.isolated(f"worker {place}", self._work(wanted, waiting))
                    for place in range(min(AT_A_TIME, len(hosts)))
                ]
                if workers:
                    await asyncio.wait(workers)
        finally:
            self._tell(wanted, is_running=False)

    async def _work(self, wanted: Span, waiting: Iterator[str]) -> None:
        for host in waiting:
            await self._ask(host, wanted.network)
            self._counts["done"] += 1
            if asyncio.get_running_loop().time() - self._told_at > TELL_S:
                self._tell(wanted, is_running=True)

    async def _ask(self, host: str, network: Network) -> None:
        """Try each port; an address with nobody behind it costs one connection."""
        found: list[NetAddress] = []
        own = "" if network.adapter.is_loopback else network.adapter.address
        for port, spoken in self._doors.items():
            door = await self._knock(host, port, own)
            if door is Door.OPEN:
                found += [replace(address, host=host) for address in spoken]
            elif door is Door.SILENT and await self._is_nobody(host, network):
                return
        for question in self._questions:
            if await self._asked(host, question):
                found.append(NetAddress(host=host, port=question.port, scheme="udp"))
        if found:
            mac = (await self._table.read() or {}).get(host, "")
            makers = neighbours.makers(self._registry.profiles.values(), mac)
            self._answers[host] = Answer(host=host, doors=tuple(found), mac=mac, makers=makers)
            for address in found:
                self._finder.sighted(_sighting(address, mac, network))

    async def _knock(self, host: str, port: int, own: str) -> Door:
        loop = asyncio.get_running_loop()
        self._next_at = max(self._next_at, loop.time()) + self._pace_s
        await asyncio.sleep(self._next_at - self._pace_s - loop.time())
        self._counts["knocks"] += 1
        return await self._connect(host, port, own)

    async def _is_nobody(self, host: str, network: Network) -> bool:
        """Say whether the system could not even find a network card at an address."""
        if network.adapter.is_loopback:
            return False
        table = await self._table.read()
        return table is not None and host not in table

    async def _asked(self, host: str, question: Broadcast) -> bool:
        """Ask over UDP; a port that another program holds is told once, and costs nobody's other answers."""
        address = NetAddress(host=host, port=question.port, scheme="udp")
        try:
            link = await self._links.udp(address, local_port=question.port)
        except (LinkError, PortInUse) as error:
            self._trouble = f"{error.message} {error.advice}"
            return False
        try:
            await link.send(question.question)
            return bool(await link.receive(timeout_s=ANSWER_S))
        except LinkError:
            return False
        finally:
            await link.close()

    def _known(self) -> set[str]:
        """Return the hosts where a charger answers already."""
        ways = (way for unit in self._finder.units.values() for way in unit.ways if way.is_present)
        return {way.address.host for way in ways if isinstance(way.address, NetAddress) and not way.trouble}

    def _judged(self, answer: Answer) -> Answer:
        units = [unit for door in answer.doors if (unit := self._finder.at(door)) is not None]
        named: Unit | None = next((unit for unit in units if unit.identity.profile_id), None) or next(iter(units), None)
        is_open = named is None and any(self._finder.is_asking(door) for door in answer.doors)
        return replace(answer, unit_id=named.unit_id if named else "", is_open=is_open)

    def _tell(self, wanted: Span, *, is_running: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._told_at, took_s = now, now - self._begun_at
        counts = self._counts
        left = counts["total"] - counts["done"]
        self.progress = Progress(
            title=wanted.title,
            is_running=is_running,
            total=counts["total"],
            done=counts["done"],
            answering=len(self._answers),
            skipped=counts["skipped"],
            took_s=took_s,
            left_s=took_s * left / counts["done"] if counts["done"] and is_running else 0.0,
            rate=counts["knocks"] / took_s if took_s else 0.0,
            trouble=self._trouble,
        )
        self.changes.publish(self.progress)


class _Cached:
    """The table of neighbours, read anew when it is older than ``ARP_AGE_S``."""

    def __init__(self, table: Table) -> None:
        self._read = table
        self._lock = asyncio.Lock()
        self._known: Mapping[str, str] | None = None
        self._read_at = float("-inf")

    async def read(self) -> Mapping[str, str] | None:
        """Return the table, ``None`` where the system does not tell."""
        async with self._lock:
            if asyncio.get_running_loop().time() - self._read_at > ARP_AGE_S:
                self._known = await self._read()
                self._read_at = asyncio.get_running_loop().time()
            return self._known


async def knock(host: str, port: int, own: str) -> Door:
    """Open a TCP connection from our address ``own`` and close it again; nothing is sent."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            transport, _ = await loop.create_connection(
                asyncio.Protocol, host, port, local_addr=local_address(own, host)
            )
    except (ConnectionRefusedError, ConnectionResetError):
        return Door.CLOSED
    except (OSError, TimeoutError):
        return Door.SILENT
    transport.abort()
    return Door.OPEN


def doors(registry: Registry) -> dict[int, tuple[NetAddress, ...]]:
    """Return the TCP ports that charger families use, the commonest first, with what is spoken there (no host)."""
    found: Counter[NetAddress] = Counter()
    for profile in registry.profiles.values():
        if _is_fit(registry.driver_of(profile)):
            found.update(item for item in addresses(profile, "") if item.scheme != "udp")
    ports = dict.fromkeys(item.port for item, _ in found.most_common())
    return {port: tuple(item for item in found if item.port == port) for port in ports}


def questions(registry: Registry) -> tuple[Broadcast, ...]:
    """Return the harmless questions over UDP."""
    asked = (driver.broadcast for driver in registry.drivers.values() if _is_fit(driver))
    return tuple(dict.fromkeys(item for item in asked if item is not None))


def _is_fit(driver: Driver) -> bool:
    return SourceKind.LAN in driver.sources


def _order(answer: Answer) -> tuple[int, ...]:
    return tuple(int(part) for part in answer.host.split("."))


def _sighting(address: NetAddress, mac: str, network: Network) -> Sighting:
    hints = {"mac": mac} if mac else {}
    return Sighting(
        source=SourceKind.LAN, address=address, at=datetime.now(UTC), hints=hints, adapter=network.adapter.name
    )
