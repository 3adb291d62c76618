"""A bar through a recording's time: how busy it was, where findings and questions are, where the replay stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QToolTip, QWidget

from ui.models.plain import tooltip
from ui.theme import theme

STEPS = 1_000_000
"""Positions of the slider underneath: what screen readers are told."""

BAR_HEIGHT = 20
MARK_HEIGHT = 12
HEIGHT = BAR_HEIGHT + MARK_HEIGHT + 6
REACH = 5
"""Pixels around a mark in which the mouse means it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something at one time: its words, its tone (``fault``, ``attention``, ``working``), the frame it belongs to."""

    at: datetime
    text: str
    tone: str
    seq: int = 0


class Scrubber(QAbstractSlider):
    """Emits ``moved`` with a part of the whole (0 to 1) when the reader goes somewhere, ``picked`` for a mark."""

    moved = Signal(float)
    picked = Signal(object)
    toggled = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.marks: tuple[Mark, ...] = ()
        self._busy: tuple[float, ...] = ()
        self._start = self._end = datetime.fromtimestamp(0).astimezone()
        self._is_quiet = False
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setRange(0, STEPS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Position in the recording"))
        self.valueChanged.connect(self._changed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Ask for width."""
        return QSize(400, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Stay usable."""
        return QSize(120, HEIGHT)

    def show_span(self, start: datetime, end: datetime, busy: Sequence[float]) -> None:
        """Show a recording: ``busy`` is how much went on, in equal parts of its time, each 0 to 1."""
        self._start, self._end, self._busy = start, end, tuple(busy)
        length = max(0.001, (end - start).total_seconds())
        self.setSingleStep(max(1, min(STEPS // 20, round(STEPS / length))))
        self.setPageStep(max(1, STEPS // 20))
        self.update()

    def show_marks(self, marks: Sequence[Mark]) -> None:
        """Show findings and questions."""
        self.marks = tuple(marks)
        self.update()

    def show_part(self, part: float, words: str) -> None:
        """Show where the replay stands without telling anybody."""
        self._is_quiet = True
        self.setValue(round(part * STEPS))
        self._is_quiet = False
        self.setAccessibleDescription(words)

    def _changed(self, value: int) -> None:
        self.update()
        if not self._is_quiet:
            self.moved.emit(value / STEPS)

    # Painting

    def _x(self, part: float) -> int:
        return 4 + round(part * (self.width() - 9))

    def _part(self, at: datetime) -> float:
        length = (self._end - self._start).total_seconds()
        return min(1.0, max(0.0, (at - self._start).total_seconds() / length)) if length else 0.0

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002
        """Draw the bar, what went on, the marks and the position."""
        look = theme().tokens
        painter = QPainter(self)
        bar = QRect(4, MARK_HEIGHT, self.width() - 8, BAR_HEIGHT)
        painter.fillRect(bar, look.color("surface2"))
        self._paint_busy(painter, bar)
        here = self._x(self.value() / STEPS)
        for mark in self.marks:
            x = self._x(self._part(mark.at))
            painter.fillRect(x - 1, 1, 3, MARK_HEIGHT - 2, look.color(mark.tone))
            painter.fillRect(x, MARK_HEIGHT, 1, BAR_HEIGHT, look.color(mark.tone))
        painter.fillRect(here - 1, MARK_HEIGHT - 4, 3, BAR_HEIGHT + 8, look.color("accent"))
        painter.setPen(look.color("accent" if self.hasFocus() else "border_strong"))
        painter.drawRect(bar.adjusted(0, 0, -1, -1))
        painter.end()

    def _paint_busy(self, painter: QPainter, bar: QRect) -> None:
        look = theme().tokens
        if not self._busy:
            return
        wide = bar.width() / len(self._busy)
        past = self.value() / STEPS * len(self._busy)
        for place, much in enumerate(self._busy):
            if much <= 0:
                continue
            tall = max(2, round(much * (BAR_HEIGHT - 4)))
            left = bar.left() + int(place * wide)
            colour = look.color("accent" if place < past else "border_strong")
            painter.fillRect(left, bar.bottom() - tall, max(1, int(wide)), tall, colour)

    # Mouse and keys

    def mark_at(self, spot: QPoint) -> Mark | None:
        """Return the mark under the mouse."""
        near = [mark for mark in self.marks if abs(self._x(self._part(mark.at)) - spot.x()) <= REACH]
        return min(near, key=lambda mark: abs(self._x(self._part(mark.at)) - spot.x()), default=None)

    def _go(self, x: int) -> None:
        self.setValue(round((x - 4) / max(1, self.width() - 9) * STEPS))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where the mouse is, or to the mark it means."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        spot = event.position().toPoint()
        mark = self.mark_at(spot) if spot.y() < MARK_HEIGHT else None
        if mark is not None:
            self.picked.emit(mark)
            return
        self.setSliderDown(True)
        self._go(spot.x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse while it is pressed."""
        if self.isSliderDown():
            self._go(event.position().toPoint().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: ARG002
        """Let go."""
        self.setSliderDown(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays and pauses; arrows go by a second, Page keys by a twentieth, Home and End to the ends."""
        if event.key() == Qt.Key.Key_Space:
            self.toggled.emit()
            event.accept()
            return
        super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Tell what a mark means, or which time is under the mouse."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            mark = self.mark_at(event.pos())
            part = min(1.0, max(0.0, (event.pos().x() - 4) / max(1, self.width() - 9)))
            at = self._start + timedelta(seconds=(self._end - self._start).total_seconds() * part)
            words = mark.text if mark is not None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
            QToolTip.showText(event.globalPos(), tooltip(words), self)
            return True
        return super().event(event)
