"""The history tab of a charger: its jobs and the settings written by hand, how they ended, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.edit import Edit, EditState
from app.model.job import STEPS, Job, JobState
from ui import icons
from ui.i18n import worded
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

EDIT_STATES = {
    EditState.INTENDED: Words("Not known whether it was written", "triangle-alert", "attention"),
    EditState.DONE: Words("Changed by hand", "pencil", "good"),
    EditState.REFUSED: Words("Refused", "circle-x", "idle"),
    EditState.UNDONE: Words("Undone", "undo-2", "idle"),
}
WRITING = Words("Being written", "loader-circle", "working")

MOST_EDITS = 100
"""Edits shown as cards; each is a handful of widgets."""


class Card(QFrame):
    """A frame with lines of text and buttons."""

    undo_asked = Signal(str)

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


class JobCard(Card):
    """One visit: when, how far, where to; open it or undo it."""

    opened = Signal(str)

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

    def _open(self) -> None:
        self.opened.emit(self.job_id)

    def _undo(self) -> None:
        self.undo_asked.emit(self.job_id)


class EditCard(Card):
    """One setting written by hand: when, which, from what to what; undo it."""

    def __init__(self, edit: Edit, parent: QWidget) -> None:
        super().__init__(parent)
        self.edit_id = edit.id
        set_role(self, "card")
        words = WRITING if edit.is_running else EDIT_STATES[edit.state]
        state, empty = worded(words.text), self.tr("(empty)")
        before = self.tr("(not known)") if edit.before is None else visible(edit.before, 120) or empty
        change = f"{visible(edit.key, 80)}: {before} → {visible(edit.after, 120) or empty}"
        self.setAccessibleName(f"{moment_text(edit.at)}: {change}. {state}")
        text = QVBoxLayout()
        text.setSpacing(SPACE_4)
        self._add(text, moment_text(edit.at), "strong")
        self._add(text, change, "subtle")
        is_open = edit.state in (EditState.INTENDED, EditState.DONE)
        cut = self.tr(
            "The program ended in the middle of it. Read the settings, or undo: that writes the old value back."
        )
        is_cut = edit.state is EditState.INTENDED and not edit.is_running
        for line in (edit.note or (cut if is_cut else ""), edit.limit if is_open else ""):
            if line:
                self._add(text, visible(line, 300), "caption")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_12)
        layout.addWidget(Chip(state, words.tone, words.icon, self))
        layout.addLayout(text, 1)
        if edit.can_undo:
            button = self._button(self.tr("Undo…"), "undo-2", self._undo)
            button.setAccessibleName(self.tr("Undo the edit of {key}").format(key=visible(edit.key, 80)))
            layout.addWidget(button)

    def _undo(self) -> None:
        self.undo_asked.emit(self.edit_id)


class HistoryTab(ScrollColumn):
    """All jobs of one charger and the edits between them, the newest first."""

    opened = Signal(str)
    undo_asked = Signal(str)
    edit_undo_asked = Signal(str)
    started = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("History"))
        self._shown: list[Job | Edit] | None = None
        self.column.setContentsMargins(0, SPACE_12, SPACE_12, SPACE_12)
        self.column.setSpacing(SPACE_8)

    def show_jobs(self, jobs: Sequence[Job], edits: Sequence[Edit] = ()) -> None:
        """Show these jobs, and these edits (the newest first) between them."""
        wanted: list[Job | Edit] = sorted([*jobs, *edits[:MOST_EDITS]], key=_moment, reverse=True)
        if wanted == self._shown:
            return
        self._shown = wanted
        while self.column.count():
            item = self.column.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for visit in wanted:
            self.column.addWidget(self._card(visit))
        if wanted:
            self.column.addStretch(1)
        else:
            self._add_empty()

    def _card(self, item: Job | Edit) -> Card:
        if isinstance(item, Edit):
            edit_card = EditCard(item, self)
            edit_card.undo_asked.connect(self.edit_undo_asked)
            return edit_card
        card = JobCard(item, self)
        card.opened.connect(self.opened)
        card.undo_asked.connect(self.undo_asked)
        return card

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


def _moment(item: Job | Edit) -> datetime:
    return item.at if isinstance(item, Edit) else item.created_at
