"""What other backends would say to a unit's handshake and first frames, and at which byte. Pure.

What each does is data (``resources/others/*.toml``), read in its public sources; this file finds the places.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app import resources
from app.diagnosis import places
from app.diagnosis.places import Place
from app.errors import ProfileError
from app.model.finding import Finding
from app.model.frame import Frame, Handshake

MOST_REASONS = 12


class Verdict(Enum):
    """What a backend does with a unit, the worst last."""

    ACCEPTS = "accepts"
    LATER = "later"
    """It lets it in and stumbles over something it then says."""
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one backend does on one oddity."""

    verdict: Verdict
    text: str
    change: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """A backend as its sources describe it. ``versions`` are the subprotocols it takes."""

    other_id: str
    name: str
    rank: int
    versions: tuple[str, ...]
    sources: tuple[str, ...]
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a backend objects: ``text``, what to ``change``, and the ``place`` of the first byte it stumbles over."""

    rule: str
    verdict: Verdict
    text: str
    change: str
    source: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One backend's verdict, its reasons in the order it would meet them."""

    other: Other
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    has_booted: bool = True
    """A Boot was among the frames; without one the verdict speaks of the handshake alone."""


@functools.cache
def others() -> tuple[Other, ...]:
    """Return all backends in their order. Raises ProfileError where a file breaks the rules."""
    files = resources.texts("others", ".toml")
    return tuple(sorted((parse(name, text) for name, text in files.items()), key=lambda other: other.rank))


def judge(
    handshake: Handshake,
    frames: Sequence[Frame] = (),
    *,
    findings: Iterable[Finding] = (),
    settings: Mapping[str, str] | None = None,
) -> tuple[Opinion, ...]:
    """Judge a unit as each of the others would.

    ``findings`` are those of this connection (schema faults, pongs); ``settings`` its configuration where known.
    """
    found = tuple(findings)
    return tuple(_opinion(other, handshake, frames, found, settings or {}) for other in others())


def _opinion(
    other: Other, shake: Handshake, frames: Sequence[Frame], findings: Sequence[Finding], settings: Mapping[str, str]
) -> Opinion:
    oddities = [
        *places.in_handshake(shake, other.versions),
        *places.in_frames(frames, findings),
        *places.in_manners(findings, settings),
    ]
    reasons = tuple(_reasons(other, oddities))[:MOST_REASONS]
    order = list(Verdict)
    verdict = max((reason.verdict for reason in reasons), key=order.index, default=Verdict.ACCEPTS)
    has_booted = any(frame.action == "BootNotification" for frame in frames)
    return Opinion(other=other, verdict=verdict, reasons=reasons, has_booted=has_booted)


def _reasons(other: Other, oddities: Iterable[places.Oddity]) -> Iterator[Reason]:
    told: set[tuple[str, str]] = set()
    for oddity in oddities:
        rule = other.rules.get(oddity.rule)
        if rule is None or (oddity.rule, oddity.found) in told:
            continue
        told.add((oddity.rule, oddity.found))
        yield Reason(
            rule=oddity.rule,
            verdict=rule.verdict,
            text=rule.text.replace("{found}", oddity.found),
            change=rule.change,
            source=rule.source,
            place=oddity.place,
        )


def parse(name: str, text: str) -> Other:
    """Read one file. Raises ProfileError on an unknown rule or key, or a missing text."""
    try:
        document = tomllib.loads(text)
        rules = {rule: _rule(values) for rule, values in document.pop("rules").items()}
        other = Other(
            other_id=name,
            name=document.pop("name"),
            rank=document.pop("rank"),
            versions=tuple(document.pop("versions")),
            sources=tuple(document.pop("sources")),
            rules=rules,
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProfileError(f"others/{name}.toml: {error!r}", "Correct the file.") from error
    strange = sorted([*document, *(set(rules) - places.RULES)])
    if strange or not other.sources:
        raise ProfileError(f"others/{name}.toml: “{(strange or ['sources'])[0]}”", "Correct the file.")
    return other


def _rule(values: dict[str, Any]) -> Rule:
    texts = {key: str(values[key]).strip() for key in ("text", "change", "source")}
    if set(values) - {*texts, "verdict"} or not all(texts.values()):
        raise ValueError(f"a rule holds {sorted(values)}")
    return Rule(verdict=Verdict(values["verdict"]), **texts)
