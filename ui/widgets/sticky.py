"""Keeps a widget in sight while the column beside it scrolls."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QSize
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QAbstractScrollArea, QSizePolicy, QWidget


class Sticky(QWidget):
    """As tall as its neighbours; ``held`` moves inside it so that it stays below the top edge of the scroll area."""

    def __init__(self, held: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self._held = held
        self._area: QAbstractScrollArea | None = None
        held.setParent(self)
        held.installEventFilter(self)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        """Return the size of what is held."""
        return self._held.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return the size of what is held."""
        return self._held.sizeHint()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take another size of what is held."""
        if watched is self._held and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show, QEvent.Type.Hide):
            self.updateGeometry()
            self._place()
        return super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent) -> None:
        """Follow the scroll area this stands in."""
        super().showEvent(event)
        if self._area is None:
            parent = self.parentWidget()
            while parent is not None and not isinstance(parent, QAbstractScrollArea):
                parent = parent.parentWidget()
            if parent is not None:
                self._area = parent
                parent.verticalScrollBar().valueChanged.connect(self._place)
                parent.verticalScrollBar().rangeChanged.connect(self._place)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place what is held anew."""
        super().resizeEvent(event)
        self._place()

    def _place(self) -> None:
        size = self._held.sizeHint()
        top = 0
        if self._area is not None:
            top = self.mapFrom(self._area.viewport(), QPoint(0, 0)).y() if self._is_inside() else 0
        top = max(0, min(top, self.height() - size.height()))
        self._held.setGeometry(0, top, self.width(), size.height())

    def _is_inside(self) -> bool:
        return self._area is not None and self._area.viewport().isAncestorOf(self)
