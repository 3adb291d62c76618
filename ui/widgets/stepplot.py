"""Two step curves over time, small: what a charger may draw, and what it says it may."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.theme import SPACE_4, SPACE_8, SPACE_24, theme

Steps = Sequence[tuple[float, float]]
"""(start in seconds, value), in order; a value below zero = no limit."""


SOFT = 0.35
"""How opaque the expected curve is."""


def _pen(tone: str, width: float, opacity: float) -> QPen:
    colour = theme().tokens.color(tone)
    colour.setAlphaF(opacity)
    return QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)


class StepPlot(QWidget):
    """``show_steps`` draws the expected curve wide and soft, the told one thin on top of it."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._expected: Steps = ()
        self._told: Steps = ()
        self._duration_s = 1.0
        self._unit = ""
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumHeight(96)

    def show_steps(self, expected: Steps, told: Steps, *, duration_s: float, unit: str, text: str) -> None:
        """Show other curves; ``text`` says the same for screen readers."""
        self._expected, self._told = expected, told
        self._duration_s, self._unit = max(1.0, duration_s), unit
        self.setAccessibleDescription(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Be small."""
        return QSize(320, 110)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw axes, curves and their highest value."""
        look = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(SPACE_24 * 2, SPACE_8, -SPACE_8, -SPACE_24)
        most = max([value for _, value in (*self._expected, *self._told)], default=0.0) * 1.1 or 1.0
        painter.setPen(QPen(look.color("border_strong"), 1))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        painter.drawLine(area.bottomLeft(), area.topLeft())
        painter.setPen(look.color("text2"))
        self._write(painter, area, most)
        for steps, pen in ((self._expected, _pen("working", 6, SOFT)), (self._told, _pen("accent", 2, 1.0))):
            painter.setPen(pen)
            painter.drawPolyline(self._line(steps, area, most))
        painter.end()

    def _write(self, painter: QPainter, area: QRectF, most: float) -> None:
        left = QRectF(0, area.top() - SPACE_8, area.left() - SPACE_4, SPACE_24)
        painter.drawText(
            left, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{most / 1.1:g} {self._unit}"
        )
        minutes = self._duration_s / 60
        below = QRectF(area.left(), area.bottom() + SPACE_4, area.width(), SPACE_24)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{minutes:.0f} min")
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self.tr("now"))
        legend = self.tr("wide: what the limits add up to · thin: what the charger says")
        painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, legend)

    def _line(self, steps: Steps, area: QRectF, most: float) -> QPolygonF:
        points: list[QPointF] = []
        for index, (start, value) in enumerate(steps):
            end = steps[index + 1][0] if index + 1 < len(steps) else self._duration_s
            shown = most if value < 0 else value
            y = area.bottom() - area.height() * min(1.0, shown / most)
            for at in (start, end):
                points.append(QPointF(area.left() + area.width() * min(1.0, at / self._duration_s), y))
        return QPolygonF(points)
