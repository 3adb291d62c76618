"""The live tab of a charger: curves and states, loaded when first looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QComboBox, QHBoxLayout, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from app.model.reading import Reading, StateChange
from ui import icons
from ui.theme import SPACE_4, SPACE_8
from ui.widgets.empty import Empty

if TYPE_CHECKING:
    from ui.widgets.plots import Plots

DRAW_MS = 100
KEPT = 60_000
"""Samples kept for the plots until they are first looked at."""

WIDE = 1060
"""From this width on all buttons stand in one line."""

FIRST_SHOWN = ("Power", "Current", "Voltage", "Energy")
"""Panels shown at first; the rest is one click away, because 720 lines hold no more."""

WINDOWS = (("1 minute", 60.0), ("5 minutes", 300.0), ("15 minutes", 900.0), ("1 hour", 3600.0), ("2 hours", 7200.0))


class LiveTab(QWidget):
    """Buttons above, plots below. ``add`` takes samples at any time; drawing happens only while it is seen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.plots: Plots | None = None
        self._waiting: deque[Reading | StateChange] = deque(maxlen=KEPT)
        self._timer = QTimer(self)
        self._timer.setInterval(DRAW_MS)
        self._timer.timeout.connect(self._draw)
        self.empty = Empty(
            self.tr("No readings yet"),
            self.tr("Curves appear as soon as this charger reports current, voltage, power or its signal."),
            "chart-line",
            parent=self,
        )
        self.quantities: dict[str, QToolButton] = {}
        self._chips = QHBoxLayout()
        self._chips.setSpacing(SPACE_4)
        self.window_box = QComboBox(self)
        self.window_box.setAccessibleName(self.tr("Time shown"))
        for text, seconds in WINDOWS:
            self.window_box.addItem(text, seconds)
        self.window_box.setCurrentIndex(1)
        self.window_box.activated.connect(self._window)
        self.follow_button = self._toggle("arrow-right", self.tr("Follow"), self._follow, is_on=True)
        self.pause_button = self._toggle("pause", self.tr("Pause"), self._pause, is_on=False)
        self.zoom_in = self._button("plus", self.tr("Zoom in"), self._zoom_in)
        self.zoom_out = self._button("minus", self.tr("Zoom out"), self._zoom_out)
        self._lay_out()

    def _button(self, icon_name: str, text: str, slot: object) -> QToolButton:
        button = QToolButton(self)
        icons.dress(button, icon_name)
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.clicked.connect(slot)
        return button

    def _toggle(self, icon_name: str, text: str, slot: object, *, is_on: bool) -> QToolButton:
        button = QToolButton(self)
        icons.dress(button, icon_name)
        button.setText(text)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setChecked(is_on)
        button.clicked.connect(slot)
        return button

    def _lay_out(self) -> None:
        self._chips.addStretch(1)
        controls = QHBoxLayout()
        controls.setSpacing(SPACE_4)
        controls.addStretch(1)
        self._line = line = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        line.setSpacing(SPACE_4)
        line.addLayout(self._chips)
        line.addLayout(controls)
        for part in (self.window_box, self.zoom_out, self.zoom_in, self.follow_button, self.pause_button):
            controls.addWidget(part)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(line)
        layout.addLayout(self._stack, 1)

    def add(self, samples: Sequence[Reading | StateChange]) -> None:
        """Take readings and states."""
        self._waiting.extend(samples)

    def recall(self, samples: Sequence[Reading | StateChange]) -> None:
        """Put stored samples, oldest first, before those that arrived meanwhile; too late once curves are drawn."""
        if self.plots is None:
            self._waiting.extendleft(reversed(samples))

    def clear(self) -> None:
        """Forget everything (another charger is shown)."""
        self._waiting.clear()
        plots, self.plots = self.plots, None
        if plots is not None:
            self._stack.removeWidget(plots)
            plots.hide()
            plots.deleteLater()
        for button in self.quantities.values():
            button.hide()
            button.deleteLater()
        self.quantities = {}

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put both groups of buttons into one line where there is room."""
        super().resizeEvent(event)
        is_wide = self.width() >= WIDE
        self._line.setDirection(QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw while seen."""
        super().showEvent(event)
        self._draw()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop drawing."""
        super().hideEvent(event)
        self._timer.stop()

    def _draw(self) -> None:
        if self._waiting:
            samples = list(self._waiting)
            self._waiting.clear()
            plots = self._plots()
            if plots.add(samples):
                self._offer(plots)
            self._stack.setCurrentWidget(plots if plots.panels else self.empty)
        if self.plots is not None:
            self.plots.draw()

    def _plots(self) -> Plots:
        if self.plots is None:
            # pyqtgraph costs a third of a second: nobody pays who never looks.
            from ui.widgets.plots import Plots

            self.plots = Plots(self)
            self.plots.followed.connect(self.follow_button.setChecked)
            self.plots.show_window(float(self.window_box.currentData()))
            self._stack.addWidget(self.plots)
        return self.plots

    def _offer(self, plots: Plots) -> None:
        for title in plots.titles:
            if title in self.quantities:
                continue
            button = QToolButton(self)
            button.setText(title)
            button.setCheckable(True)
            is_shown = title in FIRST_SHOWN or sum(b.isChecked() for b in self.quantities.values()) < 3
            button.setChecked(is_shown)
            button.setAccessibleName(self.tr("Show {quantity}").format(quantity=title))
            button.toggled.connect(self._choose)
            self.quantities[title] = button
            self._chips.insertWidget(self._chips.count() - 1, button)
            plots.show_quantity(title, is_shown=is_shown)

    def _choose(self) -> None:
        if self.plots is not None:
            for title, button in self.quantities.items():
                self.plots.show_quantity(title, is_shown=button.isChecked())

    def _window(self) -> None:
        if self.plots is not None:
            self.plots.show_window(float(self.window_box.currentData()))

    def _follow(self, is_on: bool) -> None:
        if self.plots is not None:
            self.plots.follow(is_on=is_on)

    def _pause(self, is_on: bool) -> None:
        if self.plots is not None:
            self.plots.is_paused = is_on

    def _zoom_in(self) -> None:
        if self.plots is not None:
            self.plots.zoom(0.5)

    def _zoom_out(self) -> None:
        if self.plots is not None:
            self.plots.zoom(2.0)
