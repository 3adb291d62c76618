"""The suites: which cases, in which order, and how long all of it may take. The texts and limits are data."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import resources
from app.acceptance.case import Case, cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite. ``subjects`` orders the cases by the middle part of their ids; ``limit_s`` 0 = as long as it takes."""

    id: str
    title: str
    text: str
    limit_s: float
    subjects: tuple[str, ...]

    def cases(self, version: str) -> tuple[Case, ...]:
        """Return its cases for one OCPP version, in the order they run."""
        chosen = [item for item in cases() if self.id in item.suites and version in item.versions]
        return tuple(sorted(chosen, key=lambda item: (self._place(item), item.id)))

    def budget_s(self, version: str) -> float:
        """Return the longest it may take: the sum of its cases' budgets."""
        return sum(item.budget_s for item in self.cases(version))

    def _place(self, item: Case) -> int:
        subject = item.id.split("-")[1]
        return self.subjects.index(subject) if subject in self.subjects else len(self.subjects)


@functools.cache
def suites() -> Mapping[str, Suite]:
    """Read all suites, in the order of the file. Raises ValueError where one is malformed."""
    text = resources.path("acceptance", "suites.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    subjects = tuple(table.pop("subjects"))
    return {name: _suite(name, entry, subjects) for name, entry in table.items()}


def _suite(name: str, entry: dict[str, Any], subjects: tuple[str, ...]) -> Suite:
    if set(entry) != {"title", "text", "limit_s"}:
        raise ValueError(f"suite “{name}” needs exactly a title, a text and a limit_s")
    return Suite(id=name, title=entry["title"], text=entry["text"], limit_s=float(entry["limit_s"]), subjects=subjects)
