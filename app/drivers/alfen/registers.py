"""The station's properties (``<index>_<subindex>`` in hex) as settings, and texts as what the station takes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from app.driver import described
from app.errors import Garbled, ValueRejected
from app.model.setting import Setting, SettingKind

ID = re.compile(r"[0-9A-F]{1,4}_[0-9A-F]{1,2}\Z")

READ_ONLY = 1
TEXTS = frozenset({9, 10, 11, 15})
REALS = frozenset({8, 17})
BOOLEAN = 1
"""``access`` and ``type`` codes (pbasista/alfenctl, transport.py; CANopen data types)."""

TEXT_LIMIT = 2_000

AUTHORIZATION_KEY = "2723_1"
PROXY_PASSWORD = "2116_1"

DOMAIN_ITEMS: Mapping[str, tuple[int, str]] = {AUTHORIZATION_KEY: (0, "2723_0"), PROXY_PASSWORD: (2, "2117_0")}
"""Write-only values: the item number of ``POST /api/domain`` and the property whose presence shows that the firmware
knows them (pbasista/alfenctl, secret.py, KEY_BO_AUTHORIZATION and KEY_PROXY_AUTHORIZATION)."""

NEVER_TOLD = "The station never tells this value."


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each property."""
    return described.load("alfen")


@cache
def secret_ids() -> frozenset[str]:
    """Return the properties that hold passwords."""
    return frozenset(key for key, known in descriptions().items() if known.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property as the station reports it."""

    id: str
    value: Any
    access: int = 0
    type: int = 0
    length: int = 0

    @property
    def text(self) -> str:
        """Return the value as text; whole numbers without a decimal point."""
        value = self.value
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(round(value, 4))
        return "" if value is None or isinstance(value, list | dict) else str(value)[:TEXT_LIMIT]


def parse(found: Mapping[str, Any]) -> list[Property]:
    """Read the ``properties`` of an answer; entries that are none are left out. Raises Garbled."""
    entries = found.get("properties")
    if not isinstance(entries, list):
        raise Garbled("The station's answer holds no properties.", "Note the firmware version and report it.")
    return [item for entry in entries if isinstance(entry, dict) and (item := _property(entry)) is not None]


def _property(entry: Mapping[str, Any]) -> Property | None:
    key = entry.get("id")
    if not isinstance(key, str) or ID.match(key) is None:
        return None
    access, kind, length = (entry.get(name) for name in ("access", "type", "len"))
    return Property(
        id=key,
        value=entry.get("value"),
        access=access if isinstance(access, int) else 0,
        type=kind if isinstance(kind, int) else 0,
        length=length if isinstance(length, int) else 0,
    )


def setting_of(item: Property) -> Setting:
    """Return a property as a setting; a password is never shown, even where the station sends something."""
    known = descriptions().get(item.id) or described.Description(key=item.id, label=item.id, kind=_kind(item))
    if known.secret:
        return known.setting(None, is_readable=False)
    is_readonly = known.readonly or item.access == READ_ONLY
    limit = known.limit or (item.length if item.type in TEXTS and item.length > 0 else None)
    return replace(known, readonly=is_readonly, limit=limit).setting(item.text)


def _kind(item: Property) -> SettingKind:
    if item.type in REALS or isinstance(item.value, float):
        return SettingKind.NUMBER
    return SettingKind.INTEGER if isinstance(item.value, int) else SettingKind.TEXT


def hidden(items: Iterable[Property]) -> list[Setting]:
    """Return the write-only values this firmware has."""
    present = {item.id for item in items}
    return [
        descriptions()[key].setting(None, is_readable=False)
        for key, (_, witness) in DOMAIN_ITEMS.items()
        if witness in present and key not in present
    ]


def typed(item: Property, text: str) -> Any:
    """Return the JSON value of a text, of the type the station reports. Raises ValueRejected."""
    known = descriptions().get(item.id)
    if item.type in TEXTS or isinstance(item.value, str):
        return _short_enough(item, text)
    try:
        number = float(text) if item.type in REALS or isinstance(item.value, float) else int(text)
    except ValueError as error:
        raise ValueRejected(f"“{text}” is not a value “{item.id}” can have.", "Enter a number.") from error
    low = known.minimum if known and known.minimum is not None else -math.inf
    high = known.maximum if known and known.maximum is not None else math.inf
    if not low <= number <= high:
        raise ValueRejected(f"“{item.id}” takes {low:g} to {high:g}.", "Correct the value.")
    return str(bool(number)) if item.type == BOOLEAN else number


def _short_enough(item: Property, text: str) -> str:
    if 0 < item.length < len(text.encode()):
        raise ValueRejected(
            f"“{item.id}” has {len(text.encode())} bytes; this station keeps {item.length}.", "Use a shorter text."
        )
    return text
