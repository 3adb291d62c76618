"""What the window shows when the data can't be opened: why, what to do, and the ways on."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.errors import AppError
from ui import icons
from ui.i18n import translate
from ui.theme import SPACE_8, SPACE_16, SPACE_24, set_role


class OpeningFailed(QWidget):
    """``chosen`` carries ``retry``, ``folder`` or ``quit``."""

    chosen = Signal(str)

    def __init__(self, error: AppError, folder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(error.message)
        card = QFrame(self)
        set_role(card, "card")
        card.setFixedWidth(560)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(SPACE_24, SPACE_24, SPACE_24, SPACE_24)
        inside.setSpacing(SPACE_16)
        picture = QLabel(card)
        icons.dress(picture, "database", "fault", 24)
        inside.addWidget(picture)
        nothing = translate("Nothing was changed in {folder}.").format(folder=folder)
        for text, role in ((error.message, "title"), (error.advice, ""), (nothing, "subtle")):
            label = QLabel(text, card)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            set_role(label, role)
            inside.addWidget(label)
        inside.addLayout(self._buttons(card))
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(card, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)

    def _buttons(self, parent: QWidget) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for key, text, role in (
            ("folder", translate("Use another folder…"), "primary"),
            ("retry", translate("Try again"), ""),
            ("quit", translate("Quit"), ""),
        ):
            button = QPushButton(text, parent)
            button.setObjectName(f"opening-{key}")
            if role:
                set_role(button, role)
            button.clicked.connect(self._clicked)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _clicked(self) -> None:
        self.chosen.emit(self.sender().objectName().removeprefix("opening-"))
