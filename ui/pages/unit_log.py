"""Show a charger's own log."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication, QTextOption
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui import icons
from ui.dialogs import shown
from ui.models.plain import visible_lines
from ui.theme import SPACE_8, SPACE_16, set_role

LOG_LIMIT = 262_144
"""Characters shown: what a driver reads at most (``ExportsLog``)."""


class LogDialog(QDialog):
    """The text, a search that jumps from hit to hit, and a copy button."""

    def __init__(self, name: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Log of {name}").format(name=name))
        self.resize(900, 560)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setWordWrapMode(QTextOption.WrapMode.NoWrap)
        self.text.setAccessibleName(self.tr("The charger's log"))
        set_role(self.text, "mono")
        self.text.setPlainText(visible_lines(text[-LOG_LIMIT:]) or self.tr("The log is empty."))
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Find in the log, Enter for the next"))
        self.search.setAccessibleName(self.tr("Find in the log"))
        self.search.returnPressed.connect(self._find)
        copy = QPushButton(self.tr("Copy all"), self)
        copy.setAutoDefault(False)
        icons.dress(copy, "copy")
        copy.clicked.connect(self._copy)
        close = QPushButton(self.tr("Close"), self)
        close.setAutoDefault(False)
        close.clicked.connect(self.accept)
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(self.search, 1)
        line.addWidget(copy)
        line.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_16, SPACE_16, SPACE_16)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.text, 1)
        layout.addLayout(line)

    def _find(self) -> None:
        if not self.text.find(self.search.text()):
            cursor = self.text.textCursor()
            cursor.setPosition(0)
            self.text.setTextCursor(cursor)
            self.text.find(self.search.text())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())


async def show_log(parent: QWidget, name: str, text: str) -> None:
    """Show a log until it is closed."""
    await shown(LogDialog(name, text, parent))
