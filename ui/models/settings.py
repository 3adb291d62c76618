"""A charger's settings as a table: search, comparison with an earlier state, editing with checks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.model.secret import MASK
from app.model.setting import Setting, SettingKind, Snapshot
from ui.i18n import worded
from ui.models.plain import tooltip, visible

Index = QModelIndex | QPersistentModelIndex
SETTING_ROLE = Qt.ItemDataRole.UserRole + 1
STATE_ROLE = Qt.ItemDataRole.UserRole + 2

NAME, VALUE, UNIT, NOTE, KEY = range(5)
_TITLES = ("Setting", "Value", "Unit", "Result", "Key")
SWITCH_WORDS = {"true": "On", "false": "Off"}


class WriteState(Enum):
    """What became of an edit."""

    NONE = "none"
    WRITING = "writing"
    PROVED = "proved"
    UNSURE = "unsure"
    FAILED = "failed"


TONES = {
    WriteState.NONE: "text2",
    WriteState.WRITING: "working",
    WriteState.PROVED: "good",
    WriteState.UNSURE: "attention",
    WriteState.FAILED: "fault",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting with the result of its last edit and what it was in the state compared with."""

    setting: Setting
    state: WriteState = WriteState.NONE
    note: str = ""
    before: str | None = None
    is_new: bool = False
    """The state compared with did not have this key."""
    can_undo: bool = False
    """The last edit's old value can be written back."""

    @property
    def is_changed(self) -> bool:
        """Say whether it differs from the state compared with. Masked or unreadable values never do."""
        setting = self.setting
        if self.is_new:
            return True
        if self.before is None or setting.value is None or MASK in (self.before, setting.value):
            return False
        return self.before != setting.value


def problem_of(setting: Setting, text: str) -> str:
    """Say what is wrong with a new value, in words; an empty text = nothing."""
    if setting.limit is not None and len(text) > setting.limit:
        return worded("At most {limit} characters; this has {count}.", limit=setting.limit, count=len(text))
    if any(ord(char) < 32 for char in text):
        return worded("Control characters are not allowed.")
    if setting.kind is SettingKind.CHOICE and setting.choices and text not in setting.choices:
        return worded("One of: {choices}.", choices=", ".join(setting.choices))
    if setting.kind is SettingKind.SWITCH and text not in SWITCH_WORDS:
        return worded("On or off.")
    if setting.kind in (SettingKind.INTEGER, SettingKind.NUMBER):
        return _number_problem(setting, text)
    return ""


_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?\Z")


def _number_problem(setting: Setting, text: str) -> str:
    is_whole = setting.kind is SettingKind.INTEGER
    # Python's own reading is too kind: it takes blanks, underscores and the digits of every script.
    if not (_WHOLE if is_whole else _NUMBER).match(text):
        return worded("A whole number.") if is_whole else worded("A number, such as 1.5.")
    value = float(text)
    unit = f" {setting.unit}" if setting.unit else ""
    if setting.minimum is not None and value < setting.minimum:
        return worded("Not below {value}.", value=f"{setting.minimum:g}{unit}")
    if setting.maximum is not None and value > setting.maximum:
        return worded("Not above {value}.", value=f"{setting.maximum:g}{unit}")
    return ""


def shown_value(setting: Setting) -> str:
    """Return the value as a cell shows it."""
    if not setting.is_readable:
        return "can't be read"
    if setting.value is None:
        return "not told"
    if setting.kind is SettingKind.SWITCH:
        return SWITCH_WORDS.get(setting.value, visible(setting.value))
    return visible(setting.shown)


