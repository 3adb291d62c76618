"""The API's objects of a simulated WARP wallbox, and its strict way with what is sent to them.

Sources: Tinkerforge/esp32-firmware (software/src/config/visitors.h, software/src/modules/ocpp/ocpp.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

LIMITS: Mapping[str, int] = {"url": 128, "identity": 64, "pass": 64, "display_name": 32, "hostname": 32}
"""Longest texts (``Config::Str``)."""

SECRET_FIELDS: Mapping[str, frozenset[str]] = {"ocpp/config": frozenset({"pass"})}
"""Fields that are told as ``null`` once they are set, and as an empty text before."""

KINDS: Mapping[type, str] = {bool: "a boolean", int: "an unsigned integer", str: "a string"}


def objects(name: str, *, has_ocpp: bool, has_certificates: bool, external: int) -> dict[str, Object]:
    """Return what can be written, as it leaves the box."""
    found: dict[str, Object] = {
        "evse/user_enabled": {"enabled": False},
        "evse/auto_start_charging": {"auto_start_charging": True},
        "evse/global_current": {"current": external},
        "evse/external_enabled": {"enabled": False},
        "info/display_name": {"display_name": name},
        "network/config": {"hostname": name, "enable_mdns": True, "web_server_port": 80},
    }
    if has_ocpp:
        config: Object = {"enable": False, "url": "", "identity": name, "enable_auth": False, "pass": ""}
        found["ocpp/config"] = config | ({"cert_id": -1} if has_certificates else {})
        found["evse/ocpp_enabled"] = {"enabled": False}
    return found


def shown(path: str, found: Object) -> Object:
    """Return an object as it is told: secrets that are set are ``null``."""
    hidden = SECRET_FIELDS.get(path, frozenset())
    return {field: None if field in hidden and value else value for field, value in found.items()}


def complaints(present: Object, sent: Any) -> str:
    """Return what is wrong with an update, one line each; empty = nothing. ``null`` keeps a field as it is."""
    if not isinstance(sent, dict):
        return "JSON node was not an object."
    lines = [f"JSON object is missing key '{field}'" for field in present if field not in sent]
    for field, value in sent.items():
        if field not in present:
            lines.append(f"JSON object has unknown key '{field}'.")
        elif value is not None and (wrong := _complaint(field, present[field], value)):
            lines.append(f'["{field}"] {wrong}')
    return "\n".join(lines)


def _complaint(field: str, present: Any, value: Any) -> str:
    if type(value) is not type(present):
        return f"JSON node was not {KINDS[type(present)]}."
    limit = LIMITS.get(field)
    if limit is not None and len(value.encode()) > limit:
        return f"String of maximum length {limit} was expected, but got {len(value.encode())}"
    return ""


def merged(present: Object, sent: Object) -> Object:
    """Return an object after an update."""
    return {field: present[field] if sent[field] is None else sent[field] for field in present}
