"""The time axis and, below it, a strip of states: one lane per connector."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.model.reading import StateChange
from ui.models.plain import tooltip, visible
from ui.theme import SPACE_4, SPACE_8, theme

AXIS_HEIGHT = 20
LANE_HEIGHT = 26
LANE_LIMIT = 8
CHANGE_LIMIT = 2000
"""Changes kept per connector; a flapping charger must not fill the memory."""

TONES = {
    "Available": "good",
    "Preparing": "working",
    "Charging": "accent",
    "SuspendedEV": "attention",
    "SuspendedEVSE": "attention",
    "Finishing": "working",
    "Reserved": "working",
    "Unavailable": "idle",
    "Faulted": "fault",
}
"""The theme's tone for each ChargePointStatus (OCPP 1.6 §7.7)."""

TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
TICK_ROOM = 90
"""Least pixels between two times."""


class StateTimeline(QWidget):
    """Coloured spans with the state's word in them; the tool tip tells since when."""

    def __init__(self, parent: QWidget | None = None, *, margin: int = 0) -> None:
        super().__init__(parent)
        self._margin = margin
        self._lanes: dict[int, list[StateChange]] = {}
        self._from = 0.0
        self._until = 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("State over time"))
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """Leave room for every lane."""
        return QSize(300, AXIS_HEIGHT + len(self._lanes) * LANE_HEIGHT)

    def add(self, changes: Iterable[StateChange]) -> None:
        """Take state changes in the order in which they happened."""
        count = len(self._lanes)
        for change in changes:
            if change.connector not in self._lanes and len(self._lanes) >= LANE_LIMIT:
                continue
            lane = self._lanes.setdefault(change.connector, [])
            if lane and (lane[-1].state == change.state or change.at < lane[-1].at):
                continue
            lane.append(change)
            del lane[:-CHANGE_LIMIT]
        if len(self._lanes) != count:
            self.updateGeometry()
        words = [f"connector {key}: {visible(lane[-1].state, 40)}" for key, lane in sorted(self._lanes.items())]
        self.setAccessibleDescription(", ".join(words))
        self.update()

    def clear(self) -> None:
        """Forget everything."""
        self._lanes.clear()
        self.update()

    def show_span(self, since: float, until: float) -> None:
        """Show this span (seconds since 1970), the same as the plots above."""
        self._from, self._until = since, max(until, since + 0.001)
        self.update()

    def state_at(self, connector: int, moment: float) -> StateChange | None:
        """Return the state in force at a time."""
        lane = self._lanes.get(connector, [])
        place = bisect_right(lane, moment, key=lambda change: change.at.timestamp()) - 1
        return lane[place] if place >= 0 else None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw all lanes."""
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(12)
        painter.setFont(font)
        self._times(painter)
        for place, (connector, lane) in enumerate(sorted(self._lanes.items())):
            top = AXIS_HEIGHT + place * LANE_HEIGHT
            painter.setPen(theme().tokens.color("text2"))
            label = QRect(0, top, self._margin - SPACE_4, LANE_HEIGHT)
            painter.drawText(label, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, f"#{connector}")
            painter.setClipRect(QRect(self._margin, 0, self.width() - self._margin, self.height()))
            self._lane(painter, top, lane)
            painter.setClipping(False)
        event.accept()

    def _times(self, painter: QPainter) -> None:
        look, width = theme().tokens, max(1, self.width() - self._margin)
        room_s = (self._until - self._from) / width * TICK_ROOM
        step = next((step for step in TICK_STEPS_S if step >= room_s), TICK_STEPS_S[-1])
        offset = datetime.fromtimestamp(self._from, UTC).astimezone().utcoffset()
        shift = offset.total_seconds() if offset is not None else 0.0
        moment = math.ceil((self._from + shift) / step) * step - shift
        painter.setPen(look.color("text2"))
        painter.drawLine(self._margin, 0, self.width(), 0)
        while moment <= self._until:
            at, x = datetime.fromtimestamp(moment, UTC).astimezone(), self._x(moment)
            text = at.strftime("%H:%M:%S" if step < 60 else "%H:%M" if step < 86400 else "%d %b")
            painter.drawLine(x, 0, x, 4)
            painter.drawText(QRect(x - 40, 4, 80, AXIS_HEIGHT - 4), Qt.AlignmentFlag.AlignCenter, text)
            moment += step

    def _lane(self, painter: QPainter, top: int, lane: list[StateChange]) -> None:
        first = max(0, bisect_right(lane, self._from, key=lambda change: change.at.timestamp()) - 1)
        now = datetime.now(UTC).timestamp()
        for place in range(first, len(lane)):
            start = lane[place].at.timestamp()
            if start > self._until:
                break
            end = lane[place + 1].at.timestamp() if place + 1 < len(lane) else min(now, self._until)
            self._span(painter, top, self._x(start), self._x(end), lane[place].state)

    def _span(self, painter: QPainter, top: int, left: int, right: int, state: str) -> None:
        left, right = max(left, self._margin), min(right, self.width())
        if right <= left:
            return
        look, tone = theme().tokens, TONES.get(state, "idle")
        box = QRect(left, top + 2, max(2, right - left), LANE_HEIGHT - 4)
        painter.fillRect(box, look.color(f"{tone}_soft"))
        painter.fillRect(QRect(left, box.top(), 2, box.height()), look.color(tone))
        word = painter.fontMetrics().elidedText(visible(state, 40), Qt.TextElideMode.ElideRight, box.width() - SPACE_8)
        painter.setPen(look.color(tone))
        painter.drawText(box.adjusted(6, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, word)

    def _x(self, moment: float) -> int:
        share = (moment - self._from) / (self._until - self._from)
        width = self.width() - self._margin
        return self._margin + round(max(-0.1, min(1.1, share)) * width)

    def event(self, event: QEvent) -> bool:
        """Tell state, time and error below the mouse."""
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            self._tell(event)
            return True
        return super().event(event)

    def _tell(self, event: QHelpEvent) -> None:
        lanes = sorted(self._lanes)
        place = (event.pos().y() - AXIS_HEIGHT) // LANE_HEIGHT
        width = max(1, self.width() - self._margin)
        moment = self._from + (event.pos().x() - self._margin) / width * (self._until - self._from)
        change = self.state_at(lanes[place], moment) if 0 <= place < len(lanes) else None
        if change is None:
            QToolTip.hideText()
            return
        since = change.at.astimezone().strftime("%H:%M:%S")
        parts = [f"{change.state} since {since}", change.error, change.detail]
        QToolTip.showText(event.globalPos(), tooltip("\n".join(part for part in parts if part)), self)
