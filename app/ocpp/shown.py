"""Payloads as they may be shown: passwords inside are masked by where they stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from app.model.masking import SECRET_KEYS
from app.model.secret import MASK
from app.ocpp.masking import is_secret_key

DEPTH_LIMIT = 40

SECRET_FIELDS = frozenset({"apnPassword", "simPin", "basicAuthPassword", "password"})
"""Fields of OCPP 2.x that hold a secret wherever they stand (part 2 §2.1 APNType, §2.55 VPNType)."""

_LOGIN = re.compile(r"(?<=://)([^/@\s:]*):([^/\s]+)@")


def masked(value: Any, secret_keys: Collection[str] = frozenset()) -> Any:
    """Return a copy of a payload in which passwords are masked; ``secret_keys`` adds vendor keys."""
    return _masked(value, SECRET_KEYS | {key.lower() for key in secret_keys}, 0)


def has_mask(value: Any) -> bool:
    """Say whether something in a payload is a mask instead of a value."""
    if isinstance(value, Mapping):
        return any(has_mask(item) for item in value.values())
    if isinstance(value, list):
        return any(has_mask(item) for item in value)
    return isinstance(value, str) and MASK in value


def _masked(value: Any, keys: Collection[str], depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        return "…"
    if isinstance(value, Mapping):
        return _masked_object(value, keys, depth)
    if isinstance(value, list):
        return [_masked(item, keys, depth + 1) for item in value]
    return _LOGIN.sub(rf"\1:{MASK}@", value) if isinstance(value, str) else value


def _masked_object(value: Mapping[str, Any], keys: Collection[str], depth: int) -> dict[str, Any]:
    hidden = set(SECRET_FIELDS & value.keys())
    if _is_secret(value.get("key"), keys) or _is_secret(_name(value.get("variable")), keys):
        hidden |= {"value", "attributeValue", "variableAttribute"} & value.keys()
    if "server" in value and "user" in value and "key" in value:  # a VPN's pre-shared key
        hidden.add("key")
    return {
        name: MASK if name in hidden and item not in ("", None) else _masked(item, keys, depth + 1)
        for name, item in value.items()
    }


def _name(variable: object) -> object:
    return variable.get("name") if isinstance(variable, Mapping) else None


def _is_secret(name: object, keys: Collection[str]) -> bool:
    return isinstance(name, str) and (name.lower() in keys or is_secret_key(name))
