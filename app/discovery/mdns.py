"""Find chargers by multicast DNS (RFC 6762, RFC 6763), on every adapter, over IPv4 and IPv6."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import struct
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.discovery.adapters import VIRTUAL, Network, networks
from app.discovery.services import full_type, sighting
from app.discovery.source import Report, Tell
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting
from app.scope import Scope

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

log = logging.getLogger(__name__)

GROUP_V4 = socket.inet_aton("224.0.0.251")
GROUP_V6 = bytes.fromhex("ff0200000000000000000000000000fb")
"""The mDNS groups (RFC 6762 §3)."""

ATTEMPT_MS = 500
"""One request; a single long one is not enough where another browser asked just before (measured, part 5)."""

ATTEMPTS = 24
"""12 s of asking: then the service waits for its next announcement."""

ASKING_LIMIT = 128
"""Services asked for at the same time."""

CLOSE_S = 2.0


@dataclass(slots=True)
class _Service:
    kind: str
    seen: Sighting | None = None


class MdnsSource:
    """Watches service types. ``addresses`` restricts it to these of our addresses (loopback only works so).

    ``limit`` bounds the services kept in mind; beyond it the oldest is dropped and the state says so. A service that
    was dropped stays a known charger, it is only no longer followed. ``accepts`` leaves out services of others (several
    demo garages on one computer hear each other).
    """

    name = "mdns"

    def __init__(
        self,
        types: Sequence[str],
        addresses: Sequence[str] = (),
        *,
        list_networks: Callable[[], list[Network]] = networks,
        recheck_s: float = 3.0,
        requery_s: float = 60.0,
        limit: int = 2000,
        accepts: Callable[[Sighting], bool] = lambda _: True,
    ) -> None:
        self._types = sorted({full_type(kind) for kind in types})
        self._addresses = tuple(addresses)
        self._list_networks = list_networks
        self._recheck_s = recheck_s
        self._requery_s = requery_s
        self._limit = limit
        self._accepts = accepts
        self._services: OrderedDict[str, _Service] = OrderedDict()
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._asking: set[str] = set()
        self._has_dropped = False
        self._networks: list[Network] = []
        self._report: Report = lambda _: None
        self._state: SourceState | None = None

    @property
    def tracked(self) -> int:
        """Count the services kept in mind."""
        return len(self._services)

    async def run(self, report: Report, state: Tell) -> None:
        """Browse until cancelled; starts over whenever an adapter comes or goes."""
        self._report = report
        self._tell(state, SourceHealth.STARTING, "Starting.")
        if not self._types:
            self._tell(state, SourceHealth.OFF, "No charger family in the library announces itself.")
            return
        # 60 to 100 ms of imports would be a visible stall in the window.
        await asyncio.to_thread(importlib.import_module, "zeroconf.asyncio")
        while True:
            self._networks, refused = self._usable()
            if self._networks:
                async with self._browsing() as browsing:
                    await browsing.watch(state, refused)
            else:
                self._tell(
                    state,
                    SourceHealth.LIMITED,
                    "No network adapter can search at the moment.",
                    "Connect a network cable or join the site's WiFi. The search then starts by itself.",
                )
                await asyncio.sleep(self._recheck_s)

    def _tell(self, state: Tell, health: SourceHealth, text: str, advice: str = "") -> None:
        value = SourceState(source=self.name, health=health, text=text, advice=advice)
        if value != self._state:
            self._state = value
            state(value)

    def _usable(self) -> tuple[list[Network], list[str]]:
        """List the networks to search, and the real adapters that take no part in multicast with any address."""
        wanted: list[Network] = []
        refused: dict[str, str] = {}
        for network in self._list_networks():
            adapter = network.adapter
            if adapter.address not in self._addresses if self._addresses else adapter.is_loopback:
                continue
            if _can_join(network):
                wanted.append(network)
            elif not VIRTUAL.search(adapter.name):
                refused[adapter.name] = adapter.title
        for network in wanted:
            refused.pop(network.adapter.name, None)
        return wanted, sorted(refused.values())

    @asynccontextmanager
    async def _browsing(self) -> AsyncIterator[_Browsing]:
        async with Scope("mdns") as scope:
            browsing = _Browsing(self, await _open(self._networks), scope)
            try:
                yield browsing
            finally:
                self._waiting.clear()
                self._asking.clear()
                await browsing.close()

    def _describe(self, state: Tell, refused: Sequence[str]) -> None:
        names = ", ".join(sorted({network.adapter.name for network in self._networks}))
        count = len(self._services)
        text = f"Searching on {names}: {count} service{'' if count == 1 else 's'}."
        self._has_dropped = self._has_dropped and count > self._limit // 2
        if self._has_dropped:
            self._tell(
                state,
                SourceHealth.LIMITED,
                f"More than {self._limit} services are announced; only the newest are followed.",
                "A device floods this network with announcements. Find it and unplug it; until then add chargers by "
                "their address.",
            )
        elif refused:
            advice = "Check that this adapter is up and that the firewall lets UDP port 5353 pass."
            self._tell(state, SourceHealth.LIMITED, f"{text} Not on {', '.join(refused)}.", advice)
        else:
            self._tell(state, SourceHealth.WORKING, text)

    # Services

    def _track(self, name: str, kind: str) -> _Service:
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = _Service(kind)
            while len(self._services) > self._limit:
                oldest, _ = self._services.popitem(last=False)
                self._waiting.pop(oldest, None)
                self._has_dropped = True
        return service

    def _resolved(self, name: str, kind: str, info: AsyncServiceInfo) -> bool:
        from zeroconf import IPVersion

        seen = sighting(
            kind=kind,
            name=name,
            server=info.server or "",
            port=info.port or 0,
            hosts=info.parsed_scoped_addresses(IPVersion.All),
            txt=info.decoded_properties,
            networks=self._networks,
            at=datetime.now(UTC),
        )
        if seen is None or not self._accepts(seen):
            return False
        service = self._track(name, kind)
        before = service.seen
        service.seen = seen
        if before is not None and before.address != seen.address:
            self._leave(before)
        self._report(seen)
        return True

    def _repeat(self, name: str) -> bool:
        """Report a service again as it was; ``False`` where it has not been resolved."""
        service = self._services.get(name)
        if service is None or service.seen is None:
            return False
        self._report(replace(service.seen, at=datetime.now(UTC)))
        return True

    def _removed(self, name: str) -> None:
        self._waiting.pop(name, None)
        service = self._services.pop(name, None)
        if service is not None and service.seen is not None:
            self._leave(service.seen)

    def _leave(self, seen: Sighting) -> None:
        """Report an address gone unless another service still names it: a unit may announce several."""
        if not any(other.seen and other.seen.address == seen.address for other in self._services.values()):
            self._report(replace(seen, is_gone=True, at=datetime.now(UTC)))


class _Browsing:
    """One open Zeroconf and its browser, for one set of networks."""

    def __init__(self, source: MdnsSource, zeroconf: AsyncZeroconf, scope: Scope) -> None:
        self._source = source
        self._zeroconf = zeroconf
        self._scope = scope
        self._browser: AsyncServiceBrowser | None = None
        self._resolved: set[str] = set()

    async def watch(self, state: Tell, refused: Sequence[str]) -> None:
        """Browse until the set of usable networks changes."""
        source = self._source
        loop = asyncio.get_running_loop()
        asked_at = -source._requery_s
        while True:
            if loop.time() - asked_at >= source._requery_s:
                asked_at = loop.time()
                await self._browse()
            source._describe(state, refused)
            await asyncio.sleep(source._recheck_s)
            found, refused = source._usable()
            if found != source._networks:
                log.info("network adapters changed: searching again")
                return

    async def close(self) -> None:
        """Leave the groups and close the sockets, within two seconds."""
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._browser is not None:
                    await self._browser.async_cancel()
                await self._zeroconf.async_close()
        except TimeoutError:
            log.warning("mDNS did not close within %.0f s", CLOSE_S)

    async def _browse(self) -> None:
        """Ask for all types; answers lost on a busy WiFi show up so, and what is known is reported again."""
        from zeroconf.asyncio import AsyncServiceBrowser

        if self._browser is not None:
            await self._browser.async_cancel()
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, self._source._types, handlers=[self._changed])

    def _changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        from zeroconf import ServiceStateChange

        source = self._source
        if state_change is ServiceStateChange.Removed:
            source._removed(name)
            return
        # “x._lolo3._http._tcp” is of that type, not of “_http._tcp”, which it ends with as well.
        service_type = max((kind for kind in source._types if name.endswith(f".{kind}")), key=len, default=service_type)
        if state_change is ServiceStateChange.Added and name in self._resolved and source._repeat(name):
            return
        source._track(name, service_type)
        info = _info(service_type, name)
        if info.load_from_cache(zeroconf):
            self._resolve(name, service_type, info)
        elif name not in source._asking:
            source._waiting[name] = service_type
            self._pump()

    def _resolve(self, name: str, kind: str, info: AsyncServiceInfo) -> bool:
        if len(self._resolved) > 2 * self._source._limit:
            self._resolved.clear()
        self._resolved.add(name)
        return self._source._resolved(name, kind, info)

    def _pump(self) -> None:
        source = self._source
        while source._waiting and len(source._asking) < ASKING_LIMIT and not self._scope.is_closed:
            # Newest first: the newest is the one somebody has just plugged in.
            name, kind = source._waiting.popitem()
            source._asking.add(name)
            self._scope.isolated("resolve", self._ask(name, kind))

    async def _ask(self, name: str, kind: str) -> None:
        from zeroconf import Error

        source = self._source
        info = _info(kind, name)
        try:
            for _ in range(ATTEMPTS):
                complete = await info.async_request(self._zeroconf.zeroconf, ATTEMPT_MS)
                if name not in source._services:
                    return
                # A unit may have no TXT record, against RFC 6763 §6; one without a usable address is a stranger.
                if self._resolve(name, kind, info) or complete:
                    return
        except (Error, OSError) as error:
            log.info("asking for an mDNS service failed: %s", error)
        finally:
            source._asking.discard(name)
            self._pump()


def _info(kind: str, name: str) -> AsyncServiceInfo:
    from zeroconf.asyncio import AsyncServiceInfo

    # The constructor refuses names that break RFC 6763; the name set afterwards is taken as it is.
    info = AsyncServiceInfo(kind, kind)
    info.name = name
    return info


async def _open(found: Sequence[Network]) -> AsyncZeroconf:
    """Open sockets on the given networks; IPv4 only where the system has no IPv6 sockets. Raises OSError."""
    from zeroconf.asyncio import AsyncZeroconf

    v4: list[str | int] = [network.adapter.address for network in found if not network.is_ipv6]
    v6: list[str | int] = list(dict.fromkeys(network.index for network in found if network.is_ipv6))
    try:
        return AsyncZeroconf(interfaces=[*v4, *v6])
    except (OSError, RuntimeError):
        if not v4 or not v6:
            raise
        return AsyncZeroconf(interfaces=v4)


def _can_join(network: Network) -> bool:
    """Try to join the mDNS group on a network: one adapter that refuses must not silence the others."""
    family = socket.AF_INET6 if network.is_ipv6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if network.is_ipv6:
                request = GROUP_V6 + struct.pack("@I", network.index)
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
            else:
                request = GROUP_V4 + socket.inet_aton(network.adapter.address)
                probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    except OSError:
        return False
    return True
