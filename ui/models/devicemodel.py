"""The device model of a 2.x station as a tree: components, their variables, and what differs from an earlier report."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app import resources
from app.diagnosis.stacks import vendor_key
from app.model.secret import MASK
from app.ocpp.devicemodel import Variable
from app.ocpp.masking import is_secret_key
from ui.i18n import worded
from ui.models.plain import tooltip, visible
from ui.models.settings import TONES, WriteState
from ui.theme import theme

Index = QModelIndex | QPersistentModelIndex
ITEM = Qt.ItemDataRole.UserRole + 1
NAME, VALUE, UNIT, LIMITS, ACCESS, RESULT = range(6)
_TITLES = ("Component and variable", "Value", "Unit", "Type and limits", "Access", "Result")
_ACCESS = {"ReadOnly": "read only", "WriteOnly": "write only", "ReadWrite": ""}
_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?\Z")
_NONE = QModelIndex()


@dataclass(slots=True)
class VariableRow:
    """A variable, what it was in the report compared with, and what became of its last edit."""

    variable: Variable
    before: str | None = None
    is_new: bool = False
    state: WriteState = WriteState.NONE
    note: str = ""

    @property
    def key(self) -> str:
        """Return its name in one line."""
        return self.variable.name.text

    @property
    def is_secret(self) -> bool:
        """Say whether its value is a password."""
        return is_secret(self.variable)

    @property
    def is_changed(self) -> bool:
        """Say whether it differs from the report compared with. Masked values never do."""
        value = self.variable.value
        if self.is_new:
            return True
        return (
            self.before is not None and value is not None and MASK not in (self.before, value) and self.before != value
        )


@dataclass(slots=True)
class ComponentRow:
    """A component and those of its variables that pass the filter."""

    name: str
    rows: list[VariableRow] = field(default_factory=list)


def is_secret(variable: Variable) -> bool:
    """Say whether a variable's value is a password."""
    return is_secret_key(variable.name.variable)


def is_editable(variable: Variable) -> bool:
    """Say whether the station lets it be written."""
    return variable.mutability != "ReadOnly"


def shown_value(variable: Variable) -> str:
    """Return the value as a cell shows it."""
    if variable.value is None:
        return worded("can't be read") if variable.mutability == "WriteOnly" else worded("not told")
    return MASK if is_secret(variable) and variable.value else visible(variable.value)


@functools.cache
def _meanings() -> dict[str, str]:
    document = tomllib.loads(resources.path("checks", "ocpp2-variables.toml").read_text("utf-8"))
    return dict(document["variables"])


def meaning(variable: Variable) -> str:
    """Say what a variable is for, by the standard or by what is known of its vendor; empty where nobody says."""
    name, meanings = variable.name, _meanings()
    found = meanings.get(f"{name.component}.{name.variable}") or meanings.get(f"*.{name.variable}", "")
    own = vendor_key(name.text) if not found else None
    return f"{own[0].name}: {own[1].meaning}" if own is not None else found


def details(row: VariableRow) -> list[str]:
    """Return everything there is to say about a variable, line by line."""
    variable = row.variable
    others = [
        f"{item.type}: {MASK if row.is_secret and item.value else visible(item.value or '–', 200)} ({item.mutability})"
        + (worded(", kept over a restart") if item.is_persistent else "")
        + (worded(", never changes") if item.is_constant else "")
        for item in variable.attributes
    ]
    facts = [f"{visible(row.key, 200)} · {limits_text(variable)}", meaning(variable), *others]
    facts += [worded("It can be monitored.")] if variable.is_monitored else []
    return [fact for fact in facts if fact]


def limits_text(variable: Variable) -> str:
    """Describe type and limits."""
    parts = [variable.type]
    if variable.values_list:
        parts.append(", ".join(variable.values_list[:12]) + (" …" if len(variable.values_list) > 12 else ""))
    if variable.min is not None or variable.max is not None:
        low = f"{variable.min:g}" if variable.min is not None else "…"
        parts.append(f"{low} – {variable.max:g}" if variable.max is not None else f"{low} – …")
    if variable.max_length is not None:
        parts.append(worded("at most {count} characters", count=variable.max_length))
    return visible("; ".join(parts), 200)


