"""One meter sample."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Measurand(Enum):
    """What was measured. OCPP 1.6 §7.31 names, plus what chargers report outside OCPP. Values are the SI units."""

    ENERGY = "Energy.Active.Import.Register"
    POWER = "Power.Active.Import"
    CURRENT = "Current.Import"
    CURRENT_OFFERED = "Current.Offered"
    VOLTAGE = "Voltage"
    TEMPERATURE = "Temperature"
    SOC = "SoC"
    FREQUENCY = "Frequency"
    SIGNAL = "Signal"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is slow, and each reading is sorted by it

    @property
    def unit(self) -> str:
        """Return the unit in which every value of this measurand is kept."""
        return _UNITS[self]


_UNITS = {
    Measurand.ENERGY: "Wh",
    Measurand.POWER: "W",
    Measurand.CURRENT: "A",
    Measurand.CURRENT_OFFERED: "A",
    Measurand.VOLTAGE: "V",
    Measurand.TEMPERATURE: "°C",
    Measurand.SOC: "%",
    Measurand.FREQUENCY: "Hz",
    Measurand.SIGNAL: "dBm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value in the measurand's own unit, of one connector and phase, at a UTC time.

    ``phase`` is empty for a sum or a single value, else ``L1``…``L3``, ``L1-N``, … (OCPP 1.6 §7.36).
    """

    unit_id: str
    measurand: Measurand
    value: float
    at: datetime
    connector: int = 1
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChange:
    """A connector's state from ``at`` on, in OCPP 1.6 words (``Available``, ``Charging``, ``Faulted`` …)."""

    unit_id: str
    connector: int
    state: str
    at: datetime
    error: str = ""
    detail: str = ""
