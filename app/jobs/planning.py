"""Reason over planned changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.model.job import ShownChange, UndoLimit
from app.model.setting import Change, Setting, Snapshot


def needed(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that change something, in write order."""
    return tuple(sorted((change for change in changes if change.before != change.after), key=lambda item: item.order))


def after(snapshot: Snapshot, changes: Sequence[Change]) -> Snapshot:
    """Return the snapshot as it will be once the changes are made."""
    values = {change.key: change for change in changes}
    settings = [
        replace(setting, value=values.pop(setting.key).after) if setting.key in values else setting
        for setting in snapshot.settings
    ]
    settings += [Setting(key=key, value=change.after, is_secret=change.is_secret) for key, change in values.items()]
    return replace(snapshot, settings=tuple(settings))


def undo_limits(changes: Iterable[ShownChange], backup: Snapshot | None) -> tuple[UndoLimit, ...]:
    """Name what undo can't bring back of the keys of a plan."""
    found: dict[str, UndoLimit] = {}
    for change in changes:
        reason = _limit(change, backup)
        if reason:
            found.setdefault(change.key, UndoLimit(key=change.key, reason=reason))
    return tuple(found.values())


def _limit(change: ShownChange, backup: Snapshot | None) -> str:
    old = backup.get(change.key) if backup is not None else None
    if change.is_one_way:
        return "The charger lets it be set, but not taken back."
    if backup is not None and change.key in backup.excluded:
        return backup.excluded[change.key]
    if old is None or old.value is None:
        return "Its old value is not known: the charger does not show it."
    return ""
