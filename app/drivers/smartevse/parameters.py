"""The settings of ``GET /settings``, and how each is sent and echoed."""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from app.driver import described
from app.driver.measuring import at
from app.errors import ValueRejected
from app.model.setting import Setting, SettingKind

MODE = "ocpp_mode"
URL, IDENTITY, KEY = "ocpp_backend_url", "ocpp_cb_id", "ocpp_auth_key"
OCPP: Mapping[str, str] = {
    MODE: "mode",
    URL: "backend_url",
    IDENTITY: "cb_id",
    KEY: "auth_key",
    "ocpp_auto_auth": "auto_auth",
    "ocpp_auto_auth_idtag": "auto_auth_idtag",
}
"""Parameter of the POST → field of ``ocpp``."""
OTHERS: Mapping[str, str] = {"current_min": "current_min", "lcdlock": "lcdlock", "cablelock": "cablelock"}
"""Parameter of the POST → field of ``settings``."""
SHOWN: tuple[tuple[str, ...], ...] = (("evse", "rfidreader"), ("evse", "loadbl"), ("mqtt", "host"), ("mqtt", "status"))

UNTOLD = "The charger tells this only while OCPP is on."
VALUE_LIMIT_BYTES = 2048
"""Longest value of one parameter (network_common.cpp)."""
FIELD_LIMIT = 100
WORDS: Mapping[str, str] = {"Enabled": "true", "Disabled": "false"}


@cache
def descriptions() -> Mapping[str, described.Description]:
    """Return what is known of each key."""
    return described.load("smartevse")


def is_on(found: Mapping[str, Any]) -> bool:
    """Say whether OCPP is switched on: only then does it tell, and take, the rest."""
    return bool(at(found, ("ocpp", "mode")) == "Enabled")


def settings(found: Mapping[str, Any]) -> Iterator[Setting]:
    """Yield the settings this firmware has."""
    for key, field in OCPP.items():
        value = at(found, ("ocpp", field))
        if isinstance(value, str | bool | int):
            is_told = key == MODE or is_on(found)
            yield _described(key).setting(text_of(value, key) if is_told else None, is_readable=is_told)
    plain = found.get("settings")
    for field, value in list(plain.items())[:FIELD_LIMIT] if isinstance(plain, dict) else ():
        key = next((name for name, item in OTHERS.items() if item == field), f"settings.{field}")
        if isinstance(value, str | bool | int | float):
            yield _described(key).setting(text_of(value, key))
    for path in SHOWN:
        value = at(found, path)
        if isinstance(value, str | bool | int):
            yield _described(".".join(path)).setting(text_of(value, ".".join(path)))


def _described(key: str) -> described.Description:
    return descriptions().get(key) or described.Description(key=key, label=key.partition(".")[2] or key, readonly=True)


def text_of(value: Any, key: str) -> str:
    """Return a value as the text Rehome keeps; a switch is ``true`` or ``false`` however the charger spells it."""
    known = descriptions().get(key)
    if known is not None and known.kind is SettingKind.SWITCH:
        return WORDS.get(str(value), "true" if value in (1, True) else "false")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:VALUE_LIMIT_BYTES]


def sent(key: str, text: str) -> str:
    """Return the value of a parameter, unescaped. Raises ValueRejected, naming the limit."""
    known = descriptions()[key]
    if known.kind is SettingKind.SWITCH:
        if text not in ("true", "false"):
            raise ValueRejected(f"“{text}” is not a value “{known.label}” can have.", "Use true or false.")
        return "1" if text == "true" else "0"
    if known.kind is SettingKind.INTEGER:
        return _number(known, text)
    size, limit = len(text.encode()), known.limit or VALUE_LIMIT_BYTES
    if size > limit:
        raise ValueRejected(f"“{known.label}” has {size} bytes; this charger keeps {limit}.", "Use a shorter one.")
    return text


def _number(known: described.Description, text: str) -> str:
    low = known.minimum if known.minimum is not None else -math.inf
    high = known.maximum if known.maximum is not None else math.inf
    if not text.lstrip("-").isdecimal() or not low <= int(text) <= high:
        raise ValueRejected(f"“{known.label}” takes {low:g} to {high:g}.", "Correct the value.")
    return text


def query(key: str, value: str) -> str:
    """Return the request: parameters are read from the query alone."""
    update = "ocpp_update=1&" if key in OCPP else ""
    return f"/settings?{update}{key}={urllib.parse.quote(value, safe='')}"
