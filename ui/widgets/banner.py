"""Messages in the window: what happened, what to do next, and a way to put them away."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from ui import icons
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import TONE_ICONS

MOST_BANNERS = 3
"""Older ones give way: the page below must stay usable."""


class Banner(QFrame):
    """One message. ``acted`` when its button is pressed, ``closed`` when it was put away."""

    acted = Signal()
    closed = Signal()

    def __init__(
        self,
        message: str,
        advice: str = "",
        *,
        tone: str = "attention",
        action: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.message = message
        self.advice = advice
        set_role(self, "banner", tone=tone)
        self.setAccessibleName(message)
        self.setAccessibleDescription(advice)
        picture = QLabel(self)
        icons.dress(picture, TONE_ICONS[tone], tone, 20)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_12)
        layout.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(self._words(message, advice), 1)
        if action:
            button = QPushButton(action, self)
            button.clicked.connect(self.acted)
            layout.addWidget(button)
        layout.addWidget(self._close_button(), 0, Qt.AlignmentFlag.AlignTop)

    def _words(self, message: str, advice: str) -> QVBoxLayout:
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        for text, role in ((message, "strong"), (advice, "")):
            if text:
                label = QLabel(text, self)
                label.setTextFormat(Qt.TextFormat.PlainText)
                label.setWordWrap(True)
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                set_role(label, role)
                words.addWidget(label)
        return words

    def _close_button(self) -> QToolButton:
        button = QToolButton(self)
        set_role(button, "quiet")
        icons.dress(button, "x", "text2")
        words = QCoreApplication.translate("banner", "Dismiss")
        button.setAccessibleName(words)
        button.setToolTip(words)
        button.clicked.connect(self.closed)
        return button


class Banners(QWidget):
    """The message area: newest below, at most ``MOST_BANNERS``; the same message is shown once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, 0)
        self._layout.setSpacing(SPACE_4)
        self._banners: list[Banner] = []
        self.hide()

    @property
    def banners(self) -> list[Banner]:
        """Return the messages shown, oldest first."""
        return list(self._banners)

    def show_message(
        self, message: str, advice: str = "", *, tone: str = "attention", action: str = "", for_s: float = 0
    ) -> Banner:
        """Show a message, for ``for_s`` seconds (0 = until put away); return its banner."""
        for old in self.banners:
            if old.message == message and old.advice == advice and not action:
                return old
        banner = Banner(message, advice, tone=tone, action=action, parent=self)
        banner.closed.connect(self._closed)
        self._banners.append(banner)
        self._layout.addWidget(banner)
        while len(self._banners) > MOST_BANNERS:
            self.remove(self._banners[0])
        if for_s:
            timer = QTimer(banner)
            timer.setSingleShot(True)
            timer.timeout.connect(banner.closed)
            timer.start(round(for_s * 1000))
        self.show()
        return banner

    def remove(self, banner: Banner) -> None:
        """Put a message away. Idempotent."""
        if banner in self._banners:
            self._banners.remove(banner)
            self._layout.removeWidget(banner)
            banner.hide()
            banner.deleteLater()
        if not self._banners:
            self.hide()

    def _closed(self) -> None:
        banner = self.sender()
        if isinstance(banner, Banner):
            self.remove(banner)
