"""What discovery sees and the charger it believes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from app.model.address import Address
from app.model.backend import Backend


class SourceKind(Enum):
    """Where a sighting comes from."""

    MDNS = "mdns"
    SERIAL = "serial"
    DIAL_IN = "dial-in"
    MANUAL = "manual"
    LAN = "lan"
    """Asked for on this network, address by address."""
    BROADCAST = "broadcast"
    """It answered a question to everybody."""
    BLUETOOTH = "bluetooth"
    """It advertises itself over Bluetooth LE."""
    JUICENET = "juicenet"
    """It sends us its JuiceNet datagrams."""


class Adoption(Enum):
    """Whom a charger serves."""

    UNKNOWN = "unknown"
    ORPHANED = "orphaned"
    """It dials a backend that does not answer it."""
    MANAGED = "managed"
    """It is connected to a backend that is not ours."""
    FREE = "free"
    """It has no backend, or OCPP is switched off."""
    OURS = "ours"
    """It dials our endpoint, or a backend this site moved it to."""


class Health(Enum):
    """How a charger is, as one lamp."""

    UNKNOWN = "unknown"
    GOOD = "good"
    ATTENTION = "attention"
    FAULT = "fault"


class ClaimKind(Enum):
    """What an identity claim rests on. ``SERIAL``, ``MAC`` and ``MCU`` are strong: equal values mean one charger."""

    SERIAL = "serial"
    MAC = "mac"
    MCU = "mcu"
    IDENTITY = "ocpp"
    ADDRESS = "address"

    @property
    def is_strong(self) -> bool:
        """Say whether two sightings with this claim in common are surely one charger."""
        return self in (ClaimKind.SERIAL, ClaimKind.MAC, ClaimKind.MCU)


@dataclass(frozen=True, slots=True)
class Claim:
    """One reason to believe in an identity. The value is normalised: no separators, upper case."""

    kind: ClaimKind
    value: str


def claim(kind: ClaimKind, value: str) -> Claim | None:
    """Normalise a claim; ``None`` where the value says nothing (empty, all zeros, ``unknown``)."""
    if kind is ClaimKind.ADDRESS or kind is ClaimKind.IDENTITY:
        return Claim(kind, value) if value else None
    plain = "".join(char for char in value.upper() if char.isalnum())
    if len(plain) < 4 or not plain.strip("0") or not plain.strip("F") or plain in ("UNKNOWN", "NONE", "NULL"):
        return None
    return Claim(kind, plain)


SPEAKS = "OCPP version"
"""Key of ``Identity.extra`` where a charger says itself which version it dials with: ``1.6``, ``2.0.1``, ``2.1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a charger says it is. Empty text = it did not say. Texts come from the charger: never render as markup."""

    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    mac: str = ""
    name: str = ""
    profile_id: str = ""
    claims: tuple[Claim, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


def strong(identity: Identity) -> frozenset[Claim]:
    """Return the claims that surely mean one charger."""
    return frozenset(item for item in identity.claims if item.kind.is_strong)


def conflicts(one: frozenset[Claim], other: frozenset[Claim]) -> bool:
    """Say whether two sets of claims can't be the same charger: a kind both have, without a common value."""
    kinds = {item.kind for item in one} & {item.kind for item in other}
    return not one & other and bool(kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One observation by one source.

    ``hints`` are the source's raw facts as text: for mDNS ``type``, ``name``, ``host`` and ``txt.<key>``; for serial
    ``vid``, ``pid``, ``usb_serial``, ``product``; for dial-in the BootNotification fields. ``is_gone`` marks a
    goodbye, unplug or hang-up.
    """

    source: SourceKind
    address: Address
    at: datetime
    hints: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None
    is_gone: bool = False
    adapter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to reach a unit: which driver, at which address, seen by whom, when last."""

    driver_id: str
    address: Address
    source: SourceKind
    seen_at: datetime
    is_present: bool = True
    trouble: str = ""
    """Why the last attempt over this way failed, in the technician's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One physical charger, merged from all sightings. Replaced, not mutated; ``unit_id`` never changes."""

    unit_id: str
    identity: Identity = field(default_factory=Identity)
    ways: tuple[Way, ...] = ()
    adoption: Adoption = Adoption.UNKNOWN
    health: Health = Health.UNKNOWN
    state: str = ""
    """The first connector's state in OCPP words, or an empty text."""
    backend: Backend | None = None
    """Where it is configured to dial, as far as known; without the secret."""
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    is_simulated: bool = False
    note: str = ""

    @property
    def is_present(self) -> bool:
        """Say whether any way leads to it now."""
        return any(way.is_present for way in self.ways)

    @property
    def title(self) -> str:
        """Return the best short name: given name, model and serial, or the address."""
        identity = self.identity
        if identity.name:
            return identity.name
        if identity.model or identity.serial:
            return " ".join(part for part in (identity.model or identity.vendor, identity.serial) if part)
        return str(self.ways[0].address) if self.ways else self.unit_id


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitChange:
    """A unit's new value, or, where ``is_gone``, that it is no longer listed (forgotten, or merged into another)."""

    unit: Unit
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """What a charger says of its own connection to its backend. ``None`` = it does not say."""

    is_enabled: bool | None = None
    is_connected: bool | None = None


def adoption(backend: Backend | None, link: LinkState, ours: frozenset[str]) -> Adoption:
    """Judge whom a charger serves. ``ours`` holds the ``host:port`` texts of our endpoint and presets."""
    if backend is None:
        return Adoption.UNKNOWN
    if link.is_enabled is False or not backend.url:
        return Adoption.FREE
    if authority(backend.url) in ours:
        return Adoption.OURS
    if link.is_connected is None:
        return Adoption.UNKNOWN
    return Adoption.MANAGED if link.is_connected else Adoption.ORPHANED


def authority(url: str) -> str:
    """Return ``host:port`` of a ws or wss URL, lower case, with the default port filled in."""
    import urllib.parse

    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme.lower() in ("wss", "https") else 80)
    except ValueError:
        return url.lower()
    return f"{(parts.hostname or '').lower()}:{port}"
