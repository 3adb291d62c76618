"""The chain of proof: eleven lamps from power to charging. A click shows what a lamp rests on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.model.finding import Evidence
from app.model.proof import STAGES, Lamp, LampState, Stage, diagnosis
from ui import icons
from ui.models.plain import clock_text, tooltip, visible
from ui.models.unit_words import Words
from ui.theme import RADIUS, SPACE_4, SPACE_8, SPACE_12, SPACE_16, set_look, set_role, theme

LAMPS = {
    LampState.PROVED: Words("proved", "circle-check", "good"),
    LampState.ATTENTION: Words("attention", "triangle-alert", "attention"),
    LampState.FAULT: Words("fault", "octagon-x", "fault"),
    LampState.WORKING: Words("waiting", "loader-circle", "working"),
    LampState.NOT_ASKED: Words("not asked", "circle-dashed", "idle"),
    LampState.NOT_NEEDED: Words("not needed", "circle-slash", "idle"),
}

MEANINGS = {
    Stage.POWER: "The charger has power",
    Stage.LINK: "Cable or Wi-Fi carries data",
    Stage.IP: "It has an address in this network",
    Stage.DNS: "It finds the address behind the backend's name",
    Stage.TCP: "It reaches the backend's port",
    Stage.TLS: "It trusts the encrypted connection",
    Stage.HTTP: "It asks the backend to talk OCPP",
    Stage.WEBSOCKET: "The backend accepts the connection",
    Stage.BOOT: "It introduces itself (BootNotification)",
    Stage.STATUS: "It reports its state",
    Stage.CHARGE: "It charges a car and counts the energy",
}

EVIDENCE_LIMIT = 12
"""Lines of evidence shown for one lamp."""


class LampButton(QAbstractButton):
    """One lamp: icon, stage, word. The line to its left is lit when the current got this far."""

    moved = Signal(int)
    """The arrow keys ask for a neighbour (-1 or +1)."""

    def __init__(self, stage: Stage, parent: QWidget) -> None:
        super().__init__(parent)
        self.lamp = Lamp(stage=stage)
        self.is_lit = False
        """Whether the current got this far: everything up to here is proved or not needed."""
        self.is_first = stage is STAGES[0]
        self.is_last = stage is STAGES[-1]
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setText(stage.value)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.show_lamp(self.lamp)

    def sizeHint(self) -> QSize:
        """Ask for room for icon and two words."""
        return QSize(88, 76)

    def minimumSizeHint(self) -> QSize:
        """Give way down to the longest word."""
        return QSize(66, 76)

    def show_lamp(self, lamp: Lamp) -> None:
        """Show another state."""
        self.lamp = lamp
        word = LAMPS[lamp.state].text
        self.setAccessibleName(f"{lamp.stage.value}: {word}")
        self.setAccessibleDescription(visible(lamp.text))
        self.setToolTip(tooltip(f"{MEANINGS[lamp.stage]}.\n{word.capitalize()}: {lamp.text}"))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk along the chain with the arrow keys."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step:
            self.moved.emit(step)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw ground, line, icon and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look, words = theme().tokens, LAMPS[self.lamp.state]
        box = QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5)
        if self.isChecked() or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color(f"{words.tone}_soft" if self.isChecked() else "hover"))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        middle = QPointF(self.width() / 2, 22)
        self._line(painter, middle)
        painter.setPen(QPen(look.color(words.tone), 2 if self.lamp.state is LampState.FAULT else 1))
        painter.setBrush(look.color(f"{words.tone}_soft"))
        painter.drawEllipse(middle, 14, 14)
        painter.drawPixmap(QPointF(middle.x() - 8, middle.y() - 8), icons.pixmap(words.icon, 16, words.tone))
        self._words(painter, words)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("accent"), 2))
            painter.drawRoundedRect(box, RADIUS, RADIUS)
        event.accept()

    def _line(self, painter: QPainter, middle: QPointF) -> None:
        look = theme().tokens
        painter.setPen(QPen(look.color("good" if self.is_lit else "border"), 2))
        if not self.is_first:
            painter.drawLine(QPointF(0, middle.y()), QPointF(middle.x() - 16, middle.y()))
        if not self.is_last:
            painter.drawLine(QPointF(middle.x() + 16, middle.y()), QPointF(self.width(), middle.y()))

    def _words(self, painter: QPainter, words: Words) -> None:
        look, font = theme().tokens, self.font()
        less = 1 if self.width() < 80 else 0
        font.setPixelSize(13 - less)
        font.setBold(self.lamp.state is LampState.FAULT or self.isChecked())
        painter.setFont(font)
        painter.setPen(look.color("text"))
        centre = Qt.AlignmentFlag.AlignHCenter
        painter.drawText(QRectF(0, 40, self.width(), 18), centre, self.lamp.stage.value)
        font.setPixelSize(12 - less)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(look.color(words.tone))
        painter.drawText(QRectF(0, 56, self.width(), 18), centre, words.text)


class ProofStrip(QFrame):
    """All lamps in a row, and below them one sentence with its evidence."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "panel")
        self.setAccessibleName(self.tr("Chain of proof"))
        self.lamps = {stage: LampButton(stage, self) for stage in STAGES}
        self._chosen: Stage | None = None
        line = QHBoxLayout()
        line.setSpacing(0)
        for button in self.lamps.values():
            button.clicked.connect(self._clicked)
            button.moved.connect(self._walk)
            line.addWidget(button)
        self.picture, self.sentence, self.evidence = QLabel(self), QLabel(self), QLabel(self)
        for label in (self.sentence, self.evidence):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self.sentence, "strong")
        set_role(self.evidence, "mono-subtle")
        words = QVBoxLayout()
        words.setSpacing(SPACE_4)
        words.addWidget(self.sentence)
        words.addWidget(self.evidence)
        below = QHBoxLayout()
        below.setContentsMargins(SPACE_16, 0, SPACE_16, 0)
        below.setSpacing(SPACE_8)
        below.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        below.addLayout(words, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_8, SPACE_12, SPACE_8, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(line)
        layout.addLayout(below)

    def show_chain(self, lamps: Sequence[Lamp]) -> None:
        """Show the lamps; the diagnosis is explained below until another lamp is clicked."""
        is_lit = True
        for lamp in lamps:
            button = self.lamps[lamp.stage]
            is_lit = is_lit and lamp.state in (LampState.PROVED, LampState.NOT_NEEDED, LampState.ATTENTION)
            if button.lamp != lamp or button.is_lit != is_lit:
                button.is_lit = is_lit
                button.show_lamp(lamp)
        self._explain(lamps)

    def forget_choice(self) -> None:
        """Explain the diagnosis again (another charger is shown)."""
        self._chosen = None

    def _explain(self, lamps: Sequence[Lamp]) -> None:
        first = diagnosis(lamps)
        lamp = next((lamp for lamp in lamps if lamp.stage is self._chosen), None) or first or _furthest(lamps)
        button = self.lamps[lamp.stage]
        if not button.isChecked():
            button.setChecked(True)
        words = LAMPS[lamp.state]
        prefix = self.tr("Diagnosis: ") if lamp is first else ""
        text = f"{prefix}{lamp.stage.value}. {visible(lamp.text or MEANINGS[lamp.stage])}"
        if self.sentence.text() != text:
            self.sentence.setText(text)
            set_look(self.sentence, tone=words.tone if lamp.state is LampState.FAULT else "")
        icons.dress(self.picture, words.icon, words.tone, 16)
        shown = "\n".join(_line(item) for item in lamp.evidence[:EVIDENCE_LIMIT])
        self.evidence.setText(shown)
        self.evidence.setVisible(bool(shown))

    def _clicked(self) -> None:
        button = self.sender()
        if isinstance(button, LampButton):
            self._chosen = button.lamp.stage
            self._explain([item.lamp for item in self.lamps.values()])

    def _walk(self, step: int) -> None:
        button = self.sender()
        if isinstance(button, LampButton):
            place = STAGES.index(button.lamp.stage) + step
            if 0 <= place < len(STAGES):
                self.lamps[STAGES[place]].setFocus()
                self.lamps[STAGES[place]].click()


def _furthest(lamps: Sequence[Lamp]) -> Lamp:
    proved = [lamp for lamp in lamps if lamp.state in (LampState.PROVED, LampState.WORKING)]
    return proved[-1] if proved else lamps[0]


def _line(item: Evidence) -> str:
    time = f"{clock_text(item.at)[:8]}  " if item.at is not None else ""
    return f"{time}{visible(item.label, 60)}: {visible(item.text, 200)}"
