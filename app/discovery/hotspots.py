"""Recognise the access points of chargers: by the name of the Wi-Fi, and by our own address on it.

A hint, never an identity: whoever is behind it is asked like any host that was sighted on the network.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime

from app.discovery.adapters import VIRTUAL, Network, networks
from app.discovery.airwaves import listen
from app.driver.registry import Registry, addresses
from app.feed import Feed
from app.model.address import NetAddress
from app.model.hotspot import Airwaves, HotspotHint
from app.model.profile import Profile
from app.model.unit import Sighting, SourceKind


class Hotspots:
    """Looks for chargers' access points when asked to; ``hints`` keeps what the last look told, best first."""

    def __init__(
        self,
        registry: Registry,
        sighted: Callable[[Sighting], None],
        *,
        air: Callable[[], Awaitable[Airwaves]] = listen,
        own: Callable[[], Iterable[Network]] = networks,
    ) -> None:
        self._registry = registry
        self._sighted = sighted
        self._air = air
        self._own = own
        self.air = Airwaves()
        self.hints: tuple[HotspotHint, ...] = ()
        self.changes: Feed[tuple[HotspotHint, ...]] = Feed()

    async def look(self, *, asks: bool = True) -> tuple[HotspotHint, ...]:
        """Look at the Wi-Fi and our addresses (some seconds at most); never raises.

        With ``asks`` the charger's own address on a network that fits is sighted, so that the finder asks once who is
        there. Nothing is joined and no scan is started.
        """
        self.air = await self._air()
        found = self._judged(self.air)
        if asks:
            for hint in found:
                self._ask(hint)
        self.hints = tuple(found)
        self.changes.publish(self.hints)
        return self.hints

    def _judged(self, air: Airwaves) -> list[HotspotHint]:
        own = [item for item in self._own() if not item.is_ipv6 and not item.adapter.is_loopback]
        here = [item for item in own if not VIRTUAL.search(item.adapter.name)]
        found = [hint for ssid in air.joined if (hint := self._named(ssid, here, is_joined=True))]
        if not found:
            # On a Wi-Fi whose name is known and fits nothing, an address proves little: routers use it too.
            found = self._addressed(here, air.joined)
        return found + [hint for ssid in air.nearby if (hint := self._named(ssid, here, is_joined=False))]

    def _named(self, ssid: str, here: Sequence[Network], *, is_joined: bool) -> HotspotHint | None:
        fitting = [
            profile
            for profile in self._registry.profiles.values()
            if profile.match.ssid_like and re.search(profile.match.ssid_like, ssid, re.IGNORECASE)
        ]
        if not fitting:
            return None
        address = _where(fitting, here) if is_joined else None
        return HotspotHint(
            ssid=ssid,
            profile_ids=tuple(profile.id for profile in fitting),
            address=address,
            is_joined=is_joined,
            text=_words(ssid, fitting, address, is_joined=is_joined),
        )

    def _addressed(self, here: Sequence[Network], joined: Sequence[str]) -> list[HotspotHint]:
        """Judge by our address alone, one hint per address a charger has on its own access point."""
        byhost: dict[str, list[Profile]] = {}
        for profile in self._registry.profiles.values():
            for host in profile.match.access_point_hosts:
                byhost.setdefault(host, []).append(profile)
        hints = []
        for host, fitting in byhost.items():
            address = _where(fitting, here, host)
            if address is not None:
                names = _names(fitting)
                hints.append(
                    HotspotHint(
                        ssid=joined[0] if joined else "",
                        profile_ids=tuple(profile.id for profile in fitting),
                        address=address,
                        is_joined=True,
                        text=f"This computer is on a network like that of the access points of {names}: a charger "
                        f"would be at {host}. Many routers use that address too.",
                    )
                )
        return hints

    def _ask(self, hint: HotspotHint) -> None:
        if hint.address is None:
            return
        profiles = [self._registry.profiles[item] for item in hint.profile_ids]
        for address in _doors(profiles, hint.address.host):
            hints = {"ssid": hint.ssid} if hint.ssid else {}
            self._sighted(Sighting(source=SourceKind.LAN, address=address, at=datetime.now(UTC), hints=hints))


def _where(profiles: Iterable[Profile], here: Sequence[Network], only: str = "") -> NetAddress | None:
    """Return a charger's own address on a network this computer is directly on (at most a /24), if there is one."""
    for profile in profiles:
        for host in profile.match.access_point_hosts:
            if only in ("", host) and any(_is_beside(item, host) for item in here):
                doors = _doors([profile], host)
                return doors[0] if doors else NetAddress(host=host)
    return None


def _is_beside(network: Network, host: str) -> bool:
    return network.prefix >= 24 and network.contains(host) and network.adapter.address != host


def _doors(profiles: Iterable[Profile], host: str) -> tuple[NetAddress, ...]:
    return tuple(dict.fromkeys(address for profile in profiles for address in addresses(profile, host)))


def _names(profiles: Iterable[Profile]) -> str:
    return ", ".join(dict.fromkeys(profile.family for profile in profiles))


def _words(ssid: str, profiles: Iterable[Profile], address: NetAddress | None, *, is_joined: bool) -> str:
    names = _names(profiles)
    if not is_joined:
        return f"“{ssid}” looks like the access point of: {names}. Join it to reach that charger."
    if address is None:
        return f"“{ssid}” looks like the access point of: {names}. This computer has no address on it yet."
    return f"“{ssid}” looks like the access point of: {names}. It is at {address.host}."
