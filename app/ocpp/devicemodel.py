"""The device model of a charging station (OCPP 2.0.1 part 1 §4): names of variables, what reports say of them. Pure."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.errors import ValueRejected
from app.ocpp import v16

MAX_VARIABLES = 20_000
"""Variables kept of one unit; a large station has about 2,000 [OURS]."""
NAME_LIMIT = 50
"""Component and variable names and instances (part 2 §2.15, §2.54: identifierString[50])."""
VALUE_LIMIT = 2500
"""Longest reported value (part 2 §2.59 VariableAttributeType)."""
ACTUAL = "Actual"
_TEXTUAL = frozenset({"string", "OptionList", "SequenceList", "MemberList"})
_LISTS = frozenset({"OptionList", "SequenceList", "MemberList"})
_KEY = re.compile(r"([^/@.]+)(?:/([^@./]*))?(?:@(\d{1,9})(?:\.(\d{1,9}))?)?\.([^/@.]+)(?:/([^/@.]*))?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableName:
    """Where a variable stands. Names compare as sent; the standard ignores their case (part 1 §4.2)."""

    component: str
    variable: str
    component_instance: str = ""
    variable_instance: str = ""
    evse: int | None = None
    connector: int | None = None

    @classmethod
    def parse(cls, text: str) -> VariableName:
        """Read ``Component[/instance][@evse[.connector]].Variable[/instance]``. Raises ValueRejected.

        ``/ @ . %`` inside a name are percent-encoded: an identifierString may hold ``@`` and ``.``.
        """
        match = _KEY.match(text)
        if match is None:
            raise ValueRejected(
                f"“{text[:120]}” names no variable of the device model.",
                "Write it like “OCPPCommCtrlr.HeartbeatInterval” or “Connector@1.1.Available”.",
            )
        component, instance, evse, connector, variable, variable_instance = match.groups()
        return cls(
            component=_decoded(component),
            variable=_decoded(variable),
            component_instance=_decoded(instance or ""),
            variable_instance=_decoded(variable_instance or ""),
            evse=None if evse is None else int(evse),
            connector=None if connector is None else int(connector),
        )

    @property
    def text(self) -> str:
        """Return the name in one line; ``parse`` reads it back."""
        return f"{self.component_text}.{_joined(self.variable, self.variable_instance)}"

    @property
    def component_text(self) -> str:
        """Return the component alone: ``Connector/left@1.2``."""
        place = "" if self.evse is None else f"@{self.evse}"
        if place and self.connector is not None:
            place += f".{self.connector}"
        return _joined(self.component, self.component_instance) + place

    @property
    def selector(self) -> dict[str, Any]:
        """Return the ``component`` and ``variable`` objects with which messages name it."""
        component: dict[str, Any] = {"name": self.component}
        if self.component_instance:
            component["instance"] = self.component_instance
        if self.evse is not None:
            component["evse"] = {"id": self.evse}
            if self.connector is not None:
                component["evse"]["connectorId"] = self.connector
        variable = {"name": self.variable}
        if self.variable_instance:
            variable["instance"] = self.variable_instance
        return {"component": component, "variable": variable}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a variable (part 2 §2.59). ``value`` is ``None`` where the unit does not tell it."""

    type: str = ACTUAL
    value: str | None = None
    mutability: str = "ReadWrite"
    is_persistent: bool = False
    is_constant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable as the unit reported it. ``type`` is its dataType, ``values_list`` what it may be set to.

    ``value`` and ``mutability`` are those of its Actual attribute. ``min`` and ``max`` bound a number; ``max_length``
    is the longest text or list (part 2 §2.60: maxLimit of a text is its length).
    """

    name: VariableName
    type: str = "string"
    unit: str = ""
    mutability: str = "ReadWrite"
    value: str | None = None
    values_list: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    max_length: int | None = None
    attributes: tuple[Attribute, ...] = ()
    is_monitored: bool = False
    """It supports monitoring."""

    def attribute(self, type: str = ACTUAL) -> Attribute | None:  # noqa: A002 - the standard's word
        """Return its attribute of that type."""
        return next((item for item in self.attributes if item.type == type), None)


def assemble(reports: Iterable[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """Put the NotifyReport messages of one report together, in the order told.

    What names no variable is left out; of a variable told twice the later word counts, attribute by attribute.
    """
    found: dict[VariableName, Variable] = {}
    for report in reports:
        for entry in _objects(report.get("reportData")):
            variable = variable_of(entry)
            if variable is None or (variable.name not in found and len(found) >= MAX_VARIABLES):
                continue
            before = found.get(variable.name)
            found[variable.name] = variable if before is None else _merged(before, variable)
    return tuple(found.values())


def variable_of(entry: Mapping[str, Any]) -> Variable | None:
    """Read one ``reportData`` entry; ``None`` where it names no variable."""
    name = name_of(entry)
    if name is None:
        return None
    traits = entry.get("variableCharacteristics")
    traits = traits if isinstance(traits, dict) else {}
    kind = v16.text(traits.get("dataType"), 20) or "string"
    limit = v16.quantity(traits.get("maxLimit"))
    is_textual = kind in _TEXTUAL
    bare = Variable(
        name=name,
        type=kind,
        unit=v16.text(traits.get("unit"), 16),
        values_list=_choices(traits.get("valuesList")) if kind in _LISTS else (),
        min=None if is_textual else v16.quantity(traits.get("minLimit")),
        max=None if is_textual else limit,
        max_length=int(limit) if is_textual and limit is not None and 0 < limit < 1e9 else None,
        is_monitored=traits.get("supportsMonitoring") is True,
    )
    return _with(bare, tuple(_attribute(item) for item in _objects(entry.get("variableAttribute"), 4)))


def name_of(entry: Mapping[str, Any]) -> VariableName | None:
    """Read which variable a report entry, a GetVariables or a SetVariables result is about."""
    component, variable = entry.get("component"), entry.get("variable")
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return None
    names = [v16.text(item.get("name"), NAME_LIMIT) for item in (component, variable)]
    if not all(names):
        return None
    evse = component.get("evse")
    evse = evse if isinstance(evse, dict) else {}
    return VariableName(
        component=names[0],
        variable=names[1],
        component_instance=v16.text(component.get("instance"), NAME_LIMIT),
        variable_instance=v16.text(variable.get("instance"), NAME_LIMIT),
        evse=_place(evse.get("id")),
        connector=_place(evse.get("connectorId")),
    )


def _merged(before: Variable, after: Variable) -> Variable:
    attributes = {item.type: item for item in (*before.attributes, *after.attributes)}
    return _with(after, tuple(attributes.values()))


def _with(variable: Variable, attributes: tuple[Attribute, ...]) -> Variable:
    actual = next((item for item in attributes if item.type == ACTUAL), Attribute())
    return replace(variable, attributes=attributes, value=actual.value, mutability=actual.mutability)


def _attribute(item: Mapping[str, Any]) -> Attribute:
    value = item.get("value")
    return Attribute(
        type=v16.text(item.get("type"), 20) or ACTUAL,
        value=None if value is None else _spelled(value),
        mutability=v16.text(item.get("mutability"), 20) or "ReadWrite",
        is_persistent=item.get("persistent") is True,
        is_constant=item.get("constant") is True,
    )


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else v16.text(value, VALUE_LIMIT)


def _choices(value: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in v16.text(value, 1000).split(",") if part.strip())


def _objects(value: object, limit: int = MAX_VARIABLES) -> Iterator[dict[str, Any]]:
    items = value[:limit] if isinstance(value, list) else ()
    return (item for item in items if isinstance(item, dict))


def _place(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1e9 else None


def _joined(name: str, instance: str) -> str:
    return f"{_encoded(name)}/{_encoded(instance)}" if instance else _encoded(name)


def _encoded(name: str) -> str:
    return re.sub(r"[%/@.]", lambda match: f"%{ord(match[0]):02X}", name)


def _decoded(name: str) -> str:
    return urllib.parse.unquote(name, errors="replace")[:NAME_LIMIT]
