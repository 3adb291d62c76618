"""A column of widgets that scrolls when it is too tall; wrapped texts get the height they need.

QScrollArea asks its widget only for a minimum size, which ignores height-for-width: rows with wrapped labels beside
them are squashed. Here the content's height is what its layout needs at the width there is.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from ui.theme import set_role


class ScrollColumn(QScrollArea):
    """Fill ``column``; it is the layout of the content."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = QWidget(self)
        set_role(self._content, "scroll")
        self.column = QVBoxLayout(self._content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._content)
        self._content.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Measure again when something inside changed."""
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            self._measure()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Measure again at the new width."""
        super().resizeEvent(event)
        self._measure()

    def _measure(self) -> None:
        width = self.viewport().width()
        column = self.column
        needed = column.totalHeightForWidth(width) if column.hasHeightForWidth() else column.totalMinimumSize().height()
        self._content.setMinimumHeight(max(needed, column.totalMinimumSize().height()))
