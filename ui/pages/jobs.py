"""The Jobs page: all jobs as list or board, and the wizard of the one that is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.model.job import Job, Progress
from ui import icons
from ui.models.jobs import JobsModel
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_16, SPACE_24, set_role
from ui.widgets.empty import Empty
from ui.wizard.board import Board
from ui.wizard.view import JobView

if TYPE_CHECKING:
    from app.workbench import Workbench

ROW_HEIGHT = 40


class JobsPage(Page):
    """List, board and wizard. ``open("unit:<id>")`` starts or continues a unit's job, ``open(job_id)`` shows one."""

    page_id: ClassVar[str] = "jobs"
    title: ClassVar[str] = "Jobs"
    icon_name: ClassVar[str] = "list-checks"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.model = JobsModel(self)
        self.table = self._make_table()
        self.board = Board(self)
        self.board.opened.connect(self.open)
        self.view = JobView(bench, self.tasks, self)
        self.view.left.connect(self._show_list)
        self.view.unit_wanted.connect(self._show_unit)
        self.view.family_wanted.connect(self._show_family)
        self._empty = Empty(
            self.tr("No jobs yet"),
            self.tr("A job moves one charger to a new backend, step by step. Choose a charger on the Site page."),
            "list-checks",
            self.tr("Go to the site"),
            self,
        )
        self._empty.acted.connect(self._go_to_site)
        self._lay_out()
        self.listen(bench.desk.changes, self._changed)
        self.listen(bench.desk.progress, self._progressed)

    def _make_table(self) -> QTableView:
        table = QTableView(self)
        table.setModel(self.model)
        table.setAccessibleName(self.tr("Jobs"))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, width in enumerate((240, 130, 190, 320)):
            table.setColumnWidth(column, width)
        header.setStretchLastSection(True)
        table.activated.connect(self._activated)
        return table

    def _lay_out(self) -> None:
        self._lists = QStackedWidget(self)
        for widget in (self._empty, self.table, self.board):
            self._lists.addWidget(widget)
        overview = QWidget(self)
        column = QVBoxLayout(overview)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_16)
        column.addLayout(self._head())
        column.addWidget(self._lists, 1)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(overview)
        self._stack.addWidget(self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_16)
        layout.addWidget(self._stack)

    def _head(self) -> QHBoxLayout:
        heading = QLabel(self.tr("Jobs"), self)
        set_role(heading, "title")
        self._count = QLabel(self)
        set_role(self._count, "subtle")
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(heading)
        line.addWidget(self._count)
        line.addStretch(1)
        self._forms = QButtonGroup(self)
        for number, (text, icon) in enumerate(((self.tr("List"), "list"), (self.tr("Board"), "layout-grid"))):
            button = QPushButton(text, self)
            icons.dress(button, icon)
            button.setCheckable(True)
            button.setChecked(number == 0)
            self._forms.addButton(button, number)
            line.addWidget(button)
        self._forms.idClicked.connect(self._show_form)
        return line

    def open(self, argument: object) -> None:
        """Open a job by its id, or ``unit:<unit id>``: that charger's open job, or a new one."""
        if isinstance(argument, str) and argument.startswith("unit:"):
            self._open_job(self._job_of_unit(argument.removeprefix("unit:")))
        elif isinstance(argument, str) and argument:
            self._open_job(self.bench.desk.job(argument))
        else:
            self._show_list()

    def on_shown(self) -> None:
        """Catch up with what happened meanwhile."""
        self.model.reset(self.bench.desk.jobs.values())
        self._refresh_lists()
        shown = self.view.job
        if shown is not None and self._stack.currentWidget() is self.view:
            self.view.show_job(self.bench.desk.job(shown.id))
            self.view.focus_next()

    def refresh(self) -> None:
        """Read all jobs anew."""
        self.on_shown()

    def _job_of_unit(self, unit_id: str) -> Job:
        for job in sorted(self.bench.desk.jobs.values(), key=lambda job: job.created_at, reverse=True):
            if job.unit_id == unit_id and not job.is_final:
                return job
        return self.bench.desk.create(unit_id)

    def _open_job(self, job: Job) -> None:
        self._stack.setCurrentWidget(self.view)
        self.view.open_job(job)

    def _show_list(self) -> None:
        self._stack.setCurrentIndex(0)
        self._refresh_lists()
        self.table.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_form(self, number: int) -> None:
        del number
        self._refresh_lists()

    def _refresh_lists(self) -> None:
        jobs = list(self.bench.desk.jobs.values())
        unfinished = sum(not job.is_final for job in jobs)
        self._count.setText(self.tr("{open} open of {all}").format(open=unfinished, all=len(jobs)) if jobs else "")
        self.board.show_jobs(jobs)
        wanted = self.board if self._forms.checkedId() == 1 else self.table
        self._lists.setCurrentWidget(wanted if jobs else self._empty)
        if jobs and not self.table.currentIndex().isValid():
            self.table.setCurrentIndex(self.model.index(0, 0))

    def _activated(self, index: QModelIndex) -> None:
        job = self.model.job_at(index.row())
        if job is not None:
            self._open_job(job)

    def _changed(self, jobs: Iterable[Job]) -> None:
        newest = {job.id: job for job in jobs}
        self.model.put(newest.values())
        self._refresh_lists()
        shown = self.view.job
        if shown is not None and shown.id in newest and self._stack.currentWidget() is self.view:
            self.view.show_job(newest[shown.id])

    def _progressed(self, items: Iterable[Progress]) -> None:
        for item in {(item.job_id, item.step): item for item in items}.values():
            self.view.show_progress(item)

    def _go_to_site(self) -> None:
        self.go.emit("site", None)

    def _show_unit(self, unit_id: str) -> None:
        self.go.emit("unit", unit_id)

    def _show_family(self, profile_id: str) -> None:
        self.go.emit("chargers", profile_id)
