"""The plan: the exact strings for both targets, and the doors that don't open again."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.model.job import Door, Job, ShownChange, Target
from ui import icons
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, TARGET, set_role
from ui.widgets.copy import CopyField


class PlanView(QWidget):
    """Both halves of the plan and the acknowledgements. ``changed`` when a door was ticked."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, SPACE_8, 0, 0)
        self._layout.setSpacing(SPACE_12)
        self._shown: object = None
        self._doors: dict[str, QCheckBox] = {}

    @property
    def doors(self) -> tuple[QCheckBox, ...]:
        """Return the acknowledgement boxes, one per door."""
        return tuple(self._doors.values())

    @property
    def accepted(self) -> list[str]:
        """Return the ids of the doors that are ticked."""
        return [door for door, box in self._doors.items() if box.isChecked()]

    @property
    def is_complete(self) -> bool:
        """Say whether every door is ticked."""
        return all(box.isChecked() for box in self._doors.values())

    def show_job(self, job: Job) -> None:
        """Show a job's plan; nothing is rebuilt while it is the same."""
        key = (job.id, job.plan, job.doors, job.restarts)
        if key == self._shown:
            return
        self._shown = key
        self._clear()
        self._layout.addWidget(
            self._half(self.tr("First, for the proof on this computer"), job.changes(Target.ENDPOINT))
        )
        self._layout.addWidget(self._half(self.tr("Then, for the new backend"), job.changes(Target.BACKEND)))
        self._layout.addWidget(self._restarts(job.restarts))
        for door in job.doors:
            self._layout.addWidget(self._door(door, is_accepted=door.id in job.acknowledged))

    def _clear(self) -> None:
        self._doors = {}
        while (item := self._layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def _half(self, title: str, changes: tuple[ShownChange, ...]) -> QWidget:
        frame = QFrame(self)
        set_role(frame, "well")
        grid = QGridLayout(frame)
        grid.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        grid.setHorizontalSpacing(SPACE_16)
        grid.setVerticalSpacing(SPACE_4)
        grid.setColumnStretch(1, 2)
        grid.setColumnStretch(2, 3)
        heading = QLabel(title, frame)
        set_role(heading, "strong")
        grid.addWidget(heading, 0, 0, 1, 3)
        if not changes:
            grid.addWidget(QLabel(self.tr("Nothing has to change."), frame), 1, 0, 1, 3)
            return frame
        for column, text in enumerate((self.tr("Setting"), self.tr("Now"), self.tr("Will be"))):
            label = QLabel(text, frame)
            set_role(label, "section")
            grid.addWidget(label, 1, column)
        for row, change in enumerate(sorted(changes, key=lambda item: item.order), 2):
            self._row(grid, row, change, frame)
        return frame

    def _row(self, grid: QGridLayout, row: int, change: ShownChange, frame: QWidget) -> None:
        key = QLabel(frame)
        key.setTextFormat(Qt.TextFormat.PlainText)
        key.setText(change.key)
        set_role(key, "mono")
        before = QLabel(frame)
        before.setTextFormat(Qt.TextFormat.PlainText)
        before.setText(change.before or self.tr("(empty)"))
        before.setWordWrap(True)
        set_role(before, "mono-subtle")
        grid.addWidget(key, row, 0)
        grid.addWidget(before, row, 1)
        grid.setRowMinimumHeight(row, TARGET + SPACE_4)
        grid.addWidget(CopyField(change.after, change.key, frame), row, 2)

    def _restarts(self, count: int) -> QWidget:
        if count == 0:
            text = self.tr("No restart is needed.")
        elif count == 1:
            text = self.tr("The charger restarts once.")
        else:
            text = self.tr("The charger restarts {count} times.").format(count=count)
        label = QLabel(text, self)
        set_role(label, "subtle")
        return label

    def _door(self, door: Door, *, is_accepted: bool) -> QWidget:
        frame = QFrame(self)
        set_role(frame, "banner", tone="attention")
        picture = QLabel(frame)
        icons.dress(picture, "triangle-alert", "attention", 20)
        words = QLabel(frame)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setText(f"{door.text}\n{door.source}".strip())
        words.setWordWrap(True)
        box = QCheckBox(self.tr("I know this can't be undone"), frame)
        box.setAccessibleDescription(door.text)
        box.setChecked(is_accepted)
        box.setEnabled(not is_accepted)
        box.toggled.connect(self.changed)
        self._doors[door.id] = box
        column = QVBoxLayout()
        column.addWidget(words)
        column.addWidget(box)
        line = QHBoxLayout(frame)
        line.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        line.setSpacing(SPACE_12)
        line.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(column, 1)
        return frame