def problem_of(variable: Variable, text: str) -> str:
    """Say what is wrong with a new value, in words; an empty text = nothing."""
    limit = variable.max_length or 1000
    if len(text) > limit:
        return worded("At most {limit} characters; this has {count}.", limit=limit, count=len(text))
    match variable.type:
        case "boolean":
            return "" if text in ("true", "false") else worded("Must be true or false.")
        case "integer" | "decimal":
            return _number_problem(variable, text)
        case "dateTime":
            return _time_problem(text)
        case "OptionList" if variable.values_list and text not in variable.values_list:
            return worded("One of: {choices}.", choices=", ".join(variable.values_list))
        case "MemberList" | "SequenceList" if variable.values_list:
            wrong = [part for part in text.split(",") if part.strip() and part.strip() not in variable.values_list]
            choices = ", ".join(variable.values_list)
            return (
                worded("Not in the list: {what}. Possible: {choices}.", what=wrong[0], choices=choices) if wrong else ""
            )
    return ""


def _number_problem(variable: Variable, text: str) -> str:
    is_whole = variable.type == "integer"
    if not (_WHOLE if is_whole else _NUMBER).match(text):
        return worded("A whole number.") if is_whole else worded("A number, such as 1.5.")
    if variable.min is not None and float(text) < variable.min:
        return worded("Not below {value}.", value=f"{variable.min:g} {variable.unit}".strip())
    if variable.max is not None and float(text) > variable.max:
        return worded("Not above {value}.", value=f"{variable.max:g} {variable.unit}".strip())
    return ""


def _time_problem(text: str) -> str:
    try:
        is_time = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        is_time = False
    return "" if is_time else worded("A time such as 2026-11-22T16:00:00Z.")


