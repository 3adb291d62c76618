"""How bridged units stand, as values: for the window, the status page and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class UnitKind(Enum):
    """What is bridged."""

    BOX = "box"
    """A JuiceBox: the bridge is its charge point."""
    RELAY = "relay"
    """An OCPP unit: the bridge passes on what it says, corrected."""


class LineState(Enum):
    """The line to the backend."""

    OFF = "off"
    DIALLING = "dialling"
    PENDING = "pending"
    """Connected, and the backend has not accepted the unit yet."""
    ONLINE = "online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Something the bridge does for a unit, so that everybody knows what must change before it may be taken away.

    ``code`` e.g. ``TLS-ADDED``, ``IDENTITY-CHANGED``; ``before`` and ``after`` never hold a secret.
    """

    code: str
    title: str
    before: str = ""
    after: str = ""
    remedy: str = ""
    """What must change at the unit before the bridge may be taken away."""
    count: int = 1
    first_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShown:
    """A charging session as told to the backend; energies in Wh."""

    number: str
    began_at: datetime
    start_wh: int
    energy_wh: int
    ended_at: datetime | None = None
    transaction: str = ""
    """The backend's id, empty while it has not answered."""
    id_tag: str = ""
    is_delivered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStatus:
    """How one bridged unit stands."""

    identity: str
    kind: UnitKind
    unit: str
    """The box's serial, or where the OCPP unit dials from."""
    backend: str
    """The base URL, without a login."""
    version: str
    security_profile: int
    line: LineState
    line_since: datetime
    trouble: str = ""
    state: str = ""
    """``Available``, ``Preparing``, ``Charging`` … in the words of OCPP 1.6 §7.7."""
    is_present: bool = False
    """The unit itself is heard."""
    power_w: float = 0.0
    register_wh: int | None = None
    limit_a: float | None = None
    ceiling_a: float | None = None
    queued: int = 0
    oldest_queued_at: datetime | None = None
    delivered: int = 0
    unmetered_wh: int | None = None
    """Energy in no backend's books: outside of all sessions, or of refused ones; ``None`` = the bridge can't know."""
    session: SessionShown | None = None
    corrections: tuple[Correction, ...] = ()
    is_watch_only: bool = False
    awaits: str = ""
    """What a hand-over waits for, or what became of it, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocking:
    """Somebody who came to the relays' port and was held off: its name or address, and why."""

    name: str
    remote: str
    reason: str
    at: datetime
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeStatus:
    """The whole bridge at one moment."""

    site: str
    started_at: datetime
    units: tuple[UnitStatus, ...] = ()
    knocking: tuple[Knocking, ...] = ()
    """Who came to the relays' port and was held off."""
    trouble: str = ""
