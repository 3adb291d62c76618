"""Paint chargers: as cards in a grid, and as rows with chips in a table. One painted button each: the next step."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.model.unit import Health
from ui.icons import pixmap
from ui.models.plain import visible
from ui.models.unit_words import ADOPTION, HEALTH, SOURCES, Words
from ui.models.units import (
    ADOPTION_COLUMN,
    HEALTH_COLUMN,
    NEXT_COLUMN,
    UNIT_ROLE,
    Group,
    UnitRow,
    ago,
    detail_line,
    model_line,
    newest_ways,
    next_step,
    short_address,
    short_title,
    trouble_text,
)
from ui.theme import RADIUS, SPACE_4, SPACE_8, SPACE_12, SPACE_16, TARGET, Tokens, theme

Index = QModelIndex | QPersistentModelIndex

CARD_WIDTH = 308
CARD_HEIGHT = 186
GROUP_HEIGHT = 40
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class UnitDelegate(QStyledItemDelegate):
    """What cards and rows share: chips, fonts, and a painted button that can be pressed."""

    pressed = Signal(str)
    """The next-step button of a charger was clicked (unit id)."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._view = view
        self._down = ""
        view.setMouseTracking(True)

    @property
    def look(self) -> Tokens:
        """Return the tokens in force."""
        return theme().tokens

    def button_rect(self, rect: QRect) -> QRect:
        """Return where the next-step button lies inside an item's rectangle."""
        raise NotImplementedError

    def has_button(self, index: Index) -> bool:
        """Say whether this cell carries the button."""
        raise NotImplementedError

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Press the painted button like a real one: down and up inside it."""
        row = index.data(UNIT_ROLE)
        if not isinstance(event, QMouseEvent) or not isinstance(row, UnitRow) or not self.has_button(index):
            return super().editorEvent(event, model, option, index)
        is_inside = self.button_rect(option.rect).contains(event.position().toPoint())
        if event.type() is QEvent.Type.MouseButtonPress and event.button() is Qt.MouseButton.LeftButton and is_inside:
            self._down = row.key
            self._view.viewport().update()
            return True
        if event.type() is QEvent.Type.MouseButtonRelease and self._down:
            key, self._down = self._down, ""
            self._view.viewport().update()
            if is_inside and key == row.key:
                self.pressed.emit(key)
            return True
        return super().editorEvent(event, model, option, index)

    def is_button_at(self, rect: QRect, index: Index, spot: QPoint) -> bool:
        """Say whether a place of the viewport lies on the button of the item there."""
        is_unit = isinstance(index.data(UNIT_ROLE), UnitRow)
        return is_unit and self.has_button(index) and self.button_rect(rect).contains(spot)

    def is_over_button(self, rect: QRect) -> bool:
        """Say whether the mouse is over the button of an item at ``rect``."""
        spot = self._view.viewport().mapFromGlobal(self._view.cursor().pos())
        return self._view.underMouse() and self.button_rect(rect).contains(spot)

    def font(self, base: QFont, *, pixels: int = 13, is_bold: bool = False) -> QFont:
        """Return the view's font in a size and weight."""
        font = QFont(base)
        font.setPixelSize(pixels)
        font.setWeight(QFont.Weight.DemiBold if is_bold else QFont.Weight.Normal)
        return font

    def text(self, painter: QPainter, rect: QRect, text: str, tone: str = "text") -> int:
        """Draw one line, cut with dots; return its width."""
        metrics = painter.fontMetrics()
        cut = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.setPen(self.look.color(tone))
        painter.drawText(rect, _LEFT | Qt.TextFlag.TextSingleLine, cut)
        return metrics.horizontalAdvance(cut)

    def chip(self, painter: QPainter, left: int, middle: int, words: Words, limit: int) -> int:
        """Draw a chip (icon, word, soft ground); return the x right of it."""
        painter.setFont(self.font(painter.font(), pixels=12, is_bold=True))
        metrics = painter.fontMetrics()
        cut = metrics.elidedText(words.text, Qt.TextElideMode.ElideRight, max(20, limit - 34))
        box = QRect(left, middle - 11, metrics.horizontalAdvance(cut) + 34, 22)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.color(f"{words.tone}_soft"))
        painter.drawRoundedRect(box, 11, 11)
        painter.drawPixmap(box.left() + 8, middle - 7, pixmap(words.icon, 14, words.tone))
        painter.setPen(self.look.color(words.tone))
        painter.drawText(box.adjusted(26, 0, 0, 0), _LEFT, cut)
        return box.right() + SPACE_8

    def button(self, painter: QPainter, rect: QRect, row: UnitRow, *, is_hot: bool) -> None:
        """Draw the next-step button."""
        step, look = next_step(row), self.look
        is_down = self._down == row.key
        if step.is_primary:
            ground, ink, edge = (look.accent_hover if is_hot or is_down else look.accent), "accent_text", look.accent
        else:
            ground, ink, edge = (
                (look.border if is_down else look.hover if is_hot else look.panel),
                "text",
                look.border_strong,
            )
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(rect.adjusted(0, 0, -1, -1), RADIUS, RADIUS)
        painter.setFont(self.font(painter.font(), is_bold=step.is_primary))
        width = min(painter.fontMetrics().horizontalAdvance(step.text), rect.width() - 40)
        left = rect.left() + (rect.width() - width - 24) // 2
        painter.drawPixmap(left, rect.center().y() - 7, pixmap(step.icon, 16, ink))
        self.text(painter, QRect(left + 24, rect.top(), rect.right() - left - 28, rect.height()), step.text, ink)

    def group(self, painter: QPainter, rect: QRect, group: Group) -> None:
        """Draw a heading with its count."""
        painter.setFont(self.font(painter.font(), pixels=15, is_bold=True))
        width = self.text(painter, rect.adjusted(SPACE_8, SPACE_4, 0, 0), group.text)
        painter.setFont(self.font(painter.font()))
        self.text(painter, rect.adjusted(SPACE_8 + width + SPACE_8, SPACE_4, 0, 0), str(group.count), "text2")


