"""Describe settings in plain words: labels, kinds and ranges are product facts and live in ``resources/settings``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from app import resources
from app.errors import ProfileError
from app.model.profile import Grade, Profile
from app.model.setting import Setting, SettingKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a key besides its value."""

    key: str
    label: str
    help: str = ""
    kind: SettingKind = SettingKind.TEXT
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    limit: int | None = None
    choices: tuple[str, ...] = ()
    readonly: bool = False
    secret: bool = False
    needs_restart: bool = False
    one_way: bool = False
    caution: str = ""
    """What must be accepted before it is written: nobody has shown that the charger takes it."""
    not_restored: str = ""
    """Why a backup can't bring this value back; empty = it can."""

    def setting(self, value: str | None, *, is_readable: bool = True) -> Setting:
        """Return the setting with its present value."""
        return Setting(
            key=self.key,
            value=value,
            kind=self.kind,
            label=self.label,
            unit=self.unit,
            minimum=self.minimum,
            maximum=self.maximum,
            limit=self.limit,
            choices=self.choices,
            is_readonly=self.readonly,
            is_secret=self.secret,
            is_readable=is_readable,
            needs_restart=self.needs_restart,
            is_one_way=self.one_way,
            caution=self.caution,
            help=self.help,
        )


TOO_DEEP = "…"
"""Stands for a value nested deeper than any charger's."""


def written(value: Any) -> str:
    """Return a JSON value as the text Rehome keeps; ``null`` is the empty text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return TOO_DEEP


_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "label": str,
    "help": str,
    "kind": str,
    "unit": str,
    "minimum": (int, float),
    "maximum": (int, float),
    "limit": int,
    "choices": list,
    "readonly": bool,
    "secret": bool,
    "needs_restart": bool,
    "one_way": bool,
    "caution": str,
    "not_restored": str,
}


def cautioned(setting: Setting, profile: Profile) -> Setting:
    """Return the setting with the caution of a write that nobody has proved, where its profile names one."""
    doors = (door for door in profile.one_way_doors if door.evidence.grade is Grade.UNVERIFIED)
    text = next((door.text for door in doors if door.guards(setting.key)), "")
    return replace(setting, caution=text) if text and not setting.caution else setting


def load(name: str) -> Mapping[str, Description]:
    """Read ``resources/settings/<name>.toml``: one table per key. Raises ProfileError naming the key."""
    text = resources.path("settings", f"{name}.toml").read_text(encoding="utf-8")
    return parse(tomllib.loads(text), origin=name)


def parse(document: Mapping[str, Any], *, origin: str) -> Mapping[str, Description]:
    """Turn a document into descriptions; raises ProfileError on an unknown field or a wrong type."""
    return {key: _description(origin, key, table) for key, table in document.items()}


def _description(origin: str, key: str, table: Any) -> Description:
    if not isinstance(table, dict) or "label" not in table:
        raise _bad(origin, key, "needs a table with a label")
    for name, value in table.items():
        if name not in _FIELDS:
            raise _bad(origin, key, f"unknown field “{name}”")
        if not isinstance(value, _FIELDS[name]) or (isinstance(value, bool) and _FIELDS[name] is not bool):
            raise _bad(origin, key, f"“{name}” has the wrong type")
    facts = dict(table)
    try:
        facts["kind"] = SettingKind(facts.get("kind", "text"))
    except ValueError as error:
        raise _bad(origin, key, f"unknown kind “{facts['kind']}”") from error
    facts["choices"] = tuple(str(choice) for choice in facts.get("choices", ()))
    return Description(key=key, **facts)


def _bad(origin: str, key: str, what: str) -> ProfileError:
    return ProfileError(
        f"settings/{origin}.toml, {key}: {what}", "Correct the file; docs/profiles.md lists all fields."
    )
