"""What a case is, and how it gets known: one decorator, one file per subject.

A case is two functions: ``steps`` does things with a unit (``Stage``), ``judge`` looks at nothing but what was captured
(``Take``) and says what that proves. They share no variables, so a judgement can be repeated from a stored trace.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from app.acceptance.take import Take
from app.model.acceptance import Check

if TYPE_CHECKING:
    from app.acceptance.facts import Facts
    from app.acceptance.stage import Stage

FULL = "full"
COMMISSIONING = "commissioning"
REPAIR = "after-repair"
EVERY = (COMMISSIONING, REPAIR)
"""Suites that a case can name; every case belongs to ``full`` by itself."""

Steps = Callable[["Stage"], Awaitable[None]]
Judge = Callable[[Take], Iterable[Check]]
Needs = Callable[["Facts"], str]
"""Says why a case does not apply to a unit; an empty text = it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case. ``budget_s`` is the longest its steps may take, prompts included."""

    id: str
    title: str
    clause: str
    versions: frozenset[str]
    suites: frozenset[str]
    steps: Steps
    judge: Judge
    budget_s: float
    text: str = ""
    """What it does, for a person: the first paragraph of the steps' docstring."""
    needs: tuple[Needs, ...] = ()
    needs_person: bool = False
    needs_idle: bool = False
    """It is not tried while a session runs that it did not begin itself."""

    def hindrance(self, facts: Facts) -> str:
        """Return why it does not apply to a unit, empty where it does."""
        return next((reason for need in self.needs if (reason := need(facts))), "")


_CASES: dict[str, Case] = {}


def case(
    case_id: str,
    title: str,
    clause: str,
    *,
    judge: Judge,
    budget_s: float,
    versions: Iterable[str] = ("1.6",),
    suites: Iterable[str] = (),
    needs: Iterable[Needs] = (),
    person: bool = False,
    idle: bool = False,
) -> Callable[[Steps], Steps]:
    """Register the decorated steps as a case. Raises ValueError where the id is taken."""

    def register(steps: Steps) -> Steps:
        if case_id in _CASES:
            raise ValueError(f"there are two cases {case_id}")
        text = (steps.__doc__ or "").strip().split("\n\n")[0]
        _CASES[case_id] = Case(
            id=case_id,
            title=title,
            clause=clause,
            versions=frozenset(versions),
            suites=frozenset((*suites, FULL)),
            steps=steps,
            judge=judge,
            budget_s=budget_s,
            text=" ".join(text.split()),
            needs=tuple(needs),
            needs_person=person,
            needs_idle=idle,
        )
        return steps

    return register


@cache
def _loaded() -> Mapping[str, Case]:
    package = importlib.import_module("app.acceptance")
    for folder in sorted(item.name for item in pkgutil.iter_modules(package.__path__) if item.ispkg):
        _load(importlib.import_module(f"app.acceptance.{folder}"))
    return _CASES


def _load(package: ModuleType) -> None:
    for item in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        importlib.import_module(f"{package.__name__}.{item.name}")


def cases() -> tuple[Case, ...]:
    """Return all cases in the order of their ids' subjects as the suites list them."""
    return tuple(_loaded().values())


def find(case_id: str) -> Case | None:
    """Return one case."""
    return _loaded().get(case_id)
