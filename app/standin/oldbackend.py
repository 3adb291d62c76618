"""Stand in for old backends: their names by our DNS, their ports on our endpoint, and who lands here by them.

::

    a unit asks for the dead name ──► our DNS (or the site's router) ──► our address
        └── it dials the port its address names ──► our endpoint ── TLS name, Host header, DNS log ──► Landing
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.errors import ServerError, ValueRejected
from app.feed import Feed
from app.model.frame import Handshake, ListenState, MorePort, OldHost
from app.model.garage import Asked, Landing, Offer, OldBackendState, Stand
from app.model.observation import TlsEnd, TlsFailed
from app.ocpp.server import OcppServer
from app.standin import privileges
from app.standin.desk import GarageDesk
from app.standin.names import Verdict, cleaned

KEPT = 200
"""Landings kept."""
RECENT = timedelta(seconds=120)
"""How long after its question a connection may belong to it: our answers count 60 s, small resolvers keep longer."""
USUAL = (80, 443)
"""The ports of ws and wss where an address names none (RFC 6455 §3)."""
OFFERED = 100


class OldBackendDesk:
    """Which former backends we stand in for, and who came by their names.

    States::

        off ──start──► on (names, ports, DNS) ──start──► on, with more of them ──stop──► off
    """

    def __init__(
        self,
        garage: GarageDesk,
        server: OcppServer,
        *,
        listen: Callable[[], Awaitable[ListenState]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.changes: Feed[OldBackendState] = Feed()
        self.landed: Feed[Landing] = Feed()
        self._garage = garage
        self._server = server
        self._listen = listen
        self._now = now
        self._names: tuple[str, ...] = ()
        self._ports: tuple[int, ...] = ()
        self._starts_dns = False
        self._landings: deque[Landing] = deque(maxlen=KEPT)

    # What there is

    @property
    def state(self) -> OldBackendState:
        """Say what is stood in for, over which ports, and how the name server is."""
        dns = self._garage.states[Stand.DNS]
        return OldBackendState(names=self._names, ports=self._doors() if self._names else (), dns=dns)

    @property
    def landings(self) -> Sequence[Landing]:
        """Return who came by a former backend's name, the newest last, at most ``KEPT``."""
        return self._landings

    def offers(self) -> tuple[Offer, ...]:
        """List names to pick from: what the chargers asked our DNS for in vain, then the hosts known for OCPP."""
        heard: dict[str, list[Asked]] = {}
        for asked in self._garage.log:
            if asked.stand is Stand.DNS and asked.name and not self._garage.answers(asked.name):
                heard.setdefault(asked.name, []).append(asked)
        found = {name: _offer(name, asked) for name, asked in heard.items()}
        for host in self._garage.book.hosts:
            if host.ports:
                found.setdefault(host.name, Offer(name=host.name, knows=host.words))
        return tuple(sorted(found.values(), key=lambda item: -item.asked))[:OFFERED]

    # For the endpoint (``app.ocpp.oldnames.OldNames``)

    def recognise(self, client: str, server_name: str, host: str) -> OldHost | None:
        """Say by which former backend's name a unit came: its TLS name, its Host header, or what it asked our DNS."""
        for text, told_by in ((server_name, "TLS name"), (_bare(host), "Host header")):
            name = _name(text)
            if name and self._is_old(name):
                return OldHost(name=name, told_by=told_by, knows=self._garage.book.knows(name))
        if _name(server_name) or _name(_bare(host)):
            return None  # it says itself whom it dials
        return self._by_log(client)

    def answers(self, name: str) -> bool:
        """Say whether our own name server answers a name with our address."""
        return self._garage.answers(name)

    def _is_old(self, name: str) -> bool:
        is_chosen = self._garage.choice.verdict(name) is Verdict.ANSWERED
        return name in self._names or is_chosen or bool(self._garage.book.knows(name))

    def _by_log(self, client: str) -> OldHost | None:
        """Find the newest question of a client for a name we stand in for; time servers' names are no backend's."""
        oldest = self._now() - RECENT
        for asked in reversed(self._garage.log):
            if asked.at < oldest:
                break
            if asked.stand is Stand.DNS and asked.client == client and asked.name in self._names:
                return OldHost(name=asked.name, told_by="DNS log", knows=self._garage.book.knows(asked.name))
        return None

    # Life

    async def start(
        self, hosts: Sequence[str], ports: Sequence[int] = (), *, dns_port: int | None = None, forward_to: str = ""
    ) -> OldBackendState:
        """Stand in for hosts, named alone or as the address a charger dials; joins what is stood in for already.

        Without ``ports`` those that the addresses name are opened, else 80 and 443. What can't be opened, a port or
        the name server, is told in the state and stops nothing else: the site's router can answer names as well.
        Raises ValueRejected (no host name, no port), and ServerError where the endpoint can't listen at all.
        """
        known = {item.name: item.ports for item in self._garage.book.hosts if item.ports}
        dialled = [_dialled(host, known) for host in hosts]
        if not dialled:
            raise ValueRejected("Whose name?", "Name the old backend's host, as the charger dials it.")
        wanted = _checked(ports) or tuple(port for _, places in dialled for port in places)
        names = tuple(dict.fromkeys((*self._names, *(name for name, _ in dialled))))
        listening = await self._listen()
        choice = self._garage.choice
        self._garage.choose(
            [item.id for item in choice.sets],
            names=(*choice.names, *names),
            refused=choice.refused,
            forward_to=forward_to or choice.forward_to,
        )
        self._names = names
        self._ports = tuple(dict.fromkeys((*self._ports, *wanted)))
        await self._open_ports(self._ports)
        await self._start_dns(listening.host, dns_port)
        return self._tell()

    async def stop(self) -> None:
        """Answer the names no more and close the ports; connections stay. Idempotent."""
        if not self._names:
            return
        gone, self._names, self._ports = set(self._names), (), ()
        choice = self._garage.choice
        self._garage.choose(
            [item.id for item in choice.sets],
            names=[name for name in choice.names if name not in gone],
            refused=choice.refused,
            forward_to=choice.forward_to,
        )
        await self._open_ports(())
        if self._starts_dns:
            self._starts_dns = False
            await self._garage.stop(Stand.DNS)
        self._tell()

    async def _open_ports(self, ports: Sequence[int]) -> None:
        state = self._server.state
        others = tuple(port for port in ports if port != state.port and port not in self._web_ports())
        await self._server.adopt(replace(self._server.plan, more_ports=others))

    async def _start_dns(self, host: str, port: int | None) -> None:
        if self._garage.states[Stand.DNS].is_on:
            return
        with suppress(ServerError):  # the garage's state tells it, with advice
            await self._garage.start(Stand.DNS, host="" if _is_everywhere(host) else host, port=port)
            self._starts_dns = True

    def _web_ports(self) -> tuple[int, ...]:
        """List the ports that lead to the endpoint already, by the web answers."""
        web = self._garage.states[Stand.WEB]
        return (web.port, web.secure_port) if web.is_on else ()

    def _doors(self) -> tuple[MorePort, ...]:
        state = self._server.state
        more = {item.port: item for item in state.more}
        led = {*self._web_ports(), *([state.port] if state.is_listening else [])}
        found = [more.get(port) or MorePort(port=port, is_open=port in led) for port in self._ports]
        return tuple(_advised(item) for item in found)

    def _tell(self) -> OldBackendState:
        state = self.state
        self.changes.publish(state)
        return state

    # Who lands

    async def follow(self) -> None:
        """Note who comes by a former backend's name, until cancelled."""
        with self._server.arrivals.subscribe() as arrivals:
            async for endpoint in arrivals:
                shake = endpoint.handshake
                if shake.old_host is not None:
                    self._note(_landed(shake, shake.old_host, self._now()))

    async def follow_refusals(self) -> None:
        """Note who came by such a name and refused our certificate, until cancelled."""
        with self._server.refusals.subscribe() as refusals:
            async for failed in refusals:
                if failed.old_host is not None:
                    self._note(_refused(failed, failed.old_host))

    def _note(self, landing: Landing) -> None:
        self._landings.append(landing)
        self.landed.publish(landing)


