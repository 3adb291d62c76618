"""The job's steps as a column of buttons."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.model.job import STEPS, Job, StepKind
from ui import icons
from ui.theme import SPACE_4, SPACE_8, TARGET_LARGE, set_role
from ui.widgets.column import ScrollColumn
from ui.wizard.words import STEP_STATES, name_of, translated

WIDTH, LEAST_WIDTH = 236, 76


class StepList(QFrame):
    """Ten buttons, one per step; ``chosen`` when the technician looks at another one."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.setMinimumWidth(LEAST_WIDTH)
        self.setMaximumWidth(WIDTH)
        self._group = QButtonGroup(self)
        self._scroll = ScrollColumn(self)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons take the keyboard
        layout = self._scroll.column
        layout.setContentsMargins(SPACE_8, SPACE_8, SPACE_8, SPACE_8)
        layout.setSpacing(SPACE_4)
        frame = QVBoxLayout(self)
        frame.setContentsMargins(1, 1, 1, 1)
        frame.addWidget(self._scroll)
        self._buttons: dict[StepKind, QPushButton] = {}
        for number, kind in enumerate(STEPS):
            button = QPushButton(self)
            set_role(button, "step")
            button.setCheckable(True)
            button.setIconSize(QSize(18, 18))
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumHeight(TARGET_LARGE)
            self._group.addButton(button, number)
            self._buttons[kind] = button
            layout.addWidget(button)
        layout.addStretch(1)
        self._group.idClicked.connect(self._clicked)

    def show_narrow(self, is_narrow: bool) -> None:
        """Leave the room to the step itself: icons only."""
        self.setMaximumWidth(LEAST_WIDTH if is_narrow else WIDTH)

    def sizeHint(self) -> QSize:
        """Want room for the longest name; in a narrow window icon and number must do."""
        return QSize(WIDTH, super().sizeHint().height())

    def show_job(self, job: Job, selected: StepKind) -> None:
        """Show the states of a job's steps and which one is looked at."""
        for number, step in enumerate(job.steps, 1):
            button = self._buttons[step.kind]
            word, tone, icon = STEP_STATES[step.state]
            button.setText(f" {number}  {name_of(step.kind)}")
            icons.dress(button, icon, tone, 18)
            button.setChecked(step.kind is selected)
            button.setAccessibleName(f"{number} {name_of(step.kind)}: {translated(word)}")
            button.setToolTip(f"{name_of(step.kind)}: {translated(word)}")
            if step.kind is selected:
                self._scroll.ensureWidgetVisible(button)

    def button(self, kind: StepKind) -> QPushButton:
        """Return a step's button."""
        return self._buttons[kind]

    def focus_step(self, kind: StepKind) -> None:
        """Put the keyboard on a step."""
        self._buttons[kind].setFocus(Qt.FocusReason.OtherFocusReason)

    def _clicked(self, number: int) -> None:
        self.chosen.emit(STEPS[number])
