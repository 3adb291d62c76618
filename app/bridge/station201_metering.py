"""What a bridged OCPP 2.0.1 station measures (part 2, functional block J)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from app.bridge.message import Payload
from app.bridge.outlet import Outlet, OutletState
from app.ocpp.stamps import written

REGISTER = "Energy.Active.Import.Register"

_MEASURED: dict[str, tuple[str, Callable[[OutletState], float | None]]] = {
    "Power.Active.Import": ("W", lambda state: state.power_w),
    "Current.Import": ("A", lambda state: state.current_a),
    "Voltage": ("V", lambda state: state.voltage_v),
    "Frequency": ("Hz", lambda state: state.frequency_hz),
}
OFFERED = "Current.Offered"
MEASURANDS = (REGISTER, *_MEASURED, OFFERED)
"""Measurands that can be asked for; one that the unit does not tell is left out of the values."""


def register_value(register_wh: float, at: datetime, context: str) -> Payload:
    """Return a MeterValueType that holds the energy register alone."""
    return {"timestamp": written(at), "sampledValue": [_sample(REGISTER, "Wh", register_wh, context)]}


def meter_value(outlet: Outlet, register_wh: float, at: datetime, wanted: Iterable[str], context: str) -> Payload:
    """Return a MeterValueType; without a value there is no ``sampledValue`` in it."""
    samples = [_sample(name, unit, value, context) for name, unit, value in _values(outlet, register_wh, wanted)]
    return {"timestamp": written(at)} | ({"sampledValue": samples} if samples else {})


def _values(outlet: Outlet, register_wh: float, wanted: Iterable[str]) -> Iterable[tuple[str, str, float]]:
    state = outlet.state
    for name in wanted:
        if name == REGISTER:
            yield name, "Wh", register_wh
        elif name == OFFERED:
            yield name, "A", outlet.allowed_a if state.is_plugged else 0.0
        elif name in _MEASURED and state.is_present:
            unit, measured = _MEASURED[name]
            value = measured(state)
            if value is not None:
                yield name, unit, value


def _sample(name: str, unit: str, value: float, context: str) -> Payload:
    return {
        "value": round(value, 3),
        "context": context,
        "measurand": name,
        "location": "Outlet",
        "unitOfMeasure": {"unit": unit},
    }
