"""Everything known of one product family, with the source of every fact."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.driver.registry import Driver
from app.model.profile import Evidence, Profile
from app.report.family import Part, Row, parts, plain_text
from ui import icons
from ui.i18n import translate
from ui.models.families import approached, graded, is_typeable, judged
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.flow import Flow
from ui.widgets.section import Section, plain

READABLE = 860
"""Widest a sheet becomes, so that lines stay readable."""


class FamilySheet(QWidget):
    """The detail side of the library. Built anew for each family.

    ``typing_wanted`` asks for what to type, ``print_wanted`` for the sheet on paper.
    """

    typing_wanted = Signal()
    print_wanted = Signal()

    def __init__(self, profile: Profile, driver: Driver, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._profile = profile
        self._driver = driver
        self.setAccessibleName(profile.family)
        set_role(self, "scroll")
        self.setMaximumWidth(READABLE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE_12)
        column.addWidget(self._heading())
        for part in parts(profile, driver):
            column.addWidget(self._section(part))

    def _heading(self) -> QWidget:
        profile = self._profile
        box = QWidget(self)
        picture = QLabel(box)
        icons.dress(picture, profile.picture, "accent", 40)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        words.addWidget(plain(profile.family, "title", box))
        if profile.vendor and profile.vendor != profile.family:
            words.addWidget(plain(profile.vendor, "subtle", box))
        if profile.summary:
            words.addSpacing(SPACE_4)
            words.addWidget(plain(profile.summary, "", box))
        if profile.models:
            models = translate("Also: {models}").format(models=", ".join(profile.models))
            words.addWidget(plain(models, "caption", box))
        words.addSpacing(SPACE_4)
        words.addLayout(self._chips(box))
        words.addSpacing(SPACE_4)
        words.addLayout(self._buttons(box))
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        return box

    def _chips(self, box: QWidget) -> Flow:
        profile = self._profile
        row = Flow()
        word, tone, icon_name, meaning = approached(profile.approach)
        chips = [(word, tone, icon_name, meaning)]
        if profile.outlook is not None:
            word, tone, icon_name = judged(profile.outlook.verdict)
            chips.append((word, tone, icon_name, profile.outlook.reason))
        word, tone, meaning = graded(profile.grade)
        chips.append((translate("Evidence: {grade}").format(grade=word), tone, "book-open", meaning))
        if profile.one_way_doors:
            chips.append((translate("Has one-way doors"), "attention", "door-open", translate("See below.")))
        if profile.connectors != 1:
            text = translate("{n} connectors").format(n=profile.connectors)
            chips.append((text, "idle", "ev-charger", text))
        for word, tone, icon_name, meaning in chips:
            chip = Chip(word, tone, icon_name, parent=box)
            chip.setToolTip(meaning)
            row.addWidget(chip)
        return row

    def _buttons(self, box: QWidget) -> Flow:
        row = Flow()
        is_typed = "primary" if self._profile.guide is not None else ""
        buttons = [
            (translate("Copy as text"), "copy", self.copy, ""),
            (translate("Print …"), "printer", self.print_wanted, ""),
        ]
        if is_typeable(self._profile):
            buttons.insert(0, (translate("What to type …"), "keyboard", self.typing_wanted, is_typed))
        for text, icon_name, slot, role in buttons:
            button = QPushButton(text, box)
            icons.dress(button, icon_name, "accent_text" if role else "text")
            set_role(button, role)
            button.clicked.connect(slot)
            row.addWidget(button)
        return row

    def copy(self) -> None:
        """Put the family's facts on the clipboard."""
        QGuiApplication.clipboard().setText(plain_text(self._profile, self._driver))

    def _section(self, part: Part) -> Section:
        section = Section(translate(part.title), part.icon, self, tone=part.tone or "text2")
        for row in part.rows:
            if row.label:
                _labelled(section, row)
            else:
                section.add_wide(_numbered(row, section) if row.number else _fact(row, section))
        return section


def in_scroll(sheet: QWidget, scroll: ScrollColumn) -> None:
    """Show a sheet in a scrolling column, at the left and no wider than it can be read, instead of the one before."""
    while (item := scroll.column.takeAt(0)) is not None:
        if (old := item.widget()) is not None:
            old.hide()
            old.deleteLater()
    scroll.column.addWidget(sheet)
    scroll.column.addStretch(1)
    scroll.verticalScrollBar().setValue(0)


def _labelled(section: Section, row: Row) -> None:
    if row.evidence is None and not row.notes:
        section.add_fact(translate(row.label), row.text, "mono" if row.is_code else "")
        return
    box = _stack(section)
    _fill(box, row, "mono" if row.is_code else "")
    section.add_block(translate(row.label), box)


def _numbered(row: Row, parent: QWidget) -> QWidget:
    box = QWidget(parent)
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(SPACE_12)
    count = plain(str(row.number), "strong", box)
    count.setFixedWidth(16)
    count.setAlignment(Qt.AlignmentFlag.AlignRight)
    line.addWidget(count, 0, Qt.AlignmentFlag.AlignTop)
    line.addWidget(plain(row.text, "", box), 1)
    return box


def _fact(row: Row, parent: QWidget) -> QWidget:
    box = _stack(parent)
    if row.evidence is not None and row.evidence.source == row.text:
        _layout_of(box).addWidget(_source(row.evidence, box))
        return box
    _fill(box, row, "mono" if row.is_code else "strong" if row.notes and len(row.notes) > 1 else "")
    return box


def _stack(parent: QWidget) -> QFrame:
    box = QFrame(parent)
    column = QVBoxLayout(box)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACE_4)
    return box


def _layout_of(box: QFrame) -> QVBoxLayout:
    layout = box.layout()
    assert isinstance(layout, QVBoxLayout)
    return layout


def _fill(box: QFrame, row: Row, role: str) -> None:
    column = _layout_of(box)
    column.addWidget(plain(row.text, role, box))
    for note in row.notes:
        column.addWidget(plain(note, "subtle", box))
    if row.evidence is not None:
        column.addWidget(_source(row.evidence, box))


def _source(evidence: Evidence, parent: QWidget) -> QWidget:
    word, tone, meaning = graded(evidence.grade)
    box = QWidget(parent)
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE_8)
    chip = Chip(translate(word), tone, parent=box)
    chip.setToolTip(translate(meaning))
    row.addWidget(chip, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(plain(evidence.source, "mono-subtle", box), 1)
    return box