def export_json(snapshot: Snapshot, *, charger: str) -> str:
    """Return the settings as JSON; secrets are masked."""
    document = {
        "charger": charger,
        "taken_at": snapshot.taken_at.isoformat(),
        "settings": {
            setting.key: setting.shown if setting.value is not None else None for setting in snapshot.settings
        },
        "cannot_be_restored": dict(snapshot.excluded),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


class SettingsModel(QAbstractTableModel):
    """All settings of one charger. Edits are not stored: they go out as ``write_asked`` and come back by reading."""

    write_asked = Signal(object, str)
    """A Setting and its new, checked value."""
    refused = Signal(str)
    """An edit did not pass the check: what is wrong."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._snapshot: Snapshot | None = None
        self._baseline: Snapshot | None = None
        self._edits: dict[str, tuple[WriteState, str]] = {}
        self._undoable: set[str] = set()
        self._rows: list[SettingRow] = []
        self._text = ""
        self._is_changed_only = False
        self.can_write = False

    @property
    def snapshot(self) -> Snapshot | None:
        """Return the settings as last read."""
        return self._snapshot

    @property
    def rows(self) -> tuple[SettingRow, ...]:
        """Return the rows that pass the filter."""
        return tuple(self._rows)

    @property
    def changed_count(self) -> int:
        """Count what differs from the state compared with."""
        return sum(row.is_changed for row in self._all())

    @property
    def total(self) -> int:
        """Count all settings."""
        return len(self._snapshot.settings) if self._snapshot else 0

    def show_snapshot(self, snapshot: Snapshot | None) -> None:
        """Show these settings; results of earlier edits stay."""
        self._snapshot = snapshot
        self._arrange()

    def compare(self, baseline: Snapshot | None) -> None:
        """Compare with another state, or with none."""
        self._baseline = baseline
        self._arrange()

    def show(self, *, text: str | None = None, is_changed_only: bool | None = None) -> None:
        """Change the filter; what is ``None`` stays."""
        self._text = self._text if text is None else text.casefold().strip()
        self._is_changed_only = self._is_changed_only if is_changed_only is None else is_changed_only
        self._arrange()

    def forget_edits(self) -> None:
        """Forget the results of edits (another charger is shown)."""
        self._edits.clear()
        self._undoable.clear()
        self._arrange()

    def mark(self, key: str, state: WriteState, note: str = "", *, can_undo: bool = False) -> None:
        """Say what became of an edit, and whether there is a way back."""
        self._edits[key] = (state, note)
        (self._undoable.add if can_undo else self._undoable.discard)(key)
        self._touch(key)

    def replace(self, key: str, value: str | None) -> None:
        """Take one value that was read back."""
        if self._snapshot is None or value is None:
            return
        settings = tuple(replace(item, value=value) if item.key == key else item for item in self._snapshot.settings)
        self._snapshot = replace(self._snapshot, settings=settings)
        self._touch(key)

    def text(self) -> str:
        """Return what is shown as lines of key and value, for the clipboard; secrets are masked."""
        return "\n".join(f"{row.setting.key}\t{shown_value(row.setting)}" for row in self._rows)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count rows."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Count columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return column headings."""
        is_title = orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return _TITLES[section] if is_title and 0 <= section < len(_TITLES) else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let values be edited where the charger takes them."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        row = self._rows[index.row()] if index.isValid() else None
        if row is not None and index.column() == VALUE and self.can_write and not row.setting.is_readonly:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == SETTING_ROLE:
            return row.setting
        if role == STATE_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(row, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == NAME:
            return f"{self._cell(row, NAME)}: {self._cell(row, VALUE)} {row.setting.unit}. {self._cell(row, NOTE)}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Check a new value and ask for it to be written."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        setting, text = self._rows[index.row()].setting, str(value)
        if setting.is_secret and (not text or text == MASK):
            return False
        if text == setting.value:
            return False
        problem = problem_of(setting, text)
        if problem:
            self.mark(setting.key, WriteState.FAILED, problem)
            self.refused.emit(problem)
            return False
        self.write_asked.emit(setting, text)
        return True

    def _cell(self, row: SettingRow, column: int) -> str:
        setting = row.setting
        match column:
            case 0:
                return visible(setting.label or setting.key, 120)
            case 1:
                return shown_value(setting)
            case 2:
                return setting.unit
            case 3:
                return self._note(row)
        return visible(setting.key, 120)

    def _note(self, row: SettingRow) -> str:
        was = ""
        if row.is_new:
            was = worded("not there before")
        elif row.is_changed:
            old = MASK if row.setting.is_secret else row.before or worded("empty")
            was = worded("was {value}", value=visible(old, 120))
        said = row.note or (worded("read only") if row.setting.is_readonly and not was else "")
        return " · ".join(part for part in (visible(said, 200), was) if part)

    def _tip(self, row: SettingRow) -> str:
        setting = row.setting
        facts = (
            setting.help,
            worded("Needs a restart to take effect: {key}", key=setting.key) if setting.needs_restart else "",
            worded("This can't be undone.") if setting.is_one_way else "",
            setting.caution,
            worded("It can be set, but neither read nor restored.") if not setting.is_readable else "",
            worded("Not in a restore: {why}", why=self._excluded[setting.key]) if setting.key in self._excluded else "",
        )
        return tooltip("\n".join(fact for fact in (setting.label, setting.key, *facts) if fact))

    @property
    def _excluded(self) -> Mapping[str, str]:
        return self._snapshot.excluded if self._snapshot else {}

    def _all(self) -> list[SettingRow]:
        settings = self._snapshot.settings if self._snapshot else ()
        return [self._row(setting) for setting in sorted(settings, key=lambda item: item.is_readonly)]

    def _row(self, setting: Setting) -> SettingRow:
        state, note = self._edits.get(setting.key, (WriteState.NONE, ""))
        old = self._baseline.get(setting.key) if self._baseline else None
        is_new = self._baseline is not None and old is None
        return SettingRow(
            setting=setting,
            state=state,
            note=note,
            before=old.value if old else None,
            is_new=is_new,
            can_undo=setting.key in self._undoable,
        )

    def _passes(self, row: SettingRow) -> bool:
        if self._is_changed_only and not row.is_changed and row.state is WriteState.NONE:
            return False
        setting = row.setting
        hay = f"{setting.key}\n{setting.label}\n{shown_value(setting)}\n{setting.help}".casefold()
        return all(word in hay for word in self._text.split())

    def _arrange(self) -> None:
        wanted = [row for row in self._all() if self._passes(row)]
        if [row.setting.key for row in wanted] == [row.setting.key for row in self._rows]:
            self._rows = wanted
            if wanted:
                self.dataChanged.emit(self.index(0, 0), self.index(len(wanted) - 1, len(_TITLES) - 1))
            return
        self.beginResetModel()
        self._rows = wanted
        self.endResetModel()

    def _touch(self, key: str) -> None:
        for place, row in enumerate(self._rows):
            if row.setting.key == key and self._snapshot is not None:
                self._rows[place] = self._row(self._snapshot.get(key) or row.setting)
                self.dataChanged.emit(self.index(place, 0), self.index(place, len(_TITLES) - 1))
