"""``/status`` and the stream ``/ws`` as states and readings in SI units (src/emonesp.h, src/input.cpp)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from app.driver import states
from app.driver.capability import Status
from app.driver.measuring import number_of
from app.model.reading import Measurand, Reading, StateChange
from app.model.unit import LinkState


@cache
def state_table() -> states.StateTable:
    """Return the meaning of the state numbers."""
    return states.load("openevse")


SCALES: tuple[tuple[str, Measurand, float], ...] = (
    ("amp", Measurand.CURRENT, 0.001),
    ("voltage", Measurand.VOLTAGE, 1.0),
    ("power", Measurand.POWER, 1.0),
    ("pilot", Measurand.CURRENT_OFFERED, 1.0),
    ("temp", Measurand.TEMPERATURE, 0.1),
    ("total_energy", Measurand.ENERGY, 1000.0),
    ("srssi", Measurand.SIGNAL, 1.0),
    ("frequency", Measurand.FREQUENCY, 0.01),
)
"""Fields of /status and their factors to SI (src/emonesp.h, src/input.cpp)."""


RELEVANT = frozenset({field for field, _, _ in SCALES} | {"watthour", "state", "vehicle"})
"""What the stream is watched for; the rest of it is forgotten at once."""


def measured(status: Mapping[str, Any]) -> dict[Measurand, float]:
    """Return the values of a status object in SI units; what is absent, ``false`` or absurd is left out."""
    found = {}
    for field, measurand, factor in SCALES:
        number = number_of(status.get(field))
        if number is not None:
            found[measurand] = round(number * factor, 6)
    if Measurand.ENERGY not in found and (watt_hours := number_of(status.get("watthour"))) is not None:
        found[Measurand.ENERGY] = watt_hours
    if Measurand.POWER not in found and {Measurand.CURRENT, Measurand.VOLTAGE} <= found.keys():
        found[Measurand.POWER] = found[Measurand.CURRENT] * found[Measurand.VOLTAGE]
    return found


def state_of(status: Mapping[str, Any]) -> tuple[str, str]:
    """Return the OCPP 1.6 word and a detail for the EVSE state (OpenEVSE_Lib src/openevse.h)."""
    state = status.get("state")
    if not isinstance(state, int) or isinstance(state, bool):
        return "", ""
    return state_table().read(state, has_car=status.get("vehicle") == 1)


def status_of(status: Mapping[str, Any], config: Mapping[str, Any], now: datetime) -> Status:
    """Return the present condition."""
    word, detail = state_of(status)
    if status.get("rapi_connected") == 0:
        word, detail = "Faulted", "The gateway gets no answer from the controller."
    enabled, connected = config.get("ocpp_enabled"), status.get("ocpp_connected")
    return Status(
        state=word,
        detail=detail,
        has_fault=word == "Faulted",
        readings=tuple(
            Reading(unit_id="", measurand=key, value=value, at=now) for key, value in measured(status).items()
        ),
        link=LinkState(
            is_enabled=enabled if isinstance(enabled, bool) else None,
            is_connected=connected == 1 if isinstance(connected, int) else None,
        ),
    )


def news(status: Mapping[str, Any], shown: dict[Measurand | str, Any], now: datetime) -> list[Reading | StateChange]:
    """Return what differs from ``shown``, and remember it there."""
    found: list[Reading | StateChange] = []
    word, detail = state_of(status)
    if word and shown.get("state") != (word, detail):
        shown["state"] = (word, detail)
        found.append(StateChange(unit_id="", connector=1, state=word, at=now, detail=detail))
    for measurand, value in measured(status).items():
        if shown.get(measurand) != value:
            shown[measurand] = value
            found.append(Reading(unit_id="", measurand=measurand, value=value, at=now))
    return found
