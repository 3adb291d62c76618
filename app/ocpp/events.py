"""What happens on one OCPP connection, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from app.model.frame import Boot
from app.model.reading import Reading, Samples, StateChange


class IdToken(NamedTuple):
    """What somebody identifies with: ``kind`` is a 2.x IdTokenEnumType (``ISO14443`` …), empty in 1.6."""

    value: str
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A charging session as its charge point reported it.

    ``transaction_id`` is a number given by us (or taken over) in 1.6, and a text given by the station in 2.x.
    Meter registers in Wh; ``None`` where not reported.
    """

    transaction_id: int | str
    connector: int
    tag: str = ""
    started_at: datetime | None = None
    meter_start_wh: float | None = None
    stopped_at: datetime | None = None
    meter_stop_wh: float | None = None
    reason: str = ""
    state: str = ""
    """Its charging state in 1.6's words, where the station tells one (2.x)."""
    missing: int = 0
    """How many of its messages did not come, by their sequence numbers (2.x seqNo)."""
    was_offline: bool = False
    """Part of it happened while the station was offline (2.x)."""

    @property
    def is_running(self) -> bool:
        """Say whether no stop was reported yet."""
        return self.stopped_at is None

    @property
    def energy_wh(self) -> float | None:
        """Return the energy of a finished session."""
        if self.meter_start_wh is None or self.meter_stop_wh is None:
            return None
        return self.meter_stop_wh - self.meter_start_wh


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """A BootNotification was received and answered with ``status``."""

    boot: Boot
    status: str = "Accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """A StatusNotification was received."""

    change: StateChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Any request was received; comes for every one of them, before the more telling event."""

    action: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStarted:
    """A transaction began (or a running one was recognised by what it sends)."""

    transaction: Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionStopped:
    """A transaction ended."""

    transaction: Transaction


@dataclass(slots=True)
class MeterSampled:
    """Meter values were received; they are worked out when somebody looks at them."""

    samples: Samples
    transaction_id: int | str | None = None
    is_due: bool = True
    """Whether they are worth keeping beside their frame: not where many of their kind come within a second."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Return the values in SI units."""
        return tuple(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection ended. 1006 means that TCP vanished without a closing handshake."""

    code: int
    reason: str


EndpointEvent = Booted | StatusChanged | Heard | TransactionStarted | TransactionStopped | MeterSampled | Closed
