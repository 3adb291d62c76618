"""All jobs as rows, newest first. Columns are data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QIcon

from app.model.job import STEPS, Job
from ui import icons
from ui.wizard.words import QT_TRANSLATE_NOOP, job_status, name_of, translated

JOB_ROLE = Qt.ItemDataRole.UserRole + 1
"""The Job itself."""

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    text: Callable[[Job], str]


def _where(job: Job) -> str:
    if job.current is None:
        return translated(QT_TRANSLATE_NOOP("wizard", "All steps done"))
    return f"{job.done_count + 1} / {len(STEPS)} · {name_of(job.current)}"


def _target(job: Job) -> str:
    return job.backend.full_url if job.backend else ""


COLUMNS = (
    _Column(QT_TRANSLATE_NOOP("wizard", "Charger"), lambda job: job.unit_title),
    _Column(QT_TRANSLATE_NOOP("wizard", "State"), lambda job: job_status(job)[0]),
    _Column(QT_TRANSLATE_NOOP("wizard", "Step"), _where),
    _Column(QT_TRANSLATE_NOOP("wizard", "Backend"), _target),
    _Column(QT_TRANSLATE_NOOP("wizard", "Last change"), lambda job: f"{job.updated_at.astimezone():%d.%m. %H:%M}"),
)


class JobsModel(QAbstractTableModel):
    """Rows of jobs; ``put`` replaces or adds."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: list[Job] = []

    def reset(self, jobs: Iterable[Job]) -> None:
        """Show exactly these jobs."""
        self.beginResetModel()
        self._jobs = sorted(jobs, key=lambda job: job.created_at, reverse=True)
        self.endResetModel()

    def put(self, jobs: Iterable[Job]) -> None:
        """Replace jobs by their newer states; new ones come first."""
        for job in {job.id: job for job in jobs}.values():
            row = self.row_of(job.id)
            if row < 0:
                self.beginInsertRows(QModelIndex(), 0, 0)
                self._jobs.insert(0, job)
                self.endInsertRows()
            else:
                self._jobs[row] = job
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))

    def row_of(self, job_id: str) -> int:
        """Return a job's row, or -1."""
        return next((row for row, job in enumerate(self._jobs) if job.id == job_id), -1)

    def job_at(self, row: int) -> Job | None:
        """Return the job of a row."""
        return self._jobs[row] if 0 <= row < len(self._jobs) else None

    def rowCount(self, parent: _Index | None = None) -> int:
        """Return how many jobs there are."""
        return 0 if parent is not None and parent.isValid() else len(self._jobs)

    def columnCount(self, parent: _Index | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return a column's title."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return translated(COLUMNS[section].title)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Return text, state icon or the job."""
        job = self._jobs[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return COLUMNS[index.column()].text(job)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 1:
            return self._icon(job)
        if role == JOB_ROLE:
            return job
        return None

    @staticmethod
    def _icon(job: Job) -> QIcon:
        _, tone, name = job_status(job)
        return icons.icon(name, tone)
