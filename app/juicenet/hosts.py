"""Whose host a JuiceBox sends to: ``resources/juicebox/hosts.toml``. Pure."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import resources
from app.errors import ProfileError
from app.model.profile import Evidence, Grade

DEFAULT, DIRECTORY, VOLTIE = "default", "directory", "voltie"
KEYS = frozenset({"id", "like", "whose", "means", "ports", "source", "grade"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A kind of host: ``like`` is a pattern over the whole name, ``ports`` those seen with it."""

    id: str
    like: str
    whose: str
    means: str
    ports: tuple[int, ...]
    evidence: Evidence


@functools.cache
def hosts() -> tuple[Host, ...]:
    """Return all kinds. Raises ProfileError where the file breaks the rules."""
    return parse(resources.texts("juicebox", ".toml")["hosts"])


def whose(name: str) -> Host | None:
    """Return the kind a name belongs to; ``None`` for one that nobody has seen, and for an address."""
    plain = name.lower().rstrip(".")
    return next((item for item in hosts() if re.fullmatch(item.like, plain)), None)


def parse(text: str) -> tuple[Host, ...]:
    """Read the file. Raises ProfileError on an unknown or missing key, or one of the wrong type."""
    try:
        return tuple(_host(item) for item in tomllib.loads(text)["hosts"])
    except (KeyError, TypeError, ValueError, re.error, RecursionError) as error:
        raise ProfileError(f"juicebox/hosts.toml: {error}", "Correct the file, or install Rehome again.") from error


def _host(values: Mapping[str, Any]) -> Host:
    if set(values) != KEYS:
        raise ValueError(f"the keys of a host are {', '.join(sorted(KEYS))}")
    texts = {key: values[key] for key in ("id", "like", "whose", "means", "source")}
    if not all(isinstance(item, str) and item for item in texts.values()):
        raise ValueError("a text is missing")
    re.compile(values["like"])
    evidence = Evidence(source=texts.pop("source"), grade=Grade(values["grade"]))
    return Host(**texts, ports=tuple(int(port) for port in values["ports"]), evidence=evidence)
