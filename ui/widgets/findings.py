"""Findings as cards: what it is, what proves it, why it is so, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.diagnosis.catalogue import experiment_of, explain, look_alikes
from app.model.finding import Finding, Severity
from ui import icons
from ui.i18n import worded
from ui.models.plain import clock_text, visible, visible_lines
from ui.theme import SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_role

TONES = {Severity.FAULT: "fault", Severity.WARNING: "attention", Severity.INFO: "working"}
ICONS = {Severity.FAULT: "octagon-x", Severity.WARNING: "triangle-alert", Severity.INFO: "info"}
GRAVITY = {Severity.FAULT: "fault", Severity.WARNING: "warning", Severity.INFO: "note"}
SEND_TO = {
    "vendor": "Copy text for the vendor",
    "operator": "Copy text for the backend's operator",
    "site": "Copy text for the site",
}
NARROW_PX = 720
SHOWN_LIMIT = 20
EVIDENCE_LIMIT = 8


class FindingCard(QFrame):
    """One finding: how grave, what proves it, why, what to do, and how to be sure where two causes look alike.

    The text to send on is a button away; in a narrow place it stands below the words. ``buttons`` takes more of them.
    ``run`` opens the experiment that helps to be sure; without it there is no button for that.
    """

    def __init__(
        self,
        finding: Finding,
        parent: QWidget,
        *,
        is_narrow: bool = False,
        run: Callable[[Finding], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self.finding = finding
        self._run = run
        self.experiment = experiment_of(finding)
        text = explain(finding, worded)
        self._to_send = text.vendor
        set_role(self, "card")
        self.setAccessibleName(f"{worded(GRAVITY[finding.severity])}: {text.title}")
        self.setAccessibleDescription(text.remedy)
        picture = QLabel(self)
        icons.dress(picture, ICONS[finding.severity], TONES[finding.severity], 20)
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        self._add(words, visible(text.title, 200), "strong")
        self._add(words, f"{finding.code} · {worded(GRAVITY[finding.severity])}", "mono-subtle")
        self._section(words, self.tr("Why"), text.cause or text.symptom)
        self._section(words, self.tr("What to do"), text.remedy)
        self._section(words, self.tr("To be sure"), self._doubts())
        self._section(words, self.tr("Evidence"), _evidence(finding), "mono-subtle")
        beside = QHBoxLayout()
        beside.setSpacing(SPACE_12)
        beside.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        beside.addLayout(words, 1)
        self.buttons = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        self.buttons.setSpacing(SPACE_8)
        if text.vendor:
            self.buttons.addWidget(self._copy_button(text.to))
        if self.experiment is not None and run is not None:
            self.buttons.addWidget(self._run_button())
        self.buttons.addStretch(1)
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(SPACE_16, SPACE_12, SPACE_12, SPACE_12)
        self._layout.setSpacing(SPACE_12)
        self._layout.addLayout(beside, 1)
        self._layout.addLayout(self.buttons)
        self._is_narrow = False
        self._arrange(is_narrow=is_narrow)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the buttons below the words where there is no room beside them."""
        super().resizeEvent(event)
        self._arrange(is_narrow=event.size().width() < NARROW_PX)

    def _arrange(self, *, is_narrow: bool) -> None:
        if is_narrow == self._is_narrow:
            return
        self._is_narrow = is_narrow
        down, across = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._layout.setDirection(down if is_narrow else across)
        self.buttons.setDirection(across if is_narrow else down)

    def _section(self, column: QVBoxLayout, caption: str, text: str, role: str = "") -> None:
        if text:
            self._add(column, caption, "section")
            self._add(column, text, role)

    def _doubts(self) -> str:
        """Say what else it may be, and the experiment that tells."""
        alike = "; ".join(look_alikes(self.finding, worded))
        parts = [self.tr("This looks the same: {alike}.").format(alike=alike)] if alike else []
        if self.experiment is not None:
            words = self.tr("Experiment “{title}”: {does}")
            parts.append(words.format(title=worded(self.experiment.title), does=worded(self.experiment.does)))
        return " ".join(parts)

    def _add(self, column: QVBoxLayout, text: str, role: str) -> None:
        label = QLabel(text, self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(label, role)
        column.addWidget(label)

    def _copy_button(self, to: str) -> QPushButton:
        button = QPushButton(worded(SEND_TO[to]), self)
        button.setToolTip(self._to_send if len(self._to_send) < 300 else "")
        icons.dress(button, "copy")
        button.clicked.connect(self._copy)
        return button

    def _run_button(self) -> QPushButton:
        button = QPushButton(self.tr("Run the experiment"), self)
        if self.experiment is not None:
            button.setToolTip(worded(self.experiment.title))
        icons.dress(button, "play")
        button.clicked.connect(self._run_experiment)
        return button

    def _run_experiment(self) -> None:
        if self._run is not None:
            self._run(self.finding)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(f"{self._to_send}\n\n{_evidence(self.finding)}".strip())


def gravest(findings: Iterable[Finding]) -> list[Finding]:
    """Put the gravest first; equals stay in their order."""
    order = (Severity.FAULT, Severity.WARNING, Severity.INFO)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


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
        wanted = tuple(gravest(newest.values()))[:SHOWN_LIMIT]
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
