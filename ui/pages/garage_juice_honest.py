"""The honest list: what can't be brought back this way, why, and what is left to try."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.juicenet.rescuetexts import guide
from app.model.profile import Profile
from ui import icons
from ui.i18n import worded
from ui.theme import SPACE_8, SPACE_12, set_role
from ui.widgets.column import ScrollColumn
from ui.widgets.section import Section, plain

BOARD = (
    "A box whose board is a v1 or v2 can get another board (OpenEVSE's JuiceRescueController): native OCPP 1.6 without "
    "a bridge, at the price of its reader, warranty and listing. That is an electrician's work."
)


class HonestList(ScrollColumn):
    """``closed`` leads back; ``family_wanted`` to a family's page of the library."""

    closed = Signal()
    family_wanted = Signal(str)

    def __init__(self, profiles: Mapping[str, Profile], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("What can't be brought back"))
        content = self._content
        self.back = QPushButton(self.tr("Back to the box"), content)
        icons.dress(self.back, "arrow-left", "text2")
        self.back.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setSpacing(SPACE_8)
        head.addWidget(plain(self.tr("What can't be brought back this way"), "heading", content), 1)
        head.addWidget(self.back)
        self.column.setContentsMargins(SPACE_8, SPACE_8, SPACE_8, SPACE_8)
        self.column.setSpacing(SPACE_12)
        self.column.addLayout(head)
        self.column.addWidget(plain(self.tr(BOARD), "subtle", content))
        self.cards = [self._card(profile_id, profiles, content) for profile_id in guide().barred]
        for card in self.cards:
            self.column.addWidget(card)
        self.column.addStretch(1)

    def _card(self, profile_id: str, profiles: Mapping[str, Profile], parent: QWidget) -> Section:
        words = guide().barred[profile_id]
        profile = profiles.get(profile_id)
        card = Section(profile.family if profile is not None else profile_id, "circle-slash", parent, tone="attention")
        card.add_fact(self.tr("Why"), words.seen)
        card.add_fact(self.tr("What is left"), words.next)
        card.add_fact(self.tr("Source"), f"{words.source} ({worded(words.grade)})", "caption")
        if profile is not None:
            more = QPushButton(self.tr("What is known of it"), card)
            set_role(more, "link")
            more.setAccessibleName(self.tr("What is known of {family}").format(family=profile.family))
            more.setProperty("profile_id", profile_id)
            more.clicked.connect(self._more)
            card.head.addWidget(more)
        return card

    def _more(self) -> None:
        self.family_wanted.emit(str(self.sender().property("profile_id")))
