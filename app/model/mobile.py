"""A cellular modem's link to its network: card, registration, access point, strength."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Sim(Enum):
    """What a modem says of its card (3GPP TS 27.007 §8.3 +CPIN, §9.2 +CME ERROR)."""

    READY = "ready"
    PIN = "PIN wanted"
    PUK = "PUK wanted"
    LOCKED = "locked to another network"
    ABSENT = "no card"
    FAILED = "card failure"
    UNTOLD = "not told"


class Registration(Enum):
    """Whether the network has the modem (3GPP TS 27.007 §7.2 +CREG, §10.1.22 +CEREG)."""

    HOME = "registered"
    ROAMING = "registered, roaming"
    SEARCHING = "searching"
    DENIED = "denied"
    OFF = "not registered, not searching"
    LIMITED = "registered, no data"
    """For text messages or emergency calls only."""
    UNTOLD = "not told"

    @property
    def is_registered(self) -> bool:
        """Say whether data can flow, as far as the network is concerned."""
        return self in (Registration.HOME, Registration.ROAMING)


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileLink:
    """How a modem stands with its network. Powers in dBm, ratios in dB; ``None`` = it does not tell."""

    sim: Sim = Sim.UNTOLD
    pin_left: int | None = None
    puk_left: int | None = None
    iccid: str = ""
    registration: Registration = Registration.UNTOLD
    operator: str = ""
    apn: str | None = None
    """The first access point name; empty = its context has none; ``None`` = not told."""
    is_attached: bool | None = None
    address: str = ""
    rssi_dbm: float | None = None
    rsrp_dbm: float | None = None
    rsrq_db: float | None = None
