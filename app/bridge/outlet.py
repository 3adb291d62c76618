"""What a bridged charge point has under it: one outlet, described so that no OCPP version needs to know its kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletState:
    """What the hardware does now. The register is in Wh and never falls.

    ``plug`` numbers the stays of cars, rising, over restarts too: another number than before means that the former
    car left, even if nobody saw it leave; ``plug_began_wh`` is the register at the moment this stay began.
    """

    at: datetime
    is_present: bool
    """Heard within its patience."""
    is_plugged: bool
    is_charging: bool
    plug: int
    plug_began_wh: int
    register_wh: int
    fault: str = ""
    voltage_v: float | None = None
    current_a: float | None = None
    power_w: float | None = None
    frequency_hz: float | None = None
    temperature_c: float | None = None
    limit_a: float | None = None
    """The limit the unit says is in force."""


class Outlet(Protocol):
    """The hardware's side, as a station sees it."""

    @property
    def state(self) -> OutletState:
        """Return what is known now."""
        ...

    @property
    def ceiling_a(self) -> float:
        """Return the current above which nothing is ever allowed; 0 where nobody has entered the circuit's limit."""
        ...

    @property
    def allowed_a(self) -> float:
        """Return what was allowed last."""
        ...

    def allow(self, limit_a: float) -> None:
        """Allow a current from now on, at most ``ceiling_a``; below 6 A charging stops.

        The unit's own rules decide when it is told: less at once, more not too often.
        """
        ...
