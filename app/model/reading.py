"""One meter sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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


Row = tuple[Measurand, float, datetime, int, str]
"""A reading without its unit: measurand, value, time, connector, phase."""


class Samples:
    """The readings of one message, worked out only when somebody looks: most messages are merely recorded."""

    __slots__ = ("_rows", "_work", "unit_id")

    def __init__(self, unit_id: str, work: Callable[[], Sequence[Row]]) -> None:
        self.unit_id = unit_id
        self._work = work
        self._rows: Sequence[Row] | None = None

    @property
    def rows(self) -> Sequence[Row]:
        """Return the readings as plain rows, for those who store many."""
        if self._rows is None:
            self._rows = self._work()
        return self._rows

    def __iter__(self) -> Iterator[Reading]:
        for measurand, value, at, connector, phase in self.rows:
            yield Reading(
                unit_id=self.unit_id, measurand=measurand, value=value, at=at, connector=connector, phase=phase
            )


Sampled = Reading | StateChange | Samples
"""What is published about a unit's state."""


def spread(sampled: Iterable[Sampled]) -> Iterator[Reading | StateChange]:
    """Return readings and states one by one, in order."""
    for item in sampled:
        if isinstance(item, Samples):
            yield from item
        else:
            yield item
