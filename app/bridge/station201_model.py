"""The device model of a bridged OCPP 2.0.1 station: one table for all stations, and what each has of its own.

Source: OCPP 2.0.1 part 2, use cases B05 to B08; reason codes of its appendix 5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from app.bridge.message import Payload
from app.bridge.session import Memory

MAX_VALUE = 1000
"""``attributeValue`` of SetVariables holds so many characters at most (SetVariablesRequest.json)."""
KEPT_SETTINGS = "201.settings"
"""Where in a station's memory the values lie that its backend has set."""

Key = tuple[str, str, int, int, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of one component; the same object for every station.

    ``value`` counts until a backend sets another. ``highest`` of a string is its greatest length. ``is_secret``: it
    can be written and never read. ``is_summary``: reported with SummaryInventory.
    """

    component: str
    name: str
    value: str = ""
    kind: str = "string"
    instance: str = ""
    evse: int = 0
    connector: int = 0
    unit: str = ""
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    is_writable: bool = False
    is_secret: bool = False
    is_constant: bool = False
    is_summary: bool = False

    @property
    def path(self) -> str:
        """Return ``Component.Variable``, with ``/instance`` where it has one."""
        return f"{self.component}.{self.name}" + (f"/{self.instance}" if self.instance else "")

    @property
    def place(self) -> tuple[str, int, int]:
        """Return the component's name, EVSE and connector; names are not case-sensitive (part 1 §4.2)."""
        return self.component.lower(), self.evse, self.connector

    @property
    def key(self) -> Key:
        """Return what identifies it; no component here has an instance."""
        return (self.component.lower(), "", self.evse, self.connector, self.name.lower(), self.instance.lower())

    @property
    def component_json(self) -> Payload:
        """Return the ComponentType."""
        made: Payload = {"name": self.component}
        if self.evse:
            made["evse"] = {"id": self.evse} | ({"connectorId": self.connector} if self.connector else {})
        return made

    @property
    def variable_json(self) -> Payload:
        """Return the VariableType."""
        return {"name": self.name} | ({"instance": self.instance} if self.instance else {})

    @property
    def characteristics(self) -> Payload:
        """Return the VariableCharacteristicsType."""
        made: Payload = {"dataType": self.kind, "supportsMonitoring": False}
        limits = {"unit": self.unit, "valuesList": ",".join(self.choices)}
        made |= {name: text for name, text in limits.items() if text}
        if self.lowest is not None:
            made["minLimit"] = self.lowest
        if self.highest is not None:
            made["maxLimit"] = self.highest
        return made

    def objection(self, value: str) -> str:
        """Return the reason code why a value may not be set, empty where it may (appendix 5)."""
        if len(value) > MAX_VALUE:
            return "TooLargeElement"
        check = _CHECKS.get(self.kind)
        return check(self, value) if check else ""


class Table:
    """The variables that all stations have, found by their names."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.variables = tuple(variables)
        self.by_key = {one.key: one for one in self.variables}
        self.by_path = {one.path: one for one in self.variables if not one.evse}
        self.places = {one.place for one in self.variables}


class DeviceModel:
    """The variables of one station. ``told`` gives what the station itself knows; that can't be set.

    Values that a backend has set are kept in ``memory`` as one text.
    """

    def __init__(self, table: Table, memory: Memory, told: Callable[[Variable], str | None], pace: float) -> None:
        self._table = table
        self._pace = pace
        self._memory = memory
        self._told = told
        self._set = _settings(memory.get(KEPT_SETTINGS))

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._table.variables)

    # For the station

    def value(self, variable: Variable) -> str:
        """Return a variable's Actual value."""
        told = self._told(variable)
        return told if told is not None else self._set.get(variable.path, variable.value)

    def text(self, path: str) -> str:
        """Return a value by ``Component.Variable``; raises KeyError where there is no such variable."""
        return self.value(self._table.by_path[path])

    def number(self, path: str) -> float:
        """Return a value as a number; the table's where somebody spoilt the kept one."""
        try:
            return float(self.text(path))
        except ValueError:
            return float(self._table.by_path[path].value or 0)

    def seconds(self, path: str) -> float:
        """Return how long a time lasts, at the station's pace."""
        return self.number(path) * self._pace

    def is_on(self, path: str) -> bool:
        """Return a switch."""
        return self.text(path).lower() == "true"

    def members(self, path: str) -> tuple[str, ...]:
        """Return a list."""
        return tuple(part.strip() for part in self.text(path).split(",") if part.strip())

    def put(self, path: str, value: str) -> None:
        """Keep a value."""
        if self._set.get(path, self._table.by_path[path].value) != value:
            self._set[path] = value
            self._memory.put(KEPT_SETTINGS, json.dumps(self._set))

    # For the backend

    def is_writable(self, variable: Variable) -> bool:
        """Say whether a backend may set it."""
        return variable.is_writable and self._told(variable) is None

    def reported(self, variable: Variable) -> Payload:
        """Return the ReportDataType; what is write-only shows no value (B07)."""
        writable = "WriteOnly" if variable.is_secret else "ReadWrite"
        attribute: Payload = {
            "type": "Actual",
            "mutability": writable if self.is_writable(variable) else "ReadOnly",
            "persistent": variable.is_writable,
            "constant": variable.is_constant,
        }
        if not variable.is_secret:
            attribute["value"] = self.value(variable)
        return {
            "component": variable.component_json,
            "variable": variable.variable_json,
            "variableAttribute": [attribute],
            "variableCharacteristics": variable.characteristics,
        }

    def matches(self, component: Payload, variable: Payload | None) -> Iterator[Variable]:
        """Yield what a ComponentVariable of GetReport names; what is left out matches all (B08)."""
        evse = component.get("evse") or {}
        wanted: dict[str, object] = {
            "component": str(component["name"]),
            "evse": evse.get("id"),
            "connector": evse.get("connectorId"),
            "name": str(variable["name"]) if variable else None,
            "instance": variable.get("instance") if variable else None,
        }
        if not component.get("instance"):
            yield from (one for one in self if _fits(one, wanted))

    def read(self, asked: Payload) -> Payload:
        """Answer one GetVariableData (B06)."""
        found, answer = self._found(asked)
        if found is None or "attributeStatus" in answer:
            return answer
        if found.is_secret:
            return answer | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "WriteOnly"}}
        return answer | {"attributeStatus": "Accepted", "attributeValue": self.value(found)[:MAX_VALUE]}

    def write(self, asked: Payload, apply: Callable[[Variable, str], str]) -> Payload:
        """Answer one SetVariableData (B05); ``apply(variable, value)`` keeps it, or returns a reason code."""
        value = str(asked["attributeValue"])
        found, answer = self._found(asked)
        if found is None or "attributeStatus" in answer:
            return answer
        reason = found.objection(value) if self.is_writable(found) else "ReadOnly"
        reason = reason or apply(found, value)
        if reason:
            return answer | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": reason}}
        return answer | {"attributeStatus": "Accepted"}

    def _found(self, asked: Payload) -> tuple[Variable | None, Payload]:
        component, variable = asked["component"], asked["variable"]
        evse = component.get("evse") or {}
        kind = str(asked.get("attributeType", "Actual"))
        answer: Payload = {"component": component, "variable": variable, "attributeType": kind}
        place = (str(component["name"]).lower(), int(evse.get("id", 0)), int(evse.get("connectorId", 0)))
        instances = str(component.get("instance", "")).lower(), str(variable.get("instance", "")).lower()
        key = (place[0], instances[0], place[1], place[2], str(variable["name"]).lower(), instances[1])
        found = self._table.by_key.get(key)
        if found is None:
            is_known = place in self._table.places and not instances[0]
            return None, answer | {"attributeStatus": "UnknownVariable" if is_known else "UnknownComponent"}
        if kind != "Actual":
            return found, answer | {"attributeStatus": "NotSupportedAttributeType"}
        return found, answer


