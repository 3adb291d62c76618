"""What stands in for a page until it is there: quiet shapes where its parts will be."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from ui.i18n import translate
from ui.theme import RADIUS, SPACE_12, SPACE_16, SPACE_24, set_role, tokens

CARD_WIDTH, CARD_HEIGHT = 300, 168


class Skeleton(QWidget):
    """A page's title and the outline of its cards."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QLabel(title, self)
        set_role(self._title, "title")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_24)
        layout.addWidget(self._title)
        layout.addStretch(1)
        self.show_title(title)

    def show_title(self, title: str) -> None:
        """Stand in for another page."""
        self._title.setText(title)
        self.setAccessibleName(translate("{title} is opening").format(title=title))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the outline of a tool row and of cards."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        look = tokens()
        painter.setBrush(look.color("surface2"))
        top = self._title.geometry().bottom() + SPACE_16
        painter.drawRoundedRect(QRect(SPACE_24, top, min(420, self.width() - 48), 32), RADIUS, RADIUS)
        top += 32 + SPACE_16
        columns = max(1, (self.width() - SPACE_24) // (CARD_WIDTH + SPACE_12))
        for index in range(columns * 2):
            row, column = divmod(index, columns)
            spot = QRect(
                SPACE_24 + column * (CARD_WIDTH + SPACE_12),
                top + row * (CARD_HEIGHT + SPACE_12),
                CARD_WIDTH,
                CARD_HEIGHT,
            )
            painter.drawRoundedRect(spot, RADIUS, RADIUS)
        painter.end()
