"""One job on screen: its steps, the step looked at, and the one next thing to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.guidance import Guidance
from app.model.job import Job, JobState, Progress, Step, StepKind, StepState
from app.model.secret import Secret
from app.settings import Preset
from ui import icons
from ui.dialogs import Button, ask, choose_folder
from ui.theme import SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.elided import ElidedLabel
from ui.wizard.byhand import guidance_of, is_by_hand, to_type
from ui.wizard.card import print_job_card
from ui.wizard.pane import StepPane
from ui.wizard.proposal import proposed
from ui.wizard.steplist import StepList
from ui.wizard.words import job_status, name_of

if TYPE_CHECKING:
    from app.workbench import Workbench
    from ui.tasks import Tasks

BEFORE_WRITING = (StepKind.IDENTIFY, StepKind.BACK_UP, StepKind.CHOOSE, StepKind.PLAN)
"""Up to here the job runs without asking: these steps only read."""

NARROW = 760
"""Pixels below which the list of steps shows icons only."""

UNSKIPPABLE = (StepKind.IDENTIFY, StepKind.CHOOSE, StepKind.HAND_OVER)


class JobView(QWidget):
    """The wizard. ``left`` when the technician goes back to the list, ``unit_wanted`` to see the charger.

    ``family_wanted`` asks for what the library knows of a profile.
    """

    left = Signal()
    unit_wanted = Signal(str)
    family_wanted = Signal(str)

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._job: Job | None = None
        self._looked_at: StepKind | None = None
        self._report_seq = 0
        self.steps = StepList(self)
        self.pane = StepPane(self)
        self.pane.guides = self._guidance
        self._make_top()
        self._make_foot()
        self._lay_out()
        self.steps.chosen.connect(self._look_at)
        self.pane.form.changed.connect(self._show_buttons)
        self.pane.form.submitted.connect(self._act)
        self.pane.plan.changed.connect(self._show_buttons)
        self.pane.report.save_wanted.connect(self._save_report)
        self.pane.by_hand.card_wanted.connect(self._print_card)

    @property
    def job(self) -> Job | None:
        """Return the job shown."""
        return self._job

    @property
    def selected(self) -> StepKind:
        """Return the step looked at: the one chosen, else the job's current one."""
        if self._looked_at is not None:
            return self._looked_at
        job = self._job
        return StepKind.HAND_OVER if job is None or job.is_final else job.current or StepKind.HAND_OVER

    def _make_top(self) -> None:
        self.back_button = QToolButton(self)
        icons.dress(self.back_button, "arrow-left")
        self.back_button.setAccessibleName(self.tr("Back to all jobs"))
        self.back_button.setToolTip(self.tr("Back to all jobs (the job goes on)"))
        self.back_button.clicked.connect(self.left)
        self._title = ElidedLabel(self)
        set_role(self._title, "title")
        self._chip = Chip(parent=self)
        self._target = ElidedLabel(self)
        set_role(self._target, "mono-subtle")
        self.unit_button = QPushButton(self.tr("Charger"), self)
        icons.dress(self.unit_button, "plug-zap")
        self.unit_button.clicked.connect(self._open_unit)
        self.undo_button = QPushButton(self.tr("Undo …"), self)
        icons.dress(self.undo_button, "undo-2")
        self.undo_button.clicked.connect(self._undo)
        self.more_button = QToolButton(self)
        icons.dress(self.more_button, "ellipsis")
        self.more_button.setAccessibleName(self.tr("More"))
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.more_button)
        self._family_action = menu.addAction(self.tr("About this family"))
        self._family_action.triggered.connect(self._open_family)
        self._abandon_action = menu.addAction(self.tr("Give this job up …"))
        self._abandon_action.triggered.connect(self._abandon)
        self.more_button.setMenu(menu)

    def _make_foot(self) -> None:
        self.rechoose_button = QPushButton(self.tr("Choose another backend"), self)
        self.rechoose_button.clicked.connect(self._rechoose)
        self.skip_button = QPushButton(self.tr("Leave out …"), self)
        self.skip_button.clicked.connect(self._skip)
        self.pause_button = QPushButton(self.tr("Stop at a safe point"), self)
        icons.dress(self.pause_button, "pause")
        self.pause_button.clicked.connect(self._pause)
        self.current_button = QPushButton(self.tr("Go to the current step"), self)
        self.current_button.clicked.connect(self._follow)
        self.primary = QPushButton(self)
        set_role(self.primary, "primary")
        self.primary.clicked.connect(self._act)
        for button in (self.rechoose_button, self.skip_button, self.pause_button, self.current_button, self.primary):
            set_look(button, size="large")
            button.hide()  # until a job needs it: what is hidden asks for no width

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE_12)
        top.addWidget(self.back_button)
        top.addWidget(self._title)
        top.addWidget(self._chip)
        top.addWidget(self._target)
        top.addStretch(1)
        top.addWidget(self.unit_button)
        top.addWidget(self.undo_button)
        top.addWidget(self.more_button)
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_8)
        foot.addWidget(self.rechoose_button)
        foot.addWidget(self.skip_button)
        foot.addStretch(1)
        for button in (self.current_button, self.pause_button, self.primary):
            foot.addWidget(button)
        right = QVBoxLayout()
        right.setSpacing(SPACE_12)
        right.addWidget(self.pane, 1)
        right.addLayout(foot)
        body = QHBoxLayout()
        body.setSpacing(SPACE_16)
        body.addWidget(self.steps)
        body.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_16)
        layout.addLayout(top)
        layout.addLayout(body, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the step the room where there is little."""
        super().resizeEvent(event)
        self.steps.show_narrow(event.size().width() < NARROW)

    # What is shown

    def open_job(self, job: Job) -> None:
        """Show another job from its current step on."""
        self._looked_at = None
        self._report_seq = 0
        self.pane.report.show_saved("")
        self.pane.form.offer(self._bench.settings.presets, self._preset_secret)
        self.pane.form.fill(job.backend or proposed(self._bench, job))
        self.show_job(job)
        self.focus_next()

    def show_job(self, job: Job) -> None:
        """Show a newer state of the job."""
        moved = self._job is not None and self._job.id == job.id and self._job.current is not job.current
        focus = QApplication.focusWidget()
        focus = focus if focus is not None and self.isAncestorOf(focus) else None
        self._job = job
        if moved and self._looked_at is not None and job.step(self._looked_at).is_over:
            self._looked_at = None
        self._title.show_text(job.unit_title)
        self._chip.show_status(*job_status(job))
        self._target.show_text(f"→ {job.backend.full_url}" if job.backend else "")
        self.steps.show_job(job, self.selected)
        self.pane.show_step(job, self.selected)
        self.pane.show_progress(self._progress(job))
        if self.pane.report.isVisibleTo(self.pane) and self._report_seq != job.seq:
            self._report_seq = job.seq
            self.pane.report.show_html(self._bench.report_html(job.id))
        self._show_buttons()
        if (focus is not None and not focus.isVisible()) or (moved and self.primary.isVisible()):
            self.focus_next()

    def show_progress(self, progress: Progress) -> None:
        """Show what the running step does, if it is looked at."""
        job = self._job
        if job is not None and progress.job_id == job.id:
            self.pane.show_progress(self._progress(job))

    def _guidance(self, job: Job, step: Step) -> Guidance | None:
        return guidance_of(self._bench, job, step)

    def _progress(self, job: Job) -> Progress | None:
        """Return what the step looked at does now, or the undo, which has no step of its own."""
        progress = self._bench.desk.progress_of(job.id)
        if progress is None:
            return None
        if job.state is JobState.UNDOING:
            return progress if self._looked_at is None else None
        runs = job.step(self.selected).state is StepState.RUNNING
        return progress if runs and progress.step is self.selected else None

    def _show_buttons(self) -> None:
        job = self._job
        if job is None:
            return
        current = job.current
        state = job.step(current).state if current else None
        runs = job.state is JobState.UNDOING or state is StepState.RUNNING
        is_here = self._looked_at is None or self._looked_at is current
        text, is_possible = self._next(job)
        self.primary.setText(text)
        self.primary.setVisible(bool(text) and is_here)
        self.primary.setEnabled(is_possible)
        self.pause_button.setVisible(runs and is_here)
        self.current_button.setVisible(not is_here and not job.is_final)
        self.undo_button.setVisible(job.can_undo)
        self.undo_button.setEnabled(not runs)
        self._abandon_action.setEnabled(not job.is_final and not runs)
        knows_family = job.profile_id in self._bench.registry.profiles
        self._family_action.setVisible(knows_family)
        self.more_button.setVisible(knows_family or not job.is_final)
        waits = state in (StepState.READY, StepState.WAITING, StepState.NEEDS_INPUT, StepState.FAILED)
        self.skip_button.setVisible(waits and is_here and not job.is_final and current not in UNSKIPPABLE)
        may_rechoose = current in (StepKind.PLAN, StepKind.APPLY) and not job.has_written and job.backend is not None
        self.rechoose_button.setVisible(may_rechoose and is_here and not runs and not job.is_final)

    def _next(self, job: Job) -> tuple[str, bool]:
        """Return the words of the one next thing to do, and whether it can be done."""
        current = job.current
        if job.is_final or current is None or job.state is JobState.UNDOING:
            return "", False
        state = job.step(current).state
        if state is StepState.RUNNING:
            return "", False
        if current is StepKind.CHOOSE:
            return self.tr("Use this backend"), self.pane.form.is_valid
        if is_by_hand(job, job.step(current)):
            return self.tr("I have typed it in"), True
        if state is StepState.FAILED and not job.plan:
            return self.tr("Try again"), True
        if job.plan and current in (StepKind.PLAN, StepKind.APPLY):
            return self.tr("Write it to the charger"), self.pane.plan.is_complete
        if state is StepState.FAILED:
            return self.tr("Try again"), True
        if current is StepKind.IDENTIFY:
            return self.tr("Start"), True
        return self.tr("Continue"), True

    def focus_next(self) -> None:
        """Put the keyboard on the next thing to do: a field, a box to tick, the button that goes on or stops."""
        if not self.isVisible():
            return
        form, report = self.pane.form, self.pane.report
        field = form.identity if form.url.text() else form.url
        boxes = [box for box in self.pane.plan.doors if not box.isChecked()]
        rows = [row for row in self.pane.by_hand.rows if not row.done.isChecked()]
        buttons = (self.primary, self.pause_button, self.current_button, report.save, self.back_button)
        target = next(item for item in (field, *boxes, *rows, *buttons) if item.isVisible() and item.isEnabled())
        target.setFocus(Qt.FocusReason.OtherFocusReason)

    # What the technician does

    def _look_at(self, kind: StepKind) -> None:
        self._looked_at = None if self._job and kind is self._job.current else kind
        if self._job is not None:
            self.show_job(self._job)

    def _follow(self) -> None:
        self._looked_at = None
        if self._job is not None:
            self.show_job(self._job)
            self.focus_next()

    def _act(self) -> None:
        job = self._job
        if job is None or not self._next(job)[1]:
            self.pane.form.show_all_problems()
            return
        desk, current = self._bench.desk, job.current
        if current is StepKind.CHOOSE:
            self._choose(job)
        elif current is not None and is_by_hand(job, job.step(current)):
            self._typed_in(job)
            return
        if job.open_doors:
            desk.acknowledge(job.id, self.pane.plan.accepted)
        desk.run(job.id, until=StepKind.PLAN if current in BEFORE_WRITING and not job.plan else None)

    def _typed_in(self, job: Job) -> None:
        """Leave the write out: a person made it at the charger. What follows proves it all the same."""
        if job.current is not None:
            typed = to_type(job, job.step(job.current))
            where = typed.full_url if typed else ""
            reason = self.tr("Typed in by hand at the charger: {address}").format(address=where)
            self._bench.desk.skip(job.id, job.current, reason)
        self._bench.desk.run(job.id)

    def _choose(self, job: Job) -> None:
        form = self.pane.form
        backend = form.backend()
        self._bench.desk.choose(job.id, backend)
        if form.keep.isChecked():
            profile = int(backend.security_profile)
            self._keep_preset(Preset(name=backend.host, url=backend.url, security_profile=profile), backend.secret)

    def _preset_secret(self, name: str) -> Secret | None:
        return self._bench.vault.get(f"preset/{name}")

    def _keep_preset(self, preset: Preset, secret: Secret) -> None:
        settings = self._bench.settings
        others = tuple(item for item in settings.presets if item.url != preset.url)
        self._bench.change_settings(replace(settings, presets=(*others, preset)))
        if secret:
            self._bench.vault.set(f"preset/{preset.name}", secret)

    def _pause(self) -> None:
        if self._job is None:
            return
        self.steps.focus_step(self.selected)  # the button goes grey, and would give the keyboard to the rail
        self._tasks.start_once("pause", self._pause_now(self._job.id), busy=self.pause_button)

    async def _pause_now(self, job_id: str) -> None:
        await self._bench.desk.pause(job_id)
        if self._job is not None and self._job.id == job_id:
            self.show_job(self._bench.desk.job(job_id))
            self.focus_next()

    def _rechoose(self) -> None:
        if self._job is not None:
            self._looked_at = None
            self._bench.desk.back(self._job.id, StepKind.CHOOSE)
            self._bench.desk.run(self._job.id, until=StepKind.PLAN)

    def _open_unit(self) -> None:
        if self._job is not None:
            self.unit_wanted.emit(self._job.unit_id)

    def _open_family(self) -> None:
        if self._job is not None:
            self.family_wanted.emit(self._job.profile_id)

    def _print_card(self, with_secrets: bool) -> None:
        job, guidance = self._job, self.pane.by_hand.guidance
        if job is not None and guidance is not None:
            work = print_job_card(self._bench, self, job, guidance, with_secrets=with_secrets)
            self._tasks.start_once("card", work, busy=self.pane.by_hand.card)

    def _skip(self) -> None:
        self._tasks.start_once("skip", self._ask_skip())

    async def _ask_skip(self) -> None:
        job = self._job
        if job is None or job.current is None:
            return
        kind = job.current
        reason = QLineEdit()
        reason.setAccessibleName(self.tr("Reason"))
        reason.setPlaceholderText(self.tr("no car on site today"))
        title = self.tr("Leave out “{step}”?").format(step=name_of(kind))
        text = self.tr("The report will say that this was not done, and why.")
        buttons = (
            Button(key="skip", text=self.tr("Leave out"), role="primary"),
            Button(key="", text=self.tr("Cancel")),
        )
        if await ask(self, title, text, buttons, detail=reason) != "skip":
            return
        self._bench.desk.skip(job.id, kind, reason.text().strip() or self.tr("The technician left it out."))
        self._bench.desk.run(job.id, until=StepKind.PLAN if kind in BEFORE_WRITING else None)

    def _undo(self) -> None:
        self._tasks.start_once("undo", self._ask_undo())

    async def _ask_undo(self) -> None:
        job = self._job
        if job is None:
            return
        lines = [self.tr("The values from the backup are written again and read back.")]
        if job.undo_limits:
            lines.append(self.tr("This can't be brought back:"))
            lines += [f"• {limit.key}: {limit.reason}" for limit in job.undo_limits]
        buttons = (
            Button(key="undo", text=self.tr("Undo now"), role="primary"),
            Button(key="", text=self.tr("Cancel")),
        )
        title = self.tr("Put {unit} back as it was found?").format(unit=job.unit_title)
        if await ask(self, title, "\n".join(lines), buttons, icon_name="undo-2") == "undo":
            self._bench.desk.undo(job.id)

    def _abandon(self) -> None:
        self._tasks.start_once("abandon", self._ask_abandon())

    async def _ask_abandon(self) -> None:
        job = self._job
        if job is None:
            return
        text = self.tr("The charger stays exactly as it is now. The history and the backup are kept.")
        if job.has_written:
            text += "\n" + self.tr("Something was already written: “Undo” puts it back instead.")
        buttons = (
            Button(key="", text=self.tr("Keep the job"), role="primary"),
            Button(key="abandon", text=self.tr("Give it up"), role="danger"),
        )
        title = self.tr("Give up this job?")
        if await ask(self, title, text, buttons, icon_name="circle-x", tone="attention") == "abandon":
            self._bench.desk.abandon(job.id, self.tr("Given up by the technician."))

    def _save_report(self) -> None:
        self._tasks.start_once("save report", self._write_report(), busy=self.pane.report.save)

    async def _write_report(self) -> None:
        if self._job is None:
            return
        folder = await choose_folder(self, self.tr("Folder for the report"), folder=Path.home())
        if folder is not None:
            files = await self._bench.save_report(self._job.id, folder)
            self.pane.report.show_saved(str(files["html"]))
