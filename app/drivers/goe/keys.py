"""The flat set of keys: as settings, as JSON values, and the identity that stands among them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from app.driver import described
from app.driver.described import written
from app.driver.web import text_of
from app.errors import ValueRejected
from app.model.profile import Profile
from app.model.setting import Setting, SettingKind
from app.model.unit import Claim, ClaimKind, Identity, claim

IDENTITY_KEYS = ("sse", "typ", "oem", "fwv", "var", "fna")

SECRET_KEYS = ("ocppck", "cak", "wak", "wifis", "mcu", "mqck", "dll", "data", "pco")
"""Keys whose values are passwords, keys, or addresses with a token in them: never in a recording."""


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key a person may set."""
    return described.load("goe")


def version_of(firmware: str) -> tuple[int, int]:
    """Read ``054.7``, ``59.4`` or ``60.4-beta``; what is no version is (0, 0)."""
    found = re.match(r"v?(\d{1,4})(?:\.(\d{1,4}))?", firmware)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def identity_of(values: Mapping[str, Any], profile: Profile, vendor: str) -> Identity:
    """Return what the keys say of the unit."""
    serial = text_of(values, "sse")
    found = claim(ClaimKind.SERIAL, serial)
    power_kw = text_of(values, "var", 10)
    return Identity(
        vendor=vendor,
        model=text_of(values, "typ"),
        serial=serial,
        firmware=text_of(values, "fwv"),
        name=text_of(values, "fna"),
        profile_id=profile.id,
        claims=(found,) if isinstance(found, Claim) else (),
        extra={"variant": f"{power_kw} kW"} if power_kw else {},
    )


def setting_of(key: str, value: Any) -> Setting:
    """Return a key as described in ``resources/settings``; of one that is not, only that it can't be written."""
    known = descriptions().get(key) or described.Description(key=key, label=key, readonly=True, kind=_kind(value))
    return known.setting(written(value))


def _kind(value: Any) -> SettingKind:
    kinds = {bool: SettingKind.SWITCH, int: SettingKind.INTEGER, float: SettingKind.NUMBER, list: SettingKind.LIST}
    return kinds.get(type(value), SettingKind.TEXT)


def typed(key: str, text: str, present: Any) -> Any:
    """Return the JSON value for a key, of the type it has now; ``null`` may become anything. Raises ValueRejected."""
    try:
        if isinstance(present, bool):
            return {"true": True, "false": False}[text]
        if isinstance(present, int | float):
            return _number(text) if text else None
        if isinstance(present, list | dict):
            return json.loads(text)
        return _guessed(key, text) if present is None else text
    except (ValueError, KeyError, RecursionError) as error:
        raise ValueRejected(f"“{text}” is not a value “{key}” can have.", "Correct the value.") from error


def _number(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return int(number) if number.is_integer() else number


def _guessed(key: str, text: str) -> Any:
    known = descriptions().get(key)
    if not text:
        return None
    return _number(text) if known is not None and known.kind is SettingKind.INTEGER else text
