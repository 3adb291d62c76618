"""What a step has shown: one line per proof, with its time, its strength, and the bytes behind it on request."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.job import Proof
from ui import icons
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.wizard.words import STRENGTHS, translated

DETAIL_LIMIT = 20_000
"""Characters of a proof's detail that are shown."""

DETAIL_HEIGHT = 132


def local_time(at: datetime) -> str:
    """Return the local time of day."""
    return f"{at.astimezone():%H:%M:%S}"


class ProofRow(QFrame):
    """One proof."""

    def __init__(self, proof: Proof, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        word, tone, icon = STRENGTHS[proof.strength]
        self._proof = proof
        self._detail: QPlainTextEdit | None = None
        picture = QLabel(self)
        icons.dress(picture, icon, tone, 16)
        picture.setToolTip(translated(word))
        text = QLabel(self)
        text.setTextFormat(Qt.TextFormat.PlainText)
        text.setText(proof.text)
        text.setWordWrap(True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        when = QLabel(local_time(proof.at), self)
        set_role(when, "mono-subtle")
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(picture, 0, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(text, 1)
        if proof.detail:
            top.addWidget(self._opener(), 0, Qt.AlignmentFlag.AlignVCenter)
        top.addWidget(when, 0, Qt.AlignmentFlag.AlignVCenter)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, SPACE_4, 0, SPACE_4)
        self._layout.setSpacing(SPACE_4)
        self._layout.addLayout(top)
        self.setAccessibleName(f"{translated(word)}: {proof.text}")

    def _opener(self) -> QToolButton:
        button = QToolButton(self)
        set_role(button, "quiet")
        button.setCheckable(True)
        button.setText(self.tr("Show"))
        button.setAccessibleName(self.tr("Show what proves this"))
        button.toggled.connect(self._show_detail)
        return button

    def _show_detail(self, wanted: bool) -> None:
        if self._detail is None:
            self._detail = QPlainTextEdit(self)
            set_role(self._detail, "mono")
            self._detail.setReadOnly(True)
            self._detail.setPlainText(self._proof.detail[:DETAIL_LIMIT])
            self._detail.setFixedHeight(DETAIL_HEIGHT)
            self._layout.addWidget(self._detail)
        self._detail.setVisible(wanted)


class EvidenceList(QWidget):
    """All proofs of one step, oldest first. Rows that are already there stay as they are."""

    def __init__(self, parent: QWidget | None = None, *, heading: str = "") -> None:
        super().__init__(parent)
        self._heading = QLabel(heading or self.tr("Evidence"), self)
        set_role(self._heading, "section")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, SPACE_12, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addWidget(self._heading)
        self._shown: tuple[Proof, ...] = ()
        self._rows: list[ProofRow] = []
        self.hide()

    def show_proofs(self, proofs: tuple[Proof, ...]) -> None:
        """Show these proofs."""
        if proofs[: len(self._shown)] != self._shown:
            self._clear()
        for proof in proofs[len(self._shown) :]:
            row = ProofRow(proof, self)
            self._rows.append(row)
            self._layout.addWidget(row)
        self._shown = proofs
        self.setVisible(bool(proofs))

    def _clear(self) -> None:
        for row in self._rows:
            self._layout.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = []
        self._shown = ()
