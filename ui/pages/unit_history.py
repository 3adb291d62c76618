"""The history tab of a charger: its jobs, how they ended, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.job import STEPS, Job, JobState
from ui import icons
from ui.models.plain import moment_text, visible
from ui.models.unit_words import Words
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.empty import Empty

STATES = {
    JobState.ACTIVE: Words("In progress", "circle-dot", "working"),
    JobState.PAUSED: Words("Paused", "circle-pause", "attention"),
    JobState.DONE: Words("Done", "circle-check", "good"),
    JobState.UNDOING: Words("Being undone", "undo-2", "working"),
    JobState.UNDONE: Words("Undone", "undo-2", "idle"),
    JobState.ABANDONED: Words("Abandoned", "circle-x", "idle"),
}


class JobCard(QFrame):
    """One visit: when, how far, where to; open it or undo it."""

    opened = Signal(str)
    undo_asked = Signal(str)

    def __init__(self, job: Job, parent: QWidget) -> None:
        super().__init__(parent)
        self.job_id = job.id
        set_role(self, "card")
        words = STATES[job.state]
        self.setAccessibleName(f"{moment_text(job.created_at)}: {words.text}")
        text = QVBoxLayout()
        text.setSpacing(SPACE_4)
        target = visible(job.backend.url, 120) if job.backend else self.tr("no backend chosen")
        steps = self.tr("{done} of {all} steps · {target}").format(done=job.done_count, all=len(STEPS), target=target)
        self._add(text, moment_text(job.created_at), "strong")
        self._add(text, steps, "subtle")
        if job.note:
            self._add(text, visible(f"{job.note} {job.advice}".strip(), 300), "caption")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_12)
        layout.addWidget(Chip(words.text, words.tone, words.icon, self))
        layout.addLayout(text, 1)
        if job.can_undo:
            layout.addWidget(self._button(self.tr("Undo…"), "undo-2", self._undo))
        layout.addWidget(self._button(self.tr("Open"), "arrow-right", self._open))

    def _add(self, column: QVBoxLayout, text: str, role: str) -> None:
        label = QLabel(text, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        set_role(label, role)
        column.addWidget(label)

    def _button(self, text: str, icon_name: str, slot: object) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name)
        button.clicked.connect(slot)
        return button

    def _open(self) -> None:
        self.opened.emit(self.job_id)

    def _undo(self) -> None:
        self.undo_asked.emit(self.job_id)


class HistoryTab(ScrollColumn):
    """All jobs of one charger, the newest first."""

    opened = Signal(str)
    undo_asked = Signal(str)
    started = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("History"))
        self._shown: tuple[Job, ...] | None = None
        self.column.setContentsMargins(0, SPACE_12, SPACE_12, SPACE_12)
        self.column.setSpacing(SPACE_8)

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Show these jobs."""
        wanted = tuple(sorted(jobs, key=lambda job: job.created_at, reverse=True))
        if wanted == self._shown:
            return
        self._shown = wanted
        while self.column.count():
            item = self.column.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for job in wanted:
            card = JobCard(job, self)
            card.opened.connect(self.opened)
            card.undo_asked.connect(self.undo_asked)
            self.column.addWidget(card)
        if wanted:
            self.column.addStretch(1)
        else:
            self._add_empty()

    def _add_empty(self) -> None:
        empty = Empty(
            self.tr("No visit yet"),
            self.tr("A job backs this charger up, moves it to a new backend and proves it. It can be undone."),
            "history",
            self.tr("Rehome this charger"),
            self,
        )
        empty.acted.connect(self.started)
        self.column.addWidget(empty)
