"""One line of text that gives way: where there is no room it ends in “…”, and the tool tip has the rest."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from ui.models.plain import tooltip, visible

LEAST_CHARACTERS = 6


class ElidedLabel(QLabel):
    """Shows others' text, never as markup."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        """Show a text; all of it is in the tool tip and for screen readers."""
        self.setText(visible(text))
        self.setToolTip(tooltip(text))

    def minimumSizeHint(self) -> QSize:
        """Ask for a few characters only."""
        least = min(self.sizeHint().width(), self.fontMetrics().averageCharWidth() * LEAST_CHARACTERS)
        return QSize(least, super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        cut = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.contentsRect().width())
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        role = self.foregroundRole()
        self.style().drawItemText(painter, self.contentsRect(), flags, self.palette(), self.isEnabled(), cut, role)
