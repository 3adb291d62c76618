"""Describe the messages of OCPP as forms, from the JSON schemas that the ``ocpp`` package carries. Pure.

A form is a tree of fields with the standard's own descriptions and limits where the schema has them (2.0.1 and 2.1);
for 1.6 the words come from ``resources/actions``. Nothing here refuses a value: ``problems`` names what the standard
would object to, and whoever sends decides.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from app.ocpp import schema

DEPTH_LIMIT = 16
"""Levels a form may nest; the deepest message of the standard has nine."""

_URN = re.compile(r"urn:[\w:.-]+")
_BLANKS = re.compile(r"\s+")


class Kind(Enum):
    """How a field is filled in."""

    TEXT = "text"
    INTEGER = "whole number"
    NUMBER = "number"
    SWITCH = "yes or no"
    CHOICE = "one of"
    TIME = "date and time"
    ADDRESS = "address"
    ANYTHING = "anything"
    GROUP = "group"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message. A group has ``fields``, a list its ``item``; the form itself is a group.

    ``default`` is what the standard assumes where the field is left out (``None`` = nothing).
    """

    name: str
    kind: Kind
    type_name: str = ""
    help: str = ""
    is_required: bool = False
    choices: tuple[str, ...] = ()
    default: Any = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    min_items: int = 0
    max_items: int | None = None
    fields: tuple[Field, ...] = ()
    item: Field | None = None

    @property
    def is_leaf(self) -> bool:
        """Say whether it holds one value."""
        return self.kind not in (Kind.GROUP, Kind.LIST)

    def field(self, name: str) -> Field | None:
        """Return a group's field by its name."""
        return next((field for field in self.fields if field.name == name), None)


@functools.lru_cache(maxsize=256)
def form(version: str, action: str, *, is_request: bool = True) -> Field | None:
    """Return the form of a message, ``None`` where that version has no such message."""
    document = schema.document(version, action, is_request)
    if document is None:
        return None
    return _Reader(document.get("definitions", {})).field(action, document, is_required=True)


def blank(field: Field) -> Any:
    """Return the least value: required fields only, the first choice, nothing typed yet."""
    match field.kind:
        case Kind.GROUP:
            return {child.name: blank(child) for child in field.fields if child.is_required}
        case Kind.LIST:
            return [blank(field.item) for _ in range(field.min_items)] if field.item else []
        case Kind.CHOICE:
            return field.default if field.default is not None else field.choices[0]
        case Kind.SWITCH:
            return bool(field.default)
        case Kind.INTEGER | Kind.NUMBER:
            return field.default if field.default is not None else max(0, field.minimum or 0)
    return field.default if field.default is not None else ""


def problems(field: Field, value: Any) -> dict[str, str]:
    """Name what the standard objects to, as path (``a.b[0].c``, empty = the whole) → words."""
    return dict(_problems(field, value, "", 0))


def problem(field: Field, value: Any) -> str:
    """Say what is wrong with the value of a field that holds one value; empty where nothing is."""
    match field.kind:
        case Kind.CHOICE:
            return "" if value in field.choices else f"Must be one of {', '.join(field.choices[:12])}."
        case Kind.SWITCH:
            return "" if isinstance(value, bool) else "Must be true or false."
        case Kind.INTEGER | Kind.NUMBER:
            return _number_problem(field, value)
        case Kind.ANYTHING:
            return ""
    return _text_problem(field, value)


def limits(field: Field) -> str:
    """Describe kind and limits in words, such as ``text, at most 20 characters``."""
    parts = [field.kind.value]
    if field.kind is Kind.LIST:
        parts = [f"list of {field.item.type_name or field.item.kind.value}" if field.item else "list"]
        parts += [f"at least {field.min_items}"] if field.min_items else []
        parts += [f"at most {field.max_items}"] if field.max_items is not None else []
    if field.max_length is not None:
        parts.append(f"at most {field.max_length} characters")
    if field.minimum is not None:
        parts.append(f"from {field.minimum:g}")
    if field.maximum is not None:
        parts.append(f"up to {field.maximum:g}")
    if field.step is not None:
        parts.append(f"in steps of {field.step:g}")
    if field.default is not None:
        parts.append(f"{field.default} if left out")
    return ", ".join([*parts, "required" if field.is_required else "optional"])