def _settings(text: str | None) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(path): str(value) for path, value in found.items()} if isinstance(found, dict) else {}


def _fits(item: Variable, wanted: Mapping[str, object]) -> bool:
    for name, value in wanted.items():
        has = getattr(item, name)
        if value not in (None, "") and str(has).lower() != str(value).lower():
            return False
    return True


def _number(variable: Variable, value: str) -> str:
    try:
        number = int(value) if variable.kind == "integer" else float(value)
    except ValueError:
        return "InvalidValue"
    if variable.lowest is not None and not number >= variable.lowest:
        return "ValueTooLow"
    return "ValueTooHigh" if variable.highest is not None and not number <= variable.highest else ""


def _boolean(_variable: Variable, value: str) -> str:
    return "" if value.lower() in ("true", "false") else "InvalidValue"


def _string(variable: Variable, value: str) -> str:
    if variable.lowest is not None and len(value) < variable.lowest:
        return "InvalidValue"
    return "TooLargeElement" if variable.highest is not None and len(value) > variable.highest else ""


def _members(variable: Variable, value: str) -> str:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    known = all(part in variable.choices for part in parts) and (parts or variable.kind == "MemberList")
    return "" if known and len(set(parts)) == len(parts) else "InvalidValue"


def _date(_variable: Variable, value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "InvalidValue"
    return ""


_CHECKS: dict[str, Callable[[Variable, str], str]] = {
    "integer": _number,
    "decimal": _number,
    "boolean": _boolean,
    "string": _string,
    "MemberList": _members,
    "SequenceList": _members,
    "dateTime": _date,
}
