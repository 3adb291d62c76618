"""Acceptance of one charger: choose a suite, do what it asks, see every verdict with its frames, save the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.acceptance.case import Case
from app.acceptance.run import Run
from app.acceptance.suites import Suite
from app.model.acceptance import Answer, Progress, RunResult
from ui import icons
from ui.dialogs import choose_file
from ui.i18n import worded
from ui.models.acceptance import (
    CASE_FIELDS,
    VERDICT_TONES,
    VERDICT_WORDS,
    CaseLine,
    by_id,
    case_key,
    counts,
    lines,
    run_title,
)
from ui.models.listing import Listing
from ui.models.plain import visible
from ui.pages.endpoint_accept_parts import CaseView, PromptCard
from ui.tasks import Tasks
from ui.theme import SPACE_8, set_role
from ui.widgets.chip import Chip
from ui.widgets.empty import Empty
from ui.widgets.listview import ListView
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.workbench import Workbench

TICK_MS = 200
MOST_RUNS = 50
FORMS = (("html", "Report (HTML)"), ("xml", "JUnit XML"), ("json", "JSON with all frames"))


class AcceptancePanel(QWidget):
    """The acceptance pane. ``frame_wanted`` asks to see a frame, by its number."""

    frame_wanted = Signal(int)

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._identity = ""
        self._run: Run | None = None
        self._past: RunResult | None = None
        self._followed = ""
        self._runs: tuple[RunResult, ...] = ()
        self.setAccessibleName(self.tr("Acceptance"))
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)

    # Building

    def _build(self) -> None:
        self.prompt = PromptCard(self)
        self.prompt.answered.connect(self._answered)
        self.model: Listing[CaseLine] = Listing(CASE_FIELDS, case_key, self)
        self.table = ListView(self.model, self.tr("Cases"), self)
        self.table.picked.connect(self._show_case)
        self.case = CaseView(self)
        self.case.frame_wanted.connect(self.frame_wanted)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.table)
        self.splitter.addWidget(self.case)
        self.splitter.setSizes([560, 480])
        self.empty = Empty("", "", "clipboard-check", "", self)
        self.stack = QStackedWidget(self)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self.splitter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._bar())
        layout.addLayout(self._state_row())
        layout.addWidget(self.prompt)
        layout.addWidget(self.stack, 1)

    def _bar(self) -> QHBoxLayout:
        self.suite = QComboBox(self)
        self.suite.setAccessibleName(self.tr("Suite"))
        for suite in self._bench.acceptance.suites:
            self.suite.addItem(worded(suite.title), suite.id)
        self.suite.currentIndexChanged.connect(self._suite_chosen)
        self.start = QPushButton(self.tr("Start"), self)
        set_role(self.start, "primary")
        icons.dress(self.start, "play", "accent_text")
        self.start.clicked.connect(self._start)
        self.stop = QPushButton(self.tr("Stop"), self)
        set_role(self.stop, "danger")
        icons.dress(self.stop, "square", "fault")
        self.stop.setToolTip(self.tr("Stop after putting everything back"))
        self.stop.clicked.connect(self._stop)
        self.history = QComboBox(self)
        self.history.setAccessibleName(self.tr("Runs"))
        self.history.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.history.setMinimumContentsLength(36)
        self.history.activated.connect(self._history_chosen)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for widget in (self.suite, self.start, self.stop):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.history)
        row.addWidget(self._save_button())
        return row

    def _save_button(self) -> QToolButton:
        self.save = QToolButton(self)
        self.save.setText(self.tr("Save"))
        self.save.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.save.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        set_role(self.save, "menu")
        icons.dress(self.save, "save", "text2")
        menu = QMenu(self.save)
        for kind, title in FORMS:
            action = QAction(worded(title), menu)
            action.setData(kind)
            action.triggered.connect(self._save)
            menu.addAction(action)
        self.save.setMenu(menu)
        return self.save

    def _state_row(self) -> QHBoxLayout:
        self.verdict = Chip("", "idle", parent=self)
        self.state = plain("", "subtle", self)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.verdict)
        row.addWidget(self.state, 1)
        return row

    # Showing

    @property
    def result(self) -> RunResult | None:
        """Return the run in sight: the one in progress, or the stored one chosen."""
        return self._run.result if self._run is not None else self._past

    def show_charger(self, identity: str) -> None:
        """Show this charger."""
        if identity == self._identity:
            return
        self._identity = identity
        self._run = self._bench.acceptance.running(identity)
        self._past, self._runs = None, ()
        self.refresh()
        if identity:
            self._tasks.replace("acceptance runs", self._read_history())

    def refresh(self) -> None:
        """Show what changed."""
        running = self._bench.acceptance.running(self._identity)
        if running is not None and running is not self._run:
            self._run = running
        is_running = self._run is not None and not self._run.is_over
        if is_running != self._timer.isActive():
            self._turned(is_running)
        there = self._bench.server.endpoint(self._identity)
        self.start.setEnabled(there is not None and not is_running)
        self.start.setVisible(not is_running)
        self.stop.setVisible(is_running)
        self.suite.setEnabled(not is_running)
        self.save.setEnabled(self.result is not None and not is_running)
        self.history.setVisible(bool(self._runs))
        if self.isVisible():
            self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """Show how things are now."""
        super().showEvent(event)
        self._show()

    def _show(self) -> None:
        progress = self._run.latest if self._run is not None else None
        planned = self._planned()
        current = progress.current if progress else ""
        rows = lines(planned, self.result, current)
        self.model.show(rows)
        self.prompt.show_prompt(progress.prompt if progress else None)
        self.stack.setCurrentWidget(self.splitter if rows else self.empty)
        if not rows:
            self._show_empty()
        self._show_state(progress)
        line = self.table.current()
        # The cursor goes on with the run until the technician puts it elsewhere.
        if current and (line is None or line.case_id == self._followed):
            self._followed = current
            self.table.select_key(current)
        self._show_case(self.table.current())

    def _planned(self) -> tuple[Case, ...]:
        if self._run is not None:
            return self._run.plan.cases
        if self._past is not None:
            return ()
        suite, version = self._suite(), self._version()
        return suite.cases(version) if suite and version else ()

    def _show_state(self, progress: Progress | None) -> None:
        result = self.result
        if result is None:
            self.verdict.hide()
            self._describe_suite()
            return
        self.verdict.show()
        done, planned = len(result.results), len(progress.planned) if progress else len(result.results)
        if progress is not None and not progress.is_over:
            self.verdict.show_status(
                self.tr("Case {n} of {of}").format(n=min(done + 1, planned), of=planned), "working"
            )
            self.state.setText(visible(progress.step, 160))
            return
        self.verdict.show_status(worded(VERDICT_WORDS[result.verdict]), VERDICT_TONES[result.verdict])
        self.state.setText(" · ".join(part for part in (counts(result), visible(result.stopped, 200)) if part))

    def _describe_suite(self) -> None:
        suite, version = self._suite(), self._version()
        if suite is None or not version:
            self.state.setText("")
            return
        minutes = suite.budget_s(version) / 60
        self.state.setText(
            self.tr("{text} {count} cases, at most {minutes:.0f} minutes.").format(
                text=worded(suite.text), count=len(suite.cases(version)), minutes=minutes
            )
        )

    def _show_empty(self) -> None:
        if not self._version():
            title, text = (
                self.tr("Not connected"),
                self.tr("A charger is tested while it is connected to this endpoint."),
            )
        else:
            title = self.tr("No cases for this version")
            text = self.tr("This suite has no cases for the OCPP version this charger speaks.")
        self.empty.show_texts(title, text, "clipboard-check")

    def _show_case(self, line: object) -> None:
        if not isinstance(line, CaseLine):
            self.case.show_case(None, None)
            return
        cases = by_id(self._bench.acceptance.cases)
        results = {item.case_id: item for item in self.result.results} if self.result else {}
        is_current = self._run is not None and self._run.latest.current == line.case_id
        state = self.tr("Running") if is_current else ""
        self.case.show_case(cases.get(line.case_id), results.get(line.case_id), state)

    def _suite(self) -> Suite | None:
        wanted = self.suite.currentData()
        return next((suite for suite in self._bench.acceptance.suites if suite.id == wanted), None)

    def _version(self) -> str:
        there = self._bench.server.endpoint(self._identity)
        return there.version if there is not None else ""

    # Acting

    def _suite_chosen(self) -> None:
        if self._run is None or self._run.is_over:
            self._run, self._past = None, None
            self.history.setCurrentIndex(0)
            self.refresh()

    def _start(self) -> None:
        self._past = None
        self._run = self._bench.acceptance.start(self._identity, str(self.suite.currentData()))
        self.table.clearSelection()
        self.table.setCurrentIndex(self.model.index(-1, -1))
        self.refresh()

    def _stop(self) -> None:
        if self._run is not None:
            self._run.stop()
            self.stop.setEnabled(False)

    def _answered(self, number: int, answer: object) -> None:
        if self._run is not None and isinstance(answer, Answer):
            self._run.answer(number, answer)
            self._show()

    def _turned(self, is_running: bool) -> None:
        """Follow a run that began, or look into the history once it is over."""
        if is_running:
            self._timer.start()
            return
        self._timer.stop()
        self.stop.setEnabled(True)
        self._tasks.replace("acceptance runs", self._read_history())

    def _tick(self) -> None:
        if self._run is not None and self._run.is_over:
            self.refresh()
        elif self.isVisible():
            self._show()

    async def _read_history(self) -> None:
        identity = self._identity
        found = await self._bench.acceptance.read_history(identity, MOST_RUNS)
        if identity != self._identity:
            return
        self._runs = tuple(run for run in found if run.ended_at is not None)
        self.history.clear()
        self.history.addItem(self.tr("Earlier runs …") if self._runs else "", "")
        for run in self._runs:
            self.history.addItem(run_title(run), run.id)
        if self._run is not None and self._run.is_over:
            self.history.setCurrentIndex(max(0, self.history.findData(self._run.id)))
        self.refresh()

    def _history_chosen(self, _: int) -> None:
        if self._run is not None and not self._run.is_over:
            return
        wanted = self.history.currentData()
        self._run = None
        self._past = next((run for run in self._runs if run.id == wanted), None)
        self.refresh()

    def _save(self) -> None:
        action = self.sender()
        result = self.result
        if isinstance(action, QAction) and result is not None:
            self._tasks.start_once("save acceptance", self._save_as(result, str(action.data())), busy=self.save)

    async def _save_as(self, result: RunResult, kind: str) -> None:
        name = f"rehome-acceptance-{result.id}.{kind}"
        path: Path | None = await choose_file(self, self.tr("Save the acceptance result"), save_as=name)
        if path is not None:
            await self._bench.save_acceptance(result, path)
