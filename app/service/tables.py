"""Read the tables of a site file strictly, and go on after each fault: a person wants to see all of them at once."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from typing import Any

MISSING = object()


class Table:
    """One table of the file. What is wrong goes into ``problems`` with its place; the value is then a stand-in."""

    def __init__(self, values: object, place: str, problems: list[str]) -> None:
        self.place = place
        self._problems = problems
        self._absent: set[str] = set()
        if not isinstance(values, Mapping):
            self.problem("", "is not a table")
            values = {}
        self._values: dict[str, Any] = dict(values)

    def problem(self, key: str, text: str) -> None:
        """Note what is wrong with a key."""
        self._problems.append(f"{self.place}{'.' if self.place and key else ''}{key}: {text}")

    def has(self, key: str) -> bool:
        """Say whether a key is there."""
        return key in self._values

    def text(self, key: str, default: object = MISSING, *, longest: int = 500) -> str:
        """Return a text."""
        value: str = self._taken(key, str, default, "")
        if len(value) > longest:
            self.problem(key, f"is longer than {longest} characters")
        elif default is MISSING and not value.strip() and key not in self._absent:
            self.problem(key, "is empty")
        return value

    def one_of(self, key: str, allowed: Collection[str], default: object = MISSING) -> str:
        """Return one of some words."""
        value = self._taken(key, str, default, "")
        if value not in allowed and key not in self._absent:
            self.problem(key, f"must be one of {', '.join(sorted(allowed))}")
        return value if value in allowed else min(allowed)

    def number(self, key: str, low: float, high: float, default: object = MISSING) -> float:
        """Return a number within bounds."""
        value = self._taken(key, (int, float), default, low)
        if not low <= value <= high:
            self.problem(key, f"must be between {low:g} and {high:g}")
            return low
        return float(value)

    def whole(self, key: str, low: int, high: int, default: object = MISSING) -> int:
        """Return a whole number within bounds."""
        value = self._taken(key, int, default, low)
        if not low <= value <= high:
            self.problem(key, f"must be between {low} and {high}")
            return low
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        return bool(self._taken(key, bool, default, default))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._taken(key, list, [], [])
        if not all(isinstance(value, str) for value in values):
            self.problem(key, "must be a list of texts")
            return ()
        return tuple(values)

    def ports(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return a list of port numbers."""
        values = self._taken(key, list, list(default), [])
        if not values or not all(type(value) is int and 0 < value < 65536 for value in values):
            self.problem(key, "must be a list of ports, 1 to 65535")
            return default
        return tuple(dict.fromkeys(values))

    def address(self, key: str, default: object = MISSING) -> str:
        """Return an IP address."""
        value = self.text(key, default, longest=60)
        if value:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                self.problem(key, f"“{value}” is not an IP address")
        return value

    def table(self, key: str) -> Table:
        """Return a table within; an absent one is empty."""
        return Table(self._values.pop(key, {}), self._within(key), self._problems)

    def tables(self, key: str) -> list[Table]:
        """Return a list of tables (``[[key]]``)."""
        values = self._taken(key, list, [], [])
        return [
            Table(value, f"{self._within(key)}[{number}]", self._problems) for number, value in enumerate(values, 1)
        ]

    def named(self, key: str) -> dict[str, Table]:
        """Return tables by their names (``[key.<name>]``)."""
        values = self._taken(key, dict, {}, {})
        return {name: Table(value, f"{self._within(key)}.{name}", self._problems) for name, value in values.items()}

    def done(self) -> None:
        """Object to keys nobody asked for."""
        for key in sorted(self._values):
            self.problem(key, "is not a key of this table")

    # Inside

    def _within(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _taken(self, key: str, kind: type | tuple[type, ...], default: object, instead: Any) -> Any:
        if key not in self._values:
            if default is MISSING:
                self._absent.add(key)
                self.problem(key, "is missing")
                return instead
            return default
        value = self._values.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self._absent.add(key)
            self.problem(key, f"has the wrong type ({type(value).__name__})")
            return instead
        return value
