"""What a person must accept before it is written: doors that don't open again, and writes nobody has proved. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.model.job import Door, ShownChange
from app.model.profile import Profile
from app.model.setting import Snapshot

NO_BACKUP = Door(
    id="no-backup",
    text="Nothing that is written can be brought back: over this way the charger can be written, but not read. Only "
    "the endpoint will prove what it dials.",
    source="the charger shows no value of its settings",
)


def is_unread(backup: Snapshot | None) -> bool:
    """Say whether a backup holds no value at all: the unit names what can be written, and tells nothing."""
    return backup is not None and not any(setting.is_readable for setting in backup.settings)


def guarding(changes: Iterable[ShownChange], profiles: Iterable[Profile]) -> tuple[Door, ...]:
    """Return the doors these changes lead through, each once."""
    changes = tuple(changes)
    found: dict[str, Door] = {}
    for change in changes:
        if change.is_one_way:
            reason = change.reason or "The charger does not let this be taken back."
            text = f"“{change.key}” can't be undone. {reason}"
            found.setdefault(f"key:{change.key}", Door(id=f"key:{change.key}", text=text, source="driver"))
    for door in (door for profile in profiles for door in profile.one_way_doors):
        if any(door.guards(change.key) for change in changes):
            found.setdefault(door.id, Door(id=door.id, text=door.text, source=door.evidence.source))
    return tuple(found.values())
