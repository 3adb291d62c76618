"""Mask the secrets inside a frame's JSON, so that it can be shown and exported."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from app.model.secret import MASK

SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword"})
"""OCPP 1.6 security white paper §3 (AuthorizationKey); OCPP 2.0.1 part 2 SecurityCtrlr.BasicAuthPassword."""

_SECRET_NAME = re.compile(
    r"authori[sz]ationkey|password|passwd|passphrase|secret|\APW-|psk|simpin|pin\Z|(?:_|[a-z])pass\Z", re.IGNORECASE
)

FEW_KEYS = 64
"""So many keys are looked for one by one before a text is taken apart [OURS]."""

# A text that never ends (a frame cut in the middle) ends with the frame.
_TEXT = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_SCALAR = r'[^"{}\[\],:\s]+'
_TOKEN = re.compile(rf"{_TEXT}|[{{}}\[\]:,]|{_SCALAR}", re.DOTALL)
_NAME = re.compile(rf'"(?:key|name)"\s*+:\s*+({_TEXT})', re.IGNORECASE | re.DOTALL)
_VALUE = re.compile(rf'("(?:value|attributeValue)"\s*+:\s*+)({_TEXT}|{_SCALAR})', re.IGNORECASE | re.DOTALL)
_NAMING = ("key", "name")
_VALUES = ("value", "attributevalue")


def is_secret_key(key: str) -> bool:
    """Say whether a configuration key holds a password by its name (``AuthorizationKey``, ``evb_APNPass`` …)."""
    return _SECRET_NAME.search(key) is not None


def mask_secrets(text: str, keys: Iterable[str] = ()) -> str:
    """Return the JSON text with the values of secret configuration keys replaced.

    Works on the text itself, so that every other character stays as sent and broken JSON is masked too. ``keys`` adds
    vendor keys (profiles name them). Covers ChangeConfiguration, GetConfiguration.conf, SetVariables,
    GetVariables.conf and NotifyReport. Time grows with the text alone, whatever is in it.
    """
    names = SECRET_KEYS | {key.lower() for key in keys} if keys else SECRET_KEYS
    if len(names) <= FEW_KEYS:
        lowered = text.lower()
        for name in names:  # a generator would cost more than the search, for each frame that is stored
            if name in lowered:
                break
        else:
            return text
    return _Masker(names).mask(text)


class _Level:
    """An object or list that is open: the name under which what follows stands, and whether it is about a secret."""

    __slots__ = ("first", "is_list", "is_secret", "name", "under")

    def __init__(self, under: str, first: int, *, is_list: bool) -> None:
        self.under = under
        self.name = under if is_list else ""
        self.first = first
        self.is_list = is_list
        self.is_secret = False


class _Masker:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._levels: list[_Level] = []
        self._values: list[tuple[int, int]] = []
        """Where the values stand of which it is not known yet whether they are secret."""
        self._secret: list[tuple[int, int]] = []
        self._found = 0

    def mask(self, text: str) -> str:
        self._levels = [_Level("", 0, is_list=True)]
        before = ""
        for match in _TOKEN.finditer(text):
            before = self._take(match, before)
        while self._levels:
            self._close()
        masked = _replaced(text, self._secret)
        named = sum(self._is_secret(match[1]) for match in _NAME.finditer(text))
        # Where quotes do not match, objects can't be told apart: better one value too many.
        return masked if named <= self._found else _VALUE.sub(_hide, masked)

    def _take(self, match: re.Match[str], before: str) -> str:
        token, level = match[0], self._levels[-1]
        if token in "{[":
            self._levels.append(_Level(level.name, len(self._values), is_list=token == "["))
        elif token in "}]":
            if len(self._levels) > 1:
                self._close()
        elif token == ":":
            if not level.is_list:
                level.name = _plain(before).lower()
        elif token == ",":
            if not level.is_list:
                level.name = ""
        elif level.name:
            self._read(match, level)
        return token

    def _read(self, match: re.Match[str], level: _Level) -> None:
        if level.name in _VALUES:
            self._values.append(match.span())
        elif level.name in _NAMING and self._is_secret(match[0]):
            self._found += 1
            level.is_secret = True

    def _close(self) -> None:
        """End a level. The name of a 2.x variable stands in an object beside its values."""
        level = self._levels.pop()
        if not level.is_secret:
            return
        if level.under == "variable" and self._levels:
            self._levels[-1].is_secret = True
        self._secret += self._values[level.first :]
        del self._values[level.first :]

    def _is_secret(self, text: str) -> bool:
        return _plain(text).lower() in self._names


def _plain(text: str) -> str:
    if "\\" in text:
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            pass
    return text.strip('"')


def _replaced(text: str, places: list[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in sorted(places):
        if text[start:end] not in ('""', "null"):
            parts += [text[at:start], f'"{MASK}"']
            at = end
    return "".join((*parts, text[at:]))


def _hide(match: re.Match[str]) -> str:
    return f'{match[1]}"{MASK}"' if match[2] not in ('""', "null") else match[0]
