"""Find drivers and profiles. A driver is one file in ``app/drivers``; nothing else lists it."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from app.driver.capability import ReadsSettings, WritesSettings
from app.driver.session import Session
from app.errors import ProfileError
from app.links.link import Links
from app.model.address import Address, BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.profile import Profile
from app.model.profile_reading import parse
from app.model.unit import Identity, Sighting, SourceKind

OFF_THE_NETWORK = frozenset({SourceKind.SERIAL, SourceKind.DIAL_IN, SourceKind.BLUETOOTH, SourceKind.JUICENET})
"""Sources whose drivers speak over no IP address."""

Opener = Callable[[Address, Profile, Links], Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """A question to everybody that changes nothing: sent from UDP ``port`` to ``port``, whoever answers is sighted."""

    port: int
    question: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A local protocol. Every module in ``app/drivers`` (not starting with ``_``) has one as ``DRIVER``.

    ``open`` makes a Session (not yet entered). ``probe`` asks an address who it is without changing anything; it
    returns ``None`` where something else answers, and raises LinkError where nothing does.
    """

    id: str
    title: str
    sources: frozenset[SourceKind]
    open: Opener
    capabilities: frozenset[type]
    probe: Callable[[Address, Profile, Links], Any] = field(repr=False)
    broadcast: Broadcast | None = None
    asks: tuple[str, ...] = ()
    """Everything ``probe`` may send to a host nobody knows, in words a person reads before a search."""
    announced: Callable[[Sighting, Profile], Identity | None] | None = field(default=None, repr=False)
    """Reads who a unit is from its mDNS announcement alone."""

    @property
    def only_listens(self) -> bool:
        """Say whether it knows units by their announcement alone, and never sends anything."""
        return self.announced is not None and self.sources == {SourceKind.MDNS}


class Registry:
    """All drivers and profiles of this program."""

    def __init__(self, drivers: Iterable[Driver], profiles: Iterable[Profile]) -> None:
        self.drivers: Mapping[str, Driver] = {driver.id: driver for driver in drivers}
        self.profiles: Mapping[str, Profile] = {profile.id: profile for profile in profiles}
        for profile in self.profiles.values():
            if profile.driver not in self.drivers:
                raise ProfileError(
                    f"profile {profile.id} names the unknown driver “{profile.driver}”", "Correct the profile file."
                )

    def driver_of(self, profile: Profile) -> Driver:
        """Return the driver a profile names."""
        return self.drivers[profile.driver]

    def candidates(self, sighting: Sighting) -> Sequence[Profile]:
        """List the profiles that may fit a sighting, best first."""
        fitting = [p for p in self.profiles.values() if _fits(p, self.drivers[p.driver], sighting)]
        return sorted(fitting, key=lambda profile: -profile.priority)

    def by_identity(self, identity: Identity, source: SourceKind) -> Profile | None:
        """Return the profile whose Boot rules name this vendor and model, if any.

        The rules of a driver that only serves units dialling in (its most general one fits every Boot) name nothing
        that another source saw.
        """
        fitting = [
            profile
            for profile in self.profiles.values()
            if _boot_fits(profile, identity.vendor, identity.model)
            and (source is SourceKind.DIAL_IN or self.driver_of(profile).sources != {SourceKind.DIAL_IN})
        ]
        return max(fitting, key=lambda profile: profile.priority, default=None)

    def default_profile(self, driver_id: str, identity: Identity) -> Profile:
        """Return the profile to use with a driver: the best by identity, else the driver's most general."""
        own = [profile for profile in self.profiles.values() if profile.driver == driver_id]
        fitting = [profile for profile in own if _boot_fits(profile, identity.vendor, identity.model)]
        if fitting:
            return max(fitting, key=lambda profile: profile.priority)
        if not own:
            raise ProfileError(f"no profile names the driver “{driver_id}”", "Install Rehome again: files are missing.")
        return min(own, key=lambda profile: profile.priority)

    @property
    def mdns_types(self) -> tuple[str, ...]:
        """List every mDNS service type that any profile names."""
        return tuple(sorted({kind for profile in self.profiles.values() for kind in profile.match.mdns_types}))


def precedence(driver: Driver, capability: type | None) -> tuple[bool, bool]:
    """Return what the drivers of one unit are sorted by, the best first, where it leads to several.

    Configuration is read by one that can also write it: what another shows is no backup. OCPP comes last.
    """
    only_shows = capability is ReadsSettings and WritesSettings not in driver.capabilities
    return only_shows, driver.id.startswith("ocpp")


