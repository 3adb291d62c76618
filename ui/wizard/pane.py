"""One step as the technician sees it: what will happen, what it needs, what it has shown, and the way back."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.model.job import Job, Progress, Step, StepKind, StepState
from ui import icons
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_role
from ui.widgets.chip import TONE_ICONS, Chip
from ui.widgets.column import ScrollColumn
from ui.wizard.choose import BackendForm
from ui.wizard.countdown import Countdown
from ui.wizard.evidence import EvidenceList
from ui.wizard.plan import PlanView
from ui.wizard.reportpane import ReportPane
from ui.wizard.words import STEP_STATES, STEP_WORDS, name_of, translated


class Trouble(QFrame):
    """Why a step stands and what to do about it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "banner", tone="attention")
        self._icon = QLabel(self)
        self._message = QLabel(self)
        self._advice = QLabel(self)
        words = QVBoxLayout()
        for label, role in ((self._message, "strong"), (self._advice, "")):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            set_role(label, role)
            words.addWidget(label)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_12)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        self.hide()

    def show_trouble(self, message: str, advice: str, tone: str) -> None:
        """Show why and what next; an empty message hides it."""
        self._message.setText(message)
        self._advice.setText(advice)
        self._advice.setVisible(bool(advice))
        icons.dress(self._icon, TONE_ICONS[tone], tone, 20)
        set_role(self, "banner", tone=tone)
        self.setAccessibleName(f"{message} {advice}".strip())
        self.setVisible(bool(message))


class StepPane(QFrame):
    """The right-hand side of the wizard. Its parts are made once and shown by need."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.form = BackendForm(self)
        self.plan = PlanView(self)
        self.report = ReportPane(self)
        self.countdown = Countdown(self)
        self.trouble = Trouble(self)
        self.evidence = EvidenceList(self)
        self._make_heading()
        self._way_back = QLabel(self)
        self._way_back.setWordWrap(True)
        set_role(self._way_back, "caption")
        self._lay_out()

    def _make_heading(self) -> None:
        self._icon = QLabel(self)
        self._title = QLabel(self)
        set_role(self._title, "title")
        self._chip = Chip(parent=self)
        self._what = QLabel(self)
        self._what.setWordWrap(True)
        set_role(self._what, "subtle")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(SPACE_12)
        head.addWidget(self._icon)
        head.addWidget(self._title)
        head.addWidget(self._chip)
        head.addStretch(1)
        scroll = ScrollColumn(self)
        column = scroll.column
        column.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_16)
        column.setSpacing(SPACE_12)
        column.addLayout(head)
        column.addWidget(self._what)
        column.addWidget(self.trouble)
        column.addWidget(self.form)
        column.addWidget(self.plan)
        column.addWidget(self.countdown)
        column.addWidget(self.evidence)
        column.addWidget(self.report, 1)
        column.addStretch(0)
        column.addWidget(self._way_back)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(1, 1, 1, 1)
        layout.addWidget(scroll)

    def show_step(self, job: Job, kind: StepKind) -> None:
        """Show one step of a job."""
        step = job.step(kind)
        words = STEP_WORDS[kind]
        icons.dress(self._icon, words.icon, "accent", 24)
        self._title.setText(name_of(kind))
        self._what.setText(translated(words.what))
        self._way_back.setText(translated(words.back))
        word, tone, icon = STEP_STATES[step.state]
        self._chip.show_status(translated(word), tone, icon)
        self._show_trouble(step)
        self.evidence.show_proofs(job.undo_proofs if _is_undo(job, kind) else step.proofs)
        self.form.setVisible(kind is StepKind.CHOOSE and _may_choose(job))
        self.plan.setVisible(bool(job.plan) and kind in (StepKind.PLAN, StepKind.APPLY) and not step_is_past(job, kind))
        if self.plan.isVisibleTo(self):
            self.plan.show_job(job)
        self.report.setVisible(kind is StepKind.HAND_OVER and step.state is StepState.DONE)
        if step.state is not StepState.RUNNING:
            self.countdown.show_progress(None)

    def show_progress(self, progress: Progress) -> None:
        """Show what the running step does."""
        self.countdown.show_progress(progress)

    def _show_trouble(self, step: Step) -> None:
        if step.state is StepState.FAILED:
            self.trouble.show_trouble(step.note, step.advice, "fault")
        elif step.state is StepState.NEEDS_INPUT and step.kind is not StepKind.CHOOSE:
            self.trouble.show_trouble(step.note, step.advice, "attention")
        elif step.state is StepState.SKIPPED:
            self.trouble.show_trouble(self.tr("Left out: {reason}").format(reason=step.note), "", "idle")
        else:
            self.trouble.show_trouble("", "", "idle")


def _may_choose(job: Job) -> bool:
    return job.current is StepKind.CHOOSE and not job.is_final


def _is_undo(job: Job, kind: StepKind) -> bool:
    return bool(job.undo_proofs) and kind is StepKind.HAND_OVER


def step_is_past(job: Job, kind: StepKind) -> bool:
    """Say whether a writing step has been done, so that the plan is history."""
    return kind is StepKind.APPLY and job.step(kind).is_over
