"""Translate a family's state numbers into OCPP words: the tables are product facts and live in ``resources/states``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import resources
from app.errors import ProfileError

WORDS = frozenset(
    {
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
    }
)
"""OCPP 1.6 §7.7 ChargePointStatus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWord:
    """What a state number means; ``with_car`` is the word while a car is connected, where that differs."""

    word: str
    detail: str = ""
    with_car: str = ""


class StateTable:
    """State numbers of one family."""

    def __init__(self, states: Mapping[int, StateWord]) -> None:
        self._states = states

    @property
    def words(self) -> tuple[StateWord, ...]:
        """List what the numbers mean, in their order in the document."""
        return tuple(self._states.values())

    def read(self, number: int, *, has_car: bool) -> tuple[str, str]:
        """Return OCPP word and detail; an unknown number gives no word and names itself."""
        state = self._states.get(number)
        if state is None:
            return "", f"state {number}"
        return (state.with_car if has_car and state.with_car else state.word), state.detail


def load(name: str) -> StateTable:
    """Read ``resources/states/<name>.toml``. Raises ProfileError."""
    text = resources.path("states", f"{name}.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text), origin=name)


def parse(document: Mapping[str, Any], *, origin: str) -> StateTable:
    """Turn a document (number → table) into a StateTable. Raises ProfileError."""
    try:
        states = {int(number): StateWord(**table) for number, table in document.items()}
    except (TypeError, ValueError) as error:
        raise ProfileError(
            f"states/{origin}.toml: {error}", "Correct the file; docs/profiles.md lists all fields."
        ) from (error)
    for number, state in states.items():
        if not {state.word, state.with_car or state.word} <= WORDS:
            raise ProfileError(f"states/{origin}.toml, {number}: no OCPP word", "Use a word of OCPP 1.6 §7.7.")
    return StateTable(states)
