"""What our endpoint observes and diagnosis judges: evidence that is neither a handshake, a knock nor a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from app.model.finding import Finding
from app.model.frame import Boot, Certificate, Frame, Handshake, Hello, Knock, OldHost
from app.model.mobile import MobileLink


@dataclass(frozen=True, slots=True, kw_only=True)
class BootSeen:
    """A BootNotification came over a connection."""

    handshake: Handshake
    boot: Boot


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsetClock:
    """A message carries a time stamp that can't be true. ``stamp`` is that text."""

    action: str
    stamp: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbooted:
    """A connection went ``waited_s`` without BootNotification; ``heard`` are the actions that came instead."""

    waited_s: float
    heard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stateless:
    """A booted connection went ``waited_s`` without any StatusNotification."""

    waited_s: float


class TlsEnd(Enum):
    """How a TLS handshake with a unit failed."""

    ALERT_FROM_UNIT = "alert from the unit"
    CLOSED_BY_UNIT = "closed by the unit"
    REFUSED_BY_US = "refused by us"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailed:
    """A TLS handshake came to nothing.

    ``alert`` is the TLS alert number (RFC 8446 §6), ``None`` where there was none; ``after`` names the last message of
    ours the unit had seen: ``""``, ``ServerHello``, ``Certificate``, ``Finished``.
    """

    remote: str
    end: TlsEnd
    hello: Hello | None
    personality: str
    at: datetime
    alert: int | None = None
    after: str = ""
    reason: str = ""
    served: Certificate | None = None
    """The certificate we showed."""
    old_host: OldHost | None = None
    """Whose name brought it here, where that is a former backend's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A WebSocket connection is over. Seconds; ``code`` 1006 = TCP vanished."""

    identity: str
    connection: int
    at: datetime
    code: int
    reason: str
    is_by_us: bool
    lasted_s: float
    silent_s: float
    """How long the unit had said nothing at all, pongs included."""
    pings: int = 0
    """Pings we sent."""
    pongs: int = 0
    peer_pings: int = 0
    """Pings the unit sent."""
    has_booted: bool = False
    last_sent: str = ""
    """Action of the last CALL we sent; empty = none."""
    last_sent_s: float = 0.0
    """How long before the end that was."""
    is_answered: bool = True
    """Whether that CALL had been answered."""
    fault: str = ""
    """What the WebSocket layer objected to (``reserved bits must be 0``), empty = nothing."""
    remote: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A connection came while an older one of the same identity was open. ``silent_s``: how long that was silent."""

    identity: str
    remote: str
    older_remote: str
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An identity dialled again ``gone_s`` after its last connection ended; ``was_told`` = we had closed it."""

    identity: str
    gone_s: float
    is_after_reset: bool = False
    is_by_us: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A message about the past: its time stamp lies ``age_s`` before its arrival, or its transaction is unknown."""

    action: str
    stamp: str
    age_s: float
    transaction: str
    is_unknown: bool
    is_repeated: bool = False
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the charger's clock was from ours when it sent a live message; positive = it runs ahead. Seconds."""

    action: str
    stamp: str
    drift_s: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What was spoken does not fit what was agreed: ``action`` belongs to ``spoken`` only."""

    agreed: str
    spoken: str
    action: str
    proof: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRepeated:
    """Boot came again on the same connection although it was accepted. ``early`` = CALLs we sent before the first."""

    identity: str
    count: int
    since_last_s: float
    interval_s: int
    is_early_call: bool
    answer: str = "Accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A command of ours was answered; secrets in ``request`` are masked, ``answer`` is the payload."""

    identity: str
    action: str
    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    at: datetime
    took_s: float = 0.0
    error: str = ""
    error_text: str = ""
    size: int = 0
    """Characters of the answer's frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A command of ours got no answer within ``waited_s``."""

    identity: str
    action: str
    request: Mapping[str, Any]
    waited_s: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsSeen:
    """A unit's settings were read, over whatever way; secrets masked."""

    identity: str
    settings: Mapping[str, str]
    version: str = "1.6"
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSeen:
    """A unit told the strength of its radio link. ``rssi_dbm`` of its Wi-Fi."""

    rssi_dbm: float
    ssid: str = ""
    channel: int = 0
    at: datetime
    unit_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileSeen:
    """A modem told how it stands with its card and its network."""

    link: MobileLink
    at: datetime
    unit_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTested:
    """We dialled our own port over an adapter's address. ``problem`` empty = it worked."""

    address: str
    problem: str
    advice: str = ""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterGone:
    """The network adapter in use lost its address while a charger was being worked on."""

    name: str
    address: str
    was_busy: bool
    at: datetime


Observation = (
    Handshake
    | Knock
    | Frame
    | BootSeen
    | UnsetClock
    | Unbooted
    | Stateless
    | TlsFailed
    | Ended
    | Replaced
    | Returned
    | Backlog
    | Drift
    | Spoken
    | BootRepeated
    | Answered
    | Unanswered
    | SettingsSeen
    | SignalSeen
    | MobileSeen
    | SelfTested
    | AdapterGone
)
Judge = Callable[[Observation], Iterable[Finding]]
"""Turns an observation into findings; frames come only when they have notes."""


def no_opinion(_: Observation) -> Iterable[Finding]:
    """Find nothing."""
    return ()
