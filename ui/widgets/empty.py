"""What a list shows when it has nothing: why, and what to do next."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ui import icons
from ui.theme import SPACE_8, SPACE_16, set_role


class Empty(QWidget):
    """A picture, a line, an explanation, and at most one action (``acted``)."""

    acted = Signal()

    def __init__(
        self, title: str, text: str, icon_name: str = "inbox", action: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon = QLabel(self)
        self._title = QLabel(self)
        self._text = QLabel(self)
        self._button = QPushButton(self)
        set_role(self._title, "heading")
        set_role(self._text, "subtle")
        self._text.setWordWrap(True)
        self._text.setMaximumWidth(520)
        self._text.setMinimumWidth(320)
        self._button.clicked.connect(self.acted)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACE_8)
        layout.addStretch(2)
        for widget in (self._icon, self._title, self._text):
            if isinstance(widget, QLabel):
                widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
                widget.setTextFormat(Qt.TextFormat.PlainText)
            if widget is self._text:  # an alignment would cost a wrapped label its height for its width
                row = QHBoxLayout()
                row.addStretch(1)
                row.addWidget(widget, 100)
                row.addStretch(1)
                layout.addLayout(row)
            else:
                layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(SPACE_16)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        self.show_texts(title, text, icon_name, action)

    def show_texts(self, title: str, text: str, icon_name: str = "inbox", action: str = "") -> None:
        """Say something else; an empty ``action`` hides the button."""
        icons.dress(self._icon, icon_name, "border_strong", 48)
        self._title.setText(title)
        self._text.setText(text)
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