def _landed(shake: Handshake, old: OldHost, now: datetime) -> Landing:
    port = _port(shake.local)
    scheme, usual = ("wss", 443) if shake.tls is not None else ("ws", 80)
    place = old.name if port in (0, usual) else f"{old.name}:{port}"
    return Landing(
        at=shake.at or now,
        remote=shake.remote,
        identity=shake.identity,
        name=old.name,
        port=port,
        told_by=old.told_by,
        url=f"{scheme}://{place}{shake.path.partition('?')[0]}",
        knows=old.knows,
    )


def _refused(failed: TlsFailed, old: OldHost) -> Landing:
    words = f"TLS: {failed.end.value}"
    if failed.alert is not None and failed.end is TlsEnd.ALERT_FROM_UNIT:
        words = f"{words} ({failed.alert})"
    return Landing(
        at=failed.at,
        remote=failed.remote,
        name=old.name,
        port=0,
        told_by=old.told_by,
        url=f"wss://{old.name}",
        knows=old.knows,
        refusal=words,
    )


def _dialled(text: str, known: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Return the name in what somebody typed (a host, ``host:port``, or a URL), and the ports it is dialled on."""
    place = text.strip()
    try:
        parts = urllib.parse.urlsplit(place if "://" in place else f"//{place}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueRejected(f"“{text[:80]}” is no address.", "Write it like ws://ocpp.example:8887/ocpp.") from error
    if _is_address(host):
        raise ValueRejected(
            f"{host} is an address, not a name: no name server is asked for it.",
            "Give this computer that address on the charger's network instead, and let the endpoint listen there.",
        )
    if port is not None:
        return cleaned(host), _checked((port,))
    if parts.scheme in ("ws", "http", "wss", "https"):
        return cleaned(host), (443,) if parts.scheme.endswith("s") else (80,)
    return cleaned(host), known.get(cleaned(host), USUAL)


def _checked(ports: Sequence[int]) -> tuple[int, ...]:
    if wrong := [port for port in ports if not 1 <= port <= 65_535]:
        raise ValueRejected(f"{wrong[0]} is no port.", "Choose from 1 to 65535.")
    return tuple(ports)


def _advised(door: MorePort) -> MorePort:
    """Say how a port is allowed that the system keeps back; the owner of one that is taken is told already."""
    if door.is_open or door.owner or "does not allow" not in door.trouble:
        return door
    return replace(door, advice=privileges.of_port(door.port))


def _offer(name: str, asked: Sequence[Asked]) -> Offer:
    clients = tuple(dict.fromkeys(item.client for item in asked))
    return Offer(name=name, knows=asked[-1].knows, asked=len(asked), clients=clients[:16])


def _bare(host: str) -> str:
    """Return a Host header without user and port."""
    text = host.strip().rpartition("@")[2]
    return text if text.startswith("[") else text.partition(":")[0]


def _name(text: str) -> str:
    """Return a name as it is compared, empty where it is none: an address, or nothing one could ask a resolver for."""
    if not text or len(text) > 253 or _is_address(text):
        return ""
    try:
        name = cleaned(text)
    except ValueRejected:
        return ""
    return "" if name.startswith("*") else name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _is_everywhere(host: str) -> bool:
    return not host or (_is_address(host) and ipaddress.ip_address(host).is_unspecified)


def _port(local: str) -> int:
    port = local.rpartition(":")[2]
    return int(port) if port.isdecimal() else 0