def reaches(driver: Driver, profile: Profile, address: Address) -> bool:
    """Say whether a driver speaks over this kind of address at all, for this profile."""
    match address:
        case SerialAddress():
            return SourceKind.SERIAL in driver.sources
        case OcppAddress():
            return SourceKind.DIAL_IN in driver.sources
        case JuiceAddress():
            return SourceKind.JUICENET in driver.sources
        case BleAddress():
            return SourceKind.BLUETOOTH in driver.sources
        case NetAddress():
            speaks = "web" if profile.match.scheme in ("http", "https") else profile.match.scheme
            return not driver.sources & OFF_THE_NETWORK and speaks == ("web" if address.is_web else address.scheme)


def addresses(profile: Profile, host: str) -> tuple[NetAddress, ...]:
    """List where on a host a family may listen, by its profile."""
    rules = profile.match
    return tuple(
        NetAddress(host=host, port=port, scheme="https" if rules.scheme == "http" and port == 443 else rules.scheme)
        for port in rules.ports
    )


def placed(registry: Registry, sighting: Sighting) -> Sighting:
    """Move a sighting to where its charger answers.

    A service over UDP names a port that is no web page's: that of the web pages stands in the profiles that name the
    service type. A service whose profiles all speak HTTPS is asked by HTTPS, whatever its port.
    """
    kind, address = _service(sighting), sighting.address
    if not isinstance(address, NetAddress):
        return sighting
    named = [item for item in registry.profiles.values() if kind in {text.lower() for text in item.match.mdns_types}]
    if named and all(profile.match.scheme == "https" for profile in named):
        return replace(sighting, address=replace(address, scheme="https"))
    if not kind.endswith("._udp"):
        return sighting
    webs = [web for profile in named for web in addresses(profile, address.host) if web.is_web]
    return replace(sighting, address=webs[0]) if webs else sighting


def _service(sighting: Sighting) -> str:
    return sighting.hints.get("type", "").lower().removesuffix(".local.").rstrip(".")


def _fits(profile: Profile, driver: Driver, sighting: Sighting) -> bool:
    hints = sighting.hints
    if not reaches(driver, profile, sighting.address):
        return False
    if sighting.source is SourceKind.MANUAL:
        return True
    if sighting.source not in driver.sources:
        return False
    match sighting.source:
        case SourceKind.MDNS:
            if _service(sighting) not in {item.lower() for item in profile.match.mdns_types}:
                return False
            like = profile.match.mdns_name_like
            return not like or re.search(like, hints.get("name", ""), re.IGNORECASE) is not None
        case SourceKind.SERIAL:
            usb = f"{hints.get('vid', '')}:{hints.get('pid', '')}".upper()
            return not profile.match.usb_ids or usb in profile.match.usb_ids or hints.get("chosen") == "yes"
        case SourceKind.DIAL_IN:
            return _boot_fits(profile, hints.get("chargePointVendor", ""), hints.get("chargePointModel", ""))
        case SourceKind.LAN | SourceKind.BROADCAST:
            address = sighting.address
            return isinstance(address, NetAddress) and address in addresses(profile, address.host)
        case SourceKind.JUICENET:
            return SourceKind.JUICENET in driver.sources
        case SourceKind.BLUETOOTH:
            services = set(hints.get("services", "").lower().split())
            like = profile.match.ble_name_like
            named = bool(like) and re.search(like, hints.get("name", ""), re.IGNORECASE) is not None
            return named or bool(services & set(profile.match.ble_services))


def _boot_fits(profile: Profile, vendor: str, model: str) -> bool:
    rules = profile.match
    if not rules.boot_vendor_like and not rules.boot_model_like:
        return False
    vendor_ok = not rules.boot_vendor_like or re.search(rules.boot_vendor_like, vendor, re.IGNORECASE) is not None
    model_ok = not rules.boot_model_like or re.search(rules.boot_model_like, model, re.IGNORECASE) is not None
    return vendor_ok and model_ok


def load_drivers(package: ModuleType) -> list[Driver]:
    """Import every driver module of the package and return their ``DRIVER`` objects, sorted by id.

    One with several transports for the same keys has them as ``DRIVERS``.
    """
    names = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    found = [driver for module in modules for driver in getattr(module, "DRIVERS", None) or (module.DRIVER,)]
    return sorted(found, key=lambda driver: driver.id)


def load_profiles(documents: Mapping[str, str]) -> list[Profile]:
    """Parse profile files (name → TOML text). Raises ProfileError naming the file."""
    profiles = []
    for name, text in sorted(documents.items()):
        try:
            document = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ProfileError(f"{name}: {error}", "Correct the profile file.") from error
        profiles.append(parse(document, origin=name))
    return profiles
