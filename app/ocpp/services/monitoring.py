"""Variable monitoring of OCPP 2.x (P2-201 N02 to N06): have a station tell when a value crosses a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import Refused
from app.ocpp import v16
from app.ocpp.devicemodel import VariableName
from app.ocpp.endpoint import Endpoint

MAX_MONITORS = 1_000
KINDS = ("UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned")
WORDS = {
    "Accepted": "The station watches it.",
    "UnknownComponent": "The station has no such component.",
    "UnknownVariable": "The component has no such variable.",
    "UnsupportedMonitorType": "The station can't watch it this way.",
    "Rejected": "The station refuses; the value may be out of range.",
    "Duplicate": "It watches that already.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """A watch over one variable. ``severity`` 0 (danger) to 9 (debug)."""

    monitor_id: int
    variable: str
    kind: str
    value: float
    severity: int
    origin: str = ""


async def watch(
    endpoint: Endpoint, variable: str, kind: str, value: float, *, severity: int = 6
) -> tuple[int, str, str]:
    """Set a monitor; return its number, status and meaning. Raises ValueRejected for a name that is none."""
    data = {"value": value, "type": kind, "severity": severity, **VariableName.parse(variable).selector}
    answer = await endpoint.call("SetVariableMonitoring", {"setMonitoringData": [data]})
    results = answer.get("setMonitoringResult")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    status = v16.text(first.get("status"), 30)
    return v16.number(first.get("id")), status, WORDS.get(status, f"The station answers {status or 'nothing'}.")


async def watched(endpoint: Endpoint) -> tuple[Monitor, ...]:
    """List the monitors of a station. Raises NotSupported, Refused, LinkError."""
    try:
        parts = await endpoint.gather("GetMonitoringReport", {})
    except Refused as error:
        if "EmptyResultSet" in error.message:
            return ()
        raise
    found: list[Monitor] = []
    for part in parts:
        items = part.get("monitor")
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                found += _monitors(item)
    return tuple(found[:MAX_MONITORS])


def _monitors(item: Mapping[str, Any]) -> list[Monitor]:
    rows = item.get("variableMonitoring")
    return [
        Monitor(
            monitor_id=v16.number(row.get("id")),
            variable=place_text(item),
            kind=v16.text(row.get("type"), 30),
            value=v16.quantity(row.get("value")) or 0.0,
            severity=v16.number(row.get("severity")),
            origin=v16.text(row.get("eventNotificationType"), 30),
        )
        for row in (rows if isinstance(rows, list) else ())[:50]
        if isinstance(row, dict)
    ]


def place_text(item: Mapping[str, Any]) -> str:
    """Name a component and variable: ``EVSE@1.AvailabilityState``."""
    component, variable = item.get("component"), item.get("variable")
    parts = component if isinstance(component, Mapping) else {}
    evse = parts.get("evse")
    where = ""
    if isinstance(evse, Mapping):
        connector = f".{v16.number(evse.get('connectorId'))}" if "connectorId" in evse else ""
        where = f"@{v16.number(evse.get('id'))}{connector}"
    instance = v16.text(parts.get("instance"), 50)
    named = v16.text(variable.get("name"), 50) if isinstance(variable, Mapping) else ""
    return f"{v16.text(parts.get('name'), 50)}{f'/{instance}' if instance else ''}{where}.{named}"


async def unwatch(endpoint: Endpoint, monitor_id: int) -> tuple[str, str]:
    """Clear a monitor; return status and meaning. Raises NotSupported, Refused, LinkError."""
    answer = await endpoint.call("ClearVariableMonitoring", {"id": [monitor_id]})
    results = answer.get("clearMonitoringResult")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    status = v16.text(first.get("status"), 30)
    words = {
        "Accepted": "The station watches it no more.",
        "Rejected": "The station keeps it: it is one of its own.",
        "NotFound": "The station has no such monitor.",
    }
    return status, words.get(status, f"The station answers {status or 'nothing'}.")
