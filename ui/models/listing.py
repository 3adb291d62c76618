"""A small table of values: columns are data, rows are replaced as a whole, the selection stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from ui.models.plain import tooltip
from ui.theme import theme

T = TypeVar("T")
Index = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
RAW = Qt.ItemDataRole.UserRole
"""The role under which a row's value is found."""


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One column: title, text of a row, width in characters; ``tone`` names a theme colour for a row (or nothing)."""

    title: str
    text: Callable[[T], str]
    width: int
    tone: Callable[[T], str] = lambda _: ""
    is_mono: bool = False
    help: str = ""


class Listing(QAbstractTableModel, Generic[T]):
    """Rows of values with a key each."""

    def __init__(self, fields: Sequence[Field[T]], key: Callable[[T], object], parent: QObject) -> None:
        super().__init__(parent)
        self.fields = tuple(fields)
        self.items: list[T] = []
        self._key = key

    def rowCount(self, parent: Index = _NONE) -> int:
        """Count the rows."""
        return 0 if parent.isValid() else len(self.items)

    def columnCount(self, parent: Index = _NONE) -> int:
        """Count the columns."""
        return 0 if parent.isValid() else len(self.fields)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Name a column."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.tr(self.fields[section].title)
        return (self.fields[section].help or None) if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Give a cell's text, colour, font or tooltip."""
        if not 0 <= index.row() < len(self.items):
            return None
        item, field = self.items[index.row()], self.fields[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return field.text(item)
        if role == Qt.ItemDataRole.ForegroundRole and (tone := field.tone(item)):
            return theme().tokens.color(tone)
        if role == Qt.ItemDataRole.FontRole and field.is_mono:
            return theme().mono()
        if role == Qt.ItemDataRole.ToolTipRole:
            return tooltip(field.text(item)) or None
        return item if role == RAW else None

    def at(self, row: int) -> T | None:
        """Return a row's value."""
        return self.items[row] if 0 <= row < len(self.items) else None

    def row_of(self, key: object) -> int | None:
        """Find a row by its key."""
        return next((row for row, item in enumerate(self.items) if self._key(item) == key), None)

    def show(self, items: Sequence[T]) -> None:
        """Show these rows. Only what differs is told to the views."""
        keys = [self._key(item) for item in items]
        old = [self._key(item) for item in self.items]
        if keys == old:
            self._change(list(items))
        elif keys[: len(old)] == old:
            self._change(list(items[: len(old)]))
            self.beginInsertRows(_NONE, len(old), len(keys) - 1)
            self.items = list(items)
            self.endInsertRows()
        else:
            self._exchange(list(items), keys)

    def _change(self, items: list[T]) -> None:
        rows = [row for row, (new, old) in enumerate(zip(items, self.items, strict=True)) if new != old]
        self.items = items
        if rows:
            self.dataChanged.emit(self.index(rows[0], 0), self.index(rows[-1], len(self.fields) - 1))

    def _exchange(self, items: list[T], keys: list[object]) -> None:
        """Take rows that came and went: everything else keeps its selection."""
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        wanted = {self._key(self.items[index.row()]): index.row() for index in before if index.isValid()}
        places = {key: row for row, key in enumerate(keys)}
        moved = {old: places.get(key, -1) for key, old in wanted.items()}
        self.items = items
        after = [
            self.createIndex(row, index.column()) if (row := moved.get(index.row(), -1)) >= 0 else QModelIndex()
            for index in before
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()
