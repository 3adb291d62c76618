"""The head of a charger's page: picture, name, state in chips, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.model.job import STEPS, Job
from app.model.unit import Health, Unit
from ui import icons
from ui.models.plain import tooltip, visible
from ui.models.unit_words import ADOPTION, HEALTH, Words
from ui.models.units import detail_line, model_line, short_title
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.timeline import TONES


class UnitHeader(QWidget):
    """Signals say which button was pressed; the page acts."""

    back_asked = Signal()
    next_asked = Signal()
    refresh_asked = Signal()
    restart_asked = Signal()
    log_asked = Signal()
    traffic_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pictures = icons.names()
        self._name_text = self._whole_name = self._detail_text = ""
        self.back_button = QToolButton(self)
        set_role(self.back_button, "quiet")
        icons.dress(self.back_button, "arrow-left", "text2", 20)
        self.back_button.setAccessibleName(self.tr("Back to the site"))
        self.back_button.setToolTip(self.tr("Back to the site"))
        self.back_button.clicked.connect(self.back_asked)
        self.picture = QLabel(self)
        self.name = QLabel(self)
        self.detail = QLabel(self)
        for label, role in ((self.name, "title"), (self.detail, "subtle")):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setMinimumWidth(80)
            set_role(label, role)
        self.adoption, self.health, self.state = Chip(parent=self), Chip(parent=self), Chip(parent=self)
        self._is_lost = False
        self.talk, self.verdict = Chip(parent=self), Chip(parent=self)
        self.refresh_button = self._button(self.tr("Refresh"), "refresh-cw", self.refresh_asked)
        self.restart_button = self._button(self.tr("Restart…"), "rotate-cw", self.restart_asked)
        self.log_button = self._button(self.tr("Log"), "scroll-text", self.log_asked)
        self.traffic_button = self._button(self.tr("Frames"), "arrow-left-right", self.traffic_asked)
        self.next_button = self._button(self.tr("Rehome"), "route", self.next_asked)
        set_role(self.next_button, "primary")
        self.buttons = (
            self.refresh_button,
            self.restart_button,
            self.log_button,
            self.traffic_button,
            self.next_button,
        )
        self._lay_out()

    def _button(self, text: str, icon_name: str, signal: SignalInstance) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name)
        button.clicked.connect(signal)
        return button

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(SPACE_8)
        first.addWidget(self.name, 1)
        for button in self.buttons:
            first.addWidget(button)
        second = QHBoxLayout()
        second.setSpacing(SPACE_8)
        for part in (self.verdict, self.adoption, self.health, self.state, self.talk):
            second.addWidget(part)
        second.addSpacing(SPACE_4)
        second.addWidget(self.detail, 1)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        words.addLayout(first)
        words.addLayout(second)
        frame = QFrame(self)
        frame.setFixedSize(52, 52)
        set_role(frame, "well")
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(frame, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)

    def show_unit(self, unit: Unit, picture: str, state: str) -> None:
        """Show who it is and how it is."""
        tone = "accent" if unit.is_present else "idle"
        icons.dress(self.picture, picture if picture in self._pictures else "ev-charger", tone, 32)
        self._name_text, self._whole_name = short_title(unit), visible(unit.title, 120)
        lines = (model_line(unit), detail_line(unit))
        self._detail_text = " · ".join(dict.fromkeys(line for line in lines if line))
        self._elide()
        words = ADOPTION[unit.adoption]
        self._status(self.adoption, words.text, words.tone, words.icon)
        self.adoption.setToolTip(words.meaning)
        health = HEALTH[unit.health]
        self.health.setVisible(unit.health is not Health.UNKNOWN)
        self._status(self.health, health.text, health.tone, health.icon)
        self.state.setVisible(bool(state))
        self._status(self.state, visible(state, 40), TONES.get(state, "idle"), "activity")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the details to the room there is."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        for label, text, whole in (
            (self.name, self._name_text, self._whole_name),
            (self.detail, self._detail_text, self._detail_text),
        ):
            cut = label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, max(40, label.width()))
            if label.text() != cut:
                label.setText(cut)
                label.setAccessibleName(whole)
                label.setToolTip(tooltip(whole))

    def show_verdict(self, words: Words, described: str) -> None:
        """Show in a word whether and how it can be saved."""
        self._is_lost = words.tone == "fault"
        self._status(self.verdict, words.text, words.tone, words.icon)
        self.verdict.setToolTip(tooltip(f"{described}\n{words.meaning}"))

    def show_session(self, *, is_open: bool, can_restart: bool, can_log: bool, has_frames: bool) -> None:
        """Show whether we talk to it, and offer what it offers."""
        if is_open:
            self._status(self.talk, self.tr("answers us"), "good", "plug-zap")
        else:
            self._status(self.talk, self.tr("no answer"), "idle", "unplug")
        self.restart_button.setVisible(can_restart)
        self.log_button.setVisible(can_log)
        self.traffic_button.setVisible(has_frames)

    def show_job(self, job: Job | None, *, is_done: bool, garage: str = "") -> None:
        """Offer to go on with the open job, or to begin one; quietly where one is done already, or none can help.

        ``garage`` = ``juice`` for a JuiceBox that sends to us, ``bridge`` for what our bridge brings: their ways lead
        through the garage.
        """
        text, icon_name = (self.tr("Rehome again") if is_done else self.tr("Rehome")), "route"
        if garage == "bridge":
            text, icon_name = self.tr("Open the bridge"), "waypoints"
        elif garage:
            text, icon_name = self.tr("Open in the garage"), "warehouse"
        is_primary = job is not None or bool(garage) or not (is_done or self._is_lost)
        if job is not None and job.current is not None:
            place = STEPS.index(job.current) + 1
            text = self.tr("Continue: step {step} of {all}").format(step=place, all=len(STEPS))
            icon_name = "play"
        tone = "accent_text" if is_primary else "text"
        if (self.next_button.text(), self.next_button.property("icon_tone")) != (text, tone):
            self.next_button.setText(text)
            set_look(self.next_button, role="primary" if is_primary else "")
            icons.dress(self.next_button, icon_name, tone)

    def _status(self, chip: Chip, text: str, tone: str, icon_name: str) -> None:
        if (chip.text, chip.tone) != (text, tone):
            chip.show_status(text, tone, icon_name)
