"""The library: what we know of each charger family, and where from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelection, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListView, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.model.profile import Profile
from ui import icons
from ui.i18n import translate
from ui.models.families import BADGE_ROLE, ICON_ROLE, PROFILE_ROLE, SUBTITLE_ROLE, Families
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, SPACE_16
from ui.widgets.empty import Empty
from ui.widgets.familysheet import FamilySheet
from ui.widgets.section import plain
from ui.widgets.tworows import TwoRows

if TYPE_CHECKING:
    from app.workbench import Workbench

LIST_WIDTH = 344


class ChargersPage(Page):
    """Search and list at the left, one family at the right. ``open`` takes a profile id."""

    page_id = "chargers"
    title = "Chargers"
    icon_name = "library"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        self.search = QLineEdit(self)
        self.families = QListView(self)
        self.count = plain("", "caption", self)
        self.model = Families(bench.registry.profiles.values(), self)
        self._sheet = QStackedWidget(self)
        self._nothing = Empty(
            translate("No family fits"), translate("Search for a name, a vendor, a key or a quirk."), "search-x"
        )
        self._scroll = QScrollArea(self)
        self._build()
        self._find()

    def _build(self) -> None:
        self.search.setPlaceholderText(translate("Search the library"))
        self.search.setAccessibleName(translate("Search the library"))
        self.search.setClearButtonEnabled(True)
        glass = QAction(self.search)
        icons.dress(glass, "search", "text2")
        self.search.addAction(glass, QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._find)
        self.families.setModel(self.model)
        self.families.setAccessibleName(translate("Charger families"))
        self.families.setUniformItemSizes(True)
        self.families.setMouseTracking(True)
        self.families.setItemDelegate(
            TwoRows(self.families, subtitle_role=SUBTITLE_ROLE, icon_role=ICON_ROLE, badge_role=BADGE_ROLE)
        )
        self.families.selectionModel().selectionChanged.connect(self._selected)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setAccessibleName(translate("Family"))
        self._sheet.addWidget(self._nothing)
        self._sheet.addWidget(self._scroll)
        self._lay_out()

    def _lay_out(self) -> None:
        side = QWidget(self)
        side.setFixedWidth(LIST_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(SPACE_16, SPACE_16, 0, SPACE_16)
        column.setSpacing(SPACE_8)
        column.addWidget(plain(translate(self.title), "title", side))
        column.addWidget(self.search)
        column.addWidget(self.families, 1)
        column.addWidget(self.count)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_12)
        layout.addWidget(side)
        layout.addWidget(self._sheet, 1)

    @property
    def shown(self) -> Profile | None:
        """Return the family shown."""
        index = self.families.currentIndex()
        found = index.data(PROFILE_ROLE) if index.isValid() else None
        return found if isinstance(found, Profile) else None

    def open(self, argument: object) -> None:
        """Show the family with that profile id."""
        self.search.clear()
        row = self.model.row_of(str(argument))
        if row >= 0:
            self.families.setCurrentIndex(self.model.index(row))

    def focus_search(self) -> bool:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()
        return True

    def _find(self) -> None:
        before = self.shown
        self.model.search(self.search.text())
        row = self.model.row_of(before.id) if before is not None else 0
        self.count.setText(
            translate("{shown} of {total} families").format(shown=self.model.rowCount(), total=self.model.total)
        )
        if self.model.rowCount():
            self.families.setCurrentIndex(self.model.index(max(row, 0)))
        else:
            self._sheet.setCurrentWidget(self._nothing)

    def _selected(self, _now: QItemSelection, _before: QItemSelection) -> None:
        profile = self.shown
        if profile is None:
            return
        title = self.bench.registry.driver_of(profile).title
        self._scroll.setWidget(FamilySheet(profile, title, self._scroll))
        self._sheet.setCurrentWidget(self._scroll)
