"""Keep secrets out of published frames: what a frame carries as a password is masked before anybody sees it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from app.model.secret import MASK, Secret

MIN_SECRET = 6
"""Shorter known secrets are not searched for in texts: they would mask half of everything."""

_SECRET_KEY = re.compile(
    r"authori[sz]ationkey|password|passwd|passphrase|secret|\APW-|psk|simpin|pin\Z|(?:_|[a-z])pass\Z", re.IGNORECASE
)
_LOOSE = re.compile(
    r'("key"\s*:\s*"[^"]*(?:authori[sz]ationkey|password|secret)[^"]*"[^{}]{0,200}?"value"\s*:\s*")((?:[^"\\]|\\.)*)',
    re.IGNORECASE,
)


def is_secret_key(key: str) -> bool:
    """Say whether a configuration key holds a password by its name (``AuthorizationKey``, ``evb_APNPass`` …)."""
    return _SECRET_KEY.search(key) is not None


def masked_request(text: str, action: str, payload: Mapping[str, Any], uid: Any) -> str:
    """Return a CALL's text as it may be shown: the value of a secret key is masked."""
    key = payload.get("key")
    if action != "ChangeConfiguration" or not isinstance(key, str) or not is_secret_key(key):
        return text
    return orjson.dumps([2, uid, action, {**payload, "value": MASK}]).decode()


def masked_answer(text: str, action: str, payload: Mapping[str, Any], uid: str) -> str:
    """Return a CALLRESULT's text as it may be shown: values of secret keys in a GetConfiguration answer are masked."""
    entries = payload.get("configurationKey")
    if action != "GetConfiguration" or not isinstance(entries, list) or not any(map(_tells, entries)):
        return text
    shown = [{**entry, "value": MASK} if _tells(entry) else entry for entry in entries]
    return orjson.dumps([3, uid, {**payload, "configurationKey": shown}]).decode()


def masked_loosely(text: str) -> str:
    """Mask what looks like a secret configuration value in a text that can't be parsed."""
    return _LOOSE.sub(lambda match: match[1] + MASK, text)


def spellings(secret: Secret | None) -> tuple[str, ...]:
    """List the texts to look for in every frame of a unit whose password is known."""
    if not secret or len(secret.reveal()) < MIN_SECRET:
        return ()
    return tuple(secret.spellings())


def masked_known(text: str, forms: tuple[str, ...]) -> str:
    """Mask a known password wherever it stands."""
    for form in forms:
        if form in text:
            text = text.replace(form, MASK)
    return text


def _tells(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(entry.get("value")) and is_secret_key(str(entry.get("key", "")))
