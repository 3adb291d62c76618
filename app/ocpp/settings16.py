"""Read an OCPP 1.6 configuration with patience: all at once, in batches, or key by key, as the unit can bear it."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from app import resources
from app.errors import Garbled, LinkLost, NotSupported, Refused, TimedOut, ValueRejected
from app.model.setting import Setting, SettingKind
from app.ocpp import v16
from app.ocpp.host import Habits
from app.ocpp.masking import is_secret_key

MAX_SETTINGS = 2000
BATCH = 10
"""Keys asked at once while GetConfigurationMaxKeys is unknown [OURS]."""
ALL_FACTOR = 3
"""A whole configuration may take so many times as long as a batch of keys [OURS]."""
MAX_SILENCES = 3
"""After so many unanswered questions in a row a unit counts as silent."""


KEY_LIMIT = 50
VALUE_LIMIT = 500
"""ChangeConfiguration.req (OCPP 1.6 §6.9): CiString50 and CiString500."""


def must_fit(key: str, value: str) -> None:
    """Raise ValueRejected where OCPP 1.6 can't carry key or value."""
    if len(key) > KEY_LIMIT or len(value) > VALUE_LIMIT:
        raise ValueRejected(
            f"“{key[:60]}” with {len(value)} characters does not fit into OCPP 1.6 "
            f"({KEY_LIMIT} for the key, {VALUE_LIMIT} for the value).",
            "Use a shorter address or value.",
        )


class Caller(Protocol):
    """Sends a call (``Endpoint.call``)."""

    def __call__(self, action: str, payload: dict[str, Any], *, timeout_s: float) -> Awaitable[dict[str, Any]]:
        """Send it."""
        ...


class Reader:
    """One reading of a unit's configuration. Learns the unit's ``habits`` on the way."""

    def __init__(self, call: Caller, habits: Habits, key_s: float) -> None:
        self._call = call
        self._habits = habits
        self._key_s = key_s
        self._silences = 0

    async def read(self, keys: Sequence[str] = ()) -> tuple[Setting, ...]:
        """Return settings in the order told; of asked ``keys`` those the unit knows.

        Raises LinkLost when the unit hangs up; the next reading then goes key by key (ABB does that). Raises TimedOut
        when it answers nothing at all, NotSupported, and Garbled where the answer holds no configuration.
        """
        if keys:
            found = await self._in_batches(keys)
            wanted = set(keys)
            return tuple(setting for setting in found.values() if setting.key in wanted)
        if not self._habits.chokes_on_all:
            found = await self._all()
            if found:
                return tuple(found.values())
        return tuple((await self._in_batches(tuple(known_keys()))).values())

    async def _all(self) -> dict[str, Setting]:
        try:
            return await self._asked({}, ALL_FACTOR * self._key_s)
        except NotSupported:
            raise
        except LinkLost:
            self._habits.chokes_on_all = True
            raise
        except (TimedOut, Refused):
            self._habits.chokes_on_all = True
            return {}

    async def _in_batches(self, keys: Sequence[str]) -> dict[str, Setting]:
        is_single = self._habits.chokes_on_all or self._habits.single_only
        size = 1 if is_single else self._habits.max_keys or BATCH
        found: dict[str, Setting] = {}
        for start in range(0, len(keys), size):
            found |= await self._batch(keys[start : start + size])
        return found

    async def _batch(self, keys: Sequence[str]) -> dict[str, Setting]:
        try:
            return await self._asked({"key": list(keys)}, self._key_s)
        except NotSupported:
            raise
        except (TimedOut, Refused):
            if self._silences >= MAX_SILENCES:
                raise
            if len(keys) == 1:
                return {}
        self._habits.single_only = True
        found: dict[str, Setting] = {}
        for key in keys:
            found |= await self._batch((key,))
        return found

    async def _asked(self, payload: dict[str, Any], timeout_s: float) -> dict[str, Setting]:
        try:
            answer = await self._call("GetConfiguration", payload, timeout_s=timeout_s)
        except TimedOut:
            self._silences += 1
            raise
        self._silences = 0
        return self._taken(answer)

    def _taken(self, answer: Mapping[str, Any]) -> dict[str, Setting]:
        if not isinstance(answer.get("configurationKey", []), list):
            raise Garbled(
                "The charger's answer to GetConfiguration holds no list of settings.",
                "Note the firmware version and report it to the vendor.",
            )
        found = {setting.key: setting for setting in settings(answer)}
        limit = found.get("GetConfigurationMaxKeys")
        if limit is not None and limit.value:
            self._habits.max_keys = min(max(v16.number(limit.value), 0), 200)
        return found


def settings(answer: Mapping[str, Any]) -> list[Setting]:
    """Turn a GetConfiguration answer into settings; what is no key-value entry is left out."""
    entries = answer.get("configurationKey")
    found = []
    for entry in entries[:MAX_SETTINGS] if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("key"), str) and entry["key"]:
            found.append(_setting(entry))
    return found


@functools.cache
def known_keys() -> dict[str, Mapping[str, Any]]:
    """Return the standard keys of OCPP 1.6 with type, access and help (``resources/checks/ocpp16-keys.toml``)."""
    document = tomllib.loads(resources.path("checks", "ocpp16-keys.toml").read_text("utf-8"))
    return {entry["key"]: entry for entry in document["keys"]}


def _setting(entry: Mapping[str, Any]) -> Setting:
    key = entry["key"][:100]
    known = known_keys().get(key, {})
    value = entry.get("value")
    is_secret = is_secret_key(key)
    shown = None if value is None or (is_secret and not value) else v16.text(value, 4000)
    kind = SettingKind(known.get("kind", "text"))
    if kind is SettingKind.SWITCH and shown is not None:
        shown = shown.lower() if shown.lower() in ("true", "false") else shown
    return Setting(
        key=key,
        value=shown,
        kind=kind,
        label=known.get("label", ""),
        unit=known.get("unit", ""),
        limit=500,
        is_readonly=entry.get("readonly") is True,
        is_secret=is_secret,
        is_readable=not (is_secret and shown is None),
        is_one_way=bool(known.get("one_way", False)),
        help=known.get("help", ""),
    )
