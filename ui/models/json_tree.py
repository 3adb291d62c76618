"""A frame's JSON as bounded, flat nodes for a tree, each with its path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ui.i18n import worded
from ui.models.plain import visible

TREE_LIMIT = 262_144
"""Characters up to which a frame is taken apart; longer ones are shown raw."""

NODE_LIMIT = 3000
DEPTH_LIMIT = 40

_PARTS = {
    2: ("message type", "id", "action", "payload"),
    3: ("message type", "id", "payload"),
    4: ("message type", "id", "error code", "description", "details"),
}
_TYPES = {2: "2 (request)", 3: "3 (answer)", 4: "4 (error)"}


@dataclass(slots=True)
class Node:
    """One field: its name, its value in words (empty for a branch), its path, what is in it."""

    name: str
    value: str
    path: str
    kind: str = ""
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text taken apart: nodes and pretty text, or what is wrong and at which character."""

    nodes: list[Node]
    pretty: str
    trouble: str = ""
    position: int | None = None


def parse(text: str) -> Parsed:
    """Take a frame's text apart; never raises."""
    if len(text) > TREE_LIMIT:
        return Parsed(
            [], "", worded("Too long for a tree: {count} characters. The raw text is complete.", count=f"{len(text):,}")
        )
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return Parsed(
            [], "", worded("Not JSON: {why}, at character {place}.", why=error.msg, place=error.pos + 1), error.pos
        )
    except RecursionError:
        return Parsed([], "", worded("Nested too deeply to be shown as a tree."))
    except ValueError as error:
        return Parsed([], "", worded("Not JSON: {why}.", why=error))
    try:
        pretty = json.dumps(value, indent=2, ensure_ascii=False)
    except (RecursionError, ValueError) as error:
        return Parsed([], "", f"Can't be shown as a tree: {error}.")
    return Parsed(_Builder().top(value), pretty)


class _Builder:
    def __init__(self) -> None:
        self._left = NODE_LIMIT

    def top(self, value: Any) -> list[Node]:
        if not isinstance(value, list):
            return [self.node("(whole text)", value, "$", 0)]
        names = _PARTS.get(value[0] if value and type(value[0]) is int else 0, ())
        nodes = []
        for index, part in enumerate(value[:50]):
            name = names[index] if index < len(names) else f"[{index}]"
            nodes.append(self.node(name, part, f"$[{index}]", 0))
        if nodes and value[0] in (2, 3, 4) and type(value[0]) is int:
            nodes[0].value = _TYPES[value[0]]
        return nodes

    def node(self, name: str, value: Any, path: str, depth: int) -> Node:
        self._left -= 1
        shown = visible(name, 120)
        if not isinstance(value, dict | list):
            return Node(shown, visible(_scalar(value), 2000), path, _kind(value))
        count = f"{len(value)} field{'s' * (len(value) != 1)}" if isinstance(value, dict) else f"{len(value)} in list"
        result = Node(shown, count, path, "branch")
        if depth >= DEPTH_LIMIT:
            result.children.append(Node("…", "nested deeper than shown here", path, "note"))
            return result
        for key, child, child_path in _children(value, path):
            if self._left <= 0:
                result.children.append(Node("…", "more than shown here; see the raw text", path, "note"))
                break
            result.children.append(self.node(key, child, child_path, depth + 1))
        return result


def _children(value: dict[str, Any] | list[Any], path: str) -> Iterator[tuple[str, Any, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            step = f".{key}" if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"
            yield key, child, path + step
    else:
        for index, child in enumerate(value):
            yield f"[{index}]", child, f"{path}[{index}]"


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "null" if value is None or isinstance(value, bool) else "number"
