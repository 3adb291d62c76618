"""The jobs as a board: what waits for a person, what works, what rests, what is finished."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.model.job import STEPS, Job, JobState, StepState
from ui import icons
from ui.models.plain import tooltip
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.wizard.words import QT_TRANSLATE_NOOP, job_status, name_of, translated

COLUMN_TITLES = (
    QT_TRANSLATE_NOOP("wizard", "Waits for you"),
    QT_TRANSLATE_NOOP("wizard", "Working"),
    QT_TRANSLATE_NOOP("wizard", "Paused"),
    QT_TRANSLATE_NOOP("wizard", "Finished"),
)

MOST_CARDS = 50
"""Per column; the list shows all."""


def column_of(job: Job) -> int:
    """Return the board column a job belongs to."""
    if job.is_final:
        return 3
    if job.state is JobState.PAUSED:
        return 2
    state = job.step(job.current).state if job.current else StepState.DONE
    return 1 if state is StepState.RUNNING or job.state is JobState.UNDOING else 0


class Board(QWidget):
    """Four columns of cards. ``opened`` with the job's id."""

    opened = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns: list[QVBoxLayout] = []
        self._counts: list[QLabel] = []
        self._shown: tuple[tuple[str, int], ...] = ()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        for title in COLUMN_TITLES:
            layout.addWidget(self._column(translated(title)), 1)

    def _column(self, title: str) -> QWidget:
        frame = QFrame(self)
        set_role(frame, "well")
        heading = QLabel(title, frame)
        set_role(heading, "section")
        count = QLabel(frame)
        set_role(count, "caption")
        head = QHBoxLayout()
        head.addWidget(heading)
        head.addStretch(1)
        head.addWidget(count)
        inner = QWidget(frame)
        set_role(inner, "scroll")
        cards = QVBoxLayout(inner)
        cards.setContentsMargins(0, 0, 0, 0)
        cards.setSpacing(SPACE_8)
        cards.addStretch(1)
        scroll = QScrollArea(frame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its cards take the keyboard
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        column = QVBoxLayout(frame)
        column.setContentsMargins(SPACE_12, SPACE_12, SPACE_12, SPACE_12)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        self._columns.append(cards)
        self._counts.append(count)
        return frame

    def show_jobs(self, jobs: Iterable[Job]) -> None:
        """Show these jobs; nothing is rebuilt while none changed."""
        ordered = sorted(jobs, key=lambda job: job.updated_at, reverse=True)
        key = tuple((job.id, job.seq) for job in ordered)
        if key == self._shown:
            return
        self._shown = key
        for column, cards in enumerate(self._columns):
            mine = [job for job in ordered if column_of(job) == column]
            self._counts[column].setText(str(len(mine)))
            self._fill(cards, mine[:MOST_CARDS])

    def _fill(self, cards: QVBoxLayout, jobs: list[Job]) -> None:
        while cards.count() > 1:
            item = cards.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, job in enumerate(jobs):
            cards.insertWidget(row, self._card(job))

    def _card(self, job: Job) -> QPushButton:
        word, tone, icon = job_status(job)
        where = name_of(job.current) if job.current else translated(QT_TRANSLATE_NOOP("wizard", "All steps done"))
        card = QPushButton(self)
        set_role(card, "jobcard")
        card.setProperty("job", job.id)
        title = job.unit_title.replace("&", "&&")
        card.setText(f"{title}\n{where} · {job.done_count}/{len(STEPS)}")
        icons.dress(card, icon, tone, 18)
        card.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        card.setToolTip(tooltip(f"{job.unit_title}\n{word}, {where}"))
        card.setAccessibleName(f"{job.unit_title}, {word}, {where}")
        card.setCursor(Qt.CursorShape.PointingHandCursor)
        card.clicked.connect(self._clicked)
        return card

    def _clicked(self) -> None:
        self.opened.emit(str(self.sender().property("job")))
