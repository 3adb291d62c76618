"""State, readings and OCPP connection out of the keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from app.driver import states
from app.driver.capability import Status
from app.driver.measuring import Field, readings
from app.driver.web import text_of
from app.drivers.goe.keys import version_of
from app.model.reading import Measurand
from app.model.unit import LinkState

STATUS_KEYS = (
    *("sse", "fwv", "car", "err", "modelStatus", "nrg", "eto", "fhz", "rssi", "acu"),
    *("ocppe", "ocpps", "ocppc", "ocppa", "ocpple", "ocppcs"),
)

LATE_FROM = (59, 4)
EARLY_UNTIL = (54, 99)
"""Which firmware numbers ``err`` how from 11 on: later lists begin at 59.4, the early page is older than OCPP (054)."""

SAME_UNTIL = 10

WAITING = (3, 4)
"""States of ``car`` in which it is plugged in and does not charge."""

FIELDS = (
    *(Field(("nrg", index), Measurand.VOLTAGE, phase=f"L{index + 1}") for index in range(3)),
    *(Field(("nrg", 4 + index), Measurand.CURRENT, phase=f"L{index + 1}") for index in range(3)),
    Field(("nrg", 11), Measurand.POWER),
    Field(("eto",), Measurand.ENERGY),
    Field(("fhz",), Measurand.FREQUENCY),
    Field(("acu",), Measurand.CURRENT_OFFERED),
    Field(("rssi",), Measurand.SIGNAL),
)
"""``nrg``: U L1, L2, L3, N; I L1, L2, L3; P L1, L2, L3, N, total; four power factors."""


@cache
def _table(name: str) -> states.StateTable:
    return states.load(name)


def error_text(number: int, firmware: str) -> str:
    """Say what ``err`` means in this firmware; where the numbering is not known, the number."""
    version = version_of(firmware)
    name = "goe-errors"
    if number > SAME_UNTIL and version >= LATE_FROM:
        name = "goe-errors-late"
    elif number > SAME_UNTIL and (0, 0) < version <= EARLY_UNTIL:
        name = "goe-errors-early"
    word, text = _table(name).read(number, has_car=False)
    return text if word else f"Error {number} (what this number means in firmware {firmware or '?'} is not known)."


def state_of(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return the OCPP word and a detail: an error first, then the charger's own OCPP word, then the car's state."""
    error, car, own = (_whole(values.get(key)) for key in ("err", "car", "ocppcs"))
    if error:
        return "Faulted", error_text(error, text_of(values, "fwv", 40))
    if "car" in values and values["car"] is None:
        return "Faulted", "The charge controller does not answer."
    word, detail = _table("goe").read(car, has_car=False) if car else ("", "")
    if values.get("ocpps") is True and own is not None:
        word = _table("goe-connector").read(own, has_car=False)[0] or word
    reason = _whole(values.get("modelStatus"))
    return (word, detail) if reason is None or car not in WAITING else _with_reason(word, detail, reason)


def _with_reason(word: str, detail: str, reason: int) -> tuple[str, str]:
    """Add why it does not charge, while a car waits for it."""
    forbidden, text = _table("goe-reasons").read(reason, has_car=False)
    if not forbidden:
        return word, detail
    return (forbidden if word in ("SuspendedEV", "") else word), text


def status_of(values: Mapping[str, Any], now: datetime) -> Status:
    """Return the present condition; the last OCPP error is told while OCPP is on and not accepted."""
    word, detail = state_of(values)
    enabled, link = values.get("ocppe"), connected(values)
    trouble = text_of(values, "ocpple", 300)
    if enabled is True and link is False and trouble:
        detail = f"{detail} Last OCPP error: {trouble}".strip()
    return Status(
        state=word,
        detail=detail,
        has_fault=word == "Faulted",
        readings=readings(values, FIELDS, now),
        link=LinkState(is_enabled=enabled if isinstance(enabled, bool) else None, is_connected=link),
    )


def connected(values: Mapping[str, Any]) -> bool | None:
    """Say whether the backend has accepted it (``ocppa``); firmware without that key tells the connection only."""
    for key in ("ocppa", "ocppc"):
        if isinstance(value := values.get(key), bool):
            return value
    return None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
