"""A table for a ``Listing``: rows of one height, one selected at a time, sized once."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QAbstractScrollArea, QHeaderView, QTableView, QWidget

from ui.models.listing import Listing
from ui.theme import SPACE_16, theme

ROW_HEIGHT = 32


class ListView(QTableView):
    """``picked`` carries the value of the row under the cursor, or ``None``; ``nothing`` is said while it is empty."""

    picked = Signal(object)

    def __init__(self, model: Listing[Any], name: str, parent: QWidget, *, nothing: str = "") -> None:
        super().__init__(parent)
        self.listing = model
        self.nothing = nothing
        self.setAccessibleDescription(nothing)
        self.setModel(model)
        self.setAccessibleName(name)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        rows = self.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        rows.hide()
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        wide = self.fontMetrics().averageCharWidth() + 1
        for index, field in enumerate(model.fields):
            head.resizeSection(index, field.width * wide + 16)
        head.setStretchLastSection(True)
        self.selectionModel().currentRowChanged.connect(self._current_changed)

    def current(self) -> Any:
        """Return the value of the row under the cursor."""
        return self.listing.at(self.currentIndex().row())

    def select_key(self, key: object) -> bool:
        """Put the cursor on the row with this key; say whether there is one."""
        row = self.listing.row_of(key)
        if row is not None:
            self.selectRow(row)
        return row is not None

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Take the keyboard without putting the cursor on the first row, as item views do: that would open it."""
        QAbstractScrollArea.focusInEvent(self, event)
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Say why there is nothing, where there is nothing."""
        super().paintEvent(event)
        if not self.nothing or self.listing.rowCount():
            return
        place = self.viewport().rect().adjusted(SPACE_16, 0, -SPACE_16, 0)
        painter = QPainter(self.viewport())
        painter.setPen(theme().tokens.color("text2"))
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.nothing)
        painter.end()

    def _current_changed(self) -> None:
        self.picked.emit(self.current())
