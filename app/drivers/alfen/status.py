"""What the station is doing: socket states, meters, and how it gets on with its backend."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from app.driver import states
from app.driver.capability import Status
from app.driver.measuring import Field, number_of, readings
from app.model.reading import Measurand
from app.model.unit import LinkState

_COMMON = ("2077_0", "20F0_E", "2086_0", "3600_1", "3600_7", "3600_8", "2201_0", "2110_0")
_METER = {
    "3": (Measurand.VOLTAGE, "L1-N"),
    "4": (Measurand.VOLTAGE, "L2-N"),
    "5": (Measurand.VOLTAGE, "L3-N"),
    "A": (Measurand.CURRENT, "L1"),
    "B": (Measurand.CURRENT, "L2"),
    "C": (Measurand.CURRENT, "L3"),
    "16": (Measurand.POWER, ""),
    "22": (Measurand.ENERGY, ""),
}
"""Sub-indexes of a meter (pbasista/alfenctl, status.py: 2221, watts and watt-hours; windows-findings.md: 3221)."""
_METERS = {1: "2221", 2: "3221"}
_STATES = {1: "2501", 2: "2502"}

BOOT_WORDS = {0: "not sent", 1: "awaiting reply", 2: "rejected", 3: "accepted", 4: "pending"}
ACCEPTED = 3
"""``3600_1`` (leeyuentuen/alfen_wallbox, sensor.py)."""

MODE_3 = {
    160: "A",
    161: "A1",
    162: "A2",
    177: "B1",
    178: "B2",
    193: "C1",
    194: "C2",
    209: "D1",
    210: "D2",
    224: "E",
    240: "F",
}
"""Control pilot states (pbasista/alfenctl, status.py, EMode3States)."""


def wanted_ids(sockets: int) -> tuple[str, ...]:
    """Return the properties to ask for."""
    found = list(_COMMON)
    for number in range(1, sockets + 1):
        found += [f"{_STATES[number]}_1", f"{_STATES[number]}_4", *(f"{_METERS[number]}_{sub}" for sub in _METER)]
    return tuple(found)


@cache
def table(model: str) -> states.StateTable:
    """Return the main states of a model: the AHP series counts differently."""
    return states.load("alfen-ahp" if model.upper().startswith(("AHP", "AHWP")) else "alfen")


def words_of(values: Mapping[str, Any], model: str, number: int) -> tuple[str, str]:
    """Return OCPP word and detail of a socket, both empty where the station does not tell."""
    state = number_of(values.get(f"{_STATES[number]}_1"))
    return table(model).read(int(state), has_car=False) if state is not None else ("", "")


def status_of(values: Mapping[str, Any], model: str, sockets: int, now: datetime) -> Status:
    """Return the condition of the whole station; the state is that of its first socket."""
    words = [words_of(values, model, number) for number in range(1, sockets + 1)]
    return Status(
        state=words[0][0],
        detail="; ".join([*_socket_details(values, words), *_backend_details(values)]),
        has_fault=any(word == "Faulted" for word, _ in words),
        readings=readings(values, _fields(sockets), now),
        link=link_of(values),
    )


def is_charging(values: Mapping[str, Any], model: str, sockets: int) -> bool:
    """Say whether a car is charging at any socket."""
    return any(words_of(values, model, number)[0] == "Charging" for number in range(1, sockets + 1))


def link_of(values: Mapping[str, Any]) -> LinkState:
    """Read the station's own word on its backend; a heartbeat that failed since the last sent one denies it."""
    priority, method = number_of(values.get("20F0_E")), number_of(values.get("2077_0"))
    switch = priority if priority is not None else method
    boot = number_of(values.get("3600_1"))
    failed_at, sent_at = number_of(values.get("3600_7")) or 0, number_of(values.get("3600_8")) or 0
    return LinkState(
        is_enabled=None if switch is None else switch != 0,
        is_connected=None if boot is None else boot == ACCEPTED and not failed_at > sent_at,
    )


def _fields(sockets: int) -> list[Field]:
    found = [Field(("2201_0",), Measurand.TEMPERATURE), Field(("2110_0",), Measurand.SIGNAL)]
    for number in range(1, sockets + 1):
        found += [
            Field((f"{_METERS[number]}_{sub}",), measurand, 1.0, phase, number)
            for sub, (measurand, phase) in _METER.items()
        ]
    return found


def _socket_details(values: Mapping[str, Any], words: list[tuple[str, str]]) -> list[str]:
    found = []
    for number, (_, detail) in enumerate(words, 1):
        pilot = number_of(values.get(f"{_STATES[number]}_4"))
        mode = f"mode 3: {MODE_3.get(int(pilot), int(pilot))}" if pilot is not None else ""
        told = ", ".join(part for part in (detail, mode) if part)
        if told:
            found.append(f"socket {number}: {told}" if len(words) > 1 else told)
    return found


def _backend_details(values: Mapping[str, Any]) -> list[str]:
    boot, beat = number_of(values.get("3600_1")), number_of(values.get("2086_0"))
    found = [f"boot notification: {BOOT_WORDS.get(int(boot), int(boot))}"] if boot is not None else []
    return [*found, f"heartbeat every {beat:.0f} s"] if beat else found
