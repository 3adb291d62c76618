"""The keys of ``/config`` as settings, and the identity that stands among them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from app.driver import described
from app.driver.described import written
from app.errors import ValueRejected
from app.model.profile import Profile
from app.model.setting import Setting, SettingKind
from app.model.unit import Claim, ClaimKind, Identity, claim

TEXT_LIMIT = 200
"""Longest text of an identity that is kept."""

MASKED = "_DUMMY_PASSWORD"
"""Stands in place of a password; posted back, it changes nothing (ConfigJson, ConfigOptSecret)."""


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key."""
    return described.load("openevse-wifi")


_IDENTITY_KEYS = ("wifi_serial", "evse_serial", "version", "hostname", "firmware", "buildenv")


def identity_of(config: Mapping[str, Any], profile: Profile) -> Identity:
    """Return what ``/config`` says of the unit. Over OCPP it calls itself “Advanced Series” (src/ocpp.cpp)."""
    texts = {key: written(config.get(key))[:TEXT_LIMIT] for key in _IDENTITY_KEYS}
    serial, mcu = texts["wifi_serial"], texts["evse_serial"]
    claims = (claim(ClaimKind.SERIAL, serial), claim(ClaimKind.MAC, serial), claim(ClaimKind.MCU, mcu))
    return Identity(
        vendor="OpenEVSE",
        model="Advanced Series",
        serial=serial,
        firmware=texts["version"],
        mac=":".join(re.findall("..", serial)) if re.fullmatch(r"[0-9A-Fa-f]{12}", serial) else "",
        name=texts["hostname"],
        profile_id=profile.id,
        claims=tuple(item for item in claims if isinstance(item, Claim)),
        extra={key: texts[key] for key in ("firmware", "evse_serial", "buildenv") if texts[key]},
    )


def setting_of(key: str, value: Any) -> Setting:
    """Return a setting as described in ``resources/settings``, or shown as it is."""
    known = descriptions().get(key) or described.Description(key=key, label=key, kind=_kind(value))
    if value == MASKED:
        return known.setting(None, is_readable=False)
    return known.setting(written(value))


def _kind(value: Any) -> SettingKind:
    kinds = {bool: SettingKind.SWITCH, int: SettingKind.INTEGER, float: SettingKind.NUMBER, list: SettingKind.LIST}
    return kinds.get(type(value), SettingKind.TEXT)


def excluded(config: Mapping[str, Any]) -> dict[str, str]:
    """Name the keys a backup can't bring back."""
    reasons = {}
    for key, value in config.items():
        known = descriptions().get(key)
        if value == MASKED:
            reasons[key] = (known.not_restored if known else "") or "The charger never tells this value."
        elif known is not None and known.one_way:
            reasons[key] = known.not_restored
    return reasons


def typed(key: str, text: str, present: Any) -> Any:
    """Return the JSON value for a key, of the type it has now. Raises ValueRejected."""
    known = descriptions().get(key)
    try:
        if isinstance(present, bool):
            return {"true": True, "false": False}[text]
        if isinstance(present, int):
            return _in_range(key, int(text), known)
        if isinstance(present, float):
            return _in_range(key, float(text), known)
        return json.loads(text) if isinstance(present, list | dict) else text
    except (ValueError, KeyError) as error:
        raise ValueRejected(f"“{text}” is not a value “{key}” can have.", "Correct the value.") from error


def _in_range(key: str, number: float, known: described.Description | None) -> float:
    low = known.minimum if known and known.minimum is not None else -math.inf
    high = known.maximum if known and known.maximum is not None else math.inf
    if not low <= number <= high:
        raise ValueRejected(f"“{key}” takes {low:g} to {high:g}.", "Correct the value.")
    return number