class CardDelegate(UnitDelegate):
    """A card per charger, headings over the full width."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002
        """Return the size of a card, or a whole line for a heading."""
        if isinstance(index.data(UNIT_ROLE), Group):
            return QSize(self._room(), GROUP_HEIGHT)
        return QSize(self._card_width() + SPACE_12, CARD_HEIGHT + SPACE_12)

    def _room(self) -> int:
        """Return the width of a line. A list view lays out as if its scroll bar were always there, so do we."""
        bar = self._view.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent, None, self._view)
        return self._view.maximumViewportSize().width() - bar - SPACE_8

    def _card_width(self) -> int:
        """Share the line evenly between as many cards as fit."""
        room = self._room()
        count = max(1, room // (CARD_WIDTH + SPACE_12))
        return max(CARD_WIDTH, room // count - SPACE_12)

    def button_rect(self, rect: QRect) -> QRect:
        """Return the button: bottom left of the card."""
        card = self._card(rect)
        width = min(184, card.width() - 2 * SPACE_16)
        return QRect(card.left() + SPACE_16, card.bottom() - SPACE_12 - TARGET + 1, width, TARGET)

    def has_button(self, index: Index) -> bool:  # noqa: ARG002
        """Every card has one."""
        return True

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw a card or a heading."""
        row = index.data(UNIT_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(option.font)
        if isinstance(row, Group):
            self.group(painter, option.rect, row)
        elif isinstance(row, UnitRow):
            self._ground(painter, option)
            self._head(painter, self._card(option.rect), row)
            self._body(painter, self._card(option.rect), row)
            button = self.button_rect(option.rect)
            self.button(painter, button, row, is_hot=self.is_over_button(option.rect))
        painter.restore()

    def _card(self, rect: QRect) -> QRect:
        return rect.adjusted(SPACE_4, SPACE_4, -SPACE_8, -SPACE_8)

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem) -> None:
        look, card = self.look, self._card(option.rect)
        is_current = bool(option.state & QStyle.StateFlag.State_Selected)
        is_hot = bool(option.state & QStyle.StateFlag.State_MouseOver)
        has_focus = is_current and self._view.hasFocus()
        edge = look.accent if has_focus else look.border_strong if is_current or is_hot else look.border
        painter.setPen(QPen(QColor(edge), 2 if has_focus else 1))
        painter.setBrush(QColor(look.panel))
        painter.drawRoundedRect(card, RADIUS, RADIUS)

    def _head(self, painter: QPainter, card: QRect, row: UnitRow) -> None:
        unit = row.unit
        left, top = card.left() + SPACE_16, card.top() + SPACE_12
        tone = "accent" if unit.is_present else "idle"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.color(f"{tone}_soft"))
        painter.drawRoundedRect(QRect(left, top, 44, 44), RADIUS, RADIUS)
        painter.drawPixmap(left + 10, top + 10, pixmap(row.picture, 24, tone))
        right = card.right() - SPACE_16
        if unit.health is not Health.UNKNOWN:
            words = HEALTH[unit.health]
            painter.drawPixmap(right - 18, top + 1, pixmap(words.icon, 18, words.tone))
            right -= 26
        left += 56
        painter.setFont(self.font(painter.font(), pixels=15, is_bold=True))
        self.text(painter, QRect(left, top - 2, right - left, 22), short_title(unit), "text")
        painter.setFont(self.font(painter.font(), pixels=12))
        below = QRect(left, top + 19, card.right() - SPACE_16 - left, 16)
        self.text(painter, below, model_line(unit) or row.family, "text2")
        self.text(painter, below.translated(0, 16), detail_line(unit), "text2")

    def _body(self, painter: QPainter, card: QRect, row: UnitRow) -> None:
        unit = row.unit
        left, middle = card.left() + SPACE_16, card.top() + 82
        after = self.chip(painter, left, middle, ADOPTION[unit.adoption], card.width() - 2 * SPACE_16)
        painter.setFont(self.font(painter.font()))
        said = visible(unit.state) or trouble_text(unit) if unit.is_present else "not in reach"
        self.text(painter, QRect(after, middle - 10, card.right() - SPACE_16 - after, 20), said, "text2")
        self._where(painter, QRect(left, card.top() + 100, card.width() - 2 * SPACE_16, 24), row)
        step = QRect(self.button_rect(card).right() + SPACE_12, 0, 0, 0)
        if row.job is not None and row.job.step:
            box = QRect(step.left(), card.bottom() - SPACE_12 - TARGET, card.right() - SPACE_16 - step.left(), TARGET)
            painter.setFont(self.font(painter.font(), pixels=12))
            self.text(painter, box, row.job.step, "text2")

    def _where(self, painter: QPainter, rect: QRect, row: UnitRow) -> None:
        now, left = datetime.now(UTC), rect.left()
        painter.setFont(self.font(painter.font(), pixels=12))
        metrics = QFontMetrics(painter.font())
        for way in newest_ways(row.unit):
            words, tone = SOURCES[way.source], "text2" if way.is_present else "border_strong"
            text = f"{short_address(way)} · {ago(way.seen_at, now)}"
            width = 22 + metrics.horizontalAdvance(text)
            if left + 60 > rect.right():
                break
            width = min(width, rect.right() - left)
            painter.drawPixmap(left, rect.center().y() - 6, pixmap(words.icon, 14, tone))
            self.text(painter, QRect(left + 18, rect.top(), width - 18, rect.height()), text, tone)
            left += width + SPACE_12