class DeviceModel(QAbstractItemModel):
    """Components and their variables. Edits go out as ``write_asked`` and come back by reading."""

    write_asked = Signal(object, str)
    refused = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._rows: dict[str, VariableRow] = {}
        self._shown: list[ComponentRow] = []
        self._baseline: Mapping[str, str | None] | None = None
        self._text = ""
        self._is_changed_only = False
        self.can_write = False

    # What is shown

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Return every variable as last read."""
        return tuple(row.variable for row in self._rows.values())

    @property
    def shown_count(self) -> int:
        """Count the variables that pass the filter."""
        return sum(len(component.rows) for component in self._shown)

    @property
    def changed_count(self) -> int:
        """Count what differs from the report compared with."""
        return sum(row.is_changed for row in self._rows.values())

    @property
    def missing(self) -> list[str]:
        """Return what the report compared with had and this one has not."""
        return [key for key in self._baseline or () if key not in self._rows]

    def show_variables(self, variables: Sequence[Variable], *, is_part: bool = False) -> None:
        """Show these variables; with ``is_part`` the others stay as they are. Results of edits stay."""
        before = self._rows
        rows = dict(before) if is_part else {}
        for variable in variables:
            old = before.get(variable.name.text)
            row = VariableRow(variable)
            if old is not None:
                row.state, row.note = old.state, old.note
            rows[row.key] = row
        self._rows = rows
        self._arrange()

    def compare(self, baseline: Mapping[str, str | None] | None) -> None:
        """Compare with an earlier report (name → value), or with none."""
        self._baseline = baseline
        self._arrange()

    def show(self, *, text: str | None = None, is_changed_only: bool | None = None) -> None:
        """Change the filter; what is ``None`` stays."""
        self._text = self._text if text is None else text.casefold().strip()
        self._is_changed_only = self._is_changed_only if is_changed_only is None else is_changed_only
        self._arrange()

    def mark(self, key: str, state: WriteState, note: str, variable: Variable | None = None) -> None:
        """Say what became of an edit; ``variable`` is what was read back."""
        row = self._rows.get(key)
        if row is None:
            return
        row.state, row.note = state, note
        row.variable = variable or row.variable
        self._judge(row)
        index = self.index_of(key)
        if index.isValid():
            self.dataChanged.emit(index, index.siblingAtColumn(RESULT))

    def index_of(self, key: str) -> QModelIndex:
        """Return where a variable is shown."""
        for place, component in enumerate(self._shown):
            for row, variable in enumerate(component.rows):
                if variable.key == key:
                    return self.createIndex(row, 0, place + 1)
        return QModelIndex()

    def component_at(self, index: Index) -> str:
        """Return the name of the component at an index; empty at a variable."""
        return self._shown[index.row()].name if index.isValid() and not index.internalId() else ""

    def row_at(self, index: Index) -> VariableRow | None:
        """Return the variable at an index; ``None`` at a component."""
        place = index.internalId()
        return self._shown[place - 1].rows[index.row()] if index.isValid() and place else None

    def _arrange(self) -> None:
        self.beginResetModel()
        found: dict[str, ComponentRow] = {}
        for row in self._rows.values():
            self._judge(row)
            if self._passes(row):
                name = row.variable.name.component_text
                found.setdefault(name, ComponentRow(name)).rows.append(row)
        self._shown = sorted(found.values(), key=lambda component: component.name.casefold())
        self.endResetModel()

    def _judge(self, row: VariableRow) -> None:
        baseline = self._baseline
        row.before = baseline.get(row.key) if baseline is not None else None
        row.is_new = baseline is not None and row.key not in baseline

    def _passes(self, row: VariableRow) -> bool:
        if self._is_changed_only and not row.is_changed and row.state is WriteState.NONE:
            return False
        one = row.variable
        hay = f"{row.key} {shown_value(one)} {one.unit} {one.type} {meaning(one)}".casefold()
        return all(word in hay for word in self._text.split())

    # QAbstractItemModel: a variable's internal id is its component's row plus one, a component's is zero

    def index(self, row: int, column: int, parent: Index = _NONE) -> QModelIndex:
        """Return an index."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, parent.row() + 1 if parent.isValid() else 0)

    def parent(self, index: Index = _NONE) -> Any:
        """Return the component of a variable."""
        place = index.internalId() if index.isValid() else 0
        return self.createIndex(place - 1, 0, 0) if place else QModelIndex()

    def rowCount(self, parent: Index = _NONE) -> int:
        """Count components, or the variables of one."""
        if not parent.isValid():
            return len(self._shown)
        is_component = not parent.internalId() and parent.column() == 0
        return len(self._shown[parent.row()].rows) if is_component else 0

    def columnCount(self, _parent: Index = _NONE) -> int:
        """Count columns."""
        return len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name a column."""
        is_title = orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole
        return worded(_TITLES[section]) if is_title else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Let values be edited where the station takes them."""
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        row = self.row_at(index)
        if row is not None and index.column() == VALUE and self.can_write and is_editable(row.variable):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows."""
        row = self.row_at(index)
        if row is None:
            return self._component_data(index, role)
        if role == ITEM:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cell(row, index.column())
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme().tokens.color(self._tone(row, index.column()))
        if role == Qt.ItemDataRole.BackgroundRole and row.is_changed:
            return theme().tokens.color("attention_soft")
        if role == Qt.ItemDataRole.FontRole and index.column() == VALUE:
            return theme().mono()
        return self._tip(row) if role == Qt.ItemDataRole.ToolTipRole else None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Check a new value and ask for it to be written."""
        row = self.row_at(index)
        if row is None or role != Qt.ItemDataRole.EditRole or (row.is_secret and not value):
            return False
        if str(value) == row.variable.value:
            return False
        if problem := problem_of(row.variable, str(value)):
            self.refused.emit(f"{visible(row.key, 80)}: {problem}")
            return False
        self.write_asked.emit(row.variable, str(value))
        return True

    def _component_data(self, index: Index, role: int) -> Any:
        if not index.isValid() or index.column() != NAME:
            return None
        component = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{visible(component.name, 120)}  ({len(component.rows)})"
        if role == Qt.ItemDataRole.FontRole:
            font = theme().mono()
            font.setFamilies([])
            font.setBold(True)
            return font
        return None

    def _cell(self, row: VariableRow, column: int) -> str:
        variable = row.variable
        match column:
            case 0:
                name = variable.name
                return visible(f"{name.variable}/{name.variable_instance}" if name.variable_instance else name.variable)
            case 1:
                return shown_value(variable)
            case 2:
                return visible(variable.unit, 16)
            case 3:
                return limits_text(variable)
            case 4:
                return worded(_ACCESS[variable.mutability]) if _ACCESS.get(variable.mutability) else ""
        return self._note(row)

    def _note(self, row: VariableRow) -> str:
        was = ""
        if row.is_new:
            was = worded("not there before")
        elif row.is_changed:
            was = worded("was {value}", value=MASK if row.is_secret else visible(row.before or worded("empty"), 120))
        return " · ".join(part for part in (visible(row.note, 200), was) if part)

    def _tone(self, row: VariableRow, column: int) -> str:
        if column == RESULT:
            return "attention" if row.state is WriteState.NONE else TONES[row.state]
        if column in (UNIT, LIMITS, ACCESS) or row.variable.value is None or not is_editable(row.variable):
            return "text2"
        return "text"

    def _tip(self, row: VariableRow) -> str:
        return tooltip("\n".join([*details(row), self._note(row)]).strip(), 1500)
