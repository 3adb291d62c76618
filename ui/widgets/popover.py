"""A small panel below a button: a heading, a few words, and a way on."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip


class Popover(QFrame):
    """Shown with ``open_below``; a click elsewhere or Escape puts it away and deletes it."""

    acted = Signal()

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "panel")
        self.setAccessibleName(title)
        self.setFixedWidth(320)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(SPACE_12, SPACE_12, SPACE_12, SPACE_12)
        self._layout.setSpacing(SPACE_8)
        self.add_text(title, "heading")

    def add_text(self, text: str, role: str = "") -> None:
        """Add a paragraph of plain text."""
        label = QLabel(text, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        set_role(label, role)
        self._layout.addWidget(label)

    def add_chip(self, text: str, tone: str) -> None:
        """Add a status."""
        self._layout.addWidget(Chip(text, tone, parent=self), 0, Qt.AlignmentFlag.AlignLeft)

    def add_action(self, text: str) -> None:
        """Add the button that emits ``acted`` and closes."""
        button = QPushButton(text, self)
        button.clicked.connect(self.acted)
        button.clicked.connect(self.close)
        self._layout.addWidget(button)

    def open_below(self, anchor: QWidget) -> None:
        """Show it below a widget, inside the window."""
        self.adjustSize()
        window = anchor.window()
        spot = anchor.mapToGlobal(QPoint(0, anchor.height() + 4))
        right = window.mapToGlobal(QPoint(window.width() - SPACE_8, 0)).x()
        self.move(min(spot.x(), right - self.width()), spot.y())
        self.show()
