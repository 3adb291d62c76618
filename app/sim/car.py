"""The electrical side of a simulated charger: a connector, the car on it, and a meter that rises while it charges."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from app.sim.fault import Fault

FALL_WH = 40.0
"""How far a falling register falls."""


@dataclass(slots=True)
class Transaction:
    """A running transaction. ``transaction_id`` is ``None`` until the central system gave one."""

    id_tag: str
    transaction_id: int | None = None
    parent: str = ""
    began_at: datetime | None = None
    began: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Whose turn it is, until when. ``parent`` is the group tag that may use it too."""

    number: int
    tag: str
    parent: str = ""


@dataclass(slots=True)
class Outlet:
    """One connector with its meter. Energy is counted from simulated time: one second is ``time_scale`` real ones."""

    number: int
    time_scale: float = 1.0
    voltage_v: float = 230.0
    limit_a: float = 16.0
    max_a: float = 32.0
    phases: int = 1
    energy_register_wh: float = 100_000.0
    temperature_c: float = 28.2
    status: str = "Available"
    error: str = "NoError"
    is_plugged: bool = False
    is_available: bool = True
    wants_current: bool = True
    awaited_tag: str | None = None
    planned: bool | None = None
    reservation: Reservation | None = None
    transaction: Transaction | None = None
    energy_factor: float = 1.0
    _samples: int = field(default=0, repr=False)
    _is_charging: bool = field(default=False, repr=False)
    _since_s: float = field(default=0.0, repr=False)
    _session_from_wh: float = field(default=0.0, repr=False)

    @property
    def is_charging(self) -> bool:
        """Say whether current flows."""
        return self._is_charging

    @is_charging.setter
    def is_charging(self, flows: bool) -> None:
        self._settle()
        if flows and not self._is_charging:
            self._session_from_wh = self.energy_register_wh
        self._is_charging = flows

    @property
    def current_a(self) -> float:
        """Return the present current."""
        return self.limit_a if self._is_charging else 0.0

    @property
    def power_w(self) -> float:
        """Return the present power."""
        return self.current_a * self.voltage_v * self.phases

    @property
    def energy_wh(self) -> float:
        """Return the meter's register."""
        if not self._is_charging:
            return self.energy_register_wh
        elapsed_s = (time.monotonic() - self._since_s) / self.time_scale
        return self.energy_register_wh + self.energy_factor * self.power_w * elapsed_s / 3600

    @property
    def session_wh(self) -> float:
        """Return the energy since current last began to flow."""
        return self.energy_wh - self._session_from_wh

    def allow(self, limit_a: float) -> None:
        """Limit the current from now on."""
        self._settle()
        self.limit_a = limit_a

    def spoil(self, faults: set[Fault]) -> None:
        """Do to the meter what its faults say, just before it is read."""
        factor = 2.0 if Fault.ENERGY_MISMATCH in faults else 1.0
        if factor != self.energy_factor:
            self._settle()
            self.energy_factor = factor
        self._samples += 1
        if Fault.REGISTER_FALLS in faults and self._samples % 3 == 0:
            self._settle()
            self.energy_register_wh -= FALL_WH

    def _settle(self) -> None:
        self.energy_register_wh = self.energy_wh
        self._since_s = time.monotonic()

    def sampled(self, measurands: tuple[str, ...], context: str) -> list[dict[str, str]]:
        """Return the OCPP 1.6 §7.43 SampledValue list for the wanted measurands."""
        known = {
            "Energy.Active.Import.Register": (f"{self.energy_wh:.3f}", "Wh"),
            "Power.Active.Import": (f"{self.power_w:.1f}", "W"),
            "Current.Import": (f"{self.current_a:.2f}", "A"),
            "Current.Offered": (f"{self.limit_a:.1f}", "A"),
            "Voltage": (f"{self.voltage_v:.1f}", "V"),
            "Temperature": (f"{self.temperature_c:.1f}", "Celsius"),
        }
        return [
            {"value": known[name][0], "context": context, "measurand": name, "unit": known[name][1]}
            for name in measurands
            if name in known
        ]


def idle_status(outlet: Outlet) -> str:
    """Return the state of a connector on which nothing runs."""
    if not outlet.is_available:
        return "Unavailable"
    if outlet.is_plugged:
        return "Preparing"
    return "Reserved" if outlet.reservation is not None else "Available"
