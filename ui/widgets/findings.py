"""Findings as cards: what it is, what proves it, why it is so, what to do."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.diagnosis.catalogue import explain
from app.model.finding import Finding, Severity
from ui import icons
from ui.models.plain import clock_text, visible, visible_lines
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_role

TONES = {Severity.FAULT: "fault", Severity.WARNING: "attention", Severity.INFO: "working"}
ICONS = {Severity.FAULT: "octagon-x", Severity.WARNING: "triangle-alert", Severity.INFO: "info"}
SHOWN_LIMIT = 20
EVIDENCE_LIMIT = 8


class FindingCard(QFrame):
    """One finding. The text for the vendor is a button away; in a narrow place it stands below the words."""

    def __init__(self, finding: Finding, parent: QWidget, *, is_narrow: bool = False) -> None:
        super().__init__(parent)
        self.finding = finding
        text = explain(finding)
        self._vendor = text.vendor
        set_role(self, "card")
        self.setAccessibleName(f"{finding.severity.value}: {text.title}")
        self.setAccessibleDescription(text.remedy)
        picture = QLabel(self)
        icons.dress(picture, ICONS[finding.severity], TONES[finding.severity], 20)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        self._add(words, visible(text.title, 200), "strong")
        self._add(words, finding.code, "mono-subtle")
        for caption, line in ((self.tr("Why"), text.cause or text.symptom), (self.tr("What to do"), text.remedy)):
            if line:
                self._add(words, caption, "section")
                self._add(words, line, "")
        if finding.evidence:
            self._add(words, self.tr("Evidence"), "section")
            self._add(words, _evidence(finding), "mono-subtle")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_12)
        layout.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        if text.vendor and is_narrow:
            words.addWidget(self._vendor_button(), 0, Qt.AlignmentFlag.AlignLeft)
        elif text.vendor:
            layout.addWidget(self._vendor_button(), 0, Qt.AlignmentFlag.AlignTop)

    def _add(self, column: QVBoxLayout, text: str, role: str) -> None:
        label = QLabel(text, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(label, role)
        column.addWidget(label)

    def _vendor_button(self) -> QPushButton:
        button = QPushButton(self.tr("Copy text for the vendor"), self)
        icons.dress(button, "copy")
        button.clicked.connect(self._copy)
        return button

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self._vendor}\n\n{_evidence(self.finding)}".strip())


def _evidence(finding: Finding) -> str:
    lines = []
    for item in finding.evidence[:EVIDENCE_LIMIT]:
        time = f"{clock_text(item.at)[:8]}  " if item.at is not None else ""
        lines.append(f"{time}{visible(item.label, 60)}: {visible_lines(item.text[:600])}")
    return "\n".join(lines)


class Findings(QWidget):
    """The findings of one charger, the gravest first; says so when there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[tuple[Finding, ...], str] | None = None
        self.cards: list[FindingCard] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE_8)

    def show_findings(self, findings: Sequence[Finding], *, nothing: str = "") -> None:
        """Show these; the same code twice is shown once, with the newest evidence. ``nothing`` stands for none."""
        newest = {finding.code: finding for finding in findings}
        order = (Severity.FAULT, Severity.WARNING, Severity.INFO)
        wanted = tuple(sorted(newest.values(), key=lambda item: order.index(item.severity)))[:SHOWN_LIMIT]
        if (wanted, nothing) == self._shown:
            return
        self._shown = (wanted, nothing)
        while self._layout.count():
            item = self._layout.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.cards = [FindingCard(finding, self) for finding in wanted]
        for card in self.cards:
            self._layout.addWidget(card)
        if not wanted:
            self._layout.addWidget(self._nothing(nothing))

    def _nothing(self, text: str) -> QLabel:
        label = QLabel(text or self.tr("Nothing is wrong as far as we have seen."), self)
        set_role(label, "subtle")
        return label
