"""Which names the DNS answers: ready sets, names of one's own, and what becomes of all the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import ValueRejected
from app.model.garage import NameSet
from app.model.profile import Grade
from ui.models.families import graded
from ui.models.garage import Wish, chosen_text, set_names
from ui.models.plain import visible
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_look, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.workbench import Workbench

TYPED_MS = 600
"""How long nothing was typed before it counts."""
WIDE = 720
"""From this width on, sets and own names stand side by side."""


class SetRow(QFrame):
    """A ready set: a tick, its grade, and on request its names and where they were read."""

    changed = Signal()

    def __init__(self, item: NameSet, parent: QWidget) -> None:
        super().__init__(parent)
        self.set_id = item.id
        set_role(self, "card")
        self.tick = QCheckBox(item.title.replace("&", "&&"), self)
        self.tick.setAccessibleDescription(item.note)
        self.tick.clicked.connect(self.changed)
        word, tone, meaning = graded(Grade(item.grade))
        chip = Chip(word, tone, parent=self)
        chip.setToolTip(meaning)
        self.fold = QToolButton(self)
        self.fold.setText(self.tr("Names"))
        self.fold.setAccessibleName(self.tr("Names of the set {title}, and their source").format(title=item.title))
        self.fold.setCheckable(True)
        set_role(self.fold, "quiet")
        self.fold.toggled.connect(self._unfold)
        note = plain_label(self, "caption", is_wrapped=True)
        note.setText(item.note)
        about = QHBoxLayout()
        about.setSpacing(SPACE_8)
        about.addWidget(chip)
        about.addWidget(note, 1)
        about.addWidget(self.fold)
        self.names = plain_label(self, "mono-subtle", is_wrapped=True)
        self.names.setText(set_names(item))
        self.source = plain_label(self, "caption", is_wrapped=True)
        self.source.setText(self.tr("Source: {source}").format(source=item.source))
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE_12, SPACE_4, SPACE_8, SPACE_8)
        column.setSpacing(0)
        column.addWidget(self.tick)
        column.addLayout(about)
        for widget in (self.names, self.source):
            column.addWidget(widget)
        self._unfold(False)

    def _unfold(self, is_open: bool) -> None:
        self.names.setVisible(is_open)
        self.source.setVisible(is_open)


class NamesPanel(ScrollColumn):
    """``chosen`` follows every choice that counts; it counts at once, also while the DNS runs."""

    chosen = Signal()

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._shown: Wish | None = None
        self.setAccessibleName(self.tr("Names the DNS answers"))
        self.rows = [SetRow(item, self) for item in bench.garage.name_sets]
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(TYPED_MS)
        self._typed.timeout.connect(self.apply)
        self.summary = plain_label(self, "strong", is_wrapped=True)
        self._sides = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._sides.setSpacing(SPACE_16)
        self._sides.addLayout(self._sets(), 1)
        self._sides.addLayout(self._own(), 1)
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_12)
        self.column.addWidget(self.summary)
        self.column.addLayout(self._sides)
        self.column.addStretch(1)
        self.refresh()

    def _sets(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(SPACE_8)
        column.addWidget(self._heading(self.tr("Ready sets")))
        for row in self.rows:
            row.changed.connect(self.apply)
            column.addWidget(row)
        column.addStretch(1)
        return column

    def _own(self) -> QVBoxLayout:
        self.names = self._lines(self.tr("Other names to answer"), "ocpp.example.com\n*.example.com")
        self.refused = self._lines(self.tr("Names that get no address"), "directory.example.com")
        self.refuse = QRadioButton(self.tr("Refuse them: the log shows whom chargers dial"), self)
        self.forward = QRadioButton(self.tr("Ask a resolver:"), self)
        self.resolver = QLineEdit(self)
        self.resolver.setAccessibleName(self.tr("Address of the resolver for all other names"))
        self.resolver.setPlaceholderText(self.tr("its IP address"))
        self.resolver.setMaxLength(60)
        set_role(self.resolver, "mono")
        self.resolver.textEdited.connect(self._edited)
        for choice in (self.refuse, self.forward):
            choice.clicked.connect(self._other_chosen)
        self.problem = plain_label(self, "", is_wrapped=True)
        self.problem.setProperty("tone", "fault")
        self.problem.hide()
        asked = QHBoxLayout()
        asked.setSpacing(SPACE_8)
        asked.addWidget(self.forward)
        asked.addWidget(self.resolver, 1)
        column = QVBoxLayout()
        column.setSpacing(SPACE_8)
        hint = plain_label(self, "caption", is_wrapped=True)
        hint.setText(self.tr("One name on each line. *.example.com means every name below example.com."))
        for title, widget in ((self.names.accessibleName(), self.names), (self.refused.accessibleName(), self.refused)):
            column.addWidget(self._heading(title))
            column.addWidget(widget)
        column.addWidget(hint)
        column.addWidget(self._heading(self.tr("All other names")))
        column.addWidget(self.refuse)
        column.addLayout(asked)
        column.addWidget(self.problem)
        column.addStretch(1)
        return column

    def _heading(self, text: str) -> QWidget:
        label = plain_label(self, "section")
        label.setText(text)
        return label

    def _lines(self, name: str, example: str) -> QPlainTextEdit:
        field = QPlainTextEdit(self)
        field.setAccessibleName(name)
        field.setPlaceholderText(example)
        field.setTabChangesFocus(True)
        field.setFixedHeight(72)
        set_role(field, "mono")
        field.textChanged.connect(self._edited)
        return field

    # State

    def refresh(self) -> None:
        """Show what is chosen, where it was chosen elsewhere."""
        choice = self._bench.garage.choice
        wish = Wish.of(choice)
        if wish != self._shown:
            self._shown = wish
            self._fill(wish)
            self._say("")
        counts = len(choice.answered), len(choice.all_refused)
        self.summary.setText(chosen_text(*counts, forward_to=choice.forward_to))

    def _fill(self, wish: Wish) -> None:
        for row in self.rows:
            row.tick.setChecked(row.set_id in wish.sets)
        for field, names in ((self.names, wish.names), (self.refused, wish.refused)):
            with QSignalBlocker(field):
                field.setPlainText("\n".join(names))
        self.resolver.setText(wish.forward_to)
        (self.forward if wish.forward_to else self.refuse).setChecked(True)
        self.resolver.setEnabled(bool(wish.forward_to))

    def _edited(self) -> None:
        self._typed.start()

    def _other_chosen(self) -> None:
        self.resolver.setEnabled(self.forward.isChecked())
        if self.forward.isChecked() and not self.resolver.text().strip():
            self.resolver.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.apply()

    @property
    def wish(self) -> Wish:
        """Return what is ticked and typed."""
        return Wish(
            sets=tuple(row.set_id for row in self.rows if row.tick.isChecked()),
            names=_names(self.names),
            refused=_names(self.refused),
            forward_to=self.resolver.text().strip() if self.forward.isChecked() else "",
        )

    def apply(self) -> None:
        """Let what is ticked and typed count, or say beside it why it can't."""
        self._typed.stop()
        wish = self.wish
        if self.forward.isChecked() and not wish.forward_to:
            self._say(self.tr("Not used yet: give the resolver's address, such as that of the site's router."))
            return
        try:
            choice = self._bench.garage.choose(
                wish.sets, names=wish.names, refused=wish.refused, forward_to=wish.forward_to
            )
        except ValueRejected as error:
            self._say(self.tr("Not used yet: {why}").format(why=visible(f"{error.message} {error.advice}")))
            return
        self._shown = Wish.of(choice)  # as typed it stays: the cursor may still be in it
        self._say("")
        self.refresh()
        self.chosen.emit()

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        set_look(self.resolver, tone="fault" if problem and self.forward.isChecked() else "")

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the two sides one below the other in a narrow window."""
        is_wide = event.size().width() >= WIDE
        way = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        self._sides.setDirection(way)
        super().resizeEvent(event)


def _names(field: QPlainTextEdit) -> tuple[str, ...]:
    words = field.toPlainText().replace(",", " ").split()
    return tuple(words)
