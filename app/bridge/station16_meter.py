"""What a 1.6 station measures and when it tells it (OCPP 1.6 §3.16, §4.7). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from app.bridge.message import Payload
from app.bridge.outlet import OutletState
from app.bridge.session import Memory

ENERGY = "Energy.Active.Import.Register"
MAX_DATA = 64
"""Samples kept for one StopTransaction; with more, every second one is left out [OURS]."""
_DATA = "transaction data"

_TOLD: dict[str, tuple[Callable[[OutletState], float | None], str, str]] = {
    "Power.Active.Import": (lambda state: state.power_w, "W", "Outlet"),
    "Current.Import": (lambda state: state.current_a, "A", "Outlet"),
    "Voltage": (lambda state: state.voltage_v, "V", "Outlet"),
    "Current.Offered": (lambda state: state.limit_a, "A", "Outlet"),
    "Frequency": (lambda state: state.frequency_hz, "", "Outlet"),
    "Temperature": (lambda state: state.temperature_c, "Celsius", "Body"),
}
"""Measurand → where it stands, its unit (§7.45; 1.6 has none for hertz), its place."""


def sampled(state: OutletState, register_wh: int, wanted: tuple[str, ...], context: str) -> list[Payload]:
    """Return sampled values; what the unit does not tell is left out."""
    values: list[Payload] = []
    for name in wanted:
        value, unit, place = _value(state, register_wh, name)
        if value is None:
            continue
        told = {"value": value, "context": context, "format": "Raw", "measurand": name, "location": place}
        values.append(told | {"unit": unit} if unit else told)
    return values


def _value(state: OutletState, register_wh: int, name: str) -> tuple[str | None, str, str]:
    if name == ENERGY:
        return str(register_wh), "Wh", "Outlet"
    read, unit, place = _TOLD[name]
    value = read(state)
    return (None if value is None else f"{value:.1f}"), unit, place


def aligned_after(at: datetime, interval_s: float) -> datetime:
    """Return the next full multiple of an interval since midnight UTC (§9.1.4: counted from 00:00:00)."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    passed_s = (at - midnight).total_seconds()
    return datetime.fromtimestamp(midnight.timestamp() + (passed_s // interval_s + 1) * interval_s, UTC)


class TransactionData:
    """The samples of a session that its StopTransaction is to bring; kept over restarts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def add(self, number: str, stamp: str, values: list[Payload]) -> None:
        """Keep a sample of a session."""
        if not values:
            return
        samples = [*self._of(number), {"timestamp": stamp, "sampledValue": values}]
        if len(samples) > MAX_DATA:
            samples = samples[:1] + samples[1::2]
        self._memory.put(_DATA, json.dumps({"session": number, "samples": samples}))

    def taken(self, number: str) -> list[Payload]:
        """Return the samples of a session and forget them."""
        samples = self._of(number)
        if self._memory.get(_DATA) is not None:
            self._memory.put(_DATA, None)
        return samples

    def _of(self, number: str) -> list[Payload]:
        text = self._memory.get(_DATA)
        found = json.loads(text) if text else {}
        return list(found["samples"]) if found.get("session") == number else []
