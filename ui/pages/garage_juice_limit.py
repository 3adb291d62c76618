"""The circuit's limit of one box: entered by a person, with what will be sent, and why, said before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError, ValueRejected
from app.juicenet.message import MOST_A
from app.model.juicebox import LEAST_A, Adoption, BoxState
from ui import icons
from ui.dialogs import Button, ask
from ui.i18n import worded
from ui.models.juice import Case
from ui.models.juice_limits import HINT, Outlook, outlook, withdrawal_text
from ui.models.plain import moment_text
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_look, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.section import Section, plain

if TYPE_CHECKING:
    from app.workbench import Workbench

FIELD_WIDTH = 96
REVIVAL = (
    "Its former backend left this box at 0 A and unlocked it for each session (“unlock to charge”). It is not broken. "
    "Until a backend decides who may charge, everybody can."
)
LIFTING = "Tick this only if an electrician has looked at the circuit: a limit may be all that protects it."


class LimitForm(ScrollColumn):
    """Enter, see what it means, agree. ``changed`` when a box was told something."""

    changed = Signal()

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._case = Case(key="")
        self._drawn: object = None
        self.proposed: Adoption | None = None
        self.none = plain("", "subtle", self._content)
        self.enter = self._enter()
        self.now = self._now()
        self.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_12)
        for part in (self.none, self.enter, self.now):
            self.column.addWidget(part)
        self.column.addStretch(1)

    # Parts

    def _enter(self) -> Section:
        card = Section(self.tr("The circuit's limit"), "cable", self._content)
        self.circuit = self._amps(self.tr("Highest continuous current of the circuit, in ampere"))
        self.rating = self._amps(self.tr("Rating on its type label, in ampere"))
        card.add_row(self.tr("Highest continuous current of the circuit"), self._line(self.circuit), self.tr(HINT))
        self.rating_line = self._line(self.rating)
        words = self.tr("Rating on its type label: this box does not tell it")
        rating_label = plain(words, "subtle", self.rating_line)
        rating_label.setBuddy(self.rating)
        line = self.rating_line.layout()
        assert isinstance(line, QHBoxLayout)  # made just now
        line.insertWidget(0, rating_label, 1)
        card.add_wide(self.rating_line)
        self.problem = plain("", "", card)
        set_look(self.problem, tone="fault")
        self.problem.setAccessibleName(self.tr("What is wrong with the limit"))
        card.add_wide(self.problem)
        self._add_meaning(card)
        return card

    def _amps(self, name: str) -> QLineEdit:
        field = QLineEdit(self._content)
        field.setAccessibleName(name)
        validator = QDoubleValidator(0, 999, 1, field)
        validator.setNotation(QDoubleValidator.Notation.StandardNotation)
        field.setValidator(validator)
        field.setFixedWidth(FIELD_WIDTH)
        field.textEdited.connect(self._judge)
        return field

    def _line(self, field: QLineEdit) -> QWidget:
        holder = QWidget(self._content)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE_8)
        row.addWidget(field)
        row.addWidget(QLabel("A", holder))
        row.addStretch(1)
        holder.setFocusProxy(field)
        return holder

    def _add_meaning(self, card: Section) -> None:
        """Add what will be sent, and why, above the button that agrees to it."""
        self.headline = plain("", "strong", card)
        self.bounds = plain("", "", card)
        self.then = plain("", "subtle", card)
        self.revive = QCheckBox(self.tr("It shall charge again, for anybody who plugs in"), card)
        self.lift = QCheckBox(card)
        for box in (self.revive, self.lift):
            box.toggled.connect(self._judge)
        self.revive_note = plain(self.tr(REVIVAL), "caption", card)
        self.lift_note = plain(self.tr(LIFTING), "caption", card)
        self.apply = QPushButton(card)
        set_role(self.apply, "primary")
        self.apply.clicked.connect(self._apply)
        self.applied = plain("", "", card)
        row = QWidget(card)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_12)
        line.addWidget(self.apply)
        line.addWidget(self.applied, 1)
        words = QWidget(card)
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_4)
        for widget in (
            *(self.headline, self.bounds, self.then),
            *(self.revive, self.revive_note, self.lift, self.lift_note),
        ):
            column.addWidget(widget)
        card.add_wide(words)
        card.add_wide(row)

    def _now(self) -> Section:
        card = Section(self.tr("What it may draw now"), "gauge", self._content)
        self.told = plain("", "", card)
        card.add_wide(self.told)
        self.amps = QSpinBox(card)
        self.amps.setAccessibleName(self.tr("Current it may draw, in ampere"))
        self.amps.setSuffix(" A")
        self.amps.setFixedWidth(FIELD_WIDTH)
        self.allow = QPushButton(self.tr("Let it draw this"), card)
        self.allow.clicked.connect(self._allow)
        self.withdraw = QPushButton(self.tr("Stop sending…"), card)
        icons.dress(self.withdraw, "circle-slash", "fault")
        set_role(self.withdraw, "danger")
        self.withdraw.clicked.connect(self._ask_withdraw)
        self._buttons = QFrame(card)
        line = QHBoxLayout(self._buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(SPACE_8)
        line.addWidget(self.amps)
        line.addWidget(self.allow)
        line.addStretch(1)
        line.addWidget(self.withdraw)
        card.add_wide(self._buttons)
        return card

    # Showing

    def show_case(self, case: Case) -> None:
        """Show a box; what is being typed stays while it is the same one, and nobody has agreed to anything else."""
        is_other = case.key != self._case.key or case.adoption != self._case.adoption
        self._case = case
        if is_other:
            self._fill(case)
        drawn = (
            case.key,
            case.can_be_told,
            case.box and (case.box.adoption, case.box.changes_today, case.box.is_locked, case.box.is_encrypted),
        )
        if is_other or drawn != self._drawn:
            self._drawn = drawn
            self._judge()
        self._show_now(case)

    def _fill(self, case: Case) -> None:
        """Begin with what was agreed before."""
        adoption = case.adoption
        self.circuit.setText(f"{adoption.circuit_a:g}" if adoption is not None else "")
        self.rating.setText(f"{adoption.rating_a:g}" if adoption is not None else "")
        self.applied.clear()
        for box, is_on in (
            (self.revive, adoption is not None and adoption.is_revived),
            (self.lift, adoption is not None and adoption.lifts_known),
        ):
            with QSignalBlocker(box):
                box.setChecked(is_on)

    def _show_now(self, case: Case) -> None:
        box = case.box
        adoption = box.adoption if box is not None else None
        self.now.setVisible(adoption is not None and case.is_followed)
        if box is None or adoption is None:
            return
        ceiling = self._bench.juice.ceiling_a(box.box_id)
        self.told.setText(_now_text(box, is_bridged=case.bridge is not None))
        can_set = case.bridge is None and ceiling >= LEAST_A
        for widget in (self.amps, self.allow):
            widget.setVisible(can_set)
        if can_set and (self.amps.minimum(), self.amps.maximum()) != (LEAST_A, ceiling):
            self.amps.setRange(int(LEAST_A), ceiling)
            self.amps.setValue(int(box.allowed_a or ceiling))
        self.withdraw.setEnabled(case.bridge is None)
        self.withdraw.setToolTip("" if case.bridge is None else self.tr("Take it out of the bridge first"))

    def _judge(self) -> None:
        """Say what the fields would mean, or what is wrong with them."""
        case = self._case
        can = case.can_be_told
        self.none.setVisible(not can)
        self.enter.setVisible(can)
        if not can or case.box is None:
            self.none.setText(self._why_not(case))
            self.proposed = None
            self.apply.setEnabled(False)
            return
        report = case.box.report
        self.rating_line.setVisible(report is not None and report.rating_a is None)
        is_locked = self._bench.juice.is_locked(case.box_id)
        for widget in (self.revive, self.revive_note):
            widget.setVisible(is_locked)
        # what a revival would mean is told before it is confirmed
        self.proposed, problem = self._propose(case.box_id, is_revived=is_locked)
        self._show_outlook(case.box, self.proposed, problem, is_confirmed=not is_locked or self.revive.isChecked())

    def _why_not(self, case: Case) -> str:
        if not case.is_followed:
            return self.tr("Start listening first: a limit is entered for a box that reports.")
        if case.box is not None and case.box.is_encrypted:
            return self.tr("It sends encrypted: nobody can read its limits, and it is told nothing. See “Rescue”.")
        return self.tr("It has not reported yet: its first report tells its rating and its limits. See “Rescue”.")

    def _propose(self, box_id: str, *, is_revived: bool) -> tuple[Adoption | None, str]:
        try:
            return self._bench.juice.propose(
                box_id,
                _number(self.circuit),
                rating_a=_number(self.rating) if self.rating_line.isVisibleTo(self._content) else None,
                is_revived=is_revived,
                lifts_known=self.lift.isChecked(),
            ), ""
        except ValueRejected as error:
            return None, f"{error.message} {error.advice}"

    def _show_outlook(self, box: BoxState, adoption: Adoption | None, problem: str, *, is_confirmed: bool) -> None:
        is_empty = not self.circuit.text().strip()
        self.problem.setText("" if is_empty else problem)
        self.problem.setVisible(bool(problem) and not is_empty)
        is_known_lower = adoption is not None and _is_held_back(adoption)
        for widget in (self.lift, self.lift_note):
            widget.setVisible(is_known_lower or self.lift.isChecked())
        if adoption is not None and adoption.known_a is not None:
            self.lift.setText(
                self.tr("Go above the {amps} A it came with: they are not its wiring's").format(
                    amps=f"{adoption.known_a:g}"
                )
            )
        found = outlook(adoption, box) if adoption is not None else None
        self._show_found(found)
        self._show_apply(box, adoption, found, is_confirmed=is_confirmed)

    def _show_found(self, found: Outlook | None) -> None:
        for label in (self.bounds, self.then):
            label.setVisible(found is not None)
        if found is None:
            self.headline.setText(self.tr("Nothing is sent to this box before you have entered its circuit's limit."))
            return
        self.headline.setText(found.headline)
        lines = [f"{bound.name} {bound.amps:g} A ({bound.origin})" for bound in found.bounds]
        self.bounds.setText(" · ".join(lines))
        self.then.setText("\n".join(found.then))

    def _show_apply(
        self, box: BoxState, adoption: Adoption | None, found: Outlook | None, *, is_confirmed: bool
    ) -> None:
        most = found.most_a if found is not None else 0
        words = self.tr("Agree: at most {amps} A").format(amps=most) if adoption is not None else self.tr("Agree")
        self.apply.setText(words)
        is_same = adoption is not None and box.adoption is not None and _terms(adoption) == _terms(box.adoption)
        self.apply.setEnabled(adoption is not None and is_confirmed and not is_same)
        if adoption is not None and not is_confirmed:
            self.applied.setText(self.tr("Tick first that it shall charge again."))
        elif is_same and box.adoption is not None:
            self.applied.setText(self.tr("Agreed {when}.").format(when=moment_text(box.adoption.at)))
        else:
            self.applied.clear()

    def focus_field(self) -> None:
        """Put the keyboard where the limit is entered."""
        self.circuit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.circuit.selectAll()

    # Acting

    def _apply(self) -> None:
        case, adoption = self._case, self.proposed
        if case.box is None or adoption is None:
            return
        try:
            self._bench.juice.adopt(adoption, allowed_a=_kept_wish(case.box))
        except AppError as error:
            self.problem.setText(f"{error.message} {error.advice}")
            self.problem.show()
            return
        self.changed.emit()

    def _allow(self) -> None:
        self._bench.juice.allow(self._case.box_id, self.amps.value())
        self.changed.emit()

    def _ask_withdraw(self) -> None:
        if self._case.box is not None:
            self._tasks.start_once("stop sending", self._withdraw(self._case.box_id, self._case.box))

    async def _withdraw(self, box_id: str, box: BoxState) -> None:
        buttons = (
            Button(key="stay", text=self.tr("Go on sending"), role="primary"),
            Button(key="stop", text=self.tr("Stop sending"), role="danger"),
        )
        answer = await ask(
            self,
            self.tr("Stop sending to this box?"),
            withdrawal_text(box),
            buttons,
            icon_name="circle-slash",
            tone="attention",
        )
        if answer == "stop":
            self._bench.juice.withdraw(box_id)
            self.changed.emit()


def _number(field: QLineEdit) -> float | None:
    text = field.text().strip().replace(",", ".")
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _is_held_back(adoption: Adoption) -> bool:
    """Say whether the limit it came with is the one that counts."""
    return adoption.known_a is not None and adoption.known_a < min(adoption.circuit_a, adoption.rating_a, MOST_A)


def _terms(adoption: Adoption) -> tuple[object, ...]:
    return adoption.circuit_a, adoption.rating_a, adoption.is_revived, adoption.lifts_known


def _kept_wish(box: BoxState) -> float | None:
    """Return what it was to draw less than allowed (paused, say), which a new limit does not change; else ``None``."""
    if box.adoption is None:
        return None
    wanted = box.wanted_a if box.wanted_a is not None else box.allowed_a
    return wanted if wanted is not None and wanted < int(box.adoption.ceiling_a) else None


def _now_text(box: BoxState, *, is_bridged: bool) -> str:
    if box.allowed_a is None:
        parts = [worded("With its next report it is told its limit.")]
    elif box.allowed_a == 0:
        parts = [worded("It is told 0 A: it charges nobody.")]
    else:
        parts = [worded("It is told {amps} A.", amps=f"{box.allowed_a:g}")]
    if box.waits_until is not None and box.wanted_a is not None:
        at = f"{box.waits_until.astimezone():%H:%M:%S}"
        parts.append(worded("{amps} A follow at {at}.", amps=f"{box.wanted_a:g}", at=at))
    if is_bridged:
        parts.append(worded("The bridge decides it."))
    return " ".join(parts)
