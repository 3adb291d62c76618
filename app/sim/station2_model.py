"""The device model of a simulated 2.x station: components, variables, their attributes, and how they are read and set.

Source: OCPP 2.0.1 part 2, use cases B05 to B08; reason codes of its appendix 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]

MAX_VALUE = 1000
"""``attributeValue`` of SetVariables holds so many characters at most (SetVariablesRequest.json)."""


@dataclass(slots=True)
class Variable:
    """One variable of one component, as the station keeps it. ``value`` is the Actual attribute.

    ``highest`` of a string is its greatest length. ``is_summary``: reported with SummaryInventory.
    """

    component: str
    name: str
    value: str | None = ""
    kind: str = "string"
    mutability: str = "ReadOnly"
    unit: str = ""
    choices: tuple[str, ...] = ()
    lowest: float | None = None
    highest: float | None = None
    instance: str = ""
    component_instance: str = ""
    evse: int = 0
    connector: int = 0
    needs_reboot: bool = False
    is_constant: bool = False
    is_monitored: bool = False
    is_summary: bool = False
    others: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Any, ...]:
        """Return what identifies it; names are not case-sensitive (part 2, identifierString)."""
        return (
            self.component.lower(),
            self.component_instance.lower(),
            self.evse,
            self.connector,
            self.name.lower(),
            self.instance.lower(),
        )

    @property
    def is_writable(self) -> bool:
        """Say whether a central system may set it."""
        return self.mutability != "ReadOnly"

    @property
    def component_json(self) -> Json:
        """Return the ComponentType."""
        made: Json = {"name": self.component}
        if self.component_instance:
            made["instance"] = self.component_instance
        if self.evse:
            made["evse"] = {"id": self.evse} | ({"connectorId": self.connector} if self.connector else {})
        return made

    @property
    def variable_json(self) -> Json:
        """Return the VariableType."""
        return {"name": self.name} | ({"instance": self.instance} if self.instance else {})

    def attribute(self, kind: str) -> str | None:
        """Return the value of an attribute type, ``None`` where it has no such attribute."""
        return self.value if kind == "Actual" else self.others.get(kind)

    def has(self, kind: str) -> bool:
        """Say whether it has this attribute type."""
        return kind == "Actual" or kind in self.others

    def put(self, kind: str, value: str) -> None:
        """Keep a value."""
        if kind == "Actual":
            self.value = value
        else:
            self.others[kind] = value

    def reported(self) -> Json:
        """Return the ReportDataType; what is write-only shows no value (B07)."""
        characteristics: Json = {"dataType": self.kind, "supportsMonitoring": self.is_monitored}
        if self.unit:
            characteristics["unit"] = self.unit
        if self.choices:
            characteristics["valuesList"] = ",".join(self.choices)
        if self.lowest is not None:
            characteristics["minLimit"] = self.lowest
        if self.highest is not None:
            characteristics["maxLimit"] = self.highest
        return {
            "component": self.component_json,
            "variable": self.variable_json,
            "variableAttribute": [self._attribute_json(kind) for kind in ("Actual", *self.others)],
            "variableCharacteristics": characteristics,
        }

    def _attribute_json(self, kind: str) -> Json:
        made: Json = {
            "type": kind,
            "mutability": self.mutability,
            "persistent": self.is_writable,
            "constant": self.is_constant,
        }
        value = self.attribute(kind)
        if value is not None and self.mutability != "WriteOnly":
            made["value"] = value
        return made

    def objection(self, value: str) -> str:
        """Return the reason code why a value may not be set, empty where it may (appendix 5)."""
        check = _CHECKS.get(self.kind)
        if len(value) > MAX_VALUE:
            return "TooLargeElement"
        return check(self, value) if check else ""


class DeviceModel:
    """All variables of a station."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._variables = {variable.key: variable for variable in variables}

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables.values())

    def add(self, variable: Variable) -> None:
        """Add a variable, or replace the one of that name."""
        self._variables[variable.key] = variable

    def variable(self, component: str, name: str, instance: str = "", *, evse: int = 0, connector: int = 0) -> Variable:
        """Return a variable; raises KeyError where there is none."""
        return self._variables[(component.lower(), "", evse, connector, name.lower(), instance.lower())]

    def text(self, component: str, name: str, instance: str = "", *, default: str = "") -> str:
        """Return an Actual value, ``default`` where there is none."""
        found = self._variables.get((component.lower(), "", 0, 0, name.lower(), instance.lower()))
        return default if found is None or found.value is None else found.value

    def number(self, component: str, name: str, instance: str = "", *, default: float = 0.0) -> float:
        """Return a value as a number."""
        try:
            return float(self.text(component, name, instance))
        except ValueError:
            return default

    def is_on(self, component: str, name: str, instance: str = "") -> bool:
        """Return a boolean value; absent counts as false."""
        return self.text(component, name, instance).lower() == "true"

    def members(self, component: str, name: str) -> tuple[str, ...]:
        """Return the members of a list."""
        return tuple(part.strip() for part in self.text(component, name).split(",") if part.strip())

    def put(self, component: str, name: str, value: str, instance: str = "", *, evse: int = 0) -> None:
        """Keep a value whatever its mutability: for the station itself."""
        self.variable(component, name, instance, evse=evse).value = value

    def matches(self, component: Json, variable: Json | None) -> list[Variable]:
        """List what a ComponentVariable of GetReport names; what is left out matches all (B08)."""
        evse = component.get("evse") or {}
        wanted = {
            "component": str(component["name"]).lower(),
            "component_instance": str(component.get("instance", "")).lower() or None,
            "evse": evse.get("id"),
            "connector": evse.get("connectorId"),
            "name": str(variable["name"]).lower() if variable else None,
            "instance": (str(variable.get("instance", "")).lower() or None) if variable else None,
        }
        return [item for item in self if _fits(item, wanted)]

    def find(self, component: Json, variable: Json) -> tuple[Variable | None, str]:
        """Return the one variable named exactly, or why there is none (``UnknownComponent``, ``UnknownVariable``)."""
        evse = component.get("evse") or {}
        place = (
            str(component["name"]).lower(),
            str(component.get("instance", "")).lower(),
            int(evse.get("id", 0)),
            int(evse.get("connectorId", 0)),
        )
        found = self._variables.get((*place, str(variable["name"]).lower(), str(variable.get("instance", "")).lower()))
        if found is not None:
            return found, ""
        is_known = any(key[:4] == place for key in self._variables)
        return None, "UnknownVariable" if is_known else "UnknownComponent"

    def read(self, asked: Json) -> Json:
        """Answer one GetVariableData (B06)."""
        kind = str(asked.get("attributeType", "Actual"))
        answer: Json = {"component": asked["component"], "variable": asked["variable"], "attributeType": kind}
        found, trouble = self.find(asked["component"], asked["variable"])
        if found is None:
            return answer | {"attributeStatus": trouble}
        if not found.has(kind):
            return answer | {"attributeStatus": "NotSupportedAttributeType"}
        if found.mutability == "WriteOnly":
            return answer | {"attributeStatus": "Rejected", "attributeStatusInfo": {"reasonCode": "WriteOnly"}}
        return answer | {"attributeStatus": "Accepted", "attributeValue": found.attribute(kind) or ""}

    def write(self, asked: Json, apply: Callable[[Variable, str, str], tuple[str, str]]) -> Json:
        """Answer one SetVariableData (B05); ``apply(variable, kind, value)`` returns status and reason code."""
        kind, value = str(asked.get("attributeType", "Actual")), str(asked["attributeValue"])
        answer: Json = {"component": asked["component"], "variable": asked["variable"], "attributeType": kind}
        found, trouble = self.find(asked["component"], asked["variable"])
        if found is None:
            return answer | {"attributeStatus": trouble}
        if not found.has(kind):
            return answer | {"attributeStatus": "NotSupportedAttributeType"}
        reason = found.objection(value) if found.is_writable else "ReadOnly"
        status, reason = ("Rejected", reason) if reason else apply(found, kind, value)
        return (
            answer | {"attributeStatus": status} | ({"attributeStatusInfo": {"reasonCode": reason}} if reason else {})
        )


def _fits(item: Variable, wanted: Json) -> bool:
    for name, value in wanted.items():
        has = getattr(item, name)
        if value is not None and (has.lower() if isinstance(has, str) else has) != value:
            return False
    return True


def _number(variable: Variable, value: str) -> str:
    try:
        number = int(value) if variable.kind == "integer" else float(value)
    except ValueError:
        return "InvalidValue"
    if variable.lowest is not None and number < variable.lowest:
        return "ValueTooLow"
    return "ValueTooHigh" if variable.highest is not None and number > variable.highest else ""


def _boolean(_variable: Variable, value: str) -> str:
    return "" if value.lower() in ("true", "false") else "InvalidValue"


def _string(variable: Variable, value: str) -> str:
    if variable.lowest is not None and len(value) < variable.lowest:
        return "InvalidValue"
    return "TooLargeElement" if variable.highest is not None and len(value) > variable.highest else ""


def _option(variable: Variable, value: str) -> str:
    return "" if not variable.choices or value in variable.choices else "InvalidValue"


def _members(variable: Variable, value: str) -> str:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    known = not variable.choices or all(part in variable.choices for part in parts)
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
    "OptionList": _option,
    "MemberList": _members,
    "SequenceList": _members,
    "dateTime": _date,
}
