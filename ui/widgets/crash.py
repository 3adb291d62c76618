"""The crash page: a bug happened, the program goes on where it can."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui import icons
from ui.doors import Crash
from ui.i18n import translate
from ui.theme import SPACE_8, SPACE_16, SPACE_24, set_role


class CrashPage(QDialog):
    """What happened, the details to send, and the choice to go on or to quit. Shows one bug; later ones are added."""

    quit_chosen = Signal()

    def __init__(self, crash: Crash, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(translate("Something went wrong"))
        self.setAccessibleName(self.windowTitle())
        self.resize(720, 480)
        self._details = QPlainTextEdit(self)
        self._details.setReadOnly(True)
        self._details.setAccessibleName(translate("Details for support"))
        set_role(self._details, "mono")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_24, SPACE_24, SPACE_16)
        layout.setSpacing(SPACE_16)
        layout.addLayout(self._heading())
        layout.addWidget(self._details, 1)
        layout.addLayout(self._buttons())
        self.add(crash)

    def _heading(self) -> QHBoxLayout:
        picture = QLabel(self)
        icons.dress(picture, "bug", "fault", 24)
        title = QLabel(translate("Rehome made a mistake"), self)
        set_role(title, "heading")
        text = QLabel(
            translate(
                "This is a fault in the program, not in your charger. Jobs are safe: every step is on disk before "
                "it is done. You can go on, but what you just did may be incomplete. Please send support the details."
            ),
            self,
        )
        text.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(SPACE_8)
        words.addWidget(title)
        words.addWidget(text)
        row = QHBoxLayout()
        row.setSpacing(SPACE_16)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        return row

    def _buttons(self) -> QHBoxLayout:
        copy = QPushButton(translate("Copy details"), self)
        icons.dress(copy, "copy")
        copy.clicked.connect(self.copy)
        leave = QPushButton(translate("Quit"), self)
        leave.clicked.connect(self.quit_chosen)
        go_on = QPushButton(translate("Continue"), self)
        set_role(go_on, "primary")
        go_on.setDefault(True)
        go_on.clicked.connect(self.close)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(copy)
        row.addStretch(1)
        row.addWidget(leave)
        row.addWidget(go_on)
        return row

    @property
    def details(self) -> str:
        """Return the text for support."""
        return self._details.toPlainText()

    def add(self, crash: Crash) -> None:
        """Add a bug's details."""
        if self.details:
            self._details.appendPlainText("\n" + "─" * 60 + "\n")
        self._details.appendPlainText(crash.details)

    def copy(self) -> None:
        """Put the details on the clipboard."""
        QGuiApplication.clipboard().setText(self.details)
