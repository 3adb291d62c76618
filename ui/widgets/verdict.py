"""One charger's verdict: what to do first, why, with which proof, what it takes, and what is left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.model.backend import redact_url
from app.model.profile import Evidence, Grade, Verdict
from app.model.triage import FirmwareCheck, Ground, Hand, Judgement, Option
from ui import icons
from ui.i18n import translate, worded
from ui.models.families import graded
from ui.models.plain import visible
from ui.models.triage import ANSWERS, HANDS, Row, as_text, judged_of, time_of, words_of
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.flow import Flow
from ui.widgets.section import plain

TEXT_LIMIT = 600

_LONG = re.compile(r"\S{30,}")

CHECKS = {
    True: ("circle-check", "good", "Met"),
    False: ("triangle-alert", "attention", "Not met"),
    None: ("circle-question-mark", "idle", "Not known"),
}
"""Icon, tone and word of a firmware limit."""

WORKABLE = frozenset({Verdict.NOW, Verdict.AFTER})
"""Verdicts a job can follow on."""


class VerdictSheet(ScrollColumn):
    """The details of one row of the triage. Built anew for each charger shown."""

    job_asked = Signal(str)
    unit_asked = Signal(str)
    again_asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(translate("Verdict"))
        self.column.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        self.column.setSpacing(SPACE_12)
        self._row: Row | None = None
        self._body: QWidget | None = None
        self._age: QLabel | None = None

    @property
    def row(self) -> Row | None:
        """Return what is shown."""
        return self._row

    def show_row(self, row: Row | None) -> None:
        """Show a verdict, or nothing."""
        if row == self._row:
            if row is not None and self._age is not None:
                self._age.setText(judged_of(row))
            return
        is_another = self._row is None or row is None or self._row.key != row.key
        self._row = row
        if self._body is not None:
            self.column.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
        self._body = self._built(row) if row is not None else None
        if self._body is not None:
            self.column.addWidget(self._body)
        if is_another:
            self.verticalScrollBar().setValue(0)

    def _built(self, row: Row) -> QWidget:
        body = QWidget(self)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addLayout(self._head(row, body))
        if row.stale:
            layout.addWidget(_banner(row.stale, translate("Ask it again before deciding by this."), body))
        for part in parts(row.item, body):
            layout.addWidget(part)
        layout.addStretch(1)
        return body

    def _head(self, row: Row, parent: QWidget) -> QVBoxLayout:
        item, words = row.item, words_of(row.item)
        head = QVBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(plain(visible(item.unit.title, 120), "heading", parent))
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(Chip(words.text, words.tone, words.icon, parent))
        self._age = plain(judged_of(row), "caption", parent, wraps=False)
        line.addWidget(self._age)
        line.addStretch(1)
        head.addLayout(line)
        head.addWidget(plain(facts_of(item), "subtle", parent))
        head.addLayout(self._buttons(item, parent))
        return head

    def _buttons(self, item: Judgement, parent: QWidget) -> Flow:
        line = Flow()
        if not item.is_missing:
            is_next = item.verdict in WORKABLE and not item.is_done
            if is_next:
                line.addWidget(self._button(translate("Open job"), "route", self._job, parent, is_primary=True))
            line.addWidget(self._button(translate("Charger"), "stethoscope", self._unit, parent))
            text = translate("Ask again") if item.is_asked else translate("Ask it")
            line.addWidget(self._button(text, "refresh-cw", self._again, parent))
        line.addWidget(self._button(translate("Copy"), "copy", self.copy, parent))
        return line

    def _button(
        self, text: str, icon_name: str, slot: object, parent: QWidget, *, is_primary: bool = False
    ) -> QPushButton:
        button = QPushButton(text, parent)
        icons.dress(button, icon_name, "accent_text" if is_primary else "text")
        if is_primary:
            set_role(button, "primary")
        button.clicked.connect(slot)
        return button

    def copy(self) -> None:
        """Put the verdict on the clipboard as text."""
        if self._row is not None:
            QGuiApplication.clipboard().setText(as_text(self._row.item))

    def _job(self) -> None:
        if self._row is not None:
            self.job_asked.emit(self._row.key)

    def _unit(self) -> None:
        if self._row is not None:
            self.unit_asked.emit(self._row.key)

    def _again(self) -> None:
        if self._row is not None:
            self.again_asked.emit(self._row.key)


class VerdictCard(QFrame):
    """The verdict on a charger's own page: word, first things to do, reasons; the rest is in the site's triage."""

    triage_asked = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self.setAccessibleName(translate("Verdict"))
        self._shown: object = None
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        self._body: QWidget | None = None

    def show_row(self, row: Row) -> None:
        """Show a verdict; nothing is built anew while it says the same."""
        item = row.item
        key = (words_of(item), item.first, item.grounds, row.stale, item.is_asked, item.minutes)
        if key == self._shown:
            self._said.setText(_summary(row))
            return
        self._shown = key
        if self._body is not None:
            self._box.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
        self._body = self._built(row)
        self._box.addWidget(self._body)

    def _built(self, row: Row) -> QWidget:
        body = QWidget(self)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        item, words = row.item, words_of(row.item)
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(Chip(words.text, words.tone, words.icon, body))
        self._said = plain(_summary(row), "subtle", body, wraps=False)
        line.addWidget(self._said)
        line.addStretch(1)
        button = QPushButton(translate("In the site's triage"), body)
        icons.dress(button, "clipboard-list")
        button.clicked.connect(self.triage_asked)
        line.addWidget(button)
        layout.addLayout(line)
        if row.stale:
            layout.addWidget(_marked("triangle-alert", "attention", row.stale, "", body))
        if item.first and not item.is_done:
            layout.addWidget(_numbered(item.first, body))
        for ground in item.grounds[:4]:
            layout.addWidget(_ground(ground, body))
        return body


def _summary(row: Row) -> str:
    item = row.item
    takes = time_of(item) if item.minutes is not None and not item.is_done else ""
    return " · ".join(part for part in (takes, graded(item.grade)[0], judged_of(row)) if part)


def facts_of(item: Judgement) -> str:
    """Name family, serial number and firmware in a line."""
    identity = item.unit.identity
    firmware = worded("firmware {version}", version=identity.firmware) if identity.firmware else ""
    return " · ".join(visible(fact, 80) for fact in (item.family, identity.serial, firmware) if fact)


def parts(item: Judgement, parent: QWidget) -> Iterable[QWidget]:
    """Yield the parts of a verdict that have something to say, in the order of their use."""
    if item.first and not item.is_done:
        yield _block(translate("First"), [_numbered(item.first, parent)], parent)
    yield _block(translate("Why"), [_ground(ground, parent) for ground in item.grounds], parent)
    if not item.is_done and (takes := _takes(item)):
        yield _block(translate("What it takes"), [plain(text, "", parent) for text in takes], parent)
    if item.present is not None and item.present.url:
        yield _block(translate("Dials now"), _dials(item, parent), parent)
    if item.firmware:
        yield _block(translate("Firmware limits"), [_check(check, parent) for check in item.firmware], parent)
    if item.doors:
        doors = [_banner(visible(door.text, TEXT_LIMIT), _source(door.evidence), parent) for door in item.doors]
        yield _block(translate("Can't be undone"), doors, parent)
    if item.options:
        yield _block(translate("Left to try"), [_option(option, parent) for option in item.options], parent)
    if item.unknowns:
        unknowns = [_marked("circle-question-mark", "idle", text, "", parent) for text in item.unknowns]
        yield _block(translate("Not known"), unknowns, parent)


def _takes(item: Judgement) -> list[str]:
    lines = []
    if item.minutes is not None:
        how = translate("our own assumption") if item.is_time_assumed else translate("planned")
        lines.append(f"{time_of(item)} ({how})")
    if item.hand is not Hand.NOBODY:
        lines.append(translate("Done by: {who}").format(who=worded(HANDS[item.hand])))
    return lines + [translate("Needs: {what}").format(what=visible(need, TEXT_LIMIT)) for need in item.needs]


def _dials(item: Judgement, parent: QWidget) -> Sequence[QWidget]:
    assert item.present is not None
    words = ANSWERS[item.answering]
    url = _narrow(visible(redact_url(item.present.url), 300), "mono", parent)
    text = words.text if words.word else translate("Not asked whether it answers")
    return (url, Chip(text, words.tone, words.icon, parent))


def _block(title: str, content: Sequence[QWidget], parent: QWidget) -> QWidget:
    box = QWidget(parent)
    layout = QVBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(SPACE_4)
    layout.addWidget(plain(title, "section", box))
    for part in content:
        part.setParent(box)
        layout.addWidget(part)
    return box


def _numbered(texts: Sequence[str], parent: QWidget) -> QLabel:
    lines = [f"{number}. {visible(text, TEXT_LIMIT)}" for number, text in enumerate(texts, 1)]
    return plain("\n".join(lines), "strong", parent)


def _ground(ground: Ground, parent: QWidget) -> QWidget:
    _, tone, meaning = graded(ground.grade)
    icon_name = {Grade.PROVED: "eye", Grade.SOURCE: "book-open"}.get(ground.grade, "info")
    source = visible(ground.source, 200) if ground.source else meaning
    return _marked(icon_name, tone, ground.text, f"{graded(ground.grade)[0]} · {source}", parent)


def _check(check: FirmwareCheck, parent: QWidget) -> QWidget:
    icon_name, tone, word = CHECKS[check.is_met]
    below = " · ".join(part for part in (translate(word), check.update, check.ground.source) if part)
    return _marked(icon_name, tone, check.ground.text, below, parent)


def _option(option: Option, parent: QWidget) -> QWidget:
    lines = [
        option.note,
        translate("Works when: {text}").format(text=option.works_when),
        translate("Fails when: {text}").format(text=option.fails_when),
        translate("Risk: {text}").format(text=option.risk),
        option.ground.source,
    ]
    return _marked("hand", "text2", option.title, "\n".join(line for line in lines if line), parent)


def _source(evidence: Evidence) -> str:
    return f"{graded(evidence.grade)[0]} · {evidence.source}"


def _marked(icon_name: str, tone: str, text: str, below: str, parent: QWidget) -> QWidget:
    """Make a line with an icon before it and a remark below it."""
    box = QWidget(parent)
    picture = QLabel(box)
    icons.dress(picture, icon_name, tone, 16)
    words = QVBoxLayout()
    words.setSpacing(0)
    words.addWidget(_narrow(visible(text, TEXT_LIMIT), "", box))
    if below:
        words.addWidget(_narrow("\n".join(visible(line, TEXT_LIMIT) for line in below.split("\n")), "caption", box))
    line = QHBoxLayout(box)
    line.setContentsMargins(0, 2, 0, 2)
    line.setSpacing(SPACE_8)
    line.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
    line.addLayout(words, 1)
    return box


def _narrow(text: str, role: str, parent: QWidget) -> QLabel:
    """Make a label whose long words (paths, addresses) may break, so that it fits the narrow side."""
    label = plain(_LONG.sub(_breakable, text), role, parent)
    label.setAccessibleName(text)
    return label


def _breakable(word: re.Match[str]) -> str:
    return re.sub(r"([/._-])", "\\1\u200b", word.group())


def _banner(text: str, below: str, parent: QWidget) -> QWidget:
    frame = QFrame(parent)
    set_role(frame, "banner", tone="attention")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(SPACE_12, SPACE_4, SPACE_8, SPACE_4)
    layout.addWidget(_marked("triangle-alert", "attention", text, below, frame))
    return frame
