"""The list of boxes: name, how each stands, its limits, what is wrong."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui import icons
from ui.models.juice import BOX_FIELDS, UNLISTED, Case, limit_line, row_text, state_line, state_mark, warnings_of
from ui.models.listing import RAW, Listing
from ui.theme import SPACE_4, SPACE_8, SPACE_12, tokens
from ui.widgets.chip import TONE_ICONS
from ui.widgets.listview import ListView

ROW_HEIGHT = 68
WORD_PX, NAME_PX, LINE_PX = 11, 13, 12
LINE = 18


class BoxRow(QStyledItemDelegate):
    """Draws one box: picture in the tone of its state, name, two lines, the worst warning."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the fixed height."""
        return QSize(200, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one row."""
        case = index.data(RAW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(2, 2, -2, -2)
        _ground(painter, option, box)
        mark = state_mark(case)
        picture = "search" if case.key == UNLISTED else TONE_ICONS[mark.tone]
        painter.drawPixmap(box.left() + SPACE_12, box.top() + SPACE_8, icons.pixmap(picture, 18, mark.tone))
        left = box.left() + SPACE_12 + 18 + SPACE_8
        words = QRect(left, box.top() + SPACE_4 + 2, box.right() - left - SPACE_8, LINE)
        _line(painter, words, case.name, "text", NAME_PX, is_bold=True)
        warnings = warnings_of(case)
        below = words.translated(0, LINE + 1)
        width = _badge(painter, below, warnings[0].word, warnings[0].tone) if warnings else 0
        _line(painter, below.adjusted(0, 0, -width, 0), state_line(case), "text", LINE_PX)
        _line(painter, below.translated(0, LINE + 1), limit_line(case), "text2", LINE_PX)
        painter.restore()


def _ground(painter: QPainter, option: QStyleOptionViewItem, box: QRect) -> None:
    look, state = tokens(), option.state
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected or state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("accent_soft" if is_selected else "hover"))
        painter.drawRoundedRect(box, 4, 4)
    if state & QStyle.StateFlag.State_HasFocus:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(look.color("accent"))
        painter.drawRoundedRect(box, 4, 4)


def _font(painter: QPainter, pixels: int, *, is_bold: bool) -> None:
    font = QFont(painter.font())
    font.setPixelSize(pixels)
    font.setWeight(QFont.Weight.DemiBold if is_bold else QFont.Weight.Normal)
    painter.setFont(font)


def _badge(painter: QPainter, spot: QRect, word: str, tone: str) -> int:
    _font(painter, WORD_PX, is_bold=True)
    width = painter.fontMetrics().horizontalAdvance(word)
    pill = QRect(spot.right() - width - 2 * SPACE_8, spot.top(), width + 2 * SPACE_8, LINE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tokens().color(f"{tone}_soft"))
    painter.drawRoundedRect(pill, LINE / 2, LINE / 2)
    painter.setPen(tokens().color(tone))
    painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, word)
    return pill.width() + SPACE_8


def _line(painter: QPainter, spot: QRect, text: str, tone: str, pixels: int, *, is_bold: bool = False) -> None:
    _font(painter, pixels, is_bold=is_bold)
    painter.setPen(tokens().color(tone))
    cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, spot.width())
    painter.drawText(spot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, cut)


class BoxList(QWidget):
    """Search above, boxes below. ``picked`` carries the case under the cursor, or ``None``."""

    picked = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cases: list[Case] = []
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search serial, address, warning …"))
        self.search.setAccessibleName(self.tr("Search boxes"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show)
        self.model: Listing[Case] = Listing(BOX_FIELDS, lambda case: case.key, self)
        self.view = ListView(self.model, self.tr("JuiceBoxes"), self)
        self.view.setItemDelegate(BoxRow(self.view))
        self.view.horizontalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.view.picked.connect(self.picked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, SPACE_4, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.search)
        layout.addWidget(self.view, 1)

    def show_cases(self, cases: list[Case]) -> None:
        """Show these boxes; what is chosen stays chosen."""
        self.cases = cases
        self._show()

    def _show(self) -> None:
        wanted = self.search.text().strip().casefold()
        shown = [case for case in self.cases if not wanted or wanted in f"{row_text(case)} {case.host}".casefold()]
        self.model.show(shown)
        self.search.setVisible(len(self.cases) > 4 or bool(wanted))

    def current(self) -> Case | None:
        """Return the chosen case."""
        found = self.view.current()
        return found if isinstance(found, Case) else None

    def choose(self, key: str) -> bool:
        """Put the cursor on a box; say whether it is listed."""
        return self.view.select_key(key)
