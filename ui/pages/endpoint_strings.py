"""What to type into which charger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

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
    """One card per model: the exact text, with a copy button, and what the charger then dials."""

    def __init__(self, bench: Workbench, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._url = ""
        self._made: list[QFrame] = []
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
        top.addStretch(1)
        top.addWidget(self.search)
        self.cards = ScrollColumn(self)
        self.cards.setAccessibleName(self.tr("What to type, model by model"))
        self.cards.column.setSpacing(SPACE_8)
        self.cards.column.setContentsMargins(0, 0, SPACE_8, 0)
        hint = plain_label(self, "caption", is_wrapped=True)
        hint.setText(self.tr(FIREWALL))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE_8, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addLayout(top)
        layout.addWidget(self.cards, 1)
        layout.addWidget(hint)

    def show_url(self, url: str) -> None:
        """Show the texts for this base address (empty = the endpoint is off)."""
        if url != self._url or not self._made:
            self._url = url
            self._fill()

    def _fill(self) -> None:
        for card in self._made:
            self.cards.column.removeWidget(card)
            card.hide()
            card.deleteLater()
        identity = self.identity.text().strip()
        url = self._url or f"ws://this-computer:{self._bench.settings.endpoint_port}/"
        profiles = sorted(self._bench.registry.profiles.values(), key=lambda profile: profile.family.lower())
        known = [for_profile(profile, url, identity) for profile in profiles if profile.url is not None]
        self._made = [self._card(dialling) for dialling in (general(url, identity), *known)]
        while self.cards.column.count():
            self.cards.column.takeAt(0)
        for card in self._made:
            self.cards.column.addWidget(card)
        self.cards.column.addStretch(1)
        self._show_found()

    def _show_found(self) -> None:
        wanted = self.search.text().strip().lower()
        for card in self._made:
            card.setVisible(wanted in str(card.property("title")).lower())

    def _card(self, dialling: Dialling) -> QFrame:
        card = QFrame(self)
        set_role(card, "card")
        card.setProperty("title", dialling.title)
        title = plain_label(card, "strong")
        title.setText(dialling.title)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(title)
        if dialling.grade is not None:
            word, tone, meaning = graded(dialling.grade)
            chip = Chip(word, tone, parent=card)
            chip.setToolTip(meaning)
            head.addWidget(chip)
        head.addStretch(1)
        dials = plain_label(card, "mono-subtle")
        dials.setText(f"{self.tr('It then dials')}  {dialling.dialled}")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(SPACE_12, SPACE_8, SPACE_12, SPACE_8)
        layout.setSpacing(SPACE_4)
        layout.addLayout(head)
        if dialling.is_possible:
            layout.addWidget(
                CopyField(dialling.typed, worded("the address for {charger}", charger=dialling.title), card)
            )
            layout.addWidget(dials)
        for note in dialling.notes:
            line = plain_label(card, "subtle", is_wrapped=True)
            line.setText(note)
            layout.addWidget(line)
        return card
