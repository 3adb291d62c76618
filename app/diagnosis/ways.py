"""What can still be tried with a charger nobody serves any more: ``resources/rescue/ways.toml``. Pure."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import resources
from app.errors import ProfileError
from app.model.profile import Evidence, Grade

TEXTS = ("title", "works_when", "fails_when", "risk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One method: when it works, when it fails, what risk is left, and what must be at hand."""

    id: str
    title: str
    works_when: str
    fails_when: str
    risk: str
    evidence: Evidence
    needs: tuple[str, ...] = ()
    is_for_the_field: bool = True
    """False for what a technician should not do at a charger."""


@functools.cache
def ways() -> Mapping[str, Way]:
    """Return all ways by id, the best first. Raises ProfileError where the file breaks the rules."""
    return parse(resources.texts("rescue", ".toml")["ways"])


def parse(text: str) -> Mapping[str, Way]:
    """Read the file. Raises ProfileError on an unknown key, a missing or empty text, or a grade that does not exist."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(str(error)) from error
    return {name: _way(name, values) for name, values in document.items()}


def _way(name: str, values: Any) -> Way:
    if not isinstance(values, dict):
        raise _wrong(f"“{name}” is not a table")
    texts = {key: _text(name, values, key) for key in (*TEXTS, "source", "grade")}
    needs = values.get("needs", [])
    is_for_the_field = values.get("is_for_the_field", True)
    strange = sorted(set(values) - {*texts, "needs", "is_for_the_field"})
    if strange:
        raise _wrong(f"unknown key “{strange[0]}” in “{name}”")
    if not isinstance(needs, list) or not all(isinstance(item, str) and item for item in needs):
        raise _wrong(f"“needs” of “{name}” must be a list of texts")
    if not isinstance(is_for_the_field, bool):
        raise _wrong(f"“is_for_the_field” of “{name}” must be true or false")
    try:
        evidence = Evidence(source=texts.pop("source"), grade=Grade(texts.pop("grade")))
    except ValueError as error:
        raise _wrong(f"“{name}”: {error}") from error
    return Way(id=name, **texts, needs=tuple(needs), is_for_the_field=is_for_the_field, evidence=evidence)


def _text(name: str, values: Mapping[str, Any], key: str) -> str:
    text = values.get(key)
    if not isinstance(text, str) or not text.strip():
        raise _wrong(f"“{key}” of “{name}” is missing")
    return text


def _wrong(message: str) -> ProfileError:
    return ProfileError(f"rescue/ways.toml: {message}", "Correct the file.")