class RowDelegate(UnitDelegate):
    """A table row per charger: chips for adoption and health, the button in the last column."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002
        """Leave the height to the view."""
        return QSize(0, 40)

    def button_rect(self, rect: QRect) -> QRect:
        """Return the button: the cell with a small margin."""
        return rect.adjusted(SPACE_4, SPACE_4, -SPACE_4, -SPACE_4)

    def has_button(self, index: Index) -> bool:
        """Only the last column has one."""
        return index.column() == NEXT_COLUMN

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        row = index.data(UNIT_ROLE)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font(option.font))
        if isinstance(row, Group):
            if index.column() == 0:
                self.group(painter, option.rect, row)
        elif isinstance(row, UnitRow):
            self._cell(painter, option, index, row)
        painter.restore()

    def _cell(self, painter: QPainter, option: QStyleOptionViewItem, index: Index, row: UnitRow) -> None:
        rect, column = option.rect, index.column()
        if index.row() == self._view.currentIndex().row():
            painter.fillRect(rect, self.look.color("accent_soft"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, self.look.color("hover"))
        middle = rect.center().y()
        if column == NEXT_COLUMN:
            self.button(painter, self.button_rect(rect), row, is_hot=self.is_over_button(rect))
        elif column == ADOPTION_COLUMN:
            self.chip(painter, rect.left() + SPACE_8, middle, ADOPTION[row.unit.adoption], rect.width() - SPACE_12)
        elif column == HEALTH_COLUMN and row.unit.health is not Health.UNKNOWN:
            self.chip(painter, rect.left() + SPACE_8, middle, HEALTH[row.unit.health], rect.width() - SPACE_12)
        else:
            self._plain(painter, rect, index, row)

    def _plain(self, painter: QPainter, rect: QRect, index: Index, row: UnitRow) -> None:
        left = rect.left() + SPACE_8
        tone = "text" if row.unit.is_present else "text2"
        if index.column() == 0:
            painter.drawPixmap(
                left, rect.center().y() - 9, pixmap(row.picture, 20, "accent" if tone == "text" else "idle")
            )
            left += 28
            painter.setFont(self.font(painter.font(), is_bold=True))
        text = "" if index.column() == HEALTH_COLUMN else str(index.data() or "")
        self.text(painter, QRect(left, rect.top(), rect.right() - left - SPACE_4, rect.height()), text, tone)
