"""``GET /settings`` as a condition and readings in SI units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from app.driver import states
from app.driver.capability import Status
from app.driver.measuring import Field, at, readings
from app.driver.web import text_of
from app.drivers.smartevse.parameters import is_on
from app.model.reading import Measurand, Reading
from app.model.unit import LinkState

REMOTE = "Rmt/OCPP"
"""The card reader's mode in which cards go to the backend (docs/configuration.md)."""
NO_READER = "Disabled"
NO_OCPP = "Its firmware takes no backend over the network: update it first."
PAUSES = {0: "It is switched off at the charger (mode OFF).", 4: "It is paused at the charger (mode PAUSE)."}

CURRENTS = (
    Field(("ev_meter", "currents", "L1"), Measurand.CURRENT, 0.1, "L1"),
    Field(("ev_meter", "currents", "L2"), Measurand.CURRENT, 0.1, "L2"),
    Field(("ev_meter", "currents", "L3"), Measurand.CURRENT, 0.1, "L3"),
)
ALWAYS = (
    Field(("evse", "temp"), Measurand.TEMPERATURE),
    Field(("settings", "charge_current"), Measurand.CURRENT_OFFERED, 0.1),
    Field(("wifi", "rssi"), Measurand.SIGNAL),
)
POWER, ENERGY = ("ev_meter", "import_active_power"), ("ev_meter", "import_active_energy")
NEW_TOTAL, OLD_TOTAL = ("ev_meter", "total_wh"), ("ev_meter", "total_kwh")


@cache
def table(name: str) -> states.StateTable:
    """Return the meaning of one group of numbers."""
    return states.load(name)


def status_of(found: Mapping[str, Any], now: datetime) -> Status:
    """Return the present condition."""
    word, detail = state_of(found)
    return Status(
        state=word, detail=detail, has_fault=word == "Faulted", readings=measured(found, now), link=link_of(found)
    )


def state_of(found: Mapping[str, Any]) -> tuple[str, str]:
    """Return the OCPP word, and in plain words what is wrong or in the way."""
    state, error = at(found, ("evse", "state_id")), at(found, ("evse", "error_id"))
    if not isinstance(state, int) or isinstance(state, bool):
        return "", ""
    if isinstance(error, int) and error > 0:
        return "Faulted", table("smartevse-errors").read(error, has_car=True)[1]
    word, detail = table("smartevse").read(state, has_car=found.get("car_connected") is True)
    return word, " ".join(part for part in (detail, *_hindrances(found)) if part)


def _hindrances(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what keeps a backend from this charger although nothing is broken."""
    pause = PAUSES.get(found.get("mode_id", -1)) if isinstance(found.get("mode_id"), int) else None
    if pause:
        yield pause
    evse = found.get("evse")
    state = text_of(evse, "state") if isinstance(evse, dict) else ""
    if " - " in state:
        yield state.partition(" - ")[2] + "."
    if "ocpp" not in found:
        yield NO_OCPP
    if not is_on(found) or not isinstance(evse, dict):
        return
    reader = text_of(evse, "rfidreader")
    if reader not in ("", REMOTE, NO_READER):
        yield f"Its card reader is set to “{reader}”: under OCPP its own menu must say “{REMOTE}”."
    if evse.get("loadbl") not in (None, 0):
        yield "Its own power sharing is on: the backend can't limit the current."


def link_of(found: Mapping[str, Any]) -> LinkState:
    """Return what it says of its backend; before v3.10.3 “Connected” may be stale."""
    mode, status = at(found, ("ocpp", "mode")), at(found, ("ocpp", "status"))
    return LinkState(
        is_enabled=mode == "Enabled" if isinstance(mode, str) else None,
        is_connected=status == "Connected" if isinstance(status, str) else None,
    )


def measured(found: Mapping[str, Any], now: datetime) -> tuple[Reading, ...]:
    """Return the readings in SI units: up to v3.9 power and energy come in thousands."""
    factor = 1000.0 if at(found, OLD_TOTAL) is not None else 1.0
    total = OLD_TOTAL if at(found, OLD_TOTAL) is not None else NEW_TOTAL
    register = ENERGY if at(found, ENERGY) is not None else total
    fields: list[Field] = [*ALWAYS]
    if at(found, ("ev_meter", "description")) not in (None, "Disabled"):
        fields += [*CURRENTS, Field(POWER, Measurand.POWER, factor), Field(register, Measurand.ENERGY, factor)]
    return readings(found, fields, now)
