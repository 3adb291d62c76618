"""The library: what we know of each charger family, where from, and what to type into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelection, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QListView, QStackedWidget, QVBoxLayout, QWidget

from app.model.profile import Approach, Profile, Verdict
from app.report.sheet import save as save_sheet
from ui import icons
from ui.i18n import translate
from ui.models.families import (
    BADGE_ROLE,
    ICON_ROLE,
    PROFILE_ROLE,
    SUBTITLE_ROLE,
    Families,
    approached,
    judged,
)
from ui.pages.chargers_typing import TypingPanel
from ui.pages.page import Page
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24
from ui.widgets.column import ScrollColumn
from ui.widgets.empty import Empty
from ui.widgets.familysheet import FamilySheet, in_scroll
from ui.widgets.section import plain
from ui.widgets.tworows import TwoRows
from ui.wizard.card import on_paper

if TYPE_CHECKING:
    from app.workbench import Workbench

LIST_WIDTH = 344
TYPING = "type:"
"""``open`` with this before a unit id shows what to type at that charger."""


class ChargersPage(Page):
    """Search, filters and list at the left, one family at the right.

    ``open`` takes a profile id, or ``type:<unit id>`` for what to type at that charger.
    """

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
            translate("No family fits"),
            translate("Search for a name, a vendor, a key or a quirk, or take the filters away."),
            "search-x",
            translate("Show all"),
        )
        self._scroll = ScrollColumn(self)
        self.typing = TypingPanel(bench, self.tasks, self)
        self._sheet_id = ""
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
        self._make_filters()
        self.families.setModel(self.model)
        self.families.setAccessibleName(translate("Charger families"))
        self.families.setUniformItemSizes(True)
        self.families.setMouseTracking(True)
        self.families.setItemDelegate(
            TwoRows(self.families, subtitle_role=SUBTITLE_ROLE, icon_role=ICON_ROLE, badge_role=BADGE_ROLE)
        )
        self.families.selectionModel().selectionChanged.connect(self._selected)
        self._scroll.setAccessibleName(translate("Family"))
        self._scroll.column.setContentsMargins(SPACE_24, SPACE_16, SPACE_24, SPACE_24)
        self._nothing.acted.connect(self._show_all)
        self.typing.left.connect(self._show_sheet)
        self.typing.unit_wanted.connect(self._to_unit)
        for part in (self._nothing, self._scroll, self.typing):
            self._sheet.addWidget(part)
        self._lay_out()

    def _make_filters(self) -> None:
        self.approach = self._filter(translate("Every way"), [(approached(item)[0], item) for item in Approach])
        self.verdict = self._filter(translate("Every verdict"), [(judged(item)[0], item) for item in Verdict])
        self.vendor = self._filter(translate("Every vendor"), [(name, name) for name in self.model.vendors])

    def _filter(self, nothing: str, items: list[tuple[str, object]]) -> QComboBox:
        combo = QComboBox(self)
        combo.setAccessibleName(nothing)
        combo.setMinimumWidth(60)
        combo.addItem(nothing, None)
        for text, value in items:
            combo.addItem(text, value)
        combo.currentIndexChanged.connect(self._find)
        return combo

    def _lay_out(self) -> None:
        side = QWidget(self)
        side.setFixedWidth(LIST_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(SPACE_16, SPACE_16, 0, SPACE_16)
        column.setSpacing(SPACE_8)
        column.addWidget(plain(translate(self.title), "title", side))
        column.addWidget(self.search)
        filters = QHBoxLayout()
        filters.setSpacing(SPACE_8)
        for combo in (self.approach, self.verdict):
            filters.addWidget(combo, 1)
        column.addLayout(filters)
        column.addWidget(self.vendor)
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
        """Show the family with that profile id, or what to type at a charger (``type:<unit id>``)."""
        name = str(argument)
        unit = self.bench.finder.units.get(name.removeprefix(TYPING)) if name.startswith(TYPING) else None
        self._show_all()
        row = self.model.row_of(unit.identity.profile_id or "ocpp-generic" if unit is not None else name)
        if row >= 0:
            self.families.setCurrentIndex(self.model.index(row))
            self.families.scrollTo(self.model.index(row))
        if unit is not None and self.shown is not None:
            self.typing.show_family(self.shown, unit)
            self._sheet.setCurrentWidget(self.typing)

    def focus_search(self) -> bool:
        """Put the keyboard into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()
        return True

    def _show_all(self) -> None:
        for part in (self.approach, self.verdict, self.vendor):
            part.setCurrentIndex(0)
        self.search.clear()

    def _find(self) -> None:
        before = self.shown
        self.model.search(
            self.search.text(),
            approach=self.approach.currentData(),
            verdict=self.verdict.currentData(),
            vendor=self.vendor.currentData() or "",
        )
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
        if profile.id != self._sheet_id:
            self._sheet_id = profile.id
            sheet = FamilySheet(profile, self.bench.registry.driver_of(profile), self._scroll)
            sheet.typing_wanted.connect(self.show_typing)
            sheet.print_wanted.connect(self._print)
            in_scroll(sheet, self._scroll)
        self._show_sheet()

    def _show_sheet(self) -> None:
        self._sheet.setCurrentWidget(self._scroll)

    def show_typing(self) -> None:
        """Show what to type into a charger of the family shown."""
        if self.shown is not None:
            self._sheet.setCurrentWidget(self.typing)
            self.typing.show_family(self.shown)

    def _to_unit(self, unit_id: str) -> None:
        self.go.emit("unit", unit_id)

    def _print(self) -> None:
        profile = self.shown
        if profile is not None:
            driver = self.bench.registry.driver_of(profile)
            title = translate("Save the sheet")
            work = on_paper(self, title, f"{profile.id}.pdf", lambda path: save_sheet(profile, driver, path))
            self.tasks.start_once("print", work)
