"""Compare firmware versions of chargers: numbers by place, everything else is unknown. Pure."""

from __future__ import annotations

import re

from app.model.profile import FirmwareRule

NUMBERS = re.compile(r"\d+(?:\.\d+)*")
SUFFIX = re.compile(r"[-_+ ]?(?:alpha|beta|rc|dev|pre|test|local)", re.IGNORECASE)
PLACE_LIMIT = 9
"""Digits of one place that still count as a number: longer runs are hashes or dates."""


def places(version: str) -> tuple[int, ...] | None:
    """Return the numbers of a version, trailing zeros cut: ``v5.1.0`` → (5, 1). ``None`` where it is no release.

    A version that carries a mark of a test build is no release: nobody knows what is in it.
    """
    text = version.strip()[:80]
    found = NUMBERS.search(text)
    if found is None or (found.start() and text[: found.start()].strip().lower() not in ("v", "ver", "fw", "version")):
        return None
    if SUFFIX.match(text, found.end()) or any(len(part) > PLACE_LIMIT for part in found.group().split(".")):
        return None
    numbers = [int(part) for part in found.group().split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def reaches(version: str, minimum: str) -> bool | None:
    """Say whether a version is at least ``minimum``; ``None`` where one of them can't be read."""
    have, want = places(version), places(minimum)
    return None if have is None or want is None else have >= want


def meets(rule: FirmwareRule, version: str) -> bool | None:
    """Say whether a version lies within a rule's limits; ``None`` = not known."""
    answers = []
    if rule.minimum:
        answers.append(reaches(version, rule.minimum))
    if rule.maximum:
        above = reaches(rule.maximum, version)
        answers.append(above)
    if False in answers:
        return False
    return None if None in answers or not answers else True
