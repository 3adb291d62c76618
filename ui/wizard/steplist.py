"""The job's steps as a column of buttons."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.model.job import STEPS, Job, StepKind
from ui import icons
from ui.theme import SPACE_4, SPACE_8, set_role
from ui.wizard.words import STEP_STATES, name_of, translated


class StepList(QFrame):
    """Ten buttons, one per step; ``chosen`` when the technician looks at another one."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.setFixedWidth(236)
        self._group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_4)
        self._buttons: dict[StepKind, QPushButton] = {}
        for number, kind in enumerate(STEPS):
            button = QPushButton(self)
            set_role(button, "step")
            button.setCheckable(True)
            button.setIconSize(QSize(18, 18))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setMinimumHeight(44)
            self._group.addButton(button, number)
            self._buttons[kind] = button
            layout.addWidget(button)
        layout.addStretch(1)
        self._group.idClicked.connect(self._clicked)

    def show_job(self, job: Job, selected: StepKind) -> None:
        """Show the states of a job's steps and which one is looked at."""
        for number, step in enumerate(job.steps, 1):
            button = self._buttons[step.kind]
            word, tone, icon = STEP_STATES[step.state]
            button.setText(f" {number}  {name_of(step.kind)}")
            icons.dress(button, icon, tone, 18)
            button.setChecked(step.kind is selected)
            button.setAccessibleName(f"{number} {name_of(step.kind)}: {translated(word)}")
            button.setToolTip(translated(word))

    def button(self, kind: StepKind) -> QPushButton:
        """Return a step's button."""
        return self._buttons[kind]

    def focus_step(self, kind: StepKind) -> None:
        """Put the keyboard on a step."""
        self._buttons[kind].setFocus(Qt.FocusReason.OtherFocusReason)

    def _clicked(self, number: int) -> None:
        self.chosen.emit(STEPS[number])
