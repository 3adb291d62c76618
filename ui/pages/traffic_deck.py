"""The keys of a replay: start, step, play, speed, the bar through time, the clock."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QToolButton, QWidget

from app.trace.player import SPEEDS, Player
from ui import icons
from ui.models.plain import clock_text
from ui.theme import SPACE_4, SPACE_8, set_role
from ui.widgets.scrubber import Scrubber


class Deck(QWidget):
    """Emits what the reader wants; shows what the player does."""

    play_wanted = Signal()
    step_wanted = Signal(int)
    start_wanted = Signal()
    speed_wanted = Signal(float)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.scrubber = Scrubber(self)
        self.start = self._button(self.tr("To the start"), "skip-back", self.tr("Go to the start (Home)"))
        self.back = self._button(self.tr("One frame back"), "chevron-left", self.tr("One frame back (,)"))
        self.play = self._button(self.tr("Play"), "play", self.tr("Play or pause (Space)"))
        self.forward = self._button(self.tr("One frame on"), "chevron-right", self.tr("One frame on (.)"))
        self.speed = QComboBox(self)
        self.speed.setAccessibleName(self.tr("Speed"))
        self.speed.setToolTip(self.tr("How fast the recording runs ([ and ])"))
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g} ×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.clock = QLabel(self)
        set_role(self.clock, "mono-subtle")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        for widget in (self.start, self.back, self.play, self.forward, self.speed):
            layout.addWidget(widget)
        layout.addSpacing(SPACE_8)
        layout.addWidget(self.scrubber, 1)
        layout.addSpacing(SPACE_8)
        layout.addWidget(self.clock)
        self.start.clicked.connect(self.start_wanted)
        self.play.clicked.connect(self.play_wanted)
        self.scrubber.toggled.connect(self.play_wanted)
        self.back.clicked.connect(self._step_back)
        self.forward.clicked.connect(self._step_on)
        self.speed.activated.connect(self._speed_chosen)

    def _button(self, name: str, picture: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        icons.dress(button, picture, "text2")
        return button

    def _step_back(self) -> None:
        self.step_wanted.emit(-1)

    def _step_on(self) -> None:
        self.step_wanted.emit(1)

    def _speed_chosen(self) -> None:
        self.speed_wanted.emit(float(self.speed.currentData()))

    def show_player(self, player: Player) -> None:
        """Show position, speed, and whether it runs."""
        words = _position_words(player.position, player)
        self.clock.setText(words)
        self.scrubber.show_part(player.part, words)
        if player.speed in SPEEDS:
            self.speed.setCurrentIndex(SPEEDS.index(player.speed))
        name = self.tr("Pause") if player.is_playing else self.tr("Play")
        if self.play.accessibleName() != name:
            self.play.setAccessibleName(name)
            icons.dress(self.play, "pause" if player.is_playing else "play", "text2")


def _position_words(position: datetime, player: Player) -> str:
    passed = round((position - player.start_at).total_seconds())
    hours, rest = divmod(passed, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{position.astimezone():%Y-%m-%d} {clock_text(position)[:8]}  +{hours}:{minutes:02}:{seconds:02}"
