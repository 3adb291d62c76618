"""The triage as a table: a chip for the verdict, headings that sort, Enter opens the charger."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QAbstractItemView, QFrame, QStyleOptionViewItem, QTableView, QWidget

from ui.models.listing import RAW, Index
from ui.models.triage import COLUMNS, VERDICT_COLUMN, Row, TriageModel, words_of
from ui.theme import SPACE_12
from ui.widgets.unitcard import UnitDelegate

ROW_HEIGHT = 36


class VerdictDelegate(UnitDelegate):
    """Draws the verdict as a chip, everything else as text; there is no button in the rows."""

    def button_rect(self, rect: QRect) -> QRect:  # noqa: ARG002
        """Return nothing."""
        return QRect()

    def has_button(self, index: Index) -> bool:  # noqa: ARG002
        """Say that no cell has one."""
        return False

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        """Cut a charger's name in its middle: chargers of one make differ at the end."""
        super().initStyleOption(option, index)
        if index.column() == 0:
            option.textElideMode = Qt.TextElideMode.ElideMiddle

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        row = index.data(RAW)
        if index.column() != VERDICT_COLUMN or not isinstance(row, Row):
            super().paint(painter, option, index)
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.row() == self._view.currentIndex().row():
            painter.fillRect(option.rect, self.look.color("accent_soft"))
        words = words_of(row.item)
        self.chip(painter, option.rect.left() + 4, option.rect.center().y(), words, option.rect.width() - SPACE_12)
        painter.restore()


class VerdictTable(QTableView):
    """The rows of a ``TriageModel``. ``opened`` with the unit's id on Enter or a double click."""

    chosen = Signal(object)
    """The row the keyboard is on, or ``None``."""
    opened = Signal(str)

    def __init__(self, model: TriageModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows = model
        self.setModel(model)
        self.setAccessibleName(self.tr("Triage of the site"))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setItemDelegate(VerdictDelegate(self))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for place, column in enumerate(COLUMNS):
            self.setColumnWidth(place, column.field.width)
        header.setSortIndicator(VERDICT_COLUMN, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.doubleClicked.connect(self._open)
        self.selectionModel().currentRowChanged.connect(self._changed)

    def select(self, unit_id: str) -> bool:
        """Put the keyboard on a charger's row; say whether it is shown."""
        place = self._rows.row_of(unit_id)
        if place is not None:
            self.setCurrentIndex(self._rows.index(place, 0))
        return place is not None

    def select_first(self) -> None:
        """Give the keyboard a place to start from."""
        if not self.currentIndex().isValid() and self._rows.rowCount():
            self.setCurrentIndex(self._rows.index(0, 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the charger on Enter."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        row = self._rows.at(index.row()) if index.isValid() else None
        if row is not None and not row.item.is_missing:
            self.opened.emit(row.key)

    def _changed(self, index: QModelIndex, _: QModelIndex) -> None:
        self.chosen.emit(self._rows.at(index.row()) if index.isValid() else None)
