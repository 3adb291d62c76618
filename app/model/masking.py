"""Mask the secrets inside a frame's JSON, so that it can be shown and exported."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.model.secret import MASK

SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword"})
"""OCPP 1.6 security white paper §3 (AuthorizationKey); OCPP 2.0.1 part 2 SecurityCtrlr.BasicAuthPassword."""

# A text or object that never ends (a frame cut in the middle) ends with the frame.
_TEXT = r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_OBJECT = re.compile(rf"\{{(?:[^{{}}\"]|{_TEXT})*(?:\}}|\Z)")
_NAME = re.compile(rf'"(?:key|name)"\s*:\s*({_TEXT})', re.IGNORECASE)
_VALUE = re.compile(rf'("(?:value|attributeValue)"\s*:\s*)({_TEXT}|[^",\[\]{{}}\s]+)', re.IGNORECASE)
_NESTED = re.compile(rf'("attributeValue"\s*:\s*)({_TEXT})', re.IGNORECASE)


def mask_secrets(text: str, keys: Iterable[str] = ()) -> str:
    """Return the JSON text with the values of secret configuration keys replaced.

    Works on the text itself, so that every other character stays as sent and broken JSON is masked too. ``keys`` adds
    vendor keys (profiles name them). Covers ChangeConfiguration, GetConfiguration.conf, SetVariables and
    GetVariables.conf.
    """
    lowered = text.lower()
    names = SECRET_KEYS | {key.lower() for key in keys} if keys else SECRET_KEYS
    for name in names:
        if name in lowered:
            return _Masker(frozenset(name for name in names if name in lowered)).mask(text)
    return text


class _Masker:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def mask(self, text: str) -> str:
        masked = _OBJECT.sub(self._object, text)
        if "attributeValue" in masked or "attributevalue" in masked.lower():
            masked = self._variables(masked)
        return masked

    def _is_secret(self, text: str) -> bool:
        return any(match[1].strip('"').lower() in self._names for match in _NAME.finditer(text))

    def _object(self, match: re.Match[str]) -> str:
        inner = match[0]
        return _VALUE.sub(_hide, inner) if self._is_secret(inner) else inner

    def _variables(self, text: str) -> str:
        """Hide attribute values between a secret variable's name and its neighbours (OCPP 2.x nests the name)."""
        parts = re.split(r"(?<=\})\s*,\s*(?=\{\s*\"(?:attribute|component|variable))", text)
        hidden = [_NESTED.sub(_hide, part) if self._is_secret(part) else part for part in parts]
        return text if hidden == parts else _rejoin(text, parts, hidden)


def _rejoin(text: str, parts: list[str], hidden: list[str]) -> str:
    """Put the parts back with the very separators they had."""
    result = []
    position = 0
    for part, shown in zip(parts, hidden, strict=True):
        start = text.index(part, position)
        result.append(text[position:start])
        result.append(shown)
        position = start + len(part)
    result.append(text[position:])
    return "".join(result)


def _hide(match: re.Match[str]) -> str:
    return f'{match[1]}"{MASK}"' if match[2] not in ('""', "null") else match[0]
