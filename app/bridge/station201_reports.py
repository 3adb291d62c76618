"""Variables read, set and reported by a bridged OCPP 2.0.1 station (part 2, use cases B05 to B08)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from app.bridge.message import Message, Payload
from app.bridge.station import Answer
from app.bridge.station201_model import Variable
from app.bridge.station201_variables import ITEMS_READ, ITEMS_REPORTED, ITEMS_SET, MAX_BYTES
from app.model.secret import Secret

if TYPE_CHECKING:
    from app.bridge.station201 import Station201

PART = 20
"""Variables in one NotifyReport: some 8 kB."""
_ASSUMED = frozenset({"Active", "Available", "Enabled"})
"""Criteria that hold for a component that lacks the variable of that name (B08.FR.07 and following)."""


def get_variables(station: Station201, payload: Payload, _now: datetime) -> Answer:
    """B06."""
    asked = payload["getVariableData"]
    too_much = _too_much("GetVariables", payload, asked, ITEMS_READ)
    return too_much or Answer(payload={"getVariableResult": [station.model.read(one) for one in asked]})


def set_variables(station: Station201, payload: Payload, now: datetime) -> Answer:
    """B05."""
    asked = payload["setVariableData"]
    too_much = _too_much("SetVariables", payload, asked, ITEMS_SET)
    if too_much:
        return too_much
    rekeyed: list[Callable[[], None]] = []

    def apply(variable: Variable, value: str) -> str:
        if not variable.is_secret:
            station.model.put(variable.path, value)
            return ""
        use = station.rekey(Secret(value))
        rekeyed[:] = [use] if use is not None else rekeyed
        return "" if use is not None else "UnsupportedRequest"

    results = [station.model.write(one, apply) for one in asked]

    def after() -> None:
        station.settings_changed(now)
        for use in rekeyed:
            use()

    return Answer(payload={"setVariableResult": results}, after=after)


def get_base_report(station: Station201, payload: Payload, now: datetime) -> Answer:
    """B07."""
    found = {
        "ConfigurationInventory": [one for one in station.model if station.model.is_writable(one)],
        "FullInventory": list(station.model),
        "SummaryInventory": [one for one in station.model if one.is_summary],
    }[payload["reportBase"]]
    return _accepted(station, int(payload["requestId"]), found, now)


def get_report(station: Station201, payload: Payload, now: datetime) -> Answer:
    """B08: by names and by criteria; both narrow it."""
    wanted = payload.get("componentVariable") or []
    too_much = _too_much("GetReport", payload, wanted, ITEMS_REPORTED)
    if too_much:
        return too_much
    found = list(station.model)
    if wanted:
        named = {one.key for want in wanted for one in station.model.matches(want["component"], want.get("variable"))}
        found = [one for one in found if one.key in named]
    criteria = payload.get("componentCriteria") or []
    if criteria:
        found = [one for one in found if _meets(station, one, criteria)]
    if not found:
        return Answer(payload={"status": "EmptyResultSet"})
    return _accepted(station, int(payload["requestId"]), found, now)


def _meets(station: Station201, item: Variable, criteria: Iterable[str]) -> bool:
    mates = {one.name: one for one in station.model if one.place == item.place}
    return any(
        station.model.value(mates[name]).lower() == "true" if name in mates else name in _ASSUMED for name in criteria
    )


def _accepted(station: Station201, request_id: int, found: list[Variable], now: datetime) -> Answer:
    def after() -> None:
        for at in range(0, len(found), PART):
            payload = {
                "requestId": request_id,
                "generatedAt": station.stamp(now),
                "seqNo": at // PART,
                "tbc": at + PART < len(found),
                "reportData": [station.model.reported(one) for one in found[at : at + PART]],
            }
            station.say(Message(action="NotifyReport", payload=payload, at=now, is_asked=True))

    return Answer(payload={"status": "Accepted"}, after=after)


def _too_much(message: str, payload: Payload, items: list[Payload], most: int) -> Answer | None:
    if len(items) > most:
        text = f"more than {most} items: ItemsPerMessage[{message}]"
        return Answer(error="OccurrenceConstraintViolation", text=text)
    if len(orjson.dumps(payload)) > MAX_BYTES:
        return Answer(error="FormatViolation", text=f"more than {MAX_BYTES} bytes: BytesPerMessage[{message}]")
    return None
