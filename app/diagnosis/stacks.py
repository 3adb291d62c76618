"""Which OCPP stack does a configuration belong to? Vendor keys, what they mean, and how a dump is recognised. Pure.

The facts are data (``resources/stacks/*.toml``, from chargers-commercial 3.1); each has a source and a grade. Which key
holds what of a backend address stands in the profiles alone.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app import resources
from app.errors import ProfileError
from app.model.profile import Evidence, Grade
from app.model.setting import SettingKind

SURE = 3
"""Weight of proof from which on a stack counts as recognised: one key nobody else has [OURS]."""
MOST_PROOFS = 20
"""Proving keys named for one stack."""
ACCESSES = frozenset({"r", "w", "rw", "any"})


class Offered(Enum):
    """Whether a stack lets its backend address be changed over OCPP."""

    KEYS = "keys"
    """By keys or variables."""
    ELSEWHERE = "elsewhere"
    """By a key that the unit itself must be asked for."""
    NONE = "none"
    """The vendor says that it is not."""
    NOT_FOUND = "not-found"
    """No source names a key: it is taken as not offered unless a dump shows one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What can be said about the address over OCPP."""

    offered: Offered
    text: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A key, or the beginning of keys, by which a stack is known. ``weight``: 3 = nobody else has it, 1 = others do."""

    text: str
    is_prefix: bool
    weight: int
    evidence: Evidence

    def fits(self, key: str) -> bool:
        """Say whether this key bears the mark; case counts, as it does on the wire."""
        return key.startswith(self.text) if self.is_prefix else key == self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorKey:
    """A key of a vendor's own, in plain words. ``access``: r, w, rw, or any (unknown or left to the build)."""

    key: str
    label: str
    meaning: str
    kind: SettingKind
    access: str
    evidence: Evidence
    unit: str = ""
    danger: str = ""
    """What can go wrong when it is written."""
    needs_restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How its configuration must be read. ``singly``: key by key, it drops when asked for everything."""

    singly: bool
    text: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """An OCPP implementation as its keys show it. ``profile`` is the id of the profile it leads to, empty = none."""

    id: str
    name: str
    address: Statement
    profile: str = ""
    vendor_like: str = ""
    """Pattern of the vendor in its Boot."""
    marks: tuple[Mark, ...] = ()
    keys: tuple[VendorKey, ...] = ()
    reading: Reading | None = None

    def says(self, vendor: str) -> bool:
        """Say whether the vendor in a Boot is this one."""
        return bool(self.vendor_like and re.search(self.vendor_like, vendor[:100], re.IGNORECASE))

    def key(self, key: str) -> VendorKey | None:
        """Return what is known of this key."""
        return next((item for item in self.keys if item.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stack that a dump may come from, with the keys that speak for it. ``says_vendor``: its Boot does too."""

    stack: Stack
    weight: int
    proofs: tuple[str, ...]
    says_vendor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Ranked candidates, best first. ``stack`` is set only where one is proved and no other is as good."""

    candidates: tuple[Candidate, ...] = ()

    @property
    def stack(self) -> Stack | None:
        """Return the recognised stack; ``None`` where none is, or two are equally good."""
        first = next(iter(self.candidates), None)
        if first is None or first.weight < SURE or self.is_tie:
            return None
        return first.stack

    @property
    def is_tie(self) -> bool:
        """Say whether two or more are equally good."""
        weights = [item.weight for item in self.candidates[:2]]
        return len(weights) == 2 and weights[0] == weights[1]


@functools.cache
def stacks() -> tuple[Stack, ...]:
    """Return all stacks, by id. Raises ProfileError where a file breaks the rules."""
    return tuple(parse(name, text) for name, text in resources.texts("stacks", ".toml").items())


def recognise(keys: Collection[str], *, vendor: str = "") -> Recognition:
    """Rank the stacks that a dump with these keys may come from.

    ``vendor`` (of its Boot) alone names a stack that has no keys of its own; it decides between equals.
    """
    told = [_candidate(stack, keys, vendor) for stack in stacks()]
    ranked = sorted(filter(None, told), key=lambda item: (-item.weight, item.stack.id))
    return Recognition(candidates=tuple(ranked))


def _candidate(stack: Stack, keys: Collection[str], vendor: str) -> Candidate | None:
    weight, proofs = 0, []
    for mark in stack.marks:
        fitting = [key for key in keys if mark.fits(key)] if mark.is_prefix else [mark.text][: mark.text in keys]
        weight += mark.weight if fitting else 0
        proofs += fitting
    says = stack.says(vendor)
    weight += SURE if says else 0
    if not weight:
        return None
    return Candidate(stack=stack, weight=weight, proofs=tuple(dict.fromkeys(proofs))[:MOST_PROOFS], says_vendor=says)


def is_read_singly(vendor: str) -> bool:
    """Say whether units of this vendor (of their Boot) must be asked key by key."""
    return any(stack.reading is not None and stack.reading.singly and stack.says(vendor) for stack in stacks())


def vendor_key(key: str) -> tuple[Stack, VendorKey] | None:
    """Return the one stack that gives this key a meaning; ``None`` where none does, or several do."""
    found = _by_key().get(key, [])
    return found[0] if len(found) == 1 else None


@functools.cache
def _by_key() -> Mapping[str, list[tuple[Stack, VendorKey]]]:
    found: dict[str, list[tuple[Stack, VendorKey]]] = {}
    for stack in stacks():
        for item in stack.keys:
            found.setdefault(item.key, []).append((stack, item))
    return found


def parse(name: str, text: str) -> Stack:
    """Read one file, strictly. Raises ProfileError on an unknown key, a wrong value, or a fact without evidence."""
    try:
        return _stack(name, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise ProfileError(
            f"stacks/{name}.toml: {error!r}", "Correct the file; docs/configurations.md lists all keys."
        ) from error


def _stack(name: str, table: dict[str, Any]) -> Stack:
    stack = Stack(
        id=_text(table, "id"),
        name=_text(table, "name"),
        profile=_text(table, "profile", ""),
        vendor_like=re.compile(_text(table, "vendor_like", "")).pattern,
        address=_statement(table.pop("address")),
        marks=tuple(_mark(dict(item)) for item in table.pop("marks", [])),
        keys=tuple(_vendor_key(dict(item)) for item in table.pop("keys", [])),
        reading=_reading(dict(table.pop("reading"))) if "reading" in table else None,
    )
    _must_be_empty(table)
    if stack.id != name or not (stack.marks or stack.vendor_like):
        raise ValueError("its id is not the file's name, or nothing tells how it is recognised")
    _must_differ([mark.text for mark in stack.marks])
    _must_differ([item.key for item in stack.keys])
    return stack


def _statement(table: Mapping[str, Any]) -> Statement:
    rest = dict(table)
    found = Statement(offered=Offered(rest.pop("offered")), text=_text(rest, "text"), evidence=_evidence(rest))
    _must_be_empty(rest)
    return found


def _reading(table: dict[str, Any]) -> Reading:
    found = Reading(singly=bool(table.pop("singly")), text=_text(table, "text"), evidence=_evidence(table))
    _must_be_empty(table)
    return found


def _mark(table: dict[str, Any]) -> Mark:
    is_prefix = "prefix" in table
    found = Mark(
        text=_text(table, "prefix" if is_prefix else "key"),
        is_prefix=is_prefix,
        weight=int(table.pop("weight")),
        evidence=_evidence(table),
    )
    _must_be_empty(table)
    if not 1 <= found.weight <= SURE:
        raise ValueError(f"{found.text}: a weight is 1 to {SURE}")
    return found


def _vendor_key(table: dict[str, Any]) -> VendorKey:
    found = VendorKey(
        key=_text(table, "key"),
        label=_text(table, "label"),
        meaning=_text(table, "meaning"),
        kind=SettingKind(table.pop("kind", "text")),
        access=_text(table, "access", "any"),
        unit=_text(table, "unit", ""),
        danger=_text(table, "danger", ""),
        needs_restart=bool(table.pop("restart", False)),
        evidence=_evidence(table),
    )
    _must_be_empty(table)
    if found.access not in ACCESSES:
        raise ValueError(f"{found.key}: unknown access “{found.access}”")
    return found


def _evidence(table: dict[str, Any]) -> Evidence:
    return Evidence(source=_text(table, "source"), grade=Grade(table.pop("grade")))


def _text(table: dict[str, Any], key: str, default: str | None = None) -> str:
    value = table.pop(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise ValueError(f"“{key}” is missing or no text")
    return value


def _must_be_empty(table: Mapping[str, Any]) -> None:
    if table:
        raise ValueError(f"unknown key “{sorted(table)[0]}”")


def _must_differ(names: Iterable[str]) -> None:
    for name in _twice(names):
        raise ValueError(f"“{name}” stands there twice")


def _twice(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
