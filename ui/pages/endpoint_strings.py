"""What to type into which charger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ui import icons
from ui.i18n import worded
from ui.models.dialling import PLACEHOLDER, Dialling, for_profile, general
from ui.models.families import graded
from ui.theme import SPACE_4, SPACE_8, SPACE_12, set_role
from ui.widgets.chip import Chip
from ui.widgets.column import ScrollColumn
from ui.widgets.copy import CopyField
from ui.widgets.frameview import plain_label

if TYPE_CHECKING:
    from app.workbench import Workbench

FIREWALL = (
    "Nothing arrives? This computer's firewall may block it: allow Rehome for private networks, switch a VPN off, and "
    "check that charger and computer are in the same network."
)


class StringsPanel(QWidget):
    """One card per model: the exact text, with a copy button, and what the charger then dials.

    ``root_wanted`` asks for the page with our root certificate.
    """

    root_wanted = Signal()

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._url = ""
        self._secure_url = ""
        self._made: list[DiallingCard] = []
        self.identity = QLineEdit(self)
        self.identity.setPlaceholderText(PLACEHOLDER)
        self.identity.setAccessibleName(self.tr("Identity of the charger"))
        self.identity.setMaximumWidth(260)
        self.identity.setMaxLength(96)
        self.identity.textChanged.connect(self._fill)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Find a model"))
        self.search.setAccessibleName(self.tr("Find a model"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(260)
        self.search.textChanged.connect(self._show_found)
        label = QLabel(self.tr("Identity of the charger"), self)
        label.setBuddy(self.identity)
        set_role(label, "subtle")
        top = QHBoxLayout()
        top.setSpacing(SPACE_8)
        top.addWidget(label)
        top.addWidget(self.identity)
        top.addWidget(self._make_door())
        top.addStretch(1)
        top.addWidget(self.search)
        self.cards = ScrollColumn(self)
        self.cards.setAccessibleName(self.tr("What to type, model by model"))
        self.cards.column.setSpacing(SPACE_8)
        self.cards.column.setContentsMargins(0, 0, SPACE_8, 0)
        hint = plain_label(self, "caption", is_wrapped=True)
        hint.setText(self.tr(FIREWALL))
        QWidget.setTabOrder(self.door, self.search)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(top)
        layout.addWidget(self._make_trust())
        layout.addWidget(self.cards, 1)
        layout.addWidget(hint)

    def _make_door(self) -> QComboBox:
        self.door = QComboBox(self)
        self.door.setAccessibleName(self.tr("Plain or encrypted"))
        self.door.addItem(self.tr("Plain (ws://)"), False)
        self.door.addItem(self.tr("Encrypted (wss://)"), True)
        self.door.currentIndexChanged.connect(self._fill)
        self.door.hide()
        return self.door

    def _make_trust(self) -> QFrame:
        self.trust = QFrame(self)
        set_role(self.trust, "banner", tone="attention")
        picture = QLabel(self.trust)
        icons.dress(picture, "shield-check", "attention", 20)
        words = plain_label(self.trust, "", is_wrapped=True)
        words.setText(
            self.tr(
                "First install our root certificate in the charger: it hangs up on a certificate it does not know. "
                "The name or address must be typed exactly as here, and its clock must be right."
            )
        )
        self.root = QPushButton(self.tr("Get the root certificate"), self.trust)
        self.root.clicked.connect(self.root_wanted)
        row = QHBoxLayout(self.trust)
        row.setContentsMargins(SPACE_12, SPACE_8, SPACE_8, SPACE_8)
        row.setSpacing(SPACE_12)
        row.addWidget(picture)
        row.addWidget(words, 1)
        row.addWidget(self.root)
        self.trust.hide()
        return self.trust

    @property
    def is_secure(self) -> bool:
        """Say whether the texts are those for TLS."""
        return bool(self._secure_url) and bool(self.door.currentData())

    def show_url(self, url: str, secure_url: str = "") -> None:
        """Show the texts for these base addresses (empty = the endpoint is off, or answers no TLS)."""
        if (url, secure_url) != (self._url, self._secure_url) or not self._made:
            self._url, self._secure_url = url, secure_url
            self.door.setVisible(bool(secure_url))
            self._fill()

    def _fill(self) -> None:
        identity = self.identity.text().strip()
        url = self._secure_url if self.is_secure else self._url
        url = url or f"ws://this-computer:{self._bench.settings.endpoint_port}/"
        self.trust.setVisible(self.is_secure)
        profiles = sorted(self._bench.registry.profiles.values(), key=lambda profile: profile.family.lower())
        known = [for_profile(profile, url, identity) for profile in profiles if profile.url or profile.guide]
        wanted = [general(url, identity), *known]
        if not self._made:
            self._made = [DiallingCard(dialling, self) for dialling in wanted]
            for card in self._made:
                self.cards.column.addWidget(card)
            self.cards.column.addStretch(1)
        for card, dialling in zip(self._made, wanted, strict=True):
            card.show_dialling(dialling)
        self._show_found()

    def _show_found(self) -> None:
        wanted = self.search.text().strip().lower()
        for card in self._made:
            card.setVisible(wanted in card.found_by)


class DiallingCard(QFrame):
    """What to type into one model, what it then dials, and what to know. Only what changed is drawn anew."""

    def __init__(self, dialling: Dialling, parent: QWidget) -> None:
        super().__init__(parent)
        self._shown: Dialling | None = None
        self.found_by = dialling.found_by.lower()
        set_role(self, "card")
        self.setProperty("title", dialling.title)
        title = plain_label(self, "strong")
        title.setText(dialling.title)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(title)
        if dialling.grade is not None:
            word, tone, meaning = graded(dialling.grade)
            chip = Chip(word, tone, parent=self)
            chip.setToolTip(meaning)
            head.addWidget(chip)
        head.addStretch(1)
        self.address = CopyField("", worded("the address for {charger}", charger=dialling.title), self)
        self.dials = plain_label(self, "mono-subtle")
        self._notes: list[QLabel] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        self._column.setSpacing(SPACE_4)
        self._column.addLayout(head)
        self._column.addWidget(self.address)
        self._column.addWidget(self.dials)

    def show_dialling(self, dialling: Dialling) -> None:
        """Show what to type now."""
        if dialling == self._shown:
            return
        self._shown = dialling
        self.address.show_text(dialling.typed)
        self.address.setVisible(dialling.is_possible)
        self.dials.setText(f"{self.tr('It then dials')}  {dialling.dialled}")
        self.dials.setVisible(dialling.is_possible)
        while len(self._notes) < len(dialling.notes):
            self._notes.append(plain_label(self, "subtle", is_wrapped=True))
            self._column.addWidget(self._notes[-1])
        for index, line in enumerate(self._notes):
            note = dialling.notes[index] if index < len(dialling.notes) else ""
            line.setText(note)
            line.setVisible(bool(note))
