"""An experiment with one charger: what it does and risks, its rounds with a countdown, what follows, to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError
from app.experiment.values import Progress, Result, Round, State, Subject
from app.experiment.words import duration, setting_words, told
from app.model.experiment import EXPERIMENTS, Experiment, Ground
from app.model.finding import Finding
from ui import icons
from ui.i18n import worded
from ui.models.plain import visible
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.findings import FindingCard
from ui.widgets.section import plain

if TYPE_CHECKING:
    from app.experiment.run import Run
    from app.workbench import Workbench

TICK_MS = 200
STATE_WIDTH = 108
NAME_WIDTH = 150
STATES = {
    State.WAITING: ("Waiting", "idle"),
    State.RUNNING: ("Running", "working"),
    State.DONE: ("Done", "good"),
    State.SKIPPED: ("Not tried", "idle"),
}


class RoundRows(QWidget):
    """The rounds, one under the other: how far each is, what is tried, what was seen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._rows: list[tuple[Chip, QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_12)
        self._grid.setVerticalSpacing(SPACE_8)
        self._grid.setColumnMinimumWidth(0, STATE_WIDTH)
        self._grid.setColumnMinimumWidth(1, NAME_WIDTH)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(2, 3)
        self.setAccessibleName(self.tr("Rounds"))

    def show_rounds(self, experiment_id: str, rounds: tuple[Round, ...]) -> None:
        """Show these."""
        names = tuple(setting_words(experiment_id, item.setting, worded) for item in rounds)
        if names != self._names:
            self._names = names
            self._build()
        for (chip, seen), item in zip(self._rows, rounds, strict=True):
            word, tone = STATES[item.state]
            chip.show_status(worded(word), tone)
            seen.setText(visible(item.seen, 300))

    def _build(self) -> None:
        while (old := self._grid.takeAt(0)) is not None:
            if (widget := old.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._rows = [(Chip("", "idle", parent=self), plain("", "", self)) for _ in self._names]
        for at, (chip, seen) in enumerate(self._rows):
            name = plain(self._names[at], "strong", self)
            for label in (name, seen):
                label.setContentsMargins(0, 2, 0, 0)  # on one line with the chip
            for column, cell in enumerate((chip, name, seen)):
                self._grid.addWidget(cell, at, column, Qt.AlignmentFlag.AlignTop)


class OutcomeCard(QFrame):
    """What follows, and the code it proves."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.seen = plain("", "heading", self)
        self.means = plain("", "", self)
        self.code = plain("", "mono-subtle", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_4)
        for label in (self.seen, self.means, self.code):
            layout.addWidget(label)
        self.code.setContentsMargins(0, SPACE_4, 0, 0)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Show how it ended, or nothing while it has not."""
        self.setVisible(result is not None and result.ended_at is not None)
        if result is None:
            return
        outcome = result.outcome
        set_role(self, "banner", tone="working" if outcome is not None else "attention")
        self.seen.setText(worded(outcome.seen) if outcome is not None else self.tr("Nothing follows from this."))
        self.means.setText(worded(outcome.means) if outcome is not None else visible(result.why, 400))
        self.code.setText(self._proves(result))

    def _proves(self, result: Result) -> str:
        if result.outcome is None:
            return ""
        code = result.outcome.code
        if not code:
            return self.tr("It proves no fault of the charger.")
        return self.tr("It proves {code}:").format(code=code)


class ExperimentPanel(QWidget):
    """One experiment with one charger. ``left`` asks to go back."""

    left = Signal()

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._experiment: Experiment | None = None
        self._identity = self._remote = ""
        self._run: Run | None = None
        self._finding: Finding | None = None
        self.setAccessibleName(self.tr("Experiment"))
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.refresh)

    # Building

    def _build(self) -> None:
        self.does = plain("", "", self)
        self.takes = plain("", "subtle", self)
        self.risk = plain("", "", self)
        self.url = QLineEdit(self)
        self.url.setAccessibleName(self.tr("Backend's address"))
        self.url.setPlaceholderText("wss://csms.example.com/ocpp/CP-1")
        self.url.textChanged.connect(self._show_buttons)
        self.count = plain("", "display", self, wraps=False)
        self.count.setMinimumWidth(64)
        self.count.setAccessibleName(self.tr("Seconds left"))
        self.step = plain("", "", self)
        self.rounds = RoundRows(self)
        self.outcome = OutcomeCard(self)
        self.trouble = plain("", "", self)
        set_role(self.risk, "caption")
        step = QHBoxLayout()
        step.setSpacing(SPACE_12)
        step.addWidget(self.count)
        step.addWidget(self.step, 1)
        scroll = ScrollColumn(self)
        column = scroll.column
        column.setContentsMargins(0, 0, SPACE_4, 0)
        column.setSpacing(SPACE_8)
        for widget in (self.does, self.takes, self.risk, self.url, self.trouble, self.outcome):
            column.addWidget(widget)
        self._proofs = QVBoxLayout()
        column.addLayout(self._proofs)
        column.addLayout(step)
        column.addWidget(self.rounds)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, SPACE_8, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._head())
        layout.addWidget(scroll, 1)

    def _head(self) -> QHBoxLayout:
        self.back = QPushButton(self.tr("Back"), self)
        icons.dress(self.back, "arrow-left", "text2")
        self.back.clicked.connect(self.left)
        self.title = plain("", "heading", self, wraps=False)
        self.state = Chip("", "idle", parent=self)
        self.start = QPushButton(self.tr("Start"), self)
        set_role(self.start, "primary")
        icons.dress(self.start, "play", "accent_text")
        self.start.clicked.connect(self._start)
        self.stop = QPushButton(self.tr("Stop"), self)
        set_role(self.stop, "danger")
        icons.dress(self.stop, "square", "fault")
        self.stop.setToolTip(self.tr("Stop, and treat the charger as usual again"))
        self.stop.clicked.connect(self._stop)
        self.copy = QPushButton(self.tr("Copy"), self)
        self.copy.setToolTip(self.tr("Copy what was tried, what was seen and what follows"))
        icons.dress(self.copy, "copy", "text2")
        self.copy.clicked.connect(self._copy)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        for widget in (self.back, self.title, self.state):
            row.addWidget(widget)
        row.addStretch(1)
        for button in (self.copy, self.stop, self.start):
            row.addWidget(button)
        return row

    # Showing

    def show_experiment(self, experiment_id: str, *, identity: str = "", remote: str = "", url: str = "") -> None:
        """Show an experiment with a unit; one that is going on, or has just ended, with its rounds."""
        experiment = self._experiment = EXPERIMENTS[experiment_id]
        self._identity, self._remote = identity, remote
        at_backend = experiment.ground is Ground.BACKEND
        self.url.setVisible(at_backend)
        self.url.setText(url)
        self.trouble.hide()
        self.title.setText(worded(experiment.title))
        self.does.setText(worded(experiment.does))
        self.takes.setText(self.tr("Takes at most {time}.").format(time=duration(experiment)))
        self._run = self._known(experiment_id)
        if self._run is not None and not self._run.is_over:
            self._timer.start()
        self.refresh()

    def _known(self, experiment_id: str) -> Run | None:
        desk = self._bench.experiments
        for title in (self._identity, self._remote.rpartition(":")[0].strip("[]")):
            run = desk.latest(experiment_id, Subject(identity=title)) if title else None
            if run is not None:
                return run
        return None

    def refresh(self) -> None:
        """Show what changed."""
        if self._experiment is None:
            return
        progress = self._run.latest if self._run is not None else None
        rounds = progress.result.rounds if progress is not None else None
        if rounds is None:
            rounds = tuple(Round(setting=setting) for setting in self._experiment.rounds)
        self.rounds.show_rounds(self._experiment.experiment_id, rounds)
        self._show_step(progress)
        self.outcome.show_result(progress.result if progress is not None else None)
        self._show_finding(progress.result.finding if progress is not None else None)
        self._show_risk()
        self._show_buttons()
        if progress is None or progress.is_over:
            self._timer.stop()

    def _show_step(self, progress: Progress | None) -> None:
        is_going = progress is not None and not progress.is_over
        left_s = progress.left_s(self._bench.now()) if progress is not None and is_going else 0.0
        self.count.setVisible(left_s > 0)
        self.step.setVisible(is_going)
        self.count.setText(self.tr("{left} s").format(left=f"{left_s:.0f}"))
        self.step.setText(visible(progress.step, 300) if progress is not None else "")
        self._show_state(progress)

    def _show_finding(self, finding: Finding | None) -> None:
        if finding == self._finding:
            return
        self._finding = finding
        while (old := self._proofs.takeAt(0)) is not None:
            if (widget := old.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if finding is not None:
            self._proofs.addWidget(FindingCard(finding, self))

    def _show_state(self, progress: Progress | None) -> None:
        self.state.setVisible(progress is not None)
        if progress is None:
            return
        if not progress.is_over:
            self.state.show_status(self.tr("Running"), "working")
        elif progress.result.sign:
            self.state.show_status(self.tr("Done"), "good")
        else:
            self.state.show_status(self.tr("Open"), "attention")

    def _show_risk(self) -> None:
        if self._experiment is None:
            return
        subject = Subject(identity=self._identity)
        warnings = self._bench.experiments.warnings(self._experiment.experiment_id, subject)
        told_of = " ".join(worded(text) for text in warnings)
        self.risk.setVisible(bool(told_of))
        self.risk.setText(self.tr("Beware: {risk}").format(risk=told_of))

    def _show_buttons(self) -> None:
        is_going = self._run is not None and not self._run.is_over
        is_over = self._run is not None and self._run.is_over
        needs_url = self._experiment is not None and self._experiment.ground is Ground.BACKEND
        self.start.setVisible(not is_going)
        self.start.setEnabled(not needs_url or bool(self.url.text().strip()))
        self.start.setText(self.tr("Run again") if is_over else self.tr("Start"))
        self.stop.setVisible(is_going)
        self.copy.setVisible(is_over)
        self.url.setEnabled(not is_going)

    # Acting

    def _start(self) -> None:
        if self._experiment is None:
            return
        self.trouble.hide()
        asked = {"identity": self._identity, "remote": self._remote, "url": self.url.text().strip()}
        try:
            self._run = self._bench.experiments.start(self._experiment.experiment_id, **asked)
        except AppError as error:
            self.trouble.setText(f"{error.message} {error.advice}")
            self.trouble.show()
            return
        self._timer.start()
        self.refresh()
        self.stop.setFocus()

    def _stop(self) -> None:
        if self._run is not None:
            self._run.stop(self.tr("Stopped by hand."))

    def _copy(self) -> None:
        if self._run is not None:
            QGuiApplication.clipboard().setText(told(self._run.result))


class Experiments(QWidget):
    """Shows something, and an experiment in its place while one is looked at."""

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._identity = self._remote = ""
        self.panel = ExperimentPanel(bench, self)
        self.panel.left.connect(self._back)
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self.panel)

    @property
    def is_open(self) -> bool:
        """Say whether an experiment is looked at."""
        return self._stack.currentWidget() is self.panel

    def show_behind(self, widget: QWidget) -> None:
        """Show this while no experiment is looked at."""
        self._stack.addWidget(widget)
        self._stack.setCurrentWidget(widget)

    def show_unit(self, identity: str, remote: str = "") -> None:
        """Experiment with this unit from now on."""
        if (identity, remote) != (self._identity, self._remote):
            self._identity, self._remote = identity, remote
            self._back()

    def run(self, finding: Finding) -> None:
        """Show the experiment that a finding names."""
        remote = self._remote or ("" if self._identity else finding.details.get("remote", ""))
        url = finding.details.get("url", "")
        self.panel.show_experiment(finding.details["experiment"], identity=self._identity, remote=remote, url=url)
        self._stack.setCurrentWidget(self.panel)
        self.panel.start.setFocus()

    def menu_button(self, parent: QWidget) -> QToolButton:
        """Return a button whose menu lists every experiment."""
        button = QToolButton(parent)
        button.setText(self.tr("Experiments"))
        button.setToolTip(self.tr("Find out which of several causes that look alike it is"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        set_role(button, "menu")
        icons.dress(button, "stethoscope", "text2")
        menu = QMenu(button)
        for experiment in EXPERIMENTS.values():
            action = QAction(f"{worded(experiment.title)} · {duration(experiment)}", menu)
            action.setToolTip(worded(experiment.does))
            action.setData(experiment.experiment_id)
            action.triggered.connect(self._chosen)
            menu.addAction(action)
        menu.setToolTipsVisible(True)
        button.setMenu(menu)
        return button

    def _chosen(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.panel.show_experiment(str(action.data()), identity=self._identity, remote=self._remote)
            self._stack.setCurrentWidget(self.panel)
            self.panel.start.setFocus()

    def _back(self) -> None:
        for at in range(self._stack.count()):
            widget = self._stack.widget(at)
            if widget is not None and widget is not self.panel:
                self._stack.setCurrentWidget(widget)
