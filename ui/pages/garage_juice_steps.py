"""The guided rescue of one box: the one next thing to do on top, all steps below, ticking themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.juicenet.rescue import Step, StepState, next_step
from ui import icons
from ui.i18n import worded
from ui.models.juice import Case, Said
from ui.models.plain import tooltip, visible_lines
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.section import plain


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown."""

    word: str
    tone: str
    icon: str


LOOKS = {
    StepState.DONE: Look("Done", "good", "circle-check"),
    StepState.NOW: Look("Now", "accent", "circle-dot"),
    StepState.WAITING: Look("Waiting", "idle", "hourglass"),
    StepState.PROBLEM: Look("Problem", "fault", "octagon-x"),
    StepState.NOT_POSSIBLE: Look("Not possible", "attention", "circle-slash"),
}
BANNER_TONES = {StepState.PROBLEM: "fault", StepState.NOT_POSSIBLE: "attention", StepState.DONE: "good"}

ACTIONS = {
    "identify": ("console", "Ask its console"),
    "network": ("services", "Open network services"),
    "cycle": ("services", "Watch its questions"),
    "heard": ("wall", "Ports and firewall"),
    "limit": ("limit", "Enter the limit"),
    "charges": ("charge", "Charge now"),
    "bridged": ("bridge", "Hand over to the bridge"),
    "proof": ("bridge", "Open the bridge"),
    "remains": ("family", "What is known of it"),
}
"""What a step's button does: its key (``acted``), and its English words."""
OFF = ("listen", "Start listening")


class NextCard(QFrame):
    """The one thing to do next. ``acted`` carries what its button asks for."""

    acted = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "banner", tone="working")
        self.title = plain("", "strong", self)
        self.seen = plain("", "", self)
        self.text = plain("", "", self)
        self.button = QPushButton(self)
        set_role(self.button, "primary")
        self.button.clicked.connect(self._act)
        self._picture = QLabel(self)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        for label in (self.title, self.seen, self.text):
            words.addWidget(label)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        row.setSpacing(SPACE_12)
        row.addWidget(self._picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_step(self, step: Step | None, action: tuple[str, str] | None) -> None:
        """Show what is next, with a button where there is one for it."""
        self.setVisible(step is not None)
        if step is None:
            return
        look = LOOKS[step.state]
        tone = BANNER_TONES.get(step.state, "working")
        set_look(self, tone=tone)
        icons.dress(self._picture, look.icon, tone, 20)
        lead = worded("Wait") if step.state is StepState.WAITING else worded("Next")
        if step.state in (StepState.PROBLEM, StepState.NOT_POSSIBLE):
            lead = worded(look.word)
        self.title.setText(f"{lead}: {step.title}")
        self._show(self.seen, step.seen)
        self._show(self.text, step.next)
        self.setAccessibleName(f"{lead}: {step.title}")
        self.setAccessibleDescription(f"{step.seen} {step.next}".strip())
        self.button.setVisible(action is not None)
        if action is not None:
            self.button.setProperty("key", action[0])
            self.button.setText(worded(action[1]))

    def _show(self, label: QLabel, text: str) -> None:
        label.setText(visible_lines(text))
        label.setVisible(bool(text))

    def _act(self) -> None:
        self.acted.emit(str(self.button.property("key")))


class StepRow(QFrame):
    """One step: its number, name, state, what proves it, and (while it is looked ahead) what to do."""

    def __init__(self, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = number
        self.step: Step | None = None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._picture = QLabel(self)
        self.title = plain("", "strong", self, wraps=False)
        self.state = Chip("", "idle", parent=self)
        self.seen = plain("", "subtle", self)
        self.next = plain("", "", self)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self._picture)
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.state)
        below = QVBoxLayout()
        below.setContentsMargins(20 + SPACE_8, 0, 0, 0)
        below.setSpacing(SPACE_4)
        below.addWidget(self.seen)
        below.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, SPACE_4, SPACE_8, SPACE_4)
        layout.setSpacing(SPACE_4)
        layout.addLayout(head)
        layout.addLayout(below)

    def show_step(self, step: Step, *, tells_next: bool) -> None:
        """Show how it stands."""
        self.step = step
        look = LOOKS[step.state]
        icons.dress(self._picture, look.icon, look.tone, 20)
        self.title.setText(f"{self._number}. {step.title}")
        set_role(self.title, "subtle" if step.state is StepState.WAITING else "strong")
        self.state.show_status(worded(look.word), look.tone, look.icon)
        self.seen.setText(visible_lines(step.seen))
        self.seen.setVisible(bool(step.seen))
        self.next.setText(visible_lines(step.next))
        self.next.setVisible(tells_next and bool(step.next))
        source = worded("Source: {source} ({grade})", source=step.source, grade=step.grade) if step.source else ""
        self.setToolTip(tooltip(source))
        self.setAccessibleName(f"{self._number}. {step.title}: {worded(look.word)}")
        self.setAccessibleDescription(" ".join(part for part in (step.seen, step.next, source) if part))


