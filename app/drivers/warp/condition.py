"""The API's states as a condition and readings in SI units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from app.driver import states
from app.driver.capability import Status
from app.driver.measuring import Field, at, readings
from app.driver.web import text_of
from app.model.reading import Measurand, Reading
from app.model.unit import LinkState

States = Mapping[str, Any]
"""The API's objects by path."""

STATE, LOW_LEVEL, HARDWARE = "evse/state", "evse/low_level_state", "evse/hardware_configuration"
OCPP_STATE, OCPP_CONFIG, OCPP_SLOT = "ocpp/state", "ocpp/config", "evse/ocpp_enabled"
VALUES, VALUE_IDS, OLD_VALUES, WIFI = "meters/0/values", "meters/0/value_ids", "meter/values", "wifi/state"
LIVE = (STATE, LOW_LEVEL, OCPP_STATE, VALUES, OLD_VALUES, WIFI)
"""What changes by itself."""
FIXED = (HARDWARE, VALUE_IDS, OCPP_CONFIG, OCPP_SLOT)

TELLS_PE = 30
"""From this hardware on (EVSE 3.0) bit 0 of ``contactor_error`` is protective earth (evse_common/main.tsx)."""
ACCEPTED = frozenset({2, 5, 6})
"""``charge_point_state`` once the backend took it: idle, unavailable, faulted (tfocpp src/ocpp/ChargePoint.h)."""
NO_OCPP = "Its firmware has no OCPP: no backend can be set."
ON_WIFI = 3
NO_SIGNAL_DBM = -127

BY_ID: Mapping[int, tuple[Measurand, float, str]] = {
    1: (Measurand.VOLTAGE, 1.0, "L1"),
    2: (Measurand.VOLTAGE, 1.0, "L2"),
    3: (Measurand.VOLTAGE, 1.0, "L3"),
    13: (Measurand.CURRENT, 1.0, "L1"),
    17: (Measurand.CURRENT, 1.0, "L2"),
    21: (Measurand.CURRENT, 1.0, "L3"),
    39: (Measurand.POWER, 1.0, "L1"),
    48: (Measurand.POWER, 1.0, "L2"),
    57: (Measurand.POWER, 1.0, "L3"),
    74: (Measurand.POWER, 1.0, ""),
    209: (Measurand.ENERGY, 1000.0, ""),
    364: (Measurand.FREQUENCY, 1.0, ""),
}
"""Meter value ids and their factors to SI (meters/meter_value_id.csv)."""

FIELDS = (
    Field((STATE, "allowed_charging_current"), Measurand.CURRENT_OFFERED, 0.001),
    Field((LOW_LEVEL, "temperature"), Measurand.TEMPERATURE, 0.01),
)
OLD_FIELDS = (
    Field((OLD_VALUES, "power"), Measurand.POWER),
    Field((OLD_VALUES, "energy_abs"), Measurand.ENERGY, 1000.0),
)


@cache
def table(name: str) -> states.StateTable:
    """Return the meaning of one group of numbers."""
    return states.load(name)


def status_of(found: States, now: datetime) -> Status:
    """Return the present condition of a unit that answered with these objects."""
    word, detail = state_of(found)
    return Status(
        state=word, detail=detail, has_fault=word == "Faulted", readings=measured(found, now), link=link_of(found)
    )


def state_of(found: States) -> tuple[str, str]:
    """Return the OCPP word, and in plain words what is wrong or in the way."""
    number = _number(found, STATE, "charger_state")
    if number is None:
        return "", ""
    word, detail = table("warp").read(number, has_car=True)
    faults = list(_faults(found))
    if faults:
        return "Faulted", " ".join(faults)
    return word, " · ".join(part for part in (detail, *_hindrances(found)) if part)


def _faults(found: States) -> Iterator[str]:
    error, direct = _number(found, STATE, "error_state"), _number(found, STATE, "dc_fault_current_state")
    contactor = _number(found, STATE, "contactor_error") or 0
    if (_number(found, HARDWARE, "evse_version") or 0) >= TELLS_PE:
        if contactor & 1:
            yield table("warp-faults").read(0, has_car=True)[1]
        contactor >>= 1
    for name, number in (("warp-contactor", contactor), ("warp-direct-current", direct), ("warp-errors", error)):
        if number:
            yield table(name).read(number, has_car=True)[1]


def _hindrances(found: States) -> Iterator[str]:
    """Yield what keeps the backend from this charger although nothing is broken."""
    if OCPP_CONFIG not in found:
        yield NO_OCPP
    if at(found, (OCPP_CONFIG, "enable")) is not True:
        return
    if at(found, (OCPP_SLOT, "enabled")) is False:
        yield "OCPP is on, but its charging slot is off: the backend may not control the charge."
    if text_of(found[OCPP_CONFIG], "url").endswith("/"):
        yield "The backend address ends with a slash: the charger dials it with two of them."
    number = _number(found, OCPP_STATE, "charge_point_state")
    if at(found, (OCPP_STATE, "connected")) is True and number is not None and number not in ACCEPTED:
        yield table("warp-ocpp").read(number, has_car=True)[1]


def link_of(found: States) -> LinkState:
    """Return what it says of its backend: connected is only who was accepted."""
    enabled, connected = at(found, (OCPP_CONFIG, "enable")), at(found, (OCPP_STATE, "connected"))
    accepted = _number(found, OCPP_STATE, "charge_point_state") in ACCEPTED
    return LinkState(
        is_enabled=enabled if isinstance(enabled, bool) else None,
        is_connected=connected and accepted if isinstance(connected, bool) else None,
    )


def measured(found: States, now: datetime) -> tuple[Reading, ...]:
    """Return the readings in SI units: the new meters where there are any, else the old one."""
    ids = found.get(VALUE_IDS)
    fields = list(FIELDS)
    if isinstance(ids, Sequence) and not isinstance(ids, str):
        for index, number in enumerate(ids):
            if isinstance(number, int) and number in BY_ID:
                measurand, factor, phase = BY_ID[number]
                fields.append(Field((VALUES, index), measurand, factor, phase))
    if len(fields) == len(FIELDS):
        fields += OLD_FIELDS
    if _number(found, WIFI, "connection_state") == ON_WIFI and at(found, (WIFI, "sta_rssi")) != NO_SIGNAL_DBM:
        fields.append(Field((WIFI, "sta_rssi"), Measurand.SIGNAL))
    return readings(found, fields, now)


def _number(found: States, path: str, field: str) -> int | None:
    value = at(found, (path, field))
    return value if isinstance(value, int) and not isinstance(value, bool) else None
