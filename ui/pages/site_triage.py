"""The site's triage: every charger with its verdict, asked on request, to decide by and to hand on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.model.backend import Backend, SecurityProfile
from app.model.secret import Secret
from app.model.triage import Judgement
from app.model.unit import Unit
from app.settings import Preset, Settings
from app.triage.site import staleness
from ui import icons
from ui.dialogs import choose_file
from ui.models.plain import tooltip
from ui.models.triage import DONE, MISSING, VERDICTS, Row, TriageModel, table_text
from ui.models.unit_words import Words
from ui.pages.page import Page
from ui.theme import SPACE_4, SPACE_8, set_role
from ui.widgets.elided import ElidedLabel
from ui.widgets.empty import Empty
from ui.widgets.flow import Flow
from ui.widgets.verdict import VerdictSheet
from ui.widgets.verdicttable import VerdictTable

if TYPE_CHECKING:
    from app.workbench import Workbench

RUN = "triage"
REFRESH_MS = 500
"""How often what has changed at the chargers reaches the table."""
AGES_MS = 20_000
DETAIL_WIDTH = 372
FORMATS = ("html", "xlsx", "csv", "json")
TABLE, NOTHING, NO_MATCH = range(3)


class TriageView(QWidget):
    """Beside cards and table of the Site page. Nothing is asked before a button is pressed, and nothing ever written.

    ``tools`` is the line above it, to be placed where the other views have their filters.
    """

    job_asked = Signal(str)
    unit_asked = Signal(str)
    start_asked = Signal()
    """To the page that teaches how to connect a charger."""

    def __init__(self, bench: Workbench, page: Page) -> None:
        super().__init__(page)
        self._bench = bench
        self._tasks = page.tasks
        self._presets: tuple[Preset, ...] = ()
        self._is_due = True
        self._began = 0.0
        self.model = TriageModel(self)
        self._build()
        self._lay_out()
        self._connect()
        self._offer(bench.settings)
        page.listen(bench.triage.changes, self._judged)
        page.listen(bench.finder.changes, self._mark_due)
        page.listen(bench.settings_changes, self._settings_changed)
        page.every(REFRESH_MS, self._catch_up)
        page.every(AGES_MS, self._mark_due)

    # Building

    def _build(self) -> None:
        self.backend = QComboBox(self)
        self.backend.setAccessibleName(self.tr("New backend to judge for"))
        self.backend.setToolTip(self.tr("The backend the chargers are to move to; presets are made in a job"))
        self.backend.setMinimumWidth(130)
        self.backend.setMaximumWidth(230)
        self.run_button = self._button(self.tr("Ask all chargers"), "stethoscope", "accent_text")
        set_role(self.run_button, "primary")
        self.run_button.setToolTip(self.tr("Asks each charger in reach and its backend; writes nothing"))
        self.cancel_button = self._button(self.tr("Stop"), "square", "text")
        self.copy_button = self._button(self.tr("Copy table"), "copy", "text")
        self.export_button = self._button(self.tr("Export…"), "file-text", "text")
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setFixedSize(120, 8)
        self.bar.setAccessibleName(self.tr("Progress of the triage"))
        self.said = ElidedLabel(self)
        set_role(self.said, "caption")
        self.counts = QWidget(self)
        Flow(self.counts, SPACE_4)
        self._chips = {words.word: self._chip(words) for words in (DONE, *VERDICTS.values(), MISSING)}
        self.table = VerdictTable(self.model, self)
        self.sheet = VerdictSheet(self)
        self.nothing = Empty(
            self.tr("No charger to judge"),
            self.tr("As soon as a charger is found, or a list of the site is imported, its verdict stands here."),
            "clipboard-list",
            self.tr("How to connect one"),
            self,
        )
        self.no_match = Empty(
            self.tr("No verdict matches"),
            self.tr("No charger of this site fits the search and the chosen verdicts."),
            "search-x",
            self.tr("Show all"),
            self,
        )

    def _button(self, text: str, icon_name: str, tone: str) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name, tone)
        return button

    def _lay_out(self) -> None:
        self.tools = QWidget(self)
        tools = QHBoxLayout(self.tools)
        tools.setContentsMargins(0, 0, SPACE_8, 0)
        tools.setSpacing(SPACE_8)
        caption = QLabel(self.tr("Move to"), self)
        caption.setBuddy(self.backend)
        caption.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        for part in (caption, self.backend, self.run_button, self.cancel_button, self.bar):
            tools.addWidget(part)
        tools.addWidget(self.said)
        tools.addStretch(1)
        tools.addWidget(self.copy_button)
        tools.addWidget(self.export_button)
        self.stack = QStackedWidget(self)
        for view in (self.table, self.nothing, self.no_match):
            self.stack.addWidget(view)
        side = QFrame(self)
        set_role(side, "panel")
        inside = QVBoxLayout(side)
        inside.setContentsMargins(1, 1, 1, 1)
        inside.addWidget(self.sheet)
        self.side = side
        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.stack)
        self.splitter.addWidget(side)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self.splitter.setSizes([2 * DETAIL_WIDTH, DETAIL_WIDTH])
        side.setMinimumWidth(320)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.counts)
        layout.addWidget(self.splitter, 1)
        self._show_running(is_running=False)

    def _connect(self) -> None:
        self.backend.currentIndexChanged.connect(self._mark_due_now)
        self.run_button.clicked.connect(self.run)
        self.cancel_button.clicked.connect(self.stop)
        self.copy_button.clicked.connect(self.copy)
        self.export_button.clicked.connect(self._export)
        self.table.chosen.connect(self.sheet.show_row)
        self.table.opened.connect(self.unit_asked)
        self.sheet.job_asked.connect(self.job_asked)
        self.sheet.unit_asked.connect(self.unit_asked)
        self.sheet.again_asked.connect(self.run_one)
        self.nothing.acted.connect(self.start_asked)
        self.no_match.acted.connect(self._show_all)

    # What is shown

    def showEvent(self, event: QShowEvent) -> None:
        """Show what is known at once, and search the records for more."""
        super().showEvent(event)
        self.refresh()
        self._tasks.start_once("triage records", self._prepare())

    async def _prepare(self) -> None:
        await self._bench.triage.prepare()
        self.refresh()

    def refresh(self) -> None:
        """Take all verdicts anew."""
        self._is_due = False
        wanted, now = self.wanted(), self._bench.now()
        units = self._bench.finder.units
        rows = []
        for item in self._bench.triage.rows(wanted):
            unit = units.get(item.unit.unit_id)
            is_kept = item.is_asked and unit is not None
            rows.append(Row(item=item, stale=staleness(item, unit, wanted, now) if is_kept and unit else ""))
        self.model.take(rows)
        self._settle()

    def _settle(self) -> None:
        self._count()
        has_rows = bool(self.model.rows)
        place = TABLE if self.model.rowCount() else NO_MATCH if has_rows else NOTHING
        self.stack.setCurrentIndex(place)
        self.side.setVisible(place == TABLE)
        self.table.select_first()
        index = self.table.currentIndex()
        self.sheet.show_row(self.model.at(index.row()) if index.isValid() else None)
        for button in (self.copy_button, self.export_button):
            button.setEnabled(has_rows)
        self._say()

    def _count(self) -> None:
        counts = self.model.counts()
        for words in (DONE, *VERDICTS.values(), MISSING):
            chip = self._chips[words.word]
            text = f"{words.text} {counts.get(words.word, 0)}"
            if chip.text() != text:
                chip.setText(text)
                chip.setAccessibleName(self.tr("Show only: {words}").format(words=text))
            chip.setVisible(words.word in counts or chip.isChecked())

    def _chip(self, words: Words) -> QToolButton:
        chip = QToolButton(self.counts)
        chip.setCheckable(True)
        chip.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        chip.setText(words.text)
        chip.setToolTip(words.meaning)
        icons.dress(chip, words.icon, words.tone)
        chip.toggled.connect(self._filter)
        layout = self.counts.layout()
        assert layout is not None
        layout.addWidget(chip)
        return chip

    def _filter(self) -> None:
        wanted = frozenset(word for word, chip in self._chips.items() if chip.isChecked())
        self.model.narrow(verdicts=wanted)
        self._settle()

    def search(self, text: str) -> None:
        """Show only what holds every word."""
        self.model.narrow(text=text)
        if self.isVisible():
            self._settle()

    def _show_all(self) -> None:
        for chip in self._chips.values():
            chip.setChecked(False)
        self.model.narrow(verdicts=frozenset(), text="")
        self._settle()

    def select(self, unit_id: str) -> None:
        """Show one charger's verdict, even where a filter hides it."""
        self.refresh()
        if not self.table.select(unit_id):
            self._show_all()
            self.table.select(unit_id)
        self.table.setFocus()

    def _say(self) -> None:
        """Say what is asked, or what the table rests on."""
        if self.is_running:
            return
        rows = [row for row in self.model.rows if not row.item.is_missing]
        asked = [row for row in rows if row.item.is_asked]
        old = sum(bool(row.stale) for row in asked)
        away = sum(not row.item.unit.is_present for row in asked)
        if not rows:
            text = ""
        elif not asked:
            text = self.tr("Nobody has been asked yet: this is what is known without it.")
        else:
            text = self.tr("{asked} of {all} asked").format(asked=len(asked) - away, all=len(rows))
            text += self.tr(", {count} out of reach").format(count=away) if away else ""
            text += self.tr(", {count} changed since").format(count=old) if old else ""
        self.said.show_text(text)

    # What comes in

    def _mark_due(self, _: object = None) -> None:
        self._is_due = True

    def _mark_due_now(self) -> None:
        if self.isVisible():
            self.refresh()

    def _judged(self, _: Sequence[Judgement]) -> None:
        self._is_due = True

    def _catch_up(self) -> None:
        if self.is_running:
            self._show_time()
        if self._is_due and self.isVisible():
            self.refresh()

    def _settings_changed(self, changes: Sequence[Settings]) -> None:
        self._offer(changes[-1])
        self._is_due = True

    def _offer(self, settings: Settings) -> None:
        """Offer the presets, keeping the choice."""
        if settings.presets == self._presets and self.backend.count():
            return
        chosen = self.backend.currentText()
        self._presets = settings.presets
        self.backend.blockSignals(True)
        self.backend.clear()
        self.backend.addItem(self.tr("No backend chosen yet"))
        for preset in self._presets:
            self.backend.addItem(preset.name)
            self.backend.setItemData(self.backend.count() - 1, tooltip(preset.url), Qt.ItemDataRole.ToolTipRole)
        self.backend.setCurrentIndex(max(0, self.backend.findText(chosen)))
        self.backend.blockSignals(False)

    def wanted(self) -> Backend | None:
        """Return the new backend that is chosen; each charger keeps the identity it has."""
        place = self.backend.currentIndex()
        if place <= 0:
            return None
        preset = self._presets[place - 1]
        return Backend(
            url=preset.url,
            identity="",
            security_profile=SecurityProfile(preset.security_profile),
            secret=self._bench.vault.get(f"preset/{preset.name}") or Secret(""),
            name=preset.name,
        )

    # What the technician does

    @property
    def is_running(self) -> bool:
        """Say whether chargers are being asked."""
        return self._tasks.is_running(RUN)

    def run(self) -> None:
        """Ask all chargers."""
        self._start(list(self._bench.finder.units.values()))

    def run_one(self, unit_id: str) -> None:
        """Ask one charger again."""
        unit = self._bench.finder.units.get(unit_id)
        if unit is not None:
            self._start([unit])

    def stop(self) -> None:
        """Stop asking; what is known by then stays."""
        self._tasks.cancel(RUN)

    def _start(self, units: Sequence[Unit]) -> None:
        if units and not self.is_running:
            self._tasks.start_once(RUN, self._asking(units))

    async def _asking(self, units: Sequence[Unit]) -> None:
        self._began = time.monotonic()
        self.bar.setRange(0, len(units))
        self.bar.setValue(0)
        self._show_running(is_running=True)
        self._show_time()
        try:
            await self._bench.triage.assess(units, self.wanted(), progress=self._progressed)
        finally:
            asyncio.get_running_loop().call_soon(self._ended)

    def _progressed(self, done: int, total: int, _: Judgement) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self._show_time()

    def _show_time(self) -> None:
        text = self.tr("{done} of {all} asked · {seconds:.0f} s").format(
            done=self.bar.value(), all=self.bar.maximum(), seconds=time.monotonic() - self._began
        )
        self.said.show_text(text)

    def _ended(self) -> None:
        if not self._tasks.is_closed:
            self._show_running(is_running=False)
            self.refresh()

    def _show_running(self, *, is_running: bool) -> None:
        self.run_button.setVisible(not is_running)
        self.cancel_button.setVisible(is_running)
        self.bar.setVisible(is_running)
        self.backend.setEnabled(not is_running)

    def copy(self) -> None:
        """Put the rows shown on the clipboard, as text with tabs."""
        QGuiApplication.clipboard().setText(table_text(self.model.items))

    def _export(self) -> None:
        self._tasks.start_once("triage export", self._exporting(), busy=self.export_button)

    async def _exporting(self) -> None:
        pattern = ";;".join(
            (
                self.tr("Page to read and print (*.html)"),
                self.tr("Excel workbook (*.xlsx)"),
                self.tr("Table (*.csv)"),
                self.tr("Data (*.json)"),
            )
        )
        site = self._bench.settings.site_name
        name = "".join(char if char.isalnum() or char in "-_" else "-" for char in f"triage-{site}")[:60]
        path = await choose_file(self, self.tr("Export the triage"), pattern=pattern, save_as=f"{name}.html")
        if path is None:
            return
        if path.suffix.lower().lstrip(".") not in FORMATS:
            path = path.with_name(f"{path.name}.html")
        await self._bench.save_triage(self.model.everything(), path, site=site)
        self.said.show_text(self.tr("Written: {name}").format(name=path.name))
