"""What a report measures, as readings like any charger's. Pure."""

from __future__ import annotations

from app.model.juicebox import BoxReport
from app.model.reading import Measurand, Reading


def readings_of(report: BoxReport, unit_id: str = "") -> tuple[Reading, ...]:
    """Return what it told: Wh, W, A, V, Hz, °C. The energy is the box's lifetime register."""
    values = {
        Measurand.ENERGY: report.lifetime_wh,
        Measurand.POWER: power_w(report),
        Measurand.CURRENT: report.current_a,
        Measurand.VOLTAGE: report.voltage_v,
        Measurand.CURRENT_OFFERED: report.online_limit_a,
        Measurand.FREQUENCY: report.frequency_hz,
        Measurand.TEMPERATURE: report.temperature_c,
    }
    return tuple(
        Reading(unit_id=unit_id, measurand=measurand, value=float(value), at=report.at)
        for measurand, value in values.items()
        if value is not None
    )


def power_w(report: BoxReport) -> float | None:
    """Return the power it draws, in W; ``None`` where it does not tell voltage or current."""
    if report.voltage_v is None or report.current_a is None:
        return None
    factor = 1.0 if report.power_factor is None else report.power_factor
    return round(report.voltage_v * report.current_a * factor, 1)
