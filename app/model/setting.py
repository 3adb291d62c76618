"""One configuration value of any charger, described well enough for one editor and one diff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from app.model.secret import MASK


class SettingKind(Enum):
    """How a setting's text is to be read."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key and its present value (always text; ``None`` = the charger does not tell).

    ``value`` of a switch is ``true`` or ``false``. ``limit`` is the longest text the charger keeps.
    ``is_readable`` is false for write-only secrets: they can be set but neither verified nor restored.
    Its ``repr`` masks a secret: it may end in a log or a crash report.
    """

    key: str
    value: str | None
    kind: SettingKind = SettingKind.TEXT
    label: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    limit: int | None = None
    choices: tuple[str, ...] = ()
    is_readonly: bool = False
    is_secret: bool = False
    is_readable: bool = True
    needs_restart: bool = False
    is_one_way: bool = False
    caution: str = ""
    """What a person must accept before this is written; empty = nothing."""
    help: str = ""

    def __repr__(self) -> str:
        return f"Setting(key={self.key!r}, value={self.shown!r}, kind={self.kind.value!r})"

    @property
    def shown(self) -> str:
        """Return the value as it may be shown and stored."""
        if self.value is None:
            return ""
        return MASK if self.is_secret and self.value else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All settings of a charger at one time: the backup.

    ``excluded`` names keys that can't be restored, with the reason.
    """

    taken_at: datetime
    settings: tuple[Setting, ...]
    excluded: Mapping[str, str] = field(default_factory=dict)

    def get(self, key: str) -> Setting | None:
        """Return the setting of that key, if the charger has it."""
        return next((setting for setting in self.settings if setting.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One planned or made change. ``before``/``after`` are real values; show them through ``shown``.

    ``order`` sorts the writes: lower first; the backend URL always comes last.
    """

    key: str
    before: str | None
    after: str
    is_secret: bool = False
    needs_restart: bool = False
    is_one_way: bool = False
    order: int = 0
    reason: str = ""

    def __repr__(self) -> str:
        before, after = self.shown()
        return f"Change(key={self.key!r}, before={before!r}, after={after!r}, order={self.order})"

    def shown(self) -> tuple[str, str]:
        """Return before and after as they may be shown and stored."""
        if not self.is_secret:
            return self.before or "", self.after
        return (MASK if self.before else ""), (MASK if self.after else "")


def diff(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """List what differs, in the order of ``after``; a value that can't be read on either side is left out."""
    changes = []
    for setting in after.settings:
        old = before.get(setting.key)
        was = old.value if old else None
        if setting.value is None or was == setting.value or (old is not None and not old.is_readable):
            continue
        changes.append(
            Change(
                key=setting.key,
                before=was,
                after=setting.value,
                is_secret=setting.is_secret,
                needs_restart=setting.needs_restart,
                is_one_way=setting.is_one_way,
            )
        )
    return tuple(changes)
