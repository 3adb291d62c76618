"""The device model of a 2.x station: read it, search it, write one variable and read it back, compare, export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from app.errors import AppError, JobError, NotSupported
from app.jobs import overocpp
from app.model.setting import Change, Setting
from app.ocpp.devicemodel import ACTUAL, Variable, assemble
from ui import doors
from ui.dialogs import Button, ask, choose_file
from ui.models.config_files import read_values, variables_csv, variables_json
from ui.models.devicemodel import is_secret
from ui.models.explained import dump_of_variables
from ui.models.plain import moment_text, visible
from ui.models.settings import WriteState
from ui.pages import endpoint_change
from ui.pages.endpoint_explain import ExplainPanel, StackLine
from ui.tasks import Tasks
from ui.widgets.variabletree import CHOSEN, PROBLEMS, VariableTree

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

REPORT_S = 180.0
"""Longest wait for all parts of a report: a slow station sends a part a second [OURS]."""
PROGRESS_MS = 250
MOST_REPORTS = 10

Values = Mapping[str, str | None]


class DeviceModelPanel(QWidget):
    """The tab of a 2.x station. What was read stays until the program ends, by identity.

    ``learnt`` carries an identity and its whole device model.
    """

    learnt = Signal(str, object)

    def __init__(self, bench: Workbench, tasks: Tasks, parent: QWidget) -> None:
        super().__init__(parent)
        self._bench = bench
        self._tasks = tasks
        self._identity = ""
        self._read: dict[str, tuple[Variable, ...]] = {}
        self._reports: dict[str, list[tuple[str, Values]]] = {}
        self._heard = 0
        self.tree = VariableTree(self)
        self._timer = QTimer(self, interval=PROGRESS_MS)
        self._timer.timeout.connect(self._show_progress)
        self.make = StackLine(self)
        self.make.hide()
        self.make.wanted.connect(self._show_explanation)
        self.explanation = ExplainPanel(bench.registry.profiles.values(), self, back=self.tr("Device model"))
        self.explanation.left.connect(self._show_tree)
        self.explanation.set_wanted.connect(self._set)
        self._lay_out()
        self.tree.read_asked.connect(self.read)
        self.tree.stopped.connect(self._stop)
        self.tree.exported.connect(self._export)
        self.tree.import_asked.connect(self._import)
        self.tree.compared.connect(self._compare)
        self.tree.model.write_asked.connect(self._write)
        self.tree.model.modelReset.connect(self._explain)
        QShortcut(QKeySequence.StandardKey.Copy, self.tree.view, self.tree.copy)

    def _lay_out(self) -> None:
        below = QWidget(self)
        inside = QVBoxLayout(below)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addWidget(self.make)
        inside.addWidget(self.tree, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(below)
        self._stack.addWidget(self.explanation)
        self.setLayout(self._stack)

    # Which station

    def show_charger(self, identity: str) -> None:
        """Show this station."""
        if identity == self._identity:
            return
        self._identity = identity
        self._show_tree()
        self.tree.model.compare(None)
        self.tree.model.show_variables(())
        self.tree.model.show_variables(self._read.get(identity, ()))
        self._offer_reports()
        self.refresh()

    def refresh(self) -> None:
        """Show whether it can be read at the moment."""
        is_there = self._endpoint() is not None
        is_busy = self._tasks.is_running(self._task)
        self.tree.model.can_write = is_there
        self.tree.show_busy(is_busy)
        self.tree.read_button.setEnabled(is_there and not is_busy)
        if is_there:
            title = self.tr("The device model has not been read yet")
            text = self.tr("It holds every component of the station with its variables, their limits and values.")
            self.tree.empty.show_texts(title, text, "layers", "" if is_busy else self.tr("Read everything"))
        else:
            title, text = self.tr("The station is not connected"), self.tr("Its device model can be read when it is.")
            self.tree.empty.show_texts(title, text, "unplug")

    @property
    def _task(self) -> str:
        return f"device model {self._identity}"

    def _endpoint(self) -> Endpoint | None:
        return self._bench.server.endpoint(self._identity) if self._identity else None

    # Reading

    def read(self, what: str = "FullInventory") -> None:
        """Read a report: a report base of the standard, ``PROBLEMS`` or ``CHOSEN``."""
        endpoint = self._endpoint()
        if endpoint is None:
            return
        component = self._chosen_component()
        if what == CHOSEN and component is None:
            self.tree.say(self.tr("Choose a component first."), "attention")
            return
        action = "GetReport"
        payload: dict[str, object] = {"componentVariable": [component]}
        if what == PROBLEMS:
            payload = {"componentCriteria": ["Problem"]}
        elif what != CHOSEN:
            action, payload = "GetBaseReport", {"reportBase": what}
        reading = self._reading(endpoint, action, payload, is_all=what == "FullInventory")
        task = self._tasks.start_once(self._task, reading)
        if task is not None:
            task.add_done_callback(self._over)
            self.refresh()

    def _over(self, _task: object) -> None:
        if doors.is_alive(self):
            self.refresh()

    def _chosen_component(self) -> dict[str, object] | None:
        row = self.tree.selected()
        return {"component": row.variable.name.selector["component"]} if row is not None else None

    async def _reading(self, endpoint: Endpoint, action: str, payload: dict[str, object], *, is_all: bool) -> None:
        self._heard = endpoint.heard_actions.get("NotifyReport", 0)
        self.tree.say(self.tr("Waiting for the first report …"), "working")
        self._timer.start()
        words, tone = self.tr("Stopped. What had arrived is not shown."), "attention"
        try:
            variables = assemble(await endpoint.gather(action, payload, timeout_s=REPORT_S))
            self._show(endpoint.identity, variables, is_all=is_all)
            words = "" if variables else self.tr("The station reported nothing.")
        except AppError as error:
            words, tone = f"{error.message} {error.advice}", "fault"
        finally:
            self._timer.stop()
            if endpoint.identity == self._identity:
                self.tree.show_busy(False)
                if words:
                    self.tree.say(words, tone)

    def _show(self, identity: str, variables: tuple[Variable, ...], *, is_all: bool) -> None:
        if is_all:
            title = self.tr("Report of {time}").format(time=moment_text(self._bench.now())[11:])
            reports = self._reports.setdefault(identity, [])
            reports.append((title, {one.name.text: one.value for one in variables}))
            del reports[:-MOST_REPORTS]
            self.learnt.emit(identity, variables)
        if identity == self._identity:
            self.tree.model.show_variables(variables, is_part=not is_all)
            self._read[identity] = self.tree.model.variables
            self._offer_reports()
        else:
            self._read[identity] = variables

    def _show_progress(self) -> None:
        endpoint = self._endpoint()
        if endpoint is not None:
            parts = endpoint.heard_actions.get("NotifyReport", 0) - self._heard
            if parts:
                words = self.tr("{count} parts of the report have arrived …").format(count=parts)
                self.tree.say(words, "working")

    def _stop(self) -> None:
        self._tasks.cancel(self._task)

    # Writing

    def _write(self, variable: Variable, text: str) -> None:
        self._tasks.start(f"write {variable.name.text}", self._writing(self._identity, variable, text))

    async def _writing(self, identity: str, variable: Variable, text: str) -> None:
        key, endpoint = variable.name.text, self._endpoint()
        if endpoint is None or not await self._is_sure(key):
            return
        self._mark(identity, key, WriteState.WRITING, self.tr("writing …"))
        try:
            status = await self._written(endpoint, key, text)
            if not status:
                self._mark(identity, key, WriteState.NONE, "")
                return
            seen = await endpoint.get_settings((key,))
        except AppError as error:
            self._mark(identity, key, WriteState.FAILED, f"{error.message} {error.advice}".strip())
            return
        self._show_result(identity, variable, text, status, next((one for one in seen if one.key == key), None))

    async def _written(self, endpoint: Endpoint, key: str, text: str) -> str:
        """Write with the old value kept where the station is a known one; return the status, empty = not wanted."""
        unit = endpoint_change.unit_of(self._bench, endpoint.identity)
        if unit is not None:
            try:
                answer = await overocpp.change(self._bench, unit, endpoint.identity, key, text)
                return str(answer["status"])
            except (JobError, NotSupported) as error:
                if not await endpoint_change.is_wanted_bare(self, error):
                    return ""
        return await endpoint.set_setting(key, text)

    def _show_result(self, identity: str, variable: Variable, text: str, status: str, seen: Setting | None) -> None:
        key = variable.name.text
        more = self.tr(" Restart it to take effect.") if status == "RebootRequired" else ""
        if status not in ("Accepted", "RebootRequired"):
            words = self.tr("The station answered {status}.").format(status=visible(status, 50))
            self._mark(identity, key, WriteState.FAILED, words)
        elif seen is None or seen.value is None or is_secret(variable):
            self._mark(identity, key, WriteState.UNSURE, self.tr("Accepted; it can't be read back.") + more)
        else:
            is_same = seen.value == text
            words = self.tr("Read back.") if is_same else self.tr("It now says {value}.").format(value=seen.shown)
            state = WriteState.PROVED if is_same else WriteState.UNSURE
            self._mark(identity, key, state, words + more, _now_holding(variable, seen.value))

    def _mark(self, identity: str, key: str, state: WriteState, note: str, variable: Variable | None = None) -> None:
        if identity == self._identity:
            self.tree.model.mark(key, state, note, variable)
            self._read[identity] = self.tree.model.variables

    async def _is_sure(self, key: str) -> bool:
        """Ask before a station's way to its backend is changed."""
        if not key.startswith(("OCPPCommCtrlr.NetworkConfigurationPriority", "SecurityCtrlr.", "InternetCtrlr")):
            return True
        text = self.tr("“{key}” decides how the station reaches its backend. A wrong value can cut it off.")
        buttons = (
            Button(key="no", text=self.tr("Leave it")),
            Button(key="yes", text=self.tr("Write it"), role="danger"),
        )
        title = self.tr("Change the station's connection?")
        words = text.format(key=visible(key, 80))
        return await ask(self, title, words, buttons, icon_name="triangle-alert", tone="attention") == "yes"

    # In plain words

    def _explain(self) -> None:
        variables, endpoint = self.tree.model.variables, self._endpoint()
        self.make.setVisible(bool(variables))
        if not variables:
            return
        boot = (endpoint.boot or endpoint.ledger.boot) if endpoint is not None else None
        vendor = boot.vendor if boot is not None else ""
        told = dump_of_variables(variables)
        self.make.show_report(self.explanation.show_dump(told, vendor=vendor, can_set=endpoint is not None))

    def _show_explanation(self) -> None:
        self._explain()
        self._stack.setCurrentWidget(self.explanation)
        self.explanation.back.setFocus()

    def _show_tree(self) -> None:
        self._stack.setCurrentIndex(0)

    def _set(self, changes: tuple[Change, ...]) -> None:
        self._tasks.start_once("set wishes", self._setting(self._identity, changes), busy=self.explanation.wishes.apply)

    async def _setting(self, identity: str, changes: tuple[Change, ...]) -> None:
        wishes = self.explanation.wishes
        if not await endpoint_change.are_wanted(self, changes):
            return
        wishes.say(self.tr("Setting {count} values …").format(count=len(changes)), "working")
        for change in changes:
            variable = next((one for one in self.tree.model.variables if one.name.text == change.key), None)
            if variable is None or identity != self._identity:
                continue
            await self._writing(identity, variable, change.after)
        if identity != self._identity:
            return
        self._explain()
        now = {one.name.text: one.value for one in self.tree.model.variables}
        unproved = [change.key for change in changes if now.get(change.key) != change.after]
        if unproved:
            wishes.say(self.tr("Not proved: {keys}.").format(keys=", ".join(unproved)), "attention")
        else:
            wishes.say(self.tr("Set and read back: {count} values.").format(count=len(changes)), "good")

    # Comparing and files

    def _offer_reports(self) -> None:
        self.tree.show_baselines([title for title, _ in self._reports.get(self._identity, [])])

    def _compare(self, place: int) -> None:
        self.tree.model.compare(self._reports[self._identity][place - 1][1] if place else None)

    def _import(self) -> None:
        self._tasks.start_once("compare with a file", self._importing(), busy=self.tree.file_button)

    async def _importing(self) -> None:
        pattern = self.tr("Exports (*.json *.csv)")
        path = await choose_file(self, self.tr("Compare with a file"), pattern=pattern)
        if path is not None:
            self.compare_with(path)

    def compare_with(self, path: Path) -> None:
        """Compare with an exported file."""
        try:
            values = read_values(path)
        except AppError as error:
            self.tree.say(f"{error.message} {error.advice}", "fault")
            return
        reports = self._reports.setdefault(self._identity, [])
        reports.append((visible(path.name, 60), values))
        self._offer_reports()
        self.tree.baseline.setCurrentIndex(len(reports))
        self._compare(len(reports))

    def _export(self, kind: str) -> None:
        self._tasks.start_once("export device model", self._exporting(kind), busy=self.tree.file_button)

    async def _exporting(self, kind: str) -> None:
        if not self.tree.model.variables:
            self.tree.say(self.tr("Read the device model first."), "attention")
            return
        name = "".join(char for char in self._identity if char.isalnum() or char in "-_")[:40] or "station"
        title = self.tr("Export the device model without secrets")
        path = await choose_file(
            self, title, pattern=f"{kind.upper()} (*.{kind})", save_as=f"device-model-{name}.{kind}"
        )
        if path is not None:
            self.export_to(path, kind)

    def export_to(self, path: Path, kind: str) -> None:
        """Write what was read to a file, as ``json`` or ``csv``."""
        variables, endpoint = self.tree.model.variables, self._endpoint()
        version = endpoint.version if endpoint is not None else ""
        try:
            text = variables_csv(variables)
            if kind == "json":
                text = variables_json(variables, charger=self._identity, version=version, at=self._bench.now())
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            self.tree.say(self.tr("Not exported: {why}.").format(why=error.strerror or error), "fault")
            return
        self.tree.say(self.tr("Exported to {name}; passwords are masked.").format(name=path.name), "good")


def _now_holding(variable: Variable, value: str) -> Variable:
    """Return a variable with another actual value."""
    attributes = tuple(replace(item, value=value) if item.type == ACTUAL else item for item in variable.attributes)
    return replace(variable, value=value, attributes=attributes)