class RescueView(ScrollColumn):
    """All of it. ``acted`` asks for something (see ``ACTIONS``); ``said`` that a person said something."""

    acted = Signal(str)
    said = Signal()

    def __init__(self, families: Sequence[tuple[str, str]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Guided rescue"))
        self.steps: tuple[Step, ...] = ()
        self.rows: list[StepRow] = []
        self.next = NextCard(self._content)
        self.next.acted.connect(self.acted)
        self.family = QComboBox(self._content)
        self.family.setAccessibleName(self.tr("Generation of this box"))
        for profile_id, name in families:
            self.family.addItem(name, profile_id)
        self.family.activated.connect(self.said)
        self.ahead = QCheckBox(self.tr("Show what all steps ask for"), self._content)
        self.ahead.toggled.connect(self._fill)
        self.released = QCheckBox(self.tr("The owner says that nobody else serves this box any more"), self._content)
        self.released.toggled.connect(self.said)
        self.list = QFrame(self._content)
        set_role(self.list, "card")
        self._list = QVBoxLayout(self.list)
        self._list.setContentsMargins(SPACE_8, SPACE_8, SPACE_8, SPACE_8)
        self._list.setSpacing(SPACE_4)
        self._lay_out()

    def _lay_out(self) -> None:
        label = plain(self.tr("Which box"), "subtle", self._content, wraps=False)
        label.setBuddy(self.family)
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(label)
        line.addWidget(self.family, 1)
        line.addSpacing(SPACE_16)
        line.addWidget(self.ahead)
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_8)
        self.column.addWidget(self.next)
        self.column.addWidget(self.released)
        self.column.addLayout(line)
        self.column.addWidget(self.list)
        self.column.addStretch(1)

    def show_case(self, case: Case, said: Said, steps: tuple[Step, ...], *, is_listening: bool) -> None:
        """Show where this box stands. Nothing is rebuilt while it is the same."""
        family_id = case.family_id(said)
        index = self.family.findData(family_id)
        if index >= 0 and index != self.family.currentIndex():
            self.family.setCurrentIndex(index)
        self.family.setEnabled(family_id == said.profile_id)  # what it said itself counts
        with QSignalBlocker(self.released):
            self.released.setChecked(said.is_released)
        dials = next((step for step in steps if step.id == "dials"), None)
        is_asked = dials is not None and dials.state is StepState.PROBLEM
        self.released.setVisible(is_asked or said.is_released)
        found = next_step(steps)
        self.next.show_step(found, self._action(found, case, is_listening=is_listening))
        if steps != self.steps:
            self.steps = steps
            self._fill()

    def _action(self, step: Step | None, case: Case, *, is_listening: bool) -> tuple[str, str] | None:
        if step is None:
            return None
        if step.state is StepState.NOT_POSSIBLE:
            return ACTIONS["remains"]
        if not is_listening:
            return OFF
        if step.id == "identify" and not case.host and not case.console_id:
            return ("site", "Search the site")
        if step.id == "charges" and not _is_paused(case):
            return None
        if case.bridge is not None and step.id == "bridged":
            return ACTIONS["proof"]
        return ACTIONS.get(step.id)

    def _fill(self) -> None:
        while len(self.rows) < len(self.steps):
            row = StepRow(len(self.rows) + 1, self.list)
            self.rows.append(row)
            self._list.addWidget(row)
        for row, step in zip(self.rows, self.steps, strict=True):
            row.show_step(step, tells_next=self.ahead.isChecked())


def _is_paused(case: Case) -> bool:
    box = case.box
    return box is not None and box.adoption is not None and box.allowed_a == 0 and case.bridge is None
