"""How the site's own router does what our DNS does: texts of ``resources/standin/recipes``, filled in."""

from __future__ import annotations

import ipaddress
import shlex
import tomllib
from typing import Any

from app import resources
from app.errors import ValueRejected
from app.model.garage import Recipe
from app.model.profile import Grade
from app.standin.names import Choice

KEYS = {"rank", "title", "note", "source", "grade", "text", "needs_ports"}


def recipes(address: str, choice: Choice) -> tuple[Recipe, ...]:
    """Fill every recipe in with our address and the chosen names; the most common router first. Raises ValueRejected.

    What redirects ports is left out where no chosen family dials any.
    """
    values = _values(address, choice)
    found = [(item, _recipe(name, item, values)) for name, item in _read().items() if _fits(item, choice)]
    return tuple(recipe for _, recipe in sorted(found, key=lambda pair: int(pair[0]["rank"])))


def _fits(item: dict[str, Any], choice: Choice) -> bool:
    return not item.get("needs_ports") or bool({8042, 8047} & set(choice.ports))


def _read() -> dict[str, dict[str, Any]]:
    root = resources.path("standin", "recipes")
    found = {file.stem: tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(root.glob("*.toml"))}
    for name, item in found.items():
        Grade(item["grade"])
        if unknown := set(item) - KEYS:
            raise ValueError(f"{name}: {unknown}")
    return found


def _values(address: str, choice: Choice) -> dict[str, Any]:
    try:
        ours = str(ipaddress.IPv4Address(address))
    except ValueError as error:
        raise ValueRejected(f"“{address[:80]}” is not an IPv4 address.", "Give this computer's address.") from error
    if not choice.answered:
        raise ValueRejected("No names are chosen.", "Choose a ready set, or add the name the charger dials.")
    return {
        "address": ours,
        "answered": [name for name in choice.answered if not name.startswith("*.")],
        "below": [name[2:] for name in choice.answered if name.startswith("*.")],
        "refused": [name for name in choice.all_refused if not name.startswith("*.")],
        "refused_below": [name[2:] for name in choice.all_refused if name.startswith("*.")],
        "options": options(choice),
    }


def options(choice: Choice) -> str:
    """Return the command line's options that make the same choice."""
    words = [word for item in choice.sets for word in ("--set", item.id)]
    words += [word for name in choice.names for word in ("--name", name)]
    words += [word for name in choice.refused for word in ("--refuse", name)]
    return shlex.join(words)


def _recipe(name: str, item: dict[str, Any], values: dict[str, Any]) -> Recipe:
    from jinja2 import Environment, StrictUndefined  # takes its time to load

    # Plain text for a router, no page: nothing to escape, and names and addresses were checked.
    made = Environment(undefined=StrictUndefined, autoescape=False)
    text = made.from_string(item["text"]).render(values).strip() + "\n"
    return Recipe(
        id=name, title=item["title"], text=text, note=item["note"], source=item["source"], grade=item["grade"]
    )
