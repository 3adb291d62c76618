"""Parts of the acceptance pane: what a person has to do now, and what became of one case."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.acceptance.case import Case
from app.model.acceptance import Answer, CaseResult, Check, Prompt
from ui import icons
from ui.i18n import worded
from ui.models.acceptance import VERDICT_TONES, VERDICT_WORDS
from ui.models.plain import clock_text, visible
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, TARGET_LARGE, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.section import plain

MOST_FRAMES = 6
"""Frames that one sentence links to; the list of all stands in the file."""
MOST_CHECKS = 60
_BREAKS = re.compile(r"([,;/_.])(?=\S)")


class PromptCard(QFrame):
    """A countdown, what to do, and three large buttons. ``answered`` carries the prompt's number and the answer."""

    answered = Signal(int, object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = 0
        self._prompt: Prompt | None = None
        set_role(self, "banner", tone="working")
        self.count = plain("", "display", self, wraps=False)
        self.count.setMinimumWidth(84)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.count.setAccessibleName(self.tr("Seconds left"))
        self.title = plain("", "heading", self)
        self.text = plain("", "", self)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        words.addWidget(self.title)
        words.addWidget(self.text)
        self.done = self._button(self.tr("Done"), "check", Answer.DONE, "primary")
        self.skip = self._button(self.tr("Skip"), "skip-back", Answer.SKIP, "")
        self.cannot = self._button(self.tr("Can't"), "x", Answer.CANNOT, "")
        icons.dress(self.skip, "step-forward", "text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE_16, SPACE_12, SPACE_16, SPACE_12)
        row.setSpacing(SPACE_12)
        row.addWidget(self.count)
        row.addLayout(words, 1)
        for button in (self.done, self.skip, self.cannot):
            row.addWidget(button)
        self.hide()

    def _button(self, text: str, icon_name: str, answer: Answer, role: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setMinimumWidth(112)
        button.setMinimumHeight(TARGET_LARGE)
        icons.dress(button, icon_name, "accent_text" if role else "text2")
        set_role(button, role, size="large")
        button.setProperty("answer", answer.value)
        button.clicked.connect(self._pressed)
        return button

    def show_prompt(self, prompt: Prompt | None) -> None:
        """Show a prompt with its time left, or nothing."""
        is_new = prompt is not None and prompt.number != self._number
        self._prompt = prompt
        self.setVisible(prompt is not None)
        if prompt is None:
            return
        if is_new:
            self._number = prompt.number
            self.title.setText(visible(prompt.title, 200))
            self.text.setText(visible(prompt.text, 600))
            self.setAccessibleName(prompt.title)
            self.done.setFocus()
        left_s = max(0.0, (prompt.until - datetime.now(UTC)).total_seconds())
        self.count.setText(f"{left_s:.0f} s")

    def _pressed(self) -> None:
        sender = self.sender()
        if self._prompt is not None and isinstance(sender, QPushButton):
            self.answered.emit(self._prompt.number, Answer(sender.property("answer")))


class CaseView(QWidget):
    """One case: what it is, the verdict, every sentence with its frames. ``frame_wanted`` carries a frame's number."""

    frame_wanted = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._shown: object = None
        self.setAccessibleName(self.tr("Case"))
        self.title = plain("", "heading", self)
        self.verdict = Chip("", "idle", parent=self)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(self.title, 1)
        head.addWidget(self.verdict, 0, Qt.AlignmentFlag.AlignTop)
        self.about = plain("", "caption", self)
        self.text = plain("", "subtle", self)
        self.sentences = ScrollColumn(self)
        self.sentences.setAccessibleName(self.tr("Sentences of the judgement"))
        self.sentences.column.setSpacing(SPACE_8)
        self.sentences.column.setContentsMargins(0, SPACE_8, SPACE_8, SPACE_8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, 0, 0, 0)
        layout.setSpacing(SPACE_4)
        layout.addLayout(head)
        layout.addWidget(self.about)
        layout.addWidget(self.text)
        layout.addWidget(self.sentences, 1)

    def show_case(self, case: Case | None, result: CaseResult | None, state: str = "") -> None:
        """Show a case, with its result once there is one; ``state`` says how it stands until then."""
        wanted = (case.id if case else "", result, state)
        if wanted == self._shown:
            return
        self._shown = wanted
        if case is None and result is None:
            self._empty()
            return
        self.title.setText(result.title if result else case.title if case else "")
        clause = result.clause if result else case.clause if case else ""
        when = f" · {clock_text(result.started_at)} · {result.took_s:.1f} s" if result else ""
        self.about.setText(f"{result.case_id if result else case.id if case else ''} · {clause}{when}")
        self.text.setText(case.text if case else "")
        self.text.setVisible(case is not None)
        self.verdict.show()
        if result is None:
            self.verdict.show_status(state or self.tr("Not run"), "working" if state else "idle")
        else:
            self.verdict.show_status(worded(VERDICT_WORDS[result.verdict]), VERDICT_TONES[result.verdict])
        self._fill(result)

    def _empty(self) -> None:
        self.title.setText(self.tr("Choose a case to see what it asks and what came of it."))
        self.about.setText("")
        self.text.setText("")
        self.verdict.hide()
        self._fill(None)

    def _fill(self, result: CaseResult | None) -> None:
        column = self.sentences.column
        while (item := column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if result is not None:
            if result.reason:
                column.addWidget(plain(_breakable(visible(result.reason, 500)), "", self.sentences))
            for check in result.checks[:MOST_CHECKS]:
                column.addWidget(Sentence(check, self))
            for text in result.unrestored:
                words = self.tr("Not put back: {what}").format(what=visible(text, 300))
                column.addWidget(Sentence(Check(text=words, is_met=False, is_must=False), self))
        column.addStretch(1)


class Sentence(QWidget):
    """One sentence, met or not, and links to the frames that prove it."""

    def __init__(self, check: Check, view: CaseView) -> None:
        super().__init__(view.sentences)
        self._view = view
        tone = "good" if check.is_met else "fault" if check.is_must else "attention"
        name = {"good": "circle-check", "fault": "octagon-x", "attention": "triangle-alert"}[tone]
        picture = QLabel(self)
        icons.dress(picture, name, tone, 16)
        words = {"good": self.tr("Holds"), "fault": self.tr("Does not hold"), "attention": self.tr("Should hold")}
        picture.setAccessibleName(words[tone])
        picture.setToolTip(words[tone])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(plain(_breakable(visible(check.sentence, 400)), "", self), 1)
        layout.addLayout(row)
        if check.seqs:
            layout.addLayout(self._links(check.seqs))

    def _links(self, seqs: tuple[int, ...]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(SPACE_4)
        row.setContentsMargins(24, 0, 0, 0)
        row.addWidget(plain(self.tr("Frames"), "caption", self, wraps=False))
        for seq in seqs[:MOST_FRAMES]:
            link = QPushButton(str(seq), self)
            link.setProperty("seq", seq)
            link.setAccessibleName(self.tr("Show frame {number} in the traffic").format(number=seq))
            link.setToolTip(self.tr("Show this frame in the traffic"))
            set_role(link, "link")
            link.clicked.connect(self._jump)
            row.addWidget(link)
        if len(seqs) > MOST_FRAMES:
            more = self.tr("and {count} more").format(count=len(seqs) - MOST_FRAMES)
            row.addWidget(plain(more, "caption", self, wraps=False))
        row.addStretch(1)
        return row

    def _jump(self) -> None:
        sender = self.sender()
        if isinstance(sender, QPushButton):
            self._view.frame_wanted.emit(int(sender.property("seq")))


def _breakable(text: str) -> str:
    """Let lists of keys be broken: a label breaks lines only where it may."""
    return _BREAKS.sub("\\1\u200b", text)
