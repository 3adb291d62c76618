"""What is known of a Wi-Fi JuiceBox: what it reported, what it may draw, how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

LEAST_A = 6.0
"""Below this a box does not charge (chargers-commercial 1.6; IEC 61851-1 annex A)."""


class BoxMode(Enum):
    """The field ``S`` of a report (juicebox_message.py)."""

    UNPLUGGED = 0
    PLUGGED = 1
    CHARGING = 2
    ERROR = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxReport:
    """One status datagram. What it did not say is ``None``; currents in A, energies in Wh, temperature in °C."""

    box_id: str
    at: datetime
    version: str = ""
    """``v07``, ``v09u``; empty for the oldest form."""
    mode: BoxMode | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    frequency_hz: float | None = None
    power_factor: float | None = None
    session_wh: int | None = None
    """``E``: falls to 0 when charging ends, so it counts a stretch of charging, not a car's whole stay."""
    lifetime_wh: int | None = None
    temperature_c: float | None = None
    online_limit_a: int | None = None
    """``M``."""
    offline_limit_a: int | None = None
    """``C``: what the box falls back to without a server; kept in its EEPROM. v07 does not tell it."""
    rating_a: int | None = None
    """``m``: the hardware's limit."""
    counter: int | None = None
    """``s``: 1 to 999, then again from 1."""
    loop: int | None = None
    """``u``: rises while the box has power."""
    period_s: int | None = None
    others: Mapping[str, str] = field(default_factory=dict)
    """Fields whose meaning nobody has published, and those of no use here, as told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """The technician's word on a box, without which nothing is ever sent to it.

    ``circuit_a``: the highest continuous current its circuit allows. ``rating_a``: the hardware limit it reported.
    ``known_a``: the lowest limit other than 0 that it reported before we first sent anything: somebody may have set it
    for the wiring. ``is_revived``: it came with 0 A, and a person confirmed that it shall charge again;
    ``lifts_known``: a person confirmed that ``known_a`` does not come from the wiring.
    """

    box_id: str
    circuit_a: float
    rating_a: float
    known_a: float | None
    at: datetime
    is_revived: bool = False
    lifts_known: bool = False

    @property
    def ceiling_a(self) -> float:
        """Return the current above which nothing is ever sent."""
        limits = [self.circuit_a, self.rating_a]
        if self.known_a is not None and not self.lifts_known:
            limits.append(self.known_a)
        return max(0.0, min(limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxState:
    """How a box stands now. ``address`` is where its datagrams come from, ``ip:port``."""

    box_id: str
    address: str
    first_heard: datetime
    last_heard: datetime
    report: BoxReport | None = None
    is_encrypted: bool = False
    adoption: Adoption | None = None
    allowed_a: float | None = None
    """What we tell it in both disputed fields; ``None`` = nothing is sent."""
    changes_today: int = 0
    """How often the value we send changed since midnight UTC: each may be an EEPROM write."""
    waits_until: datetime | None = None
    """When a change that has to wait will be sent."""
    wanted_a: float | None = None
    """What it waits to be told."""
    datagrams: int = 0
    refused: int = 0
    """Datagrams under its serial that were not believed: another sender, replayed, a wrong checksum."""
    notes: tuple[str, ...] = ()
    """Last debug texts it sent, the newest last."""
    software: str = ""
    """What it said it runs when it started (``EMWERK-JB_1_1-1.4.0.28``); empty where it has not started since."""
    is_absent: bool = False
    """Silent for four idle periods."""

    @property
    def is_locked(self) -> bool:
        """Say whether it was left at 0 A by its former backend (unlock to charge). v07 tells its online limit alone."""
        report = self.report
        if report is None or self.adoption is not None:
            return False
        limit = report.online_limit_a if report.offline_limit_a is None else report.offline_limit_a
        return limit is not None and limit < LEAST_A


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTrouble:
    """A UDP port that could not be opened, and why."""

    port: int
    message: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerState:
    """How our side of JuiceNet stands."""

    is_listening: bool = False
    host: str = ""
    ports: tuple[int, ...] = ()
    troubles: tuple[PortTrouble, ...] = ()
    received: int = 0
    """Datagrams so far."""
    answered: int = 0
    dropped: int = 0
    """Datagrams not looked at: their senders sent too many."""
    nonsense: int = 0
    """Datagrams that were none of a box."""