def _problems(field: Field, value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_LIMIT:
        return
    if field.kind is Kind.GROUP:
        if isinstance(value, Mapping):
            yield from _group_problems(field, value, path, depth)
        else:
            yield path, "Must be an object: { … }."
    elif field.kind is Kind.LIST:
        if isinstance(value, list):
            yield from _list_problems(field, value, path, depth)
        else:
            yield path, "Must be a list: [ … ]."
    elif words := problem(field, value):
        yield path, words


def _group_problems(field: Field, value: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    for child in field.fields:
        place = f"{path}.{child.name}" if path else child.name
        if child.name in value:
            yield from _problems(child, value[child.name], place, depth + 1)
        elif child.is_required:
            yield place, "Is missing."


def _list_problems(field: Field, value: list[Any], path: str, depth: int) -> Iterator[tuple[str, str]]:
    if len(value) < field.min_items:
        yield path, f"Needs at least {field.min_items}."
    if field.max_items is not None and len(value) > field.max_items:
        yield path, f"Holds at most {field.max_items}."
    for place, item in enumerate(value):
        if field.item is not None:
            yield from _problems(field.item, item, f"{path}[{place}]", depth + 1)


def _number_problem(field: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "Must be a whole number." if field.kind is Kind.INTEGER else "Must be a number."
    if field.kind is Kind.INTEGER and not float(value).is_integer():
        return "Must be a whole number."
    if field.minimum is not None and value < field.minimum:
        return f"Must be at least {field.minimum:g}."
    if field.maximum is not None and value > field.maximum:
        return f"Must be at most {field.maximum:g}."
    if field.step is not None and abs(round(value / field.step) * field.step - value) > 1e-9:
        return f"Must be a multiple of {field.step:g}."
    return ""


def _text_problem(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        return "Must be a text."
    if field.is_required and not value:
        return "Is missing."
    if field.max_length is not None and len(value) > field.max_length:
        return f"Holds at most {field.max_length} characters; this has {len(value)}."
    if field.kind is Kind.TIME and not _is_time(value):
        return "Must be a time such as 2026-11-22T16:00:00Z."
    return ""


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None and "T" in text
    except ValueError:
        return False


class _Reader:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def field(self, name: str, node: Mapping[str, Any], *, is_required: bool, depth: int = 0) -> Field:
        own_help = node.get("description", "")
        if "$ref" in node:
            node = self._definitions[str(node["$ref"]).rpartition("/")[2]]
        kind = _kind(node)
        has_children = depth < DEPTH_LIMIT
        return Field(
            name=name,
            kind=kind,
            type_name=str(node.get("javaType", "")).removesuffix("Enum"),
            help=_plain(own_help or node.get("description", "")),
            is_required=is_required,
            choices=tuple(node.get("enum", ())),
            default=node.get("default"),
            max_length=node.get("maxLength"),
            minimum=node.get("minimum"),
            maximum=node.get("maximum"),
            step=node.get("multipleOf"),
            min_items=node.get("minItems", 0),
            max_items=node.get("maxItems"),
            fields=self._fields(node, depth) if kind is Kind.GROUP and has_children else (),
            item=self._item(node, depth) if kind is Kind.LIST and has_children else None,
        )

    def _fields(self, node: Mapping[str, Any], depth: int) -> tuple[Field, ...]:
        required = frozenset(node.get("required", ()))
        found = [
            self.field(name, child, is_required=name in required, depth=depth + 1)
            for name, child in node.get("properties", {}).items()
        ]
        return tuple(sorted(found, key=lambda field: (field.name == "customData", not field.is_required)))

    def _item(self, node: Mapping[str, Any], depth: int) -> Field:
        return self.field("", node.get("items", {}), is_required=True, depth=depth + 1)


def _kind(node: Mapping[str, Any]) -> Kind:
    if "enum" in node:
        return Kind.CHOICE
    match node.get("type"):
        case "object":
            return Kind.GROUP
        case "array":
            return Kind.LIST
        case "integer":
            return Kind.INTEGER
        case "number":
            return Kind.NUMBER
        case "boolean":
            return Kind.SWITCH
        case "string":
            return {"date-time": Kind.TIME, "uri": Kind.ADDRESS}.get(node.get("format", ""), Kind.TEXT)
    return Kind.ANYTHING


def _plain(text: str) -> str:
    return _BLANKS.sub(" ", _URN.sub("", html.unescape(text))).strip()
