"""What to type at a charger: one field after the other, each with its exact text, a copy button and a QR code."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.model.guidance import Guidance, Line
from app.report.family import duration
from ui import icons
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.chip import TONE_ICONS
from ui.widgets.copy import CopyField
from ui.widgets.qrcode import QrCode
from ui.widgets.section import plain
from ui.widgets.sticky import Sticky

NARROW = 700
"""Pixels below which the code stands above the fields."""

HIDDEN = "••••••••"


class FieldRow(QFrame):
    """One field: its label as the vendor prints it, the exact text, and a box to tick. ``chosen`` when looked at."""

    chosen = Signal()
    ticked = Signal()
    moved = Signal(int)
    """The arrow keys ask for the field before or after."""

    def __init__(self, line: Line, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.line = line
        set_role(self, "card")
        self.setProperty("clickable", True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Field {number}: {label}").format(number=number, label=line.label))
        self.done = QCheckBox(self)
        self.done.setAccessibleName(self.tr("“{label}” is typed in").format(label=line.label))
        self.done.toggled.connect(self.ticked)
        self.text = CopyField(name=line.label, parent=self)
        set_look(self.text.field, size="large")
        set_look(self.text.button, size="large")
        self.text.field.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.reveal = QPushButton(self.tr("Show"), self)
        self.reveal.setCheckable(True)
        self.reveal.setVisible(line.is_secret and bool(line.text))
        set_look(self.reveal, size="large")
        self.reveal.setAccessibleName(self.tr("Show “{label}” and its code").format(label=line.label))
        self.reveal.toggled.connect(self._reveal)
        self._lay_out()
        self._reveal(False)

    def _lay_out(self) -> None:
        line = self.line
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self.done)
        head.addWidget(plain(line.label, "strong", self), 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_12, SPACE_4, SPACE_12, SPACE_8)
        column.setSpacing(SPACE_4)
        column.addLayout(head)
        if line.text:
            row = QHBoxLayout()
            row.setSpacing(SPACE_8)
            row.addWidget(self.text, 1)
            row.addWidget(self.reveal)
            column.addLayout(row)
        else:
            self.text.hide()
        if line.note:
            column.addWidget(plain(line.note, "subtle", self))
        for problem in line.problems:
            label = plain(problem.message, "strong" if problem.blocks else "", self)
            set_look(label, tone="fault" if problem.blocks else "attention")
            column.addWidget(label)

    @property
    def is_open(self) -> bool:
        """Say whether the text may be seen."""
        return not self.line.is_secret or self.reveal.isChecked()

    def _reveal(self, wanted: bool) -> None:
        if self.line.is_secret:
            self.text.show_hidden(self.line.text, HIDDEN if not wanted else self.line.text)
            self.reveal.setText(self.tr("Hide") if wanted else self.tr("Show"))
        elif self.line.is_file:
            seen = self.tr("the content of a file, {n} characters").format(n=len(self.line.text))
            self.text.show_hidden(self.line.text, seen)
        else:
            self.text.show_text(self.line.text)
        self.chosen.emit()

    def show_chosen(self, *, is_chosen: bool) -> None:
        """Show whether its code is the one that is seen."""
        set_look(self, selected=is_chosen)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show its code."""
        super().focusInEvent(event)
        self.chosen.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show its code."""
        super().mousePressEvent(event)
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        self.chosen.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space ticks it off, Enter does and goes on, the arrow keys go on or back."""
        if event.key() == Qt.Key.Key_Space:
            self.done.toggle()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.done.setChecked(True)
            self.moved.emit(1)
        elif event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.moved.emit(1 if event.key() == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(event)


class Tick(QWidget):
    """A step with a box; a press anywhere on it ticks it."""

    def __init__(self, number: int, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.box = QCheckBox(self)
        self.box.setAccessibleName(f"{number}. {text}")
        label = plain(f"{number}. {text}", "", self)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_8)
        row.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label, 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tick."""
        super().mousePressEvent(event)
        self.box.toggle()


class CodePanel(QFrame):
    """The code of one field, large, with the way to the one before and the next."""

    moved = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "well")
        self.title = plain("", "strong", self)
        self.place = plain("", "caption", self, wraps=False)
        self.code = QrCode(self)
        self.text = plain("", "mono", self)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.text.setMaximumWidth(self.code.width())
        self.back = self._button(self.tr("Back"), "chevron-left", -1)
        self.next = self._button(self.tr("Next field"), "chevron-right", 1)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.place)
        foot = QHBoxLayout()
        foot.setSpacing(SPACE_8)
        foot.addWidget(self.back)
        foot.addWidget(self.next, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_12, SPACE_12, SPACE_12, SPACE_12)
        column.setSpacing(SPACE_8)
        column.addLayout(head)
        column.addWidget(self.code, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(foot)
        column.addWidget(self.text)

    def _button(self, text: str, icon_name: str, step: int) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name)
        set_look(button, size="large")
        button.setProperty("step", step)
        button.clicked.connect(self._move)
        return button

    def _move(self) -> None:
        self.moved.emit(int(self.sender().property("step")))

    def show_line(self, row: FieldRow, number: int, count: int) -> None:
        """Show the code of a field, unless it is a password nobody has asked for."""
        line = row.line
        self.title.setText(line.label)
        self.place.setText(self.tr("{number} of {count}").format(number=number, count=count))
        if not line.text:
            self.code.show_words(self.tr("Leave this field empty."), line.label)
        elif not row.is_open:
            self.code.show_words(self.tr("A password: press “Show” to see it and its code."), line.label)
        elif line.is_file:
            self.code.show_words(self.tr("This is the content of a file: copy it into one."), line.label)
        else:
            self.code.show_text(line.text, line.label)
        is_told = row.is_open and not line.is_file
        self.text.setText(_breakable(line.text) if is_told else "")
        self.text.setAccessibleName(line.text if is_told else "")
        self.text.setVisible(is_told and bool(line.text))
        self.back.setEnabled(number > 1)
        self.next.setEnabled(number < count)
        self.back.setVisible(count > 1)
        self.next.setVisible(count > 1)


class GuidanceView(QWidget):
    """Tool and place, what is wrong, steps to tick, fields with their codes, and what happens then.

    ``card_wanted`` asks for the printed card; its argument says whether passwords stand on it.
    """

    card_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.guidance: Guidance | None = None
        self.rows: list[FieldRow] = []
        self.ticks: list[Tick] = []
        self._chosen = 0
        self._head = QVBoxLayout()
        self._head.setSpacing(SPACE_8)
        self._fields = QVBoxLayout()
        self._fields.setSpacing(SPACE_8)
        self._foot = QVBoxLayout()
        self._foot.setSpacing(SPACE_4)
        self.panel = CodePanel(self)
        self.panel.moved.connect(self._move)
        self.with_secret = QCheckBox(self.tr("Print the password too"), self)
        self.card = QPushButton(self.tr("Card to print …"), self)
        icons.dress(self.card, "printer")
        set_look(self.card, size="large")
        self.card.clicked.connect(self._ask_card)
        self._lay_out()

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(SPACE_8)
        left.addLayout(self._head)
        left.addLayout(self._fields)
        left.addLayout(self._foot)
        line = QHBoxLayout()
        line.setSpacing(SPACE_12)
        line.addWidget(self.card)
        line.addWidget(self.with_secret)
        line.addStretch(1)
        left.addLayout(line)
        left.addStretch(1)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(SPACE_16)
        self._body.addLayout(left, 1)
        self._body.addWidget(Sticky(self.panel, self))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addLayout(self._body)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the code above the fields where there is little room."""
        super().resizeEvent(event)
        is_narrow = event.size().width() < NARROW
        wanted = QBoxLayout.Direction.BottomToTop if is_narrow else QBoxLayout.Direction.LeftToRight
        if self._body.direction() != wanted:
            self._body.setDirection(wanted)

    def show_guidance(self, guidance: Guidance | None) -> None:
        """Show what to type; nothing is rebuilt (and no tick is lost) while it is the same."""
        if guidance == self.guidance:
            return
        before = [row.done.isChecked() for row in self.rows]
        texts = [row.line.text for row in self.rows]
        self.guidance = guidance
        self._clear()
        if guidance is None:
            return
        self._fill_head(guidance)
        self._fill_fields(guidance)
        for row, was_done, text in zip(self.rows, before, texts, strict=False):
            row.done.setChecked(was_done and row.line.text == text)
        self._fill_foot(guidance)
        self.with_secret.setVisible(any(line.is_secret and line.text for line in guidance.lines))
        self.panel.setVisible(bool(self.rows))
        self.card.setVisible(bool(self.rows))
        self._choose(min(self._chosen, len(self.rows) - 1))

    def _clear(self) -> None:
        self.rows, self.ticks = [], []
        for layout in (self._head, self._fields, self._foot):
            while (item := layout.takeAt(0)) is not None:
                if (widget := item.widget()) is not None:
                    widget.hide()
                    widget.deleteLater()

    def _fill_head(self, guidance: Guidance) -> None:
        facts = (
            (self.tr("With"), guidance.tool, ""),
            (self.tr("Where"), guidance.place, "strong"),
            (self.tr("Page"), guidance.default_address, "mono"),
            (self.tr("Login"), guidance.login, ""),
        )
        told = [(label, text, role) for label, text, role in facts if text]
        if told:
            self._head.addWidget(_facts(told, self))
        for problem in guidance.problems:
            self._head.addWidget(_notice(problem.message, "fault" if problem.blocks else "attention", self))
        for number, text in enumerate(guidance.steps, start=1):
            tick = Tick(number, text, self)
            self.ticks.append(tick)
            self._head.addWidget(tick)

    def _fill_fields(self, guidance: Guidance) -> None:
        for number, line in enumerate(guidance.lines, start=1):
            row = FieldRow(line, number, self)
            row.chosen.connect(self._row_chosen)
            row.moved.connect(self._focus_on)
            self.rows.append(row)
            self._fields.addWidget(row)
        if not guidance.lines:
            self._fields.addWidget(plain(self.tr("No field to fill in is known for this family."), "subtle", self))

    def _fill_foot(self, guidance: Guidance) -> None:
        wait = self.tr("Then wait: it can take up to {time} until it dials.")
        texts = [guidance.restart, wait.format(time=duration(guidance.patience_s)) if guidance.patience_s else ""]
        for text in (*texts, *guidance.notes):
            if text:
                self._foot.addWidget(plain(text, "subtle", self))
        if guidance.dials:
            words = self.tr("It dials") if guidance.is_certain else self.tr("It ought to dial")
            dials = plain(f"{words} {_breakable(guidance.dials)}", "mono-subtle", self)
            dials.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
            dials.setAccessibleName(f"{words} {guidance.dials}")
            self._foot.addWidget(dials)

    def _row_chosen(self) -> None:
        row = self.sender()
        if isinstance(row, FieldRow) and row in self.rows:
            self._choose(self.rows.index(row))

    def _focus_on(self, step: int) -> None:
        place = self._chosen + step
        if 0 <= place < len(self.rows):
            self.rows[place].setFocus(Qt.FocusReason.OtherFocusReason)

    def _move(self, step: int) -> None:
        if step > 0 and self.rows:
            self.rows[self._chosen].done.setChecked(True)
        self._choose(self._chosen + step)
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None and self.rows:
            area.ensureWidgetVisible(self.rows[self._chosen])

    def _choose(self, place: int) -> None:
        if not 0 <= place < len(self.rows):
            self._chosen = 0
            return
        self._chosen = place
        for number, row in enumerate(self.rows):
            row.show_chosen(is_chosen=number == place)
        self.panel.show_line(self.rows[place], place + 1, len(self.rows))

    def _ask_card(self) -> None:
        self.card_wanted.emit(self.with_secret.isVisibleTo(self) and self.with_secret.isChecked())


def _facts(facts: list[tuple[str, str, str]], parent: QWidget) -> QWidget:
    frame = QFrame(parent)
    set_role(frame, "well")
    grid = QGridLayout(frame)
    grid.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
    grid.setHorizontalSpacing(SPACE_16)
    grid.setVerticalSpacing(SPACE_4)
    grid.setColumnMinimumWidth(0, 56)
    grid.setColumnStretch(1, 1)
    for row, (label, text, role) in enumerate(facts):
        grid.addWidget(plain(label, "subtle", frame), row, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(plain(text, role, frame), row, 1)
    return frame


def _notice(text: str, tone: str, parent: QWidget) -> QWidget:
    frame = QFrame(parent)
    set_role(frame, "banner", tone=tone)
    picture = QLabel(frame)
    icons.dress(picture, TONE_ICONS[tone], tone, 20)
    row = QHBoxLayout(frame)
    row.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
    row.setSpacing(SPACE_12)
    row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(plain(text, "", frame), 1)
    return frame


def _breakable(text: str) -> str:
    """Let a long text go on in the next line anywhere. Not for texts that can be selected."""
    return "\u200b".join(text)
