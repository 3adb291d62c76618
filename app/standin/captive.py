"""The internet checks we answer, from ``resources/standin/captive.toml``. Pure but for reading that file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass

from app import resources
from app.model.profile import Grade

GENERIC = "/generate_204"
"""A path that asks for the same under any name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A request and the answer that means “this is the internet”."""

    title: str
    hosts: tuple[str, ...]
    path: str
    status: int
    type: str = ""
    body: str = ""
    source: str
    grade: str


class Checks:
    """All known checks."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.all = tuple(checks)
        self.hosts = frozenset(host for check in checks for host in check.hosts)
        self._found = {(host, check.path): check for check in checks for host in check.hosts}
        self._generic = next((check for check in checks if check.path == GENERIC), None)

    def find(self, host: str, path: str) -> Check | None:
        """Return the check a request makes, by host (lower case, no port) and path."""
        found = self._found.get((host, path))
        return found if found is not None or path != GENERIC else self._generic


def read() -> Checks:
    """Read the checks of this program."""
    text = resources.path("standin", "captive.toml").read_text(encoding="utf-8")
    found = [Check(**{**item, "hosts": tuple(item["hosts"])}) for item in tomllib.loads(text)["checks"]]
    for check in found:
        Grade(check.grade)
    return Checks(found)
