"""Filters worth a name: the ones everybody needs, and those the technician keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings

from app.model.frame import Direction, FrameKind
from ui.models.frame_filter import FrameFilter

BUILT_IN: tuple[tuple[str, FrameFilter], ...] = (
    ("Faults", FrameFilter(kinds=frozenset({FrameKind.ERROR, FrameKind.BROKEN, FrameKind.RESULT_ERROR}))),
    ("With findings", FrameFilter(has_notes=True)),
    ("Boot and status", FrameFilter(actions=frozenset({"BootNotification", "StatusNotification"}))),
    (
        "Configuration",
        FrameFilter(
            actions=frozenset(
                {"GetConfiguration", "ChangeConfiguration", "GetVariables", "SetVariables", "Reset", "TriggerMessage"}
            )
        ),
    ),
    (
        "Charging session",
        FrameFilter(
            actions=frozenset(
                {
                    "Authorize",
                    "StartTransaction",
                    "StopTransaction",
                    "MeterValues",
                    "RemoteStartTransaction",
                    "RemoteStopTransaction",
                    "TransactionEvent",
                    "RequestStartTransaction",
                    "RequestStopTransaction",
                }
            )
        ),
    ),
)
MOST_SAVED = 50


class SavedFilters:
    """The technician's own filters, in a small file of the data folder."""

    def __init__(self, file: Path) -> None:
        self._store = QSettings(str(file), QSettings.Format.IniFormat)

    def all(self) -> dict[str, FrameFilter]:
        """Return what is kept, by name; what can't be read is left out."""
        found = {}
        for name in list(self._names())[:MOST_SAVED]:
            if (filter_ := _decode(str(self._store.value(f"filters/{name}", "")))) is not None:
                found[_plain(name)] = filter_
        return found

    def save(self, name: str, filter_: FrameFilter) -> None:
        """Keep a filter under a name."""
        self._store.setValue(f"filters/{_key(name)}", _encode(filter_))
        self._store.sync()

    def remove(self, name: str) -> None:
        """Forget a filter."""
        self._store.remove(f"filters/{_key(name)}")
        self._store.sync()

    def _names(self) -> list[str]:
        self._store.beginGroup("filters")
        names = self._store.childKeys()
        self._store.endGroup()
        return sorted(str(name) for name in names)


def _key(name: str) -> str:
    return name.strip()[:60].encode().hex()


def _plain(key: str) -> str:
    try:
        return bytes.fromhex(key).decode()
    except ValueError:
        return key


def _encode(filter_: FrameFilter) -> str:
    return json.dumps(
        {
            "identities": sorted(filter_.identities),
            "actions": sorted(filter_.actions),
            "directions": [value.value for value in filter_.directions],
            "kinds": [value.value for value in filter_.kinds],
            "notes": sorted(filter_.notes),
            "has_notes": filter_.has_notes,
            "text": filter_.text,
        }
    )


def _decode(text: str) -> FrameFilter | None:
    def values(name: str, kind: Callable[[str], Any]) -> frozenset[Any]:
        return frozenset(kind(str(item)) for item in document.get(name, ()))

    try:
        document = json.loads(text)
        return FrameFilter(
            identities=values("identities", str),
            actions=values("actions", str),
            directions=values("directions", Direction),
            kinds=values("kinds", FrameKind),
            notes=values("notes", str),
            has_notes=bool(document.get("has_notes")),
            text=str(document.get("text", "")),
        )
    except (ValueError, TypeError, AttributeError):
        return None
