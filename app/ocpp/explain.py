"""Say what is wrong with a request before it goes, and what an answer means when it came. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.ocpp import actions, forms, schema

DEPTH_LIMIT = 12
MOST_STATUSES = 20
NAME_LIMIT = 50
_STATUSES = ("status", "attributeStatus")


@dataclass(frozen=True, slots=True)
class Status:
    """A status inside an answer: where it stands (or which variable it is about), its word, and what that means."""

    place: str
    word: str
    meaning: str = ""

    @property
    def is_refusal(self) -> bool:
        """Say whether the charger did not do what it was asked."""
        return self.word in actions.refusals()

    @property
    def is_success(self) -> bool:
        """Say whether the charger did what it was asked, or will."""
        return self.word in actions.successes()

    @property
    def text(self) -> str:
        """Return it in one line."""
        return f"{self.place} {self.word}: {self.meaning}" if self.meaning else f"{self.place} {self.word}"


def breaches(version: str, action: str, made: Mapping[str, Any]) -> list[str]:
    """Name what the standard objects to in a request, as ``path: words``."""
    if not action:
        return []
    if action not in schema.actions(version):
        return [f"OCPP {version} has no action “{action[:64]}”."]
    form = forms.form(version, action)
    ours = forms.problems(form, made) if form is not None else {}
    if ours:
        return [f"{path}: {words}" if path else words for path, words in ours.items()]
    return schema.violations(version, action, dict(made), is_request=True)


def statuses(version: str, action: str, answer: Mapping[str, Any]) -> list[Status]:
    """Return the statuses of an answer with their meanings, in the order they stand."""
    found = zip(_walked(answer, "", 0), range(MOST_STATUSES), strict=False)
    return [Status(place, word, actions.meaning(version, action, word)) for (place, word), _ in found]


def faults(version: str, action: str, answer: Mapping[str, Any]) -> list[str]:
    """Name where an answer breaks its schema; nothing for an action the standard doesn't have."""
    if action not in schema.actions(version):
        return []
    return schema.violations(version, action, dict(answer), is_request=False)


def _walked(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > DEPTH_LIMIT:
        return
    if isinstance(value, Mapping):
        name = _named(value)
        for key, item in value.items():
            if key in _STATUSES and isinstance(item, str):
                yield name or path or key, item[:NAME_LIMIT]
            else:
                yield from _walked(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _walked(item, f"{path}[{place}]", depth + 1)


def _named(value: Mapping[str, Any]) -> str:
    """Name a result by its component and variable, as GetVariables and SetVariables answer."""
    names = [part.get("name") for part in (value.get("component"), value.get("variable")) if isinstance(part, Mapping)]
    return ".".join(str(name)[:NAME_LIMIT] for name in names) if len(names) == 2 else ""
