"""The configuration of a 1.6 charger: read all or some keys, edit with a way back, compare, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from app.diagnosis.explained import Report
from app.driver.session import Session
from app.errors import AppError
from app.jobs import overocpp
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Unit
from ui import icons
from ui.dialogs import choose_file
from ui.models.config_files import read_values, settings_csv, snapshot_of
from ui.models.explained import dump_of_snapshot, short_words
from ui.models.plain import counted, visible
from ui.models.settings import SETTING_ROLE, WriteState, export_json, problem_of
from ui.pages import endpoint_change
from ui.pages.endpoint_explain import ExplainPanel, StackLine
from ui.pages.unit_settings import SettingsDesk
from ui.tasks import Tasks
from ui.theme import SPACE_4, SPACE_8
from ui.widgets.empty import Empty
from ui.widgets.frameview import plain_label
from ui.widgets.settings_table import SettingsTable

if TYPE_CHECKING:
    from app.workbench import Workbench

MOST_KEYS = 200
MOST_UNKNOWN = 100


class OverOcpp(SettingsDesk):
    """A settings desk that reaches its charger over our endpoint, whatever other way there is."""

    def __init__(self, bench: Workbench, table: SettingsTable, tasks: Tasks) -> None:
        super().__init__(bench, table, tasks, _no_session)
        self.identity = ""
        self._files: list[tuple[str, Snapshot]] = []

    @asynccontextmanager
    async def _session(self, capability: type) -> AsyncIterator[Session]:
        assert self._unit is not None
        driver_id = overocpp.driver_of(self._unit, self.identity)
        async with self._bench.open(self._unit.unit_id, capability=capability, driver_id=driver_id) as session:
            yield session

    def show_over(self, identity: str, unit: Unit) -> None:
        """Show the charger that dials in under this identity."""
        if identity != self.identity:
            self._files.clear()
        self.identity = identity
        self.show_unit(unit)

    def compare_with(self, title: str, snapshot: Snapshot) -> None:
        """Compare with a state from a file."""
        self._files.append((title, snapshot))
        self._offer_baselines()
        self._table.baseline.setCurrentIndex(len(self._baselines) - 1)
        self._compare(len(self._baselines) - 1)

    async def set_all(self, changes: Iterable[Change]) -> list[str]:
        """Write several settings one after the other, each kept and read back; return what went wrong, in words.

        Ends where another charger is shown.
        """
        identity = self.identity
        for change in changes:
            setting = self._snapshot_setting(change.key) if identity == self.identity else None
            if setting is not None and not problem_of(setting, change.after):
                await self._writing(setting, change.after)
        wanted = {change.key for change in changes}
        failed = (WriteState.FAILED, WriteState.UNSURE)
        rows = [row for row in self._table.model.rows if row.setting.key in wanted and row.state in failed]
        return [f"{visible(row.setting.key, 60)}: {visible(row.note, 200)}" for row in rows]

    def _snapshot_setting(self, key: str) -> Setting | None:
        snapshot = self._table.model.snapshot
        return snapshot.get(key) if snapshot is not None else None

    def _offer_baselines(self) -> None:
        super()._offer_baselines()
        titles = [self._table.baseline.itemText(place) for place in range(1, self._table.baseline.count())]
        for title, snapshot in self._files:
            titles.append(title)
            self._baselines.append(_giving(snapshot))
        self._table.show_baselines(titles)


class ConfigPanel(QWidget):
    """The tab of a 1.6 charger."""

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._identity = ""
        self._unknown: dict[str, tuple[str, ...]] = {}
        self.table = SettingsTable(self)
        self.desk = OverOcpp(bench, self.table, tasks)
        self.keys = QLineEdit(self)
        self.keys.setPlaceholderText(self.tr("Keys to read alone, separated by commas"))
        self.keys.setAccessibleName(self.tr("Keys to read alone"))
        self.keys.setMaxLength(10_000)
        self.keys.returnPressed.connect(self.read_some)
        self.read_keys = self._button(self.tr("Read these"), "search", self.read_some)
        self.compare = self._button(self.tr("Compare with a file…"), "git-compare", self._import)
        self.csv = self._button(self.tr("CSV…"), "table-2", self._export_csv)
        self.unknown = plain_label(self, "caption", is_wrapped=True)
        self._report: Report | None = None
        self._explains = False
        self.make = StackLine(self)
        self.make.wanted.connect(self._show_explanation)
        self.detail = plain_label(self, "caption", is_wrapped=True)
        self.detail.setAccessibleName(self.tr("About the chosen setting"))
        self.explanation = ExplainPanel(bench.registry.profiles.values(), self, back=self.tr("Settings"))
        self.explanation.left.connect(self._show_table)
        self.explanation.set_wanted.connect(self._set)
        self.empty = Empty("", "", "sliders-horizontal", "", self)
        self.empty.acted.connect(self.desk.read)
        self.table.model.modelReset.connect(self.refresh)
        self.table.model.modelReset.connect(self._explain)
        self.table.model.dataChanged.connect(self._explain)
        self.table.view.selectionModel().currentChanged.connect(self._show_detail)
        self._lay_out()

    def _button(self, text: str, icon_name: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(text, self)
        icons.dress(button, icon_name, "text2")
        button.clicked.connect(slot)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE_8)
        row.addWidget(self.keys, 1)
        for button in (self.read_keys, self.compare, self.csv):
            row.addWidget(button)
        below = QWidget(self)
        inside = QVBoxLayout(below)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(SPACE_4)
        inside.addWidget(self.make)
        inside.addWidget(self.table, 1)
        inside.addWidget(self.detail)
        inside.addWidget(self.unknown)
        inside.addLayout(row)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(below)
        self._stack.addWidget(self.explanation)
        self.setLayout(self._stack)

    # Which charger

    def show_charger(self, identity: str) -> None:
        """Show this charger."""
        if identity != self._identity:
            self._explains = False
        self._identity = identity
        unit = endpoint_change.unit_of(self._bench, identity)
        if unit is not None:
            self.desk.show_over(identity, unit)
        self.refresh()

    def refresh(self) -> None:
        """Show what there is, or why there is nothing."""
        unit = endpoint_change.unit_of(self._bench, self._identity) if self._identity else None
        is_there = bool(self._identity) and self._bench.server.endpoint(self._identity) is not None
        has_read = self.table.model.snapshot is not None and self.desk.identity == self._identity
        self._stack.setCurrentIndex((2 if self._explains else 1) if has_read else 0)
        self.read_keys.setEnabled(is_there)
        self.table.read_button.setEnabled(is_there and not self._tasks.is_running("read settings"))
        self._show_unknown()
        if has_read:
            return
        title, action = self.tr("The settings have not been read yet"), self.tr("Read settings")
        text = self.tr("Every setting the charger tells, with what it means, what may be changed, and a way back.")
        if unit is None:
            title, action = self.tr("The charger has not said who it is yet"), ""
            text = self.tr("Its settings can be read here as soon as it sent a BootNotification.")
        elif not is_there:
            title, text, action = (
                self.tr("The charger is not connected"),
                self.tr("Its settings can be read when it is."),
                "",
            )
        self.empty.show_texts(title, text, "sliders-horizontal", action)

    # In plain words

    def _explain(self) -> None:
        snapshot = self.table.model.snapshot
        if snapshot is None:
            return
        endpoint = self._bench.server.endpoint(self._identity)
        boot = (endpoint.boot or endpoint.ledger.boot) if endpoint is not None else None
        self._report = self.explanation.show_dump(
            dump_of_snapshot(snapshot),
            vendor=boot.vendor if boot is not None else "",
            can_set=self.table.model.can_write and endpoint is not None,
        )
        self.make.show_report(self._report)
        self._show_detail()
        self._label(snapshot)

    def _label(self, snapshot: Snapshot) -> None:
        """Give the vendor's keys their names in the table too."""
        known = {item.key: item for item in self._report.settings if item.label} if self._report is not None else {}
        named = tuple(
            replace(one, label=item.label, help=item.meaning)
            if not one.label and (item := known.get(one.key)) is not None
            else one
            for one in snapshot.settings
        )
        if named != snapshot.settings:
            self.table.model.show_snapshot(replace(snapshot, settings=named))

    def _show_detail(self) -> None:
        setting = self.table.view.currentIndex().data(SETTING_ROLE)
        item = self._report.get(setting.key) if self._report is not None and isinstance(setting, Setting) else None
        self.detail.setText(short_words(item) if item is not None else "")
        self.detail.setVisible(item is not None)

    def _show_explanation(self) -> None:
        self._explains = True
        self._explain()
        self.refresh()
        self.explanation.back.setFocus()

    def _show_table(self) -> None:
        self._explains = False
        self.refresh()
        self.table.view.setFocus()

    def _set(self, changes: tuple[Change, ...]) -> None:
        self._tasks.start_once("set wishes", self._setting(self._identity, changes), busy=self.explanation.wishes.apply)

    async def _setting(self, identity: str, changes: tuple[Change, ...]) -> None:
        wishes = self.explanation.wishes
        if not await endpoint_change.are_wanted(self, changes) or identity != self._identity:
            return
        count = len(changes)
        wishes.say(counted(count, self.tr("Setting 1 value …"), self.tr("Setting {count} values …")), "working")
        failed = await self.desk.set_all(changes)
        if identity != self._identity:
            return
        self._explain()
        if failed:
            wishes.say(self.tr("Not everything is proved. {what}").format(what=" ".join(failed)), "attention")
        else:
            one, many = self.tr("Set and read back: 1 value."), self.tr("Set and read back: {count} values.")
            wishes.say(counted(count, one, many), "good")

    # Some keys

    def read_some(self) -> None:
        """Ask for the keys typed, and show them among the others."""
        keys = [key.strip()[:50] for key in self.keys.text().split(",") if key.strip()][:MOST_KEYS]
        if keys:
            self._tasks.start_once("read keys", self._reading_some(keys), busy=self.read_keys)

    async def _reading_some(self, keys: list[str]) -> None:
        identity, endpoint = self._identity, self._bench.server.endpoint(self._identity)
        if endpoint is None:
            return
        try:
            found = await endpoint.get_settings(keys)
        except AppError as error:
            self.table.say(f"{error.message} {error.advice}", "fault")
            return
        known = {setting.key for setting in found}
        missing = tuple(key for key in keys if key not in known)
        self._unknown[identity] = tuple(dict.fromkeys((*self._unknown.get(identity, ()), *missing)))[:MOST_UNKNOWN]
        if identity == self._identity:
            self._merge(found)
            words = self.tr("{count} of {total} keys read.").format(count=len(found), total=len(keys))
            self.table.say(words, "good" if found else "attention")
            self._show_unknown()

    def _merge(self, found: tuple[Setting, ...]) -> None:
        snapshot = self.table.model.snapshot or Snapshot(taken_at=self._bench.now(), settings=())
        fresh = {setting.key: setting for setting in found}
        kept = tuple(fresh.pop(one.key, one) for one in snapshot.settings)
        self.table.model.show_snapshot(replace(snapshot, settings=(*kept, *fresh.values())))

    def _show_unknown(self) -> None:
        keys = self._unknown.get(self._identity, ())
        words = self.tr("Unknown to this charger: {keys}").format(keys=visible(", ".join(keys), 300))
        self.unknown.setText(words if keys else "")
        self.unknown.setVisible(bool(keys))

    # Files

    def _import(self) -> None:
        self._tasks.start_once("compare with a file", self._importing(), busy=self.compare)

    async def _importing(self) -> None:
        path = await choose_file(self, self.tr("Compare with a file"), pattern=self.tr("Configurations (*.json *.csv)"))
        if path is not None:
            self.compare_with(path)

    def compare_with(self, path: Path) -> None:
        """Compare with an exported file, or with a GetConfiguration answer saved as JSON."""
        try:
            values = read_values(path)
        except AppError as error:
            self.table.say(f"{error.message} {error.advice}", "fault")
            return
        self.desk.compare_with(visible(path.name, 60), snapshot_of(values, self._bench.now()))

    def _export_csv(self) -> None:
        self._tasks.start_once("export settings as CSV", self._exporting(), busy=self.csv)

    async def _exporting(self) -> None:
        name = "".join(char for char in self._identity if char.isalnum() or char in "-_")[:40] or "charger"
        title = self.tr("Export settings without secrets")
        path = await choose_file(self, title, pattern="CSV (*.csv)", save_as=f"settings-{name}.csv")
        if path is not None:
            self.export_to(path)

    def export_to(self, path: Path) -> None:
        """Write the settings to a file, CSV or (by its name) JSON."""
        snapshot = self.table.model.snapshot
        if snapshot is None:
            return
        is_json = path.suffix.lower() == ".json"
        text = export_json(snapshot, charger=self._identity) if is_json else settings_csv(snapshot)
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            self.table.say(self.tr("Not exported: {why}.").format(why=error.strerror or error), "fault")
            return
        self.table.say(self.tr("Exported to {name}; passwords are masked.").format(name=path.name), "good")


def _no_session() -> Session | None:
    return None


def _giving(snapshot: Snapshot) -> Callable[[], Snapshot | None]:
    return lambda: snapshot
