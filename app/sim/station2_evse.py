"""An EVSE of a simulated 2.x station: its connector, its car, its meter, its card, its transaction."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.sim.car import Outlet

Json = dict[str, Any]

UNITS = {
    "Energy.Active.Import.Register": "Wh",
    "Power.Active.Import": "W",
    "Current.Import": "A",
    "Current.Offered": "A",
    "Voltage": "V",
    "SoC": "Percent",
}


@dataclass(frozen=True, slots=True)
class IdToken:
    """A card, an app's code, or the operator: IdTokenType without additional info."""

    value: str
    kind: str = "ISO14443"

    @classmethod
    def of(cls, told: Json) -> IdToken:
        """Read an IdTokenType; raises KeyError."""
        return cls(str(told["idToken"]), str(told["type"]))

    @property
    def json(self) -> Json:
        """Return the IdTokenType."""
        return {"idToken": self.value, "type": self.kind}

    def same(self, other: IdToken | None) -> bool:
        """Compare; tokens are not case-sensitive (part 2, identifierString)."""
        return other is not None and (self.value.lower(), self.kind) == (other.value.lower(), other.kind)


@dataclass(slots=True)
class Tx:
    """A transaction. ``token_told``: the central system knows who pays."""

    transaction_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    seq_no: int = 0
    remote_start_id: int | None = None
    token: IdToken | None = None
    token_told: IdToken | None = None
    group: str = ""
    stopped_reason: str = ""
    began: Json = field(default_factory=dict)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def next_seq_no(self) -> int:
        """Return the next number, from 0."""
        number = self.seq_no
        self.seq_no += 1
        return number


@dataclass(slots=True)
class Evse:
    """One EVSE with one connector. ``planned``: availability that waits for the transaction's end.

    ``used_reservation`` is told with the next event, once (H03).
    """

    number: int
    outlet: Outlet
    token: IdToken | None = None
    group: str = ""
    remote_start_id: int | None = None
    tx: Tx | None = None
    is_operative: bool = True
    connector_operative: bool = True
    planned: bool | None = None
    planned_reset: bool = False
    reservation: int | None = None
    reserved_for: IdToken | None = None
    used_reservation: int | None = None
    has_fault: bool = False
    is_barred: bool = False
    told_status: str = ""

    @property
    def is_available(self) -> bool:
        """Say whether it is in service."""
        return self.is_operative and self.connector_operative

    @property
    def status(self) -> str:
        """Return its ConnectorStatusEnum."""
        if self.has_fault:
            return "Faulted"
        if self.tx is None and not self.is_available:
            return "Unavailable"
        if self.outlet.is_plugged or self.tx is not None:
            return "Occupied"
        return "Reserved" if self.reservation is not None else "Available"

    @property
    def points(self) -> set[str]:
        """Return the TxStartStopPoint members that hold now (2.0.1 part 2, TxStartStopPointEnum)."""
        held = set()
        if self.outlet.is_plugged:
            held |= {"ParkingBayOccupancy", "EVConnected"}
        if self.token is not None:
            held.add("Authorized")
        if self.outlet.is_plugged and self.token is not None:
            held |= {"PowerPathClosed", "DataSigned"}
            if self.outlet.is_charging:
                held.add("EnergyTransfer")
        return held

    @property
    def may_flow(self) -> bool:
        """Say whether current may flow."""
        ready = self.outlet.is_plugged and self.token is not None and not self.is_barred and not self.has_fault
        return ready and self.outlet.wants_current and self.outlet.limit_a > 0

    @property
    def charging_state(self) -> str:
        """Return the ChargingStateEnum."""
        if not self.outlet.is_plugged:
            return "Idle"
        if self.token is None:
            return "EVConnected"
        if self.outlet.is_charging:
            return "Charging"
        return "SuspendedEVSE" if self.is_barred or self.outlet.limit_a <= 0 else "SuspendedEV"

    def sampled(self, measurands: tuple[str, ...], context: str) -> list[Json]:
        """Return the SampledValueType list."""
        outlet = self.outlet
        values = {
            "Energy.Active.Import.Register": round(outlet.energy_wh, 3),
            "Power.Active.Import": round(outlet.power_w, 1),
            "Current.Import": round(outlet.current_a, 2),
            "Current.Offered": round(outlet.limit_a, 1),
            "Voltage": round(outlet.voltage_v, 1),
            "SoC": 42.0,
        }
        return [
            {"value": values[name], "context": context, "measurand": name, "unitOfMeasure": {"unit": UNITS[name]}}
            for name in measurands
            if name in values
        ]
