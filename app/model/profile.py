"""What we know of a product family: TOML facts, each with source and evidence grade. Strictly read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app.errors import ProfileError
from app.model.backend import JoinRule


class Grade(Enum):
    """How well a fact is founded."""

    SOURCE = "source"
    """Read in firmware source or a vendor document."""
    REPORTED = "reported"
    """Told by users."""
    PROVED = "proved"
    """Seen by us on real units."""
    UNVERIFIED = "unverified"
    """General knowledge; never the ground for a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where a fact was read: repository path, document section, issue; and how good that is."""

    source: str
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How a sighting is recognised. Empty = no rule. Texts are compared case-insensitively; ``*_like`` are regexes."""

    mdns_types: tuple[str, ...] = ()
    mdns_name_like: str = ""
    usb_ids: tuple[str, ...] = ()
    """``VVVV:PPPP`` in hex."""
    boot_vendor_like: str = ""
    boot_model_like: str = ""
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlHabit:
    """How the family stores and dials its backend URL."""

    join: JoinRule
    limit: int | None = None
    schemes: tuple[str, ...] = ("ws", "wss")
    secret_limit_bytes: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long the family takes. Seconds. ``redial_s`` is the pause between dial attempts."""

    restart_s: float
    redial_s: float
    patience_s: float
    """After this the countdown turns red (connection-failures, "How long to wait")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """An oddity: a short id, what it does to the technician, and for which firmware (a text, empty = all)."""

    id: str
    text: str
    evidence: Evidence
    firmware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWayDoor:
    """Something that can't be undone: announced and acknowledged before it is passed."""

    id: str
    text: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKey:
    """An OCPP key that holds part of the backend address.

    ``holds``: url, host, path, identity, secret, switch, priority (which of several url keys counts), network-profile
    (a text with the URL inside). ``form`` says how the value is written: ``hex`` or ``text`` for a secret,
    ``trailing-slash`` for a url. ``value`` is what a switch must be for a foreign backend.
    """

    key: str
    holds: str
    evidence: Evidence
    note: str = ""
    form: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything Rehome knows of one product family."""

    id: str
    family: str
    vendor: str
    driver: str
    evidence: tuple[Evidence, ...]
    summary: str = ""
    match: Match = field(default_factory=Match)
    url: UrlHabit | None = None
    timing: Timing = field(default_factory=lambda: Timing(restart_s=60, redial_s=60, patience_s=1200))
    connectors: int = 1
    instructions: tuple[str, ...] = ()
    quirks: tuple[Quirk, ...] = ()
    one_way_doors: tuple[OneWayDoor, ...] = ()
    backend_keys: tuple[BackendKey, ...] = ()
    priority: int = 0
    """Higher wins when several profiles match."""
    picture: str = "plug-zap"

    @property
    def grade(self) -> Grade:
        """Return the best grade any of its evidence has."""
        order = [Grade.PROVED, Grade.SOURCE, Grade.REPORTED, Grade.UNVERIFIED]
        return min((item.grade for item in self.evidence), key=order.index)


def parse(document: Mapping[str, Any], *, origin: str) -> Profile:
    """Read a profile from a TOML document. Raises ProfileError on an unknown key, a wrong type or missing evidence."""
    return _Reader(origin).profile(dict(document))


class _Reader:
    def __init__(self, origin: str) -> None:
        self._origin = origin

    def fail(self, message: str) -> ProfileError:
        return ProfileError(f"{self._origin}: {message}", "Correct the profile file; docs/profiles.md lists all keys.")

    def take(self, table: dict[str, Any], key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        if key not in table:
            if default is ...:
                raise self.fail(f"“{key}” is missing")
            return default
        value = table.pop(key)
        wrong_bool = isinstance(value, bool) and kind is not bool
        if not isinstance(value, kind) or wrong_bool:
            raise self.fail(f"“{key}” has the wrong type ({type(value).__name__})")
        return value

    def done(self, table: dict[str, Any], where: str) -> None:
        if table:
            raise self.fail(f"unknown key “{sorted(table)[0]}” in {where}")

    def texts(self, table: dict[str, Any], key: str) -> tuple[str, ...]:
        values = self.take(table, key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise self.fail(f"“{key}” must be a list of texts")
        return tuple(values)

    def tables(self, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
        values = self.take(table, key, list, [])
        if not all(isinstance(value, dict) for value in values):
            raise self.fail(f"“{key}” must be a list of tables")
        return [dict(value) for value in values]

    def regex(self, table: dict[str, Any], key: str) -> str:
        text: str = self.take(table, key, str, "")
        try:
            re.compile(text)
        except re.error as error:
            raise self.fail(f"“{key}” is not a valid pattern: {error}") from error
        return text

    def evidence(self, table: dict[str, Any], where: str) -> Evidence:
        source: str = self.take(table, "source", str)
        if not source.strip():
            raise self.fail(f"{where}: the source is empty")
        grade = self.take(table, "grade", str)
        try:
            return Evidence(source=source, grade=Grade(grade))
        except ValueError as error:
            raise self.fail(f"{where}: unknown evidence grade “{grade}”") from error

    def profile(self, doc: dict[str, Any]) -> Profile:
        evidence = []
        for item in self.tables(doc, "evidence"):
            evidence.append(self.evidence(item, "evidence"))
            self.done(item, "evidence")
        if not evidence:
            raise self.fail("a profile without evidence claims nothing; add [[evidence]]")
        result = Profile(
            id=self.take(doc, "id", str),
            family=self.take(doc, "family", str),
            vendor=self.take(doc, "vendor", str),
            driver=self.take(doc, "driver", str),
            summary=self.take(doc, "summary", str, ""),
            evidence=tuple(evidence),
            match=self.match(dict(self.take(doc, "match", dict, {}))),
            url=self.url(dict(self.take(doc, "url", dict))) if "url" in doc else None,
            timing=self.timing(dict(self.take(doc, "timing", dict))),
            connectors=self.take(doc, "connectors", int, 1),
            instructions=self.texts(doc, "instructions"),
            quirks=tuple(self.quirk(item) for item in self.tables(doc, "quirks")),
            one_way_doors=tuple(self.door(item) for item in self.tables(doc, "one_way_doors")),
            backend_keys=tuple(self.backend_key(item) for item in self.tables(doc, "backend_keys")),
            priority=self.take(doc, "priority", int, 0),
            picture=self.take(doc, "picture", str, "plug-zap"),
        )
        self.done(doc, "the profile")
        return result

    def match(self, table: dict[str, Any]) -> Match:
        ports = tuple(self.take(table, "ports", list, []))
        if not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
            raise self.fail("“ports” must be a list of port numbers")
        result = Match(
            mdns_types=self.texts(table, "mdns_types"),
            mdns_name_like=self.regex(table, "mdns_name_like"),
            usb_ids=tuple(text.upper() for text in self.texts(table, "usb_ids")),
            boot_vendor_like=self.regex(table, "boot_vendor_like"),
            boot_model_like=self.regex(table, "boot_model_like"),
            ports=ports,
        )
        self.done(table, "[match]")
        return result

    def url(self, table: dict[str, Any]) -> UrlHabit:
        join = self.take(table, "join", str)
        try:
            rule = JoinRule(join)
        except ValueError as error:
            raise self.fail(f"unknown join rule “{join}”") from error
        result = UrlHabit(
            join=rule,
            limit=self.take(table, "limit", int, None),
            schemes=self.texts(table, "schemes") or ("ws", "wss"),
            secret_limit_bytes=self.take(table, "secret_limit_bytes", int, None),
            note=self.take(table, "note", str, ""),
        )
        self.done(table, "[url]")
        return result

    def timing(self, table: dict[str, Any]) -> Timing:
        result = Timing(
            restart_s=float(self.take(table, "restart_s", (int, float))),
            redial_s=float(self.take(table, "redial_s", (int, float))),
            patience_s=float(self.take(table, "patience_s", (int, float))),
        )
        self.done(table, "[timing]")
        return result

    def quirk(self, table: dict[str, Any]) -> Quirk:
        result = Quirk(
            id=self.take(table, "id", str),
            text=self.take(table, "text", str),
            firmware=self.take(table, "firmware", str, ""),
            evidence=self.evidence(table, "quirk"),
        )
        self.done(table, "a quirk")
        return result

    def door(self, table: dict[str, Any]) -> OneWayDoor:
        result = OneWayDoor(
            id=self.take(table, "id", str), text=self.take(table, "text", str), evidence=self.evidence(table, "door")
        )
        self.done(table, "a one-way door")
        return result

    def backend_key(self, table: dict[str, Any]) -> BackendKey:
        result = BackendKey(
            key=self.take(table, "key", str),
            holds=self.take(table, "holds", str),
            note=self.take(table, "note", str, ""),
            form=self.take(table, "form", str, ""),
            value=self.take(table, "value", str, ""),
            evidence=self.evidence(table, "backend key"),
        )
        self.done(table, "a backend key")
        return result
