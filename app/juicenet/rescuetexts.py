"""The words of the guided rescue: ``resources/juicebox/rescue.toml``, read strictly. Pure."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import resources
from app.errors import ProfileError
from app.model.profile import Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is shown: what was seen, with ``{facts}`` to be put in, and what to do next."""

    seen: str
    next: str
    source: str
    grade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """All of it: titles by step, words by step and finding, why some profiles can't be rescued, whose board can go."""

    titles: Mapping[str, str]
    words: Mapping[tuple[str, str], Words]
    barred: Mapping[str, Words]
    swappable: frozenset[str]


@functools.cache
def guide() -> Guide:
    """Return the guide. Raises ProfileError where the file breaks the rules."""
    return parse(resources.texts("juicebox", ".toml")["rescue"])


def parse(text: str) -> Guide:
    """Read the file. Raises ProfileError on unknown keys, missing texts and unknown grades."""
    try:
        document = tomllib.loads(text)
        steps, barred, swappable = document.pop("steps"), document.pop("barred"), document.pop("swappable")
        if document:
            raise ValueError(f"unknown key “{sorted(document)[0]}”")
        return Guide(
            titles={step: _text(table, "title") for step, table in steps.items()},
            words={(step, name): words for step, table in steps.items() for name, words in _variants(step, table)},
            barred={profile: _words(f"barred.{profile}", table) for profile, table in barred.items()},
            swappable=frozenset(str(profile) for profile in swappable),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ProfileError(f"juicebox/rescue.toml: {error}", "Correct the file, or install Rehome again.") from error


def _variants(step: str, table: Mapping[str, Any]) -> list[tuple[str, Words]]:
    return [(name, _words(f"{step}.{name}", words)) for name, words in table.items() if name != "title"]


def _words(where: str, table: Mapping[str, Any]) -> Words:
    strange = set(table) - {"seen", "next", "source", "grade"}
    if strange:
        raise ValueError(f"{where}: unknown key “{sorted(strange)[0]}”")
    seen, following = table.get("seen", ""), table.get("next", "")
    if not isinstance(seen, str) or not isinstance(following, str) or not (seen or following):
        raise ValueError(f"{where}: it says nothing")
    return Words(seen=seen, next=following, source=_text(table, "source"), grade=Grade(table["grade"]).value)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value:
        raise ValueError(f"“{key}” must be a text")
    return value
