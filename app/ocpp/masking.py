"""Keep secrets out of published frames: what a frame carries as a password is masked before anybody sees it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.model.masking import mask_secrets
from app.model.secret import MASK, Secret

MIN_SECRET = 6
"""Shorter known secrets are not searched for in texts: they would mask half of everything."""

_SECRET_KEY = re.compile(
    r"authori[sz]ationkey|password|passwd|passphrase|secret|\APW-|psk|simpin|pin\Z|(?:_|[a-z])pass\Z", re.IGNORECASE
)
_NAME = re.compile(r'"key"\s*:\s*"([^"\\]{1,100})"', re.IGNORECASE)


def is_secret_key(key: str) -> bool:
    """Say whether a configuration key holds a password by its name (``AuthorizationKey``, ``evb_APNPass`` …)."""
    return _SECRET_KEY.search(key) is not None


def masked_request(text: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return a CALL's text as it may be shown: the value of a secret key is masked."""
    key = payload.get("key")
    if action != "ChangeConfiguration" or not isinstance(key, str) or not is_secret_key(key):
        return text
    return mask_secrets(text, (key,))


def masked_answer(text: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return a CALLRESULT's text as it may be shown: values of secret keys in a GetConfiguration answer are masked."""
    entries = payload.get("configurationKey")
    if action != "GetConfiguration" or not isinstance(entries, list):
        return text
    names = [str(entry.get("key")) for entry in entries if isinstance(entry, dict) and entry.get("value")]
    secret = [name for name in names if is_secret_key(name)]
    return mask_secrets(text, secret) if secret else text


def masked_loosely(text: str) -> str:
    """Mask secret configuration values in a text that could not be parsed, or that nobody asked for."""
    names = [name for name in _NAME.findall(text) if is_secret_key(name)]
    return mask_secrets(text, names) if names else text


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
