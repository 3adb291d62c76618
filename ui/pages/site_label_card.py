"""One result of a scan: what the label says, whom it means, how two spellings differ, and what can be done."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.labels.lookalike import compared
from app.labels.matching import Likeness
from app.model.secret import MASK, Secret
from ui import icons
from ui.models.labels import Action, Card, Choice, differences
from ui.models.plain import visible, visible_lines
from ui.theme import SPACE_8, SPACE_12, set_role, theme
from ui.widgets.chip import Chip
from ui.widgets.section import plain

ICONS = {
    Choice.OPEN: "stethoscope",
    Choice.REHOME: "route",
    Choice.SHOW: "locate",
    Choice.ADD: "plus",
    Choice.CORRECT: "pencil",
    Choice.COPY: "copy",
}

SHORT = 12
"""Characters of a button that needs half a line."""

TEXT_SHOWN = 300
"""Characters of a label's text on a card."""


class Spellings(QWidget):
    """Two spellings one below the other, with what differs on a coloured ground, and in words."""

    def __init__(self, pair: Likeness, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pair = pair
        words = differences(pair)
        self._lines = (QLabel(self), QLabel(self))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE_12)
        grid.setColumnStretch(1, 1)
        for place, (name, line) in enumerate(zip((self.tr("Label"), self.tr("Site")), self._lines, strict=True)):
            line.setTextFormat(Qt.TextFormat.RichText)
            line.setWordWrap(True)
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            set_role(line, "mono")
            grid.addWidget(plain(name, "caption", self), place, 0)
            grid.addWidget(line, place, 1)
        grid.addWidget(plain(words, "caption", self), 2, 0, 1, 2)
        self.setAccessibleName(f"{pair.scanned}, {pair.stands}: {words}")
        theme().changed.connect(self._draw)
        self._draw()

    @property
    def texts(self) -> tuple[str, str]:
        """Return both lines as drawn."""
        return self._lines[0].text(), self._lines[1].text()

    def _draw(self) -> None:
        parts = compared(self._pair.scanned, self._pair.stands)
        sides = ([(part.one, part.differs) for part in parts], [(part.other, part.differs) for part in parts])
        for line, side in zip(self._lines, sides, strict=True):
            line.setText("".join(_span(text, differs=differs) for text, differs in side))


def _span(text: str, *, differs: bool) -> str:
    """Write a part as HTML; nothing of it is markup, and a missing part is a gap that can be seen."""
    shown = html.escape(visible(text)).replace(" ", "&nbsp;")
    tokens = theme().tokens
    size = "font-size:17px"
    if not differs:
        return f"<span style='{size}'>{shown}</span>"
    look = f"{size}; font-weight:700; color:{tokens.fault}; background-color:{tokens.fault_soft}"
    return f"<span style='{look}'>{shown or '&nbsp;'}</span>"


class LabelCard(QFrame):
    """One card; ``chosen`` carries the button that was pressed, ``kept`` and ``copied`` a secret of the label."""

    chosen = Signal(object, object)
    """The Card and the Action."""
    kept = Signal(object, str, object)
    """The Card, the secret's name on the label, and the secret."""
    copied = Signal(object)
    """A secret for the clipboard."""

    def __init__(self, card: Card, parent: QWidget | None = None, *, can_keep: bool = False) -> None:
        super().__init__(parent)
        self.card = card
        self._secrets: dict[QPushButton, tuple[str, Secret]] = {}
        self._actions: dict[QPushButton, Action] = {}
        set_role(self, "card")
        self.setAccessibleName(f"{card.word}: {card.title}")
        self.setAccessibleDescription(card.text)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_12, SPACE_12, SPACE_12, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addWidget(Chip(card.word, card.tone, parent=self), 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(plain(card.title, "heading", self))
        layout.addWidget(plain(card.text, "subtle", self))
        for pair in card.pairs:
            layout.addWidget(Spellings(pair, self))
        said = card.match.label.shown
        if said and not card.pairs:
            layout.addWidget(plain(self.tr("The label says"), "caption", self))
            layout.addWidget(plain(visible_lines(said[:TEXT_SHOWN]), "mono", self))
        for name, secret in card.match.label.secrets:
            layout.addLayout(self._secret_line(name, secret, can_keep=can_keep))
        layout.addLayout(self._buttons())

    def _buttons(self) -> QGridLayout:
        """Lay out the buttons: two short ones share a line."""
        grid = QGridLayout()
        grid.setSpacing(SPACE_8)
        buttons = [self._button(action) for action in self.card.actions]
        is_short = len(buttons) == 2 and all(len(button.text()) <= SHORT for button in buttons)
        for place, button in enumerate(buttons):
            grid.addWidget(button, 0 if is_short else place, place if is_short else 0)
        return grid

    def _button(self, action: Action) -> QPushButton:
        button = QPushButton(action.text, self)
        set_role(button, "primary" if action.is_first else "", size="large")
        icons.dress(button, ICONS[action.choice], "accent_text" if action.is_first else "text")
        button.setObjectName(f"label-{action.choice.value}")
        button.clicked.connect(self._pressed)
        self._actions[button] = action
        return button

    def _pressed(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            self.chosen.emit(self.card, self._actions[button])

    def _secret_line(self, name: str, secret: Secret, *, can_keep: bool) -> QHBoxLayout:
        """Offer a secret of the label; it is shown to nobody and kept nowhere until somebody says so."""
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        line.addWidget(plain(f"{visible(name, 24)} {MASK}", "", self, wraps=False), 1)
        texts = [("copy", self.tr("Copy"), self._copy)]
        if can_keep:
            texts.append(("keep", self.tr("Use as login"), self._keep))
        for key, text, slot in texts:
            button = QPushButton(text, self)
            button.setObjectName(f"label-secret-{key}")
            button.setAccessibleName(f"{text}: {name}")
            set_role(button, "", size="large")
            button.clicked.connect(slot)
            self._secrets[button] = (name, secret)
            line.addWidget(button)
        return line

    def _copy(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            self.copied.emit(self._secrets[button][1])

    def _keep(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            name, secret = self._secrets[button]
            self.kept.emit(self.card, name, secret)
            button.setEnabled(False)
            button.setText(self.tr("Kept"))
