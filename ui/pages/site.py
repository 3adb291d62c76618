"""The Site page: every charger of the place, whom it serves, how it is, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.errors import AppError
from app.model.job import STEPS, Job, JobState
from app.model.unit import Unit, UnitChange
from ui import icons
from ui.models.unit_words import box_of, bridged_as
from ui.models.units import SORTS, Grouping, JobMark, UnitRow, UnitsModel, next_step, short_title
from ui.pages import site_filters
from ui.pages.page import Page
from ui.pages.site_cards import print_site
from ui.pages.site_filters import FilterLine
from ui.pages.site_import import import_list
from ui.pages.site_label import LabelPanel
from ui.pages.site_parts import ActionBar, AddBar, CardView, SiteStart, SourceStrip, UnitTable
from ui.pages.site_search import SearchPanel
from ui.pages.site_triage import TriageView
from ui.pages.unit_known import jobs_of
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_role
from ui.widgets.empty import Empty

if TYPE_CHECKING:
    from app.workbench import Workbench

AGE_MS = 5000
"""How often the ages on the cards are drawn anew."""

WIDE = 1060
"""From this width on the filter buttons carry words."""

LEAST = 360
"""A card, or the verdicts of a triage, is still read in that."""

CARDS, TABLE, START, NOTHING, TRIAGE = range(5)


class SitePage(Page):
    """Cards or rows of all chargers, with filter, groups, order, and ways to add one."""

    page_id: ClassVar[str] = "site"
    title: ClassVar[str] = "Site"
    icon_name: ClassVar[str] = "layout-grid"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        set_role(self, "page")
        self.model = UnitsModel(self)
        self._is_table = self._is_triage = False
        self._current = ""
        self._pictures = icons.names()
        self._build()
        self._connect()
        self.read_all()

    # Building

    def _build(self) -> None:
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search chargers"))
        self.search.setAccessibleName(self.tr("Search chargers"))
        self.search.setClearButtonEnabled(True)
        self.add_bar = AddBar(self)
        self.import_button = QPushButton(self.tr("Import list…"), self)
        icons.dress(self.import_button, "import")
        self.label_button = QPushButton(self.tr("Scan label"), self)
        icons.dress(self.label_button, "scan-line")
        self.labels = LabelPanel(self.bench, self)
        self.lan_button = QPushButton(self.tr("Search LAN"), self)
        icons.dress(self.lan_button, "radar")
        self.searching = SearchPanel(self.bench, self)
        self.line = FilterLine(self)
        self.filters, self.grouping, self.order = self.line.filters, self.line.grouping, self.line.order
        self.sources = SourceStrip(self)
        self.triage = TriageView(self.bench, self)
        self.line.take(self.triage.tools)
        self.cards, self.table, self.start = CardView(self), UnitTable(self), SiteStart(self)
        self.nothing = Empty(
            self.tr("No charger matches"),
            self.tr("Nothing on this site fits the search and the filter."),
            "search-x",
            self.tr("Show all"),
            self,
        )
        self.stack = QStackedWidget(self)
        for view in (self.cards, self.table, self.start, self.nothing, self.triage):
            self.stack.addWidget(view)
        # The widest view must not push a panel beside it out of the window.
        self.stack.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.stack.setMinimumWidth(LEAST)
        self.action_bar = ActionBar(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_16, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addLayout(self._top_line())
        layout.addWidget(self.line)
        layout.addWidget(self.sources)
        middle = QHBoxLayout()
        middle.addWidget(self.stack, 1)
        middle.addWidget(self.searching)
        middle.addWidget(self.labels)
        layout.addLayout(middle, 1)
        layout.addWidget(self.action_bar)

    def _top_line(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(SPACE_8)
        self.search.setMinimumWidth(140)
        self.add_bar.setMinimumWidth(220)
        line.addWidget(self.search, 2, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.add_bar, 3, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.lan_button, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.label_button, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.import_button, 0, Qt.AlignmentFlag.AlignTop)
        return line

    def _connect(self) -> None:
        self.cards.setModel(self.model)
        self.table.take_model(self.model)
        self.table.setSelectionModel(self.cards.selectionModel())
        self.cards.selectionModel().currentChanged.connect(self._selected)
        for view in (self.cards, self.table):
            view.activated.connect(self._activated)
            view.next_asked.connect(self.do_next)
            view.menu_asked.connect(self._menu)
            view.delegate.pressed.connect(self.do_next_of)
        self.search.textChanged.connect(self._search)
        self.grouping.currentIndexChanged.connect(self._group)
        self.order.currentTextChanged.connect(self._order)
        self.line.filtered.connect(self._filter)
        self.line.view_chosen.connect(self._switch)
        self.search.textChanged.connect(self.triage.search)
        self.triage.unit_asked.connect(self._open)
        self.triage.job_asked.connect(self.rehome)
        self.triage.start_asked.connect(self.line.show_cards)
        self.add_bar.submitted.connect(self._add)
        self.import_button.clicked.connect(self._import)
        self.label_button.clicked.connect(self.labels.toggle)
        self.lan_button.clicked.connect(self._toggle_search)
        self.searching.unit_chosen.connect(self._label_found)
        self.start.search_asked.connect(self._toggle_search)
        self.labels.unit_found.connect(self._label_found)
        self.labels.open_asked.connect(self._open)
        self.labels.rehome_asked.connect(self.rehome)
        self.labels.listed.connect(self.read_all)
        self.nothing.acted.connect(self._show_all)
        self.action_bar.opened.connect(self.open_current)
        self.action_bar.next_asked.connect(self.do_next)
        self.action_bar.menu_asked.connect(self._menu)
        bench = self.bench
        self.listen(bench.finder.changes, self._units_changed)
        self.listen(bench.finder.source_changes, self._sources_changed)
        self.listen(bench.desk.changes, self._jobs_changed)
        self.listen(bench.server.states, self._endpoint_changed)
        self.every(AGE_MS, self._age)

    # What comes in

    def read_all(self) -> None:
        """Take everything anew: after a start, and when the page comes back after a long time."""
        units = self.bench.finder.units
        present = set(units)
        self.model.drop([key for key in self.model.keys if key not in present])
        self.model.put([self._row(unit) for unit in units.values()])
        self.sources.show_states(self.bench.finder.sources.values())
        self.start.show_urls(self.bench.endpoint_urls())
        self._settle()

    def on_shown(self) -> None:
        """Read everything: feeds are bounded, and this page may have been away for hours."""
        self.read_all()
        if self.model.shown:
            self._view().setFocus()

    def refresh(self) -> None:
        """Ask every charger in reach again."""
        for unit_id, unit in self.bench.finder.units.items():
            if unit.is_present:
                self.tasks.start_once(f"refresh {unit_id}", self._refresh(unit_id))

    def focus_search(self) -> bool:
        """Put the keyboard into the search field."""
        self.search.setFocus()
        self.search.selectAll()
        return True

    def _units_changed(self, changes: Sequence[UnitChange]) -> None:
        units = self.bench.finder.units
        keys = {change.unit.unit_id for change in changes}
        found = {key: units.get(key) for key in keys}
        # The id of a charger that turned out to be another one finds that one.
        self.model.drop([key for key, unit in found.items() if unit is None or unit.unit_id != key])
        self.model.put([self._row(unit) for unit in found.values() if unit is not None])
        self._settle()

    def _jobs_changed(self, jobs: list[Job]) -> None:
        units = self.bench.finder.units
        found = (units.get(key) for key in {job.unit_id for job in jobs})
        self.model.put([self._row(unit) for unit in found if unit is not None])
        self._settle()

    def _sources_changed(self, _: Sequence[object]) -> None:
        self.sources.show_states(self.bench.finder.sources.values())

    def _endpoint_changed(self, _: Sequence[object]) -> None:
        self.start.show_urls(self.bench.endpoint_urls())

    def _row(self, unit: Unit) -> UnitRow:
        profile = self.bench.registry.profiles.get(unit.identity.profile_id)
        return UnitRow(
            unit=unit,
            family=profile.family if profile else "",
            picture=profile.picture if profile and profile.picture in self._pictures else "ev-charger",
            job=self._mark(unit.unit_id),
            bridged=bridged_as(self.bench.bridge, unit),
        )

    def _mark(self, unit_id: str) -> JobMark | None:
        jobs = jobs_of(self.bench, unit_id)
        if not jobs:
            return None
        job = max(jobs, key=lambda item: item.created_at)
        step = ""
        if job.current is not None and job.state in (JobState.ACTIVE, JobState.PAUSED):
            step = f"Step {STEPS.index(job.current) + 1} of {len(STEPS)}"
        return JobMark(job_id=job.id, state=job.state, step=step)

    def _settle(self) -> None:
        """Choose what the middle shows, and write the counts."""
        self._count()
        if self._is_triage:
            self.stack.setCurrentIndex(TRIAGE)
        elif not self.model.total:
            self.stack.setCurrentIndex(START)
        elif not self.model.shown:
            self.stack.setCurrentIndex(NOTHING)
        else:
            self.stack.setCurrentIndex(TABLE if self._is_table else CARDS)
            self._select_first()
        self._show_actions()

    def _count(self) -> None:
        self.line.show_counts(self.model.counts(), is_wide=self.width() >= WIDE)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Write words where there is room for them."""
        super().resizeEvent(event)
        self._count()

    def _age(self) -> None:
        self._view().viewport().update()

    # What the technician does

    def open(self, argument: object) -> None:
        """Show a charger's verdict in the triage: ``triage:<unit id>``."""
        if isinstance(argument, str) and argument.startswith("triage:"):
            self.line.choose_view(site_filters.TRIAGE)
            self.triage.select(argument.removeprefix("triage:"))

    def _view(self) -> QAbstractItemView:
        if self._is_triage:
            return self.triage.table
        return self.table if self._is_table else self.cards

    def _search(self, text: str) -> None:
        self.model.show(text=text)
        self._settle()

    def _filter(self) -> None:
        self.model.show(adoptions=self.line.chosen)
        self._settle()

    def _group(self, place: int) -> None:
        self.model.show(grouping=tuple(Grouping)[place])
        self._settle()

    def _order(self, name: str) -> None:
        self.model.show(sort=SORTS[name])

    def _switch(self, place: int) -> None:
        self._is_table, self._is_triage = place == TABLE, place == site_filters.TRIAGE
        self._settle()
        self._view().setFocus()

    def _show_all(self) -> None:
        self.search.clear()
        for button in self.filters.values():
            button.setChecked(False)

    def _selected(self, index: QModelIndex, _: QModelIndex) -> None:
        row = self.model.at(index)
        if row is not None:
            self._current = row.key
        self._show_actions()

    def _show_actions(self) -> None:
        row = self.model.get(self._current)
        if row is None or self._is_triage or self.model.row_of(self._current) < 0:
            self.action_bar.hide()
            return
        step = next_step(row)
        self.action_bar.show_charger(short_title(row.unit), step.text, step.icon, has_step=step.verb != "unit")

    def _select_first(self) -> None:
        """Give the keyboard a place to start from."""
        if self._current or not self.model.shown:
            return
        first = next(place for place in range(self.model.rowCount()) if self.model.at(self.model.index(place, 0)))
        self.cards.setCurrentIndex(self.model.index(first, 0))

    def select(self, unit_id: str) -> None:
        """Put the keyboard on a charger's card."""
        place = self.model.row_of(unit_id)
        if place >= 0:
            self.cards.setCurrentIndex(self.model.index(place, 0))
            self._view().scrollTo(self.model.index(place, 0))

    def _toggle_search(self) -> None:
        self.labels.hide()
        self.searching.toggle()

    def _label_found(self, unit_id: str) -> None:
        """Select the charger a label names, even where the filter hides it."""
        if self.model.row_of(unit_id) < 0:
            self._show_all()
        self.select(unit_id)

    def _open(self, unit_id: str) -> None:
        self.go.emit("unit", unit_id)

    def _activated(self, index: QModelIndex) -> None:
        row = self.model.at(index)
        if row is not None:
            self.go.emit("unit", row.key)

    def open_current(self) -> None:
        """Open the selected charger."""
        if self._current:
            self.go.emit("unit", self._current)

    def do_next(self) -> None:
        """Do the next step of the selected charger."""
        if self._current:
            self.do_next_of(self._current)

    def do_next_of(self, unit_id: str) -> None:
        """Do the next step of a charger: its running job, a new one, or its page."""
        row = self.model.get(unit_id)
        if row is None:
            return
        verb = next_step(row).verb
        if verb == "unit":
            self.go.emit("unit", unit_id)
        elif verb == "garage":
            self.go.emit("garage", ("juice", box_of(row.unit)))
        elif verb == "bridge":
            self.go.emit("garage", ("bridge", row.bridged))
        else:
            self.rehome(unit_id)

    def rehome(self, unit_id: str) -> None:
        """Go on with the charger's open job, or start a new one."""
        row = self.model.get(unit_id)
        job = row.job if row is not None else None
        is_open = job is not None and job.state in (JobState.ACTIVE, JobState.PAUSED, JobState.UNDOING)
        if job is not None and is_open:
            self.go.emit("jobs", job.job_id)
        else:
            self.go.emit("jobs", f"unit:{unit_id}")

    def _menu(self) -> None:
        row = self.model.get(self._current)
        if row is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, icon_name, slot, is_on in (
            (self.tr("Open"), "stethoscope", self.open_current, True),
            (self.tr("Rehome…"), "route", self._rehome_current, True),
            (self.tr("Ask it again"), "refresh-cw", self._refresh_current, row.unit.is_present),
            (self.tr("About this family"), "library", self._to_family, bool(row.unit.identity.profile_id)),
            (self.tr("What to type …"), "keyboard", self._to_typing, True),
            (self.tr("Cards to print …"), "printer", self._cards, True),
            (self.tr("Copy serial number"), "copy", self._copy_serial, bool(row.unit.identity.serial)),
            (self.tr("Copy address"), "copy", self._copy_address, bool(row.unit.ways)),
            (self.tr("Forget this charger"), "trash-2", self._forget, not row.unit.is_present),
        ):
            action = QAction(icons.icon(icon_name), text, menu)
            action.setEnabled(is_on)
            action.triggered.connect(slot)
            menu.addAction(action)
        menu.popup(self._menu_spot())

    def _menu_spot(self) -> QPoint:
        view = self._view()
        box = view.visualRect(view.currentIndex())
        return view.viewport().mapToGlobal(box.center())

    def _rehome_current(self) -> None:
        self.rehome(self._current)

    def _refresh_current(self) -> None:
        self.tasks.start_once(f"refresh {self._current}", self._refresh(self._current))

    async def _refresh(self, unit_id: str) -> None:
        try:
            await self.bench.finder.refresh(unit_id)
        except AppError as error:
            if unit_id == self._current:
                self.add_bar.show_error(error.message, error.advice)

    def _to_family(self) -> None:
        row = self.model.get(self._current)
        if row is not None:
            self.go.emit("chargers", row.unit.identity.profile_id)

    def _to_typing(self) -> None:
        self.go.emit("chargers", f"type:{self._current}")

    def _cards(self) -> None:
        self.tasks.start_once("cards", print_site(self.bench, self, chosen=self._current))

    def _copy_serial(self) -> None:
        row = self.model.get(self._current)
        if row is not None:
            QGuiApplication.clipboard().setText(row.unit.identity.serial)

    def _copy_address(self) -> None:
        row = self.model.get(self._current)
        if row is not None and row.unit.ways:
            QGuiApplication.clipboard().setText(str(row.unit.ways[0].address))

    def _forget(self) -> None:
        self.bench.finder.forget(self._current)

    def _add(self, text: str) -> None:
        self.add_bar.clear_error()
        self.tasks.start_once("add", self._added(text), busy=self.add_bar.button)

    async def _added(self, text: str) -> None:
        try:
            unit = await self.bench.finder.add(text)
        except AppError as error:
            self.add_bar.show_error(error.message, error.advice)
            return
        self.add_bar.field.clear()
        self.model.put([self._row(unit)])
        self._settle()
        self.select(unit.unit_id)

    def _import(self) -> None:
        self.tasks.start_once("import", self._import_list(), busy=self.import_button)

    async def _import_list(self) -> None:
        found = await import_list(self.bench, self)
        self.read_all()
        if found:
            self.select(found[0])
