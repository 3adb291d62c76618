"""The list of frames on screen: fixed rows, painted from the row itself, a pill for what came while you read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QFontMetrics, QHelpEvent, QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QAbstractScrollArea,
    QHeaderView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolTip,
    QWidget,
)

from app.model.frame import Direction, FrameKind
from ui.models.frame_rows import COLUMNS, CONTENT, NOTES, Entry, Fold, Row
from ui.models.frames import FrameModel
from ui.models.plain import tooltip
from ui.theme import set_role, theme

ROW_HEIGHT = 26
PADDING = 8
FONT_PX = 13
MONO_PX = 12
"""Sizes of the style sheet's list text and captions; a delegate that paints by itself must know them."""

_FAULTS = (FrameKind.ERROR, FrameKind.BROKEN, FrameKind.RESULT_ERROR)
_SELECTED = QStyle.StateFlag.State_Selected
_HOVER = QStyle.StateFlag.State_MouseOver


class FrameDelegate(QStyledItemDelegate):
    """Paint a cell from its entry: no ``data()`` calls, no style, prepared pens (facts, measured part 4)."""

    def __init__(self, model: FrameModel, parent: QTableView) -> None:
        super().__init__(parent)
        self._model = model
        self._view = parent
        self.pair_seq = -1
        theme().changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Take colours and fonts from the theme."""
        look = theme().tokens
        self._font = self._view.font()
        self._mono = theme().mono()
        self._mono.setPixelSize(MONO_PX)
        self._font.setPixelSize(FONT_PX)
        self._metrics = QFontMetrics(self._font)
        self._mono_metrics = QFontMetrics(self._mono)
        self._text = QPen(look.color("text"))
        self._subtle = QPen(look.color("text2"))
        self._tones = {tone: QPen(look.color(tone)) for tone in ("good", "attention", "fault", "working", "accent")}
        self._line = QPen(look.color("border"))
        self._selected = look.color("accent_soft")
        self._hover = look.color("hover")
        self._pair = look.color("working_soft")
        self._accent = look.color("accent")

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint one cell."""
        entry = self._model.entry(index.row())
        if entry is None:
            return
        column = index.column()
        rect = option.rect
        left, top, width, height = rect.x(), rect.y(), rect.width(), rect.height()
        ground = self._ground(entry, option)
        if ground is not None:
            painter.fillRect(rect, ground)
        if column == 0 and self._view.currentIndex().row() == index.row():
            painter.fillRect(left, top, 3, height, self._accent)
        text = COLUMNS[column].text(entry)
        if not text:
            return
        is_mono = COLUMNS[column].is_mono
        metrics = self._mono_metrics if is_mono else self._metrics
        space = width - 2 * PADDING
        if len(text) * metrics.maxWidth() > space:
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, space)
        painter.setFont(self._mono if is_mono else self._font)
        painter.setPen(self._pen(entry, column))
        start = left + PADDING
        if COLUMNS[column].is_number:
            start = left + width - PADDING - metrics.horizontalAdvance(text)
        painter.drawText(start, top + (height + metrics.ascent() - metrics.descent()) // 2, text)

    def _ground(self, entry: Entry, option: QStyleOptionViewItem) -> QColor | None:
        state = option.state
        if state & _SELECTED:
            return self._selected
        if self.pair_seq >= 0 and entry.seq == self.pair_seq:
            return self._pair
        return self._hover if state & _HOVER else None

    def _pen(self, entry: Entry, column: int) -> QPen:
        if isinstance(entry, Fold):
            return self._subtle
        frame = entry.frame
        if column in (0, 6, 7):
            return self._subtle
        if column == 2:
            return self._tones["accent" if frame.direction is Direction.IN else "working"]
        if column in (3, CONTENT) and frame.kind in _FAULTS:
            return self._tones["fault"]
        if column == NOTES:
            return self._tones["attention"]
        return self._text


class FrameTable(QTableView):
    """The view. Emits what the reader wants; it decides nothing itself."""

    reached_end = Signal()
    left_end = Signal()
    near_top = Signal()
    detail_wanted = Signal()
    pair_wanted = Signal()
    live_wanted = Signal()
    pause_wanted = Signal()
    copy_wanted = Signal()
    picked = Signal(object)
    """The entry under the cursor, or ``None``."""

    EDGE_ROWS: ClassVar[int] = 60

    def __init__(self, model: FrameModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.frames = model
        self.delegate = FrameDelegate(model, self)
        self._is_tailing = False
        self._is_dropping = False
        self.setModel(model)
        self.setItemDelegate(self.delegate)
        self.setAccessibleName(self.tr("Frames"))
        self._prepare()
        self.pill = QPushButton(self)
        self.pill.setObjectName("new-frames")
        set_role(self.pill, "primary")
        self.pill.setAccessibleName(self.tr("Show new frames"))
        self.pill.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.pill.hide()
        self.pill.clicked.connect(self.live_wanted)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.selectionModel().currentRowChanged.connect(self._current_changed)
        self.doubleClicked.connect(self._double_clicked)
        model.modelReset.connect(self._reset)

    def _prepare(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerItem)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setAutoScroll(False)
        rows = self.verticalHeader()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(ROW_HEIGHT)
        rows.setDefaultSectionSize(ROW_HEIGHT)
        rows.hide()
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setMinimumSectionSize(40)
        wide = self.fontMetrics().averageCharWidth() + 1
        for index, column in enumerate(COLUMNS):
            head.resizeSection(index, column.width * wide + 2 * PADDING)
        head.setSectionResizeMode(CONTENT, QHeaderView.ResizeMode.Stretch)

    # Scrolling

    @property
    def is_at_end(self) -> bool:
        """Say whether the last row is in view."""
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum()

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Let the list change below without taking that for the reader's scrolling; stay at the end if it follows."""
        self._is_tailing = True
        try:
            yield
            self.updateGeometries()
            if self.frames.is_following:
                self.scrollToBottom()
        finally:
            self._is_tailing = False

    def tail(self) -> None:
        """Go to the last row."""
        with self.adding():
            pass

    def settle(self) -> None:
        """Lay out what changed now, so that going to a row right after is exact."""
        self._is_tailing = True
        self.updateGeometries()
        self._is_tailing = False

    def keep_place(self, added_above: int) -> None:
        """Hold what the reader sees where it is after rows were put in above."""
        bar = self.verticalScrollBar()
        self._is_tailing = True
        value = bar.value() + added_above
        self.updateGeometries()
        bar.setValue(value)
        self._is_tailing = False

    def _scrolled(self, value: int) -> None:
        if self._is_tailing:
            return
        bar = self.verticalScrollBar()
        if value >= bar.maximum():
            self.reached_end.emit()
        elif self.frames.is_following:
            self.left_end.emit()
        if value - bar.minimum() < self.EDGE_ROWS:
            self.near_top.emit()

    # Selection

    def current_entry(self) -> Entry | None:
        """Return the entry under the cursor."""
        return self.frames.entry(self.currentIndex().row())

    def selected_entries(self, limit: int = 5000) -> list[Entry]:
        """Return the selected entries in the order of the list."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows()[:limit])
        return [entry for row in rows if (entry := self.frames.entry(row)) is not None]

    def select_seq(self, seq: int) -> bool:
        """Put the cursor on a frame and bring it into view; say whether it is in the list."""
        row = self.frames.row_of(seq)
        if row is None:
            return False
        index = self.frames.index(row, 0)
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.selectionModel().setCurrentIndex(index, flags)
        if not self.viewport().rect().contains(self.visualRect(index)):
            self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        return True

    def show_current(self) -> None:
        """Bring the row under the cursor into view, unless the list follows its end."""
        if self.currentIndex().isValid():
            self._is_tailing = True
            self.scrollTo(self.currentIndex(), QAbstractItemView.ScrollHint.EnsureVisible)
            self._is_tailing = False

    def mark_pair(self) -> None:
        """Tint the counterpart of the current row."""
        entry = self.current_entry()
        self.delegate.pair_seq = entry.pair_seq if isinstance(entry, Row) and entry.pair_seq else -1
        self.viewport().update()

    def rowsAboutToBeRemoved(self, parent: QModelIndex | QPersistentModelIndex, start: int, end: int) -> None:
        """Let a row under the cursor go without opening its neighbour: the detail stays with what is read."""
        if start <= self.currentIndex().row() <= end:
            self._is_dropping = True
            self.selectionModel().clear()
            self._is_dropping = False
        super().rowsAboutToBeRemoved(parent, start, end)

    def _current_changed(self) -> None:
        if self._is_dropping:
            return
        self.mark_pair()
        self.picked.emit(self.current_entry())

    def _double_clicked(self) -> None:
        self.detail_wanted.emit()

    def _reset(self) -> None:
        self.delegate.pair_seq = -1
        self.picked.emit(None)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys of the page: Enter detail, Space pause, P pair, G live, Ctrl+C copy; the rest is the list's own."""
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if event.key() == Qt.Key.Key_C and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self.copy_wanted.emit()
            return
        wanted = _KEYS.get(Qt.Key(event.key())) if plain else None
        if wanted is None:
            super().keyPressEvent(event)
            return
        getattr(self, wanted).emit()
        event.accept()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Take the keyboard without putting the cursor on the first row, as item views do: that would open it."""
        QAbstractScrollArea.focusInEvent(self, event)
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        """Show the whole text of a cell as a tooltip, never as markup."""
        if event.type() is not QEvent.Type.ToolTip or not isinstance(event, QHelpEvent):
            return super().viewportEvent(event)
        index = self.indexAt(event.pos())
        entry = self.frames.entry(index.row()) if index.isValid() else None
        text = COLUMNS[index.column()].text(entry) if entry is not None else ""
        QToolTip.showText(event.globalPos(), tooltip(text) if text else "", self.viewport())
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the pill in its place, and the end in view."""
        super().resizeEvent(event)
        if self.frames.is_following:
            self.tail()
        self.place_pill()

    # The pill

    def show_held(self, count: int, is_paused: bool) -> None:
        """Offer the frames that came while the list stood still."""
        if count:
            words = self.tr("Paused · {count} new ↓") if is_paused else self.tr("{count} new ↓")
            self.pill.setText(words.format(count=f"{count:,}"))
            self.place_pill()
        self.pill.setVisible(bool(count))

    def place_pill(self) -> None:
        """Put the pill at the lower edge, in the middle."""
        self.pill.adjustSize()
        area = self.viewport().geometry()
        spot = QPoint(area.center().x() - self.pill.width() // 2, area.bottom() - self.pill.height() - 12)
        self.pill.move(spot)


_KEYS = {
    Qt.Key.Key_Return: "detail_wanted",
    Qt.Key.Key_Enter: "detail_wanted",
    Qt.Key.Key_Space: "pause_wanted",
    Qt.Key.Key_P: "pair_wanted",
    Qt.Key.Key_G: "live_wanted",
}
