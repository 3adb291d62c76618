"""A text one wants elsewhere (URL, key, command) with a copy button."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QToolButton, QWidget

from ui import icons
from ui.theme import SPACE_4, set_role

THANKS_MS = 1500
"""How long the button shows that it copied."""


class CopyField(QWidget):
    """A read-only monospace line and a button that puts it on the clipboard."""

    def __init__(self, text: str = "", name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._hidden = ""
        self.field = QLineEdit(self)
        self.field.setReadOnly(True)
        set_role(self.field, "mono")
        self.button = QToolButton(self)
        icons.dress(self.button, "copy", "text2")
        self.button.clicked.connect(self.copy)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(THANKS_MS)
        self._timer.timeout.connect(self._rest)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self.field, 1)
        layout.addWidget(self.button)
        self.show_text(text, name)

    @property
    def text(self) -> str:
        """Return the text to copy."""
        return self._hidden or self.field.text()

    def show_hidden(self, text: str, seen: str) -> None:
        """Copy one text (a password), but show another."""
        self.show_text(seen)
        self._hidden = text

    def show_text(self, text: str, name: str = "") -> None:
        """Show another text; ``name`` says what it is, for screen readers and the tool tip."""
        self._name = name or self._name
        self._hidden = ""
        self.field.setText(text)
        self.field.setCursorPosition(0)
        self.field.setAccessibleName(self._name)
        words = QCoreApplication.translate("copy", "Copy {name}").format(name=self._name).strip()
        self.button.setAccessibleName(words)
        self.button.setToolTip(words)
        self.button.setEnabled(bool(text))

    def copy(self) -> None:
        """Put the text on the clipboard."""
        QGuiApplication.clipboard().setText(self.text)
        icons.dress(self.button, "check", "good")
        self._timer.start()

    def _rest(self) -> None:
        icons.dress(self.button, "copy", "text2")
