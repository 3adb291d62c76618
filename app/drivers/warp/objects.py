"""The API's objects as settings: ``<object>/<field>`` is the key."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from app.driver import described
from app.errors import ValueRejected
from app.model.setting import Setting, SettingKind

CONFIG = "ocpp/config"
SLOT = "evse/ocpp_enabled"
BACKED_UP = (
    CONFIG,
    SLOT,
    "evse/user_enabled",
    "evse/auto_start_charging",
    "evse/global_current",
    "evse/external_enabled",
    "info/display_name",
    "network/config",
)
SHOWN = ("ocpp/configuration", "certs/state")
"""Objects that can be read only."""

APPLIES_AT_ONCE = (2, 10)
"""From this firmware on ``ocpp/config`` counts at once; before, after a restart (ocpp.cpp, apply_config)."""
FIELD_LIMIT = 200
"""``ocpp/configuration`` has 42 fields."""


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key."""
    return described.load("warp")


def firmware_number(firmware: str) -> tuple[int, ...]:
    """Return ``2.12.1+6a4f`` as numbers; a text that is no version counts as newer than any."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", firmware)
    return tuple(int(part or 0) for part in found.groups()) if found else (99, 0, 0)


def settings(path: str, found: Mapping[str, Any], *, applies_at_once: bool) -> Iterator[Setting]:
    """Yield an object's fields; one that the charger does not tell is ``null``."""
    for field, value in list(found.items())[:FIELD_LIMIT]:
        yield setting(path, str(field), value, applies_at_once=applies_at_once)


def setting(path: str, field: str, value: Any, *, applies_at_once: bool) -> Setting:
    """Return one field as described in ``resources/settings``; what is not described there is shown, not written."""
    key = f"{path}/{field}"
    known = descriptions().get(key)
    if known is None:
        kind = SettingKind.SWITCH if isinstance(value, bool) else SettingKind.TEXT
        known = described.Description(key=key, label=field, kind=kind, readonly=True)
    shown = known.setting(None if value is None else described.written(value), is_readable=value is not None)
    return replace(shown, needs_restart=path == CONFIG and not applies_at_once)


def typed(known: described.Description, text: str) -> Any:
    """Return the JSON value of a text. Raises ValueRejected, naming the limit."""
    try:
        if known.kind is SettingKind.SWITCH:
            return {"true": True, "false": False}[text]
        if known.kind is SettingKind.INTEGER:
            return _in_range(known, int(text))
        if known.kind is SettingKind.LIST:
            return json.loads(text)
    except (ValueError, KeyError) as error:
        raise ValueRejected(f"“{text}” is not a value “{known.label}” can have.", "Correct the value.") from error
    size = len(text.encode())
    if known.limit is not None and size > known.limit:
        raise ValueRejected(
            f"The value for “{known.label}” has {size} bytes; this charger keeps {known.limit}.", "Shorten it."
        )
    return text


def _in_range(known: described.Description, number: int) -> int:
    low = known.minimum if known.minimum is not None else -math.inf
    high = known.maximum if known.maximum is not None else math.inf
    if not low <= number <= high:
        raise ValueRejected(f"“{known.label}” takes {low:g} to {high:g}.", "Correct the value.")
    return number
