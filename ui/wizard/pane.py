"""One step as the technician sees it: what will happen, what it needs, what it has shown, and the way back."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.model.guidance import Guidance
from app.model.job import Job, JobState, Progress, Step, StepKind, StepState
from app.model.typed import guidance_for
from ui import icons
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_role
from ui.widgets.chip import TONE_ICONS, Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.findings import Findings
from ui.widgets.guidance import GuidanceView
from ui.wizard.byhand import is_by_hand, to_type
from ui.wizard.choose import BackendForm
from ui.wizard.countdown import Countdown
from ui.wizard.evidence import EvidenceList
from ui.wizard.plan import PlanView
from ui.wizard.reportpane import ReportPane
from ui.wizard.words import STEP_STATES, STEP_WORDS, job_status, name_of, translated

_ENDINGS = (JobState.UNDOING, JobState.UNDONE, JobState.ABANDONED)
"""In these the job's own word counts more than that of the step it stood at."""


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
        self.by_hand = GuidanceView(self)
        self.by_hand.hide()
        self.guides: Callable[[Job, Step], Guidance | None] = _general
        self.findings = Findings(self)
        self.undo_evidence = EvidenceList(self, heading=self.tr("Undo"))
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
        self._scroll = scroll = ScrollColumn(self)
        scroll.setAccessibleName(self.tr("This step"))
        column = scroll.column
        column.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_16)
        column.setSpacing(SPACE_12)
        column.addLayout(head)
        column.addWidget(self._what)
        column.addWidget(self.trouble)
        column.addWidget(self.by_hand)
        column.addWidget(self.form)
        column.addWidget(self.plan)
        column.addWidget(self.countdown)
        column.addWidget(self.findings)
        column.addWidget(self.undo_evidence)
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
        self._chip.show_status(*_status(job, step))
        self._show_trouble(job, step)
        self._show_story(job, step)
        self.form.setVisible(kind is StepKind.CHOOSE and _may_choose(job))
        self.plan.setVisible(bool(job.plan) and kind in (StepKind.PLAN, StepKind.APPLY) and not step_is_past(job, kind))
        if self.plan.isVisibleTo(self):
            self.plan.show_job(job)
        self.report.setVisible(kind is StepKind.HAND_OVER and (step.state is StepState.DONE or job.is_final))

    def _show_story(self, job: Job, step: Step) -> None:
        """Show what was seen: the step's findings and proofs, and those of an undo where the job stands."""
        guidance = self.guides(job, step)
        is_new = guidance is not None and not self.by_hand.isVisibleTo(self)
        self.by_hand.show_guidance(guidance)
        self.by_hand.setVisible(guidance is not None)
        if is_new:
            QTimer.singleShot(0, self, self._to_fields)
        self.findings.show_findings(step.findings)
        self.findings.setVisible(bool(step.findings))
        self.undo_evidence.show_proofs(job.undo_proofs if stands_at(job, step.kind) else ())
        self.evidence.show_proofs(step.proofs)

    def _to_fields(self) -> None:
        """Bring what has to be typed, and its code, into sight."""
        bar = self._scroll.verticalScrollBar()
        bar.setValue(min(self.trouble.y() - SPACE_8, bar.maximum()))

    def show_progress(self, progress: Progress | None) -> None:
        """Show what the running step does; nothing for ``None``."""
        self.countdown.show_progress(progress)

    def _show_trouble(self, job: Job, step: Step) -> None:
        if stands_at(job, step.kind) and (job.state in _ENDINGS or job.note not in ("", step.note)):
            self._show_standing(job)
        elif step.state is StepState.FAILED:
            self.trouble.show_trouble(step.note, step.advice, "fault")
        elif is_by_hand(job, step):
            advice = self.tr("Type the fields below at the charger, then press “I have typed it in”.")
            self.trouble.show_trouble(step.note, advice, "attention")
        elif step.state is StepState.NEEDS_INPUT and step.kind is not StepKind.CHOOSE:
            self.trouble.show_trouble(step.note, step.advice, "attention")
        elif step.state is StepState.SKIPPED:
            self.trouble.show_trouble(self.tr("Left out: {reason}").format(reason=step.note), "", "idle")
        elif stands_at(job, step.kind) and step.state is not StepState.NEEDS_INPUT:
            self._show_standing(job)
        else:
            self.trouble.show_trouble("", "", "idle")

    def _show_standing(self, job: Job) -> None:
        """Say why the job as a whole stands: paused, undone, given up, or an undo that failed."""
        if job.state is JobState.UNDONE:
            text = self.tr("The charger is as it was found.")
            if job.undo_limits:
                text = self.tr("The charger is as it was found, except for what could not be brought back.")
            self.trouble.show_trouble(text, job.note, "attention" if job.undo_limits else "good")
        elif job.state is JobState.UNDOING:
            self.trouble.show_trouble(self.tr("The values from the backup are written back."), "", "working")
        else:
            self.trouble.show_trouble(job.note, job.advice, "attention" if job.advice else "idle")


def _general(job: Job, step: Step) -> Guidance | None:
    """Say what fits any charger; who knows the family replaces this."""
    typed = to_type(job, step)
    return guidance_for(None, typed) if typed is not None else None


def stands_at(job: Job, kind: StepKind) -> bool:
    """Say whether this is the step a job as a whole is shown at: its end, else the one that is next."""
    return kind is (StepKind.HAND_OVER if job.is_final else job.current or StepKind.HAND_OVER)


def _status(job: Job, step: Step) -> tuple[str, str, str]:
    """Return word, tone and icon of a step; where the job ended before it, those of the job."""
    if step.kind is StepKind.HAND_OVER and job.is_final and not step.is_over:
        return job_status(job)
    word, tone, icon = STEP_STATES[step.state]
    return translated(word), tone, icon


def _may_choose(job: Job) -> bool:
    return job.current is StepKind.CHOOSE and not job.is_final


def step_is_past(job: Job, kind: StepKind) -> bool:
    """Say whether a writing step has been done, so that the plan is history."""
    return kind is StepKind.APPLY and job.step(kind).is_over
