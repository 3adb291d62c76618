"""What a simulated Alfen station measures and says of its connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.sim.alfen_store import INTEGER, READ_ONLY, REAL, TIME, Property

if TYPE_CHECKING:
    from app.sim.alfen import AlfenStation

MAIN = {"Available": 2, "Preparing": 5, "Charging": 14, "SuspendedEV": 11, "Finishing": 19, "Unavailable": 38}
MAIN |= {"Reserved": 39, "Faulted": 22, "SuspendedEVSE": 42}
PILOT = {"Available": 160, "Charging": 194, "Faulted": 224, "Unavailable": 240}
ACCEPTED, AWAITING, NOT_SENT = 3, 1, 0


def live(station: AlfenStation) -> dict[str, Property]:
    """Return the properties that change by themselves."""
    point = station.point
    assert point is not None
    boot = ACCEPTED if point.registration == "Accepted" else AWAITING if point.connected.is_set() else NOT_SENT
    now_ms = int(time.time() * 1000)
    is_away = boot == ACCEPTED and not point.connected.is_set()
    found = [
        Property("2060_0", 6_271_674, "generic", TIME, READ_ONLY),
        Property("2086_0", 300, "ocpp", INTEGER, READ_ONLY),
        Property("2201_0", 31.5, "temp", REAL, READ_ONLY),
        Property("3600_1", boot, "states", INTEGER, READ_ONLY),
        Property("3600_7", now_ms if is_away else 0, "states", TIME, READ_ONLY),
        Property("3600_8", now_ms - 1000 if boot == ACCEPTED else 0, "states", TIME, READ_ONLY),
    ]
    for number in range(1, station.sockets + 1):
        found += _socket(station, number)
    return {item.id: item for item in found}


def _socket(station: AlfenStation, number: int) -> list[Property]:
    assert station.point is not None
    outlet = station.point.outlet(number)
    states, meter = f"250{number}", {1: "2221", 2: "3221"}[number]
    category = f"meter{number}"
    values = {
        "3": outlet.voltage_v,
        "4": outlet.voltage_v,
        "5": outlet.voltage_v,
        "A": outlet.current_a,
        "B": 0.0,
        "C": 0.0,
        "16": outlet.power_w,
        "22": outlet.energy_wh,
    }
    return [
        Property(f"{states}_1", MAIN.get(outlet.status, 0), "states", INTEGER, READ_ONLY),
        Property(f"{states}_4", PILOT.get(outlet.status, 177), "states", INTEGER, READ_ONLY),
        *(Property(f"{meter}_{sub}", value, category, REAL, READ_ONLY) for sub, value in values.items()),
    ]
