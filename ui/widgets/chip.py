"""A status in a pill: icon, word and colour together, so that it never speaks by colour alone."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from ui import icons
from ui.theme import SPACE_4, set_look, set_role

TONE_ICONS = {
    "good": "circle-check",
    "attention": "triangle-alert",
    "fault": "octagon-x",
    "working": "loader-circle",
    "idle": "circle-dashed",
    "accent": "circle-dot",
}


class Chip(QFrame):
    """A status chip. ``tone`` is good, attention, fault, working, idle or accent."""

    def __init__(self, text: str = "", tone: str = "idle", icon_name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = QLabel(self)
        self._word = QLabel(self)
        self._word.setTextFormat(Qt.TextFormat.PlainText)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 0, 10, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self._icon)
        layout.addWidget(self._word)
        self.setFixedHeight(22)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        set_role(self, "chip", tone=tone)
        self.show_status(text, tone, icon_name)

    @property
    def text(self) -> str:
        """Return the word shown."""
        return self._word.text()

    @property
    def tone(self) -> str:
        """Return the meaning shown."""
        return str(self.property("tone"))

    def show_status(self, text: str, tone: str, icon_name: str = "") -> None:
        """Show another status; without ``icon_name`` the tone's own icon is used."""
        self._word.setText(text)
        self.setAccessibleName(text)
        icons.dress(self._icon, icon_name or TONE_ICONS[tone], tone, 14)
        if tone != self.tone:
            set_look(self, tone=tone)
            for part in (self._icon, self._word):
                part.style().unpolish(part)
                part.style().polish(part)
