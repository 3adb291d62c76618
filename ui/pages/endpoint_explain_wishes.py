"""What the site wants of a charger: choose, see the verdict, and have the settings set."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.diagnosis import wishes
from app.diagnosis.dump import Dump
from app.diagnosis.wishes import Answer, Question
from app.model.setting import Change
from ui import icons
from ui.i18n import worded
from ui.models.explained import answer_words, verdict_words
from ui.models.plain import counted
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.frameview import plain_label

CHOICE_WIDTH = 340


class WishRow(QFrame):
    """One question, its options, the verdict and why."""

    chosen = Signal()

    def __init__(self, question: Question, parent: QWidget) -> None:
        super().__init__(parent)
        self.question = question
        self.answer: Answer | None = None
        self.title = plain_label(self, "strong", is_wrapped=True)
        self.title.setText(worded(question.title))
        self.help = plain_label(self, "caption", is_wrapped=True)
        self.help.setText(worded(question.help))
        self.choice = QComboBox(self)
        self.choice.setAccessibleName(worded(question.title))
        self.choice.setAccessibleDescription(worded(question.help))
        self.choice.setFixedWidth(CHOICE_WIDTH)
        self.choice.addItem(self.tr("Not asked"), "")
        for option in question.options:
            self.choice.addItem(worded(option.title), option.id)
        self.choice.activated.connect(self.chosen)
        self.verdict = Chip("", "idle", parent=self)
        self.why = plain_label(self, "caption", is_wrapped=True)
        self.why.setAccessibleName(self.tr("Why"))
        layout = QGridLayout(self)
        layout.setContentsMargins(0, SPACE_8, SPACE_12, SPACE_8)
        layout.setHorizontalSpacing(SPACE_12)
        layout.setVerticalSpacing(SPACE_4)
        layout.setColumnStretch(0, 1)
        layout.addWidget(self.title, 0, 0)
        layout.addWidget(self.choice, 0, 1)
        layout.addWidget(self.verdict, 0, 2, Qt.AlignmentFlag.AlignLeft)
        layout.setColumnMinimumWidth(2, 120)
        layout.addWidget(self.help, 1, 0, 1, 3)
        layout.addWidget(self.why, 2, 0, 1, 3)

    @property
    def wish(self) -> str:
        """Return the chosen option's id, empty = not asked."""
        return str(self.choice.currentData() or "")

    def judge(self, dump: Dump) -> None:
        """Judge the chosen option, and mark those that the charger fits as it is."""
        fitting = {option.id for option in wishes.present(dump, self.question)}
        for place, option in enumerate(self.question.options, start=1):
            title = worded(option.title)
            is_now = option.id in fitting
            self.choice.setItemText(place, self.tr("{title} (as it is)").format(title=title) if is_now else title)
        self.answer = wishes.judge(dump, self.question, self.question.option(self.wish)) if self.wish else None
        self.verdict.setVisible(self.answer is not None)
        self.why.setVisible(self.answer is not None)
        if self.answer is not None:
            self.verdict.show_status(*verdict_words(self.answer))
            self.why.setText(answer_words(self.answer))


class WishesView(QWidget):
    """All questions. ``set_wanted`` carries the changes that fulfil what is wished for."""

    set_wanted = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("What the site wants"))
        self._dump: Dump | None = None
        self._can_set = False
        self.list = ScrollColumn(self)
        self.list.setAccessibleName(self.tr("Questions"))
        self.rows = [WishRow(question, self.list) for question in wishes.questions()]
        for row in self.rows:
            row.chosen.connect(self.judge)
            self.list.column.addWidget(row)
        self.list.column.addStretch(1)
        self.list.column.setContentsMargins(0, 0, 0, 0)
        self.list.column.setSpacing(0)
        self.summary = QLabel(self)
        self.summary.setTextFormat(Qt.TextFormat.PlainText)
        self.summary.setWordWrap(True)
        set_role(self.summary, "caption")
        self.apply = QPushButton(self.tr("Set these values…"), self)
        set_role(self.apply, "primary")
        icons.dress(self.apply, "sliders-horizontal", "accent_text")
        self.apply.clicked.connect(self._apply)
        below = QHBoxLayout()
        below.addWidget(self.summary, 1)
        below.addWidget(self.apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_4, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addWidget(self.list, 1)
        layout.addLayout(below)
        self.judge()

    def show_dump(self, dump: Dump | None, *, can_set: bool) -> None:
        """Judge the wishes against this configuration; what was wished for stays."""
        self._dump, self._can_set = dump, can_set
        self.judge()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Return the verdicts on what is wished for."""
        return tuple(row.answer for row in self.rows if row.answer is not None)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return what would have to be set."""
        return wishes.all_changes(self.answers)

    def judge(self) -> None:
        """Judge all that is wished for."""
        if self._dump is not None:
            for row in self.rows:
                row.judge(self._dump)
        count, contrary = len(self.changes), self._contrary()
        self.apply.setVisible(self._can_set)
        self.apply.setEnabled(bool(count) and not contrary)
        self.summary.setText(self._words(count, contrary))
        set_look(self.summary, tone="attention" if contrary else "")

    def say(self, text: str, tone: str = "") -> None:
        """Say what became of it."""
        self.summary.setText(text)
        set_look(self.summary, tone=tone)

    def _words(self, count: int, contrary: str) -> str:
        if contrary:
            return self.tr("Two wishes contradict each other about {key}.").format(key=contrary)
        if not self.answers:
            return self.tr(
                "Choose what the site wants; the verdict stands beside it. It holds for the next charger too."
            )
        fitting = sum(answer.verdict is wishes.Verdict.FITS for answer in self.answers)
        words = self.tr("{fitting} of {total} wishes fit").format(fitting=fitting, total=len(self.answers))
        if not count:
            return words
        return f"{words} · {counted(count, self.tr('1 setting to change'), self.tr('{count} settings to change'))}"

    def _contrary(self) -> str:
        return wishes.contradiction(self._dump, self.answers) if self._dump is not None else ""

    def _apply(self) -> None:
        self.set_wanted.emit(self.changes)
