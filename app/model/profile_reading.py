"""Read a profile from TOML, strictly: unknown keys, wrong types and missing sources are errors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from app.errors import ProfileError
from app.model.backend import JoinRule
from app.model.profile import (
    Approach,
    BackendKey,
    Evidence,
    FirmwareRule,
    Grade,
    Guide,
    GuideField,
    Match,
    OneWayDoor,
    Outlook,
    Profile,
    Quirk,
    Timing,
    Try,
    UrlHabit,
    Verdict,
)

E = TypeVar("E", bound=Enum)

SCHEMES = frozenset({"http", "https", "udp", "modbus", "mqtt", "tcp"})
RESTARTS = frozenset({"none", "automatic", "by-hand", "unknown"})
MAC_BLOCK = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){2}(:[0-9A-F]|:[0-9A-F]{2}:[0-9A-F])?")
"""A block of 24, 28 or 36 bits (IEEE MA-L, MA-M, MA-S)."""

TRUSTS = frozenset({"", "unverified", "public", "upload", "fixed"})
HOLDS: Mapping[str, frozenset[str]] = {
    "url": frozenset({"", "no-scheme", "trailing-slash", "no-trailing-slash"}),
    "host": frozenset({""}),
    "port": frozenset({""}),
    "host-port": frozenset({""}),
    "path": frozenset({""}),
    "identity": frozenset({""}),
    "secret": frozenset({"text", "hex", "hex40"}),
    "subprotocol": frozenset({"", "s-if-tls"}),
    "certificate": frozenset({""}),
    "choice": frozenset({""}),
}
"""What a guided field may hold, with the forms it knows."""


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

    def choice(self, table: dict[str, Any], key: str, kind: type[E], default: Any = ...) -> E:
        text = self.take(table, key, str, default)
        try:
            return kind(text)
        except ValueError as error:
            raise self.fail(f"unknown {key} “{text}”") from error

    def one_of(self, table: dict[str, Any], key: str, allowed: frozenset[str], default: Any = ...) -> str:
        text: str = self.take(table, key, str, default)
        if text not in allowed:
            raise self.fail(f"unknown {key} “{text}”")
        return text

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
        return Evidence(source=source, grade=self.choice(table, "grade", Grade))

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
            approach=self.choice(doc, "approach", Approach),
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
            models=self.texts(doc, "models"),
            guide=self.guide(dict(self.take(doc, "guide", dict))) if "guide" in doc else None,
            firmware=tuple(self.firmware(item) for item in self.tables(doc, "firmware")),
            tries=tuple(self.attempt(item) for item in self.tables(doc, "tries")),
            outlook=self.outlook(dict(self.take(doc, "outlook", dict))) if "outlook" in doc else None,
        )
        if (result.approach is Approach.GUIDED) != (result.guide is not None):
            raise self.fail("a [guide] belongs to the approach “guided”, and to no other")
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
            scheme=self.one_of(table, "scheme", SCHEMES, "http"),
            mac_prefixes=self.blocks(self.texts(table, "mac_prefixes")),
            ssid_like=self.regex(table, "ssid_like"),
            access_point_hosts=self.texts(table, "access_point_hosts"),
            ble_services=tuple(text.lower() for text in self.texts(table, "ble_services")),
            ble_name_like=self.regex(table, "ble_name_like"),
            serial_like=self.regex(table, "serial_like"),
        )
        self.done(table, "[match]")
        return result

    def blocks(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        wrong = next((text for text in prefixes if not MAC_BLOCK.fullmatch(text)), None)
        if wrong is not None:
            raise self.fail(f"“mac_prefixes”: “{wrong}” is no block of the IEEE registry")
        return prefixes

    def url(self, table: dict[str, Any]) -> UrlHabit:
        result = UrlHabit(
            join=self.choice(table, "join", JoinRule),
            limit=self.take(table, "limit", int, None),
            schemes=self.texts(table, "schemes") or ("ws", "wss"),
            secret_limit_bytes=self.take(table, "secret_limit_bytes", int, None),
            trust=self.one_of(table, "trust", TRUSTS, ""),
            note=self.take(table, "note", str, ""),
        )
        self.done(table, "[url]")
        return result

    def timing(self, table: dict[str, Any]) -> Timing:
        result = Timing(
            restart_s=float(self.take(table, "restart_s", (int, float))),
            redial_s=float(self.take(table, "redial_s", (int, float))),
            patience_s=float(self.take(table, "patience_s", (int, float))),
            refresh_s=float(self.take(table, "refresh_s", (int, float), 0.0)),
        )
        if math.isnan(result.refresh_s) or result.refresh_s < 0:
            raise self.fail("“refresh_s” must be a number of seconds, or inf")
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
            own_hosts=tuple(text.lower() for text in self.texts(table, "own_hosts")),
            own_value=self.take(table, "own_value", str, ""),
            evidence=self.evidence(table, "backend key"),
        )
        if bool(result.own_hosts) != bool(result.own_value):
            raise self.fail(f"backend key “{result.key}”: “own_hosts” and “own_value” belong together")
        self.done(table, "a backend key")
        return result

    def guide(self, table: dict[str, Any]) -> Guide:
        result = Guide(
            tool=self.take(table, "tool", str),
            place=self.take(table, "place", str),
            steps=self.texts(table, "steps"),
            fields=tuple(self.guide_field(item) for item in self.tables(table, "fields")),
            default_address=self.take(table, "default_address", str, ""),
            login=self.take(table, "login", str, ""),
            restart=self.one_of(table, "restart", RESTARTS, "unknown"),
            evidence=self.evidence(table, "guide"),
        )
        self.done(table, "[guide]")
        return result

    def guide_field(self, table: dict[str, Any]) -> GuideField:
        holds = self.one_of(table, "holds", frozenset(HOLDS))
        result = GuideField(
            label=self.take(table, "label", str),
            holds=holds,
            form=self.one_of(table, "form", HOLDS[holds], "text" if holds == "secret" else ""),
            value=self.take(table, "value", str, ""),
            note=self.take(table, "note", str, ""),
            limit=self.take(table, "limit", int, None),
            evidence=self.evidence(table, "guided field"),
        )
        if (holds == "choice") != bool(result.value):
            raise self.fail(f"guided field “{result.label}”: “value” belongs to a choice, and to nothing else")
        self.done(table, "a guided field")
        return result

    def firmware(self, table: dict[str, Any]) -> FirmwareRule:
        result = FirmwareRule(
            needs=self.take(table, "needs", str),
            minimum=self.take(table, "minimum", str, ""),
            maximum=self.take(table, "maximum", str, ""),
            update=self.take(table, "update", str, ""),
            evidence=self.evidence(table, "firmware rule"),
        )
        if not result.minimum and not result.maximum:
            raise self.fail("a firmware rule needs “minimum” or “maximum”")
        self.done(table, "a firmware rule")
        return result

    def attempt(self, table: dict[str, Any]) -> Try:
        result = Try(
            way=self.take(table, "way", str),
            note=self.take(table, "note", str, ""),
            evidence=self.evidence(table, "try"),
        )
        self.done(table, "a try")
        return result

    def outlook(self, table: dict[str, Any]) -> Outlook:
        result = Outlook(
            verdict=self.choice(table, "verdict", Verdict),
            reason=self.take(table, "reason", str),
            needs=self.texts(table, "needs"),
            minutes=self.take(table, "minutes", int, 30),
            visits=self.take(table, "visits", int, 1),
            evidence=self.evidence(table, "outlook"),
        )
        self.done(table, "[outlook]")
        return result
