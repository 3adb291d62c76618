"""A list item with icon, title, subtitle and a status word."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ui import icons
from ui.theme import SPACE_8, SPACE_12, tokens

HEIGHT = 56


class TwoRows(QStyledItemDelegate):
    """Draws from the given roles: subtitle (text), icon (name), badge (word and tone)."""

    def __init__(self, parent: object, *, subtitle_role: int, icon_role: int, badge_role: int) -> None:
        super().__init__(parent)  # type: ignore[arg-type]  # any QObject
        self._roles = (subtitle_role, icon_role, badge_role)

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the fixed height."""
        return QSize(200, HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one item."""
        subtitle, icon_name, badge = (index.data(role) for role in self._roles)
        look = tokens()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = option.rect.adjusted(4, 2, -4, -2)
        self._ground(painter, option, box)
        painter.drawPixmap(box.left() + SPACE_12, box.center().y() - 11, icons.pixmap(icon_name, 22, "text2"))
        left = box.left() + SPACE_12 + 22 + SPACE_12
        width = self._badge(painter, box, badge)
        words = QRect(left, box.top() + 7, box.right() - left - SPACE_8, 20)
        self._line(painter, words, str(index.data()), look.text, QFont.Weight.DemiBold)
        below = QRect(left, box.top() + 28, box.right() - left - width - SPACE_12, 18)
        self._line(painter, below, str(subtitle), look.text2, QFont.Weight.Normal)
        painter.restore()

    def _ground(self, painter: QPainter, option: QStyleOptionViewItem, box: QRect) -> None:
        look, state = tokens(), option.state
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            painter.setBrush(look.color("accent_soft"))
            painter.drawRoundedRect(box, 4, 4)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(look.color("hover"))
            painter.drawRoundedRect(box, 4, 4)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(look.color("accent"))
            painter.drawRoundedRect(box, 4, 4)

    def _badge(self, painter: QPainter, box: QRect, badge: tuple[str, str] | None) -> int:
        if not badge:
            return 0
        word, tone = badge
        font = QFont(painter.font())
        font.setPixelSize(11)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(tokens().color(tone))
        spot = QRect(box.left(), box.top() + 28, box.width() - SPACE_12, 18)
        painter.drawText(spot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, word)
        return painter.fontMetrics().horizontalAdvance(word) + SPACE_8

    def _line(self, painter: QPainter, spot: QRect, text: str, colour: str, weight: QFont.Weight) -> None:
        font = QFont(painter.font())
        font.setPixelSize(13 if weight is QFont.Weight.DemiBold else 12)
        font.setWeight(weight)
        painter.setFont(font)
        painter.setPen(colour)
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, spot.width())
        painter.drawText(spot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, cut)
