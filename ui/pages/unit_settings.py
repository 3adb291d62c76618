"""The settings tab of a charger: read all, compare with a backup, write one and read it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.driver.capability import ReadsSettings, WriteResult, WritesSettings
from app.driver.session import Session
from app.errors import AppError, StoreError
from app.model.edit import Edit
from app.model.setting import Change, Setting, Snapshot
from app.model.unit import Unit
from ui.dialogs import Button, ask, choose_file
from ui.models.plain import moment_text, visible
from ui.models.settings import WriteState, export_json
from ui.pages.unit_known import edits_of, jobs_of
from ui.tasks import Tasks
from ui.widgets.settings_table import SettingsTable

if TYPE_CHECKING:
    from app.workbench import Workbench


class SettingsDesk(QObject):
    """Joins the settings table to a charger. ``session_of`` gives the page's open session, if there is one."""

    def __init__(
        self, bench: Workbench, table: SettingsTable, tasks: Tasks, session_of: Callable[[], Session | None]
    ) -> None:
        super().__init__(table)
        self._bench = bench
        self._table = table
        self._tasks = tasks
        self._session_of = session_of
        self._unit: Unit | None = None
        self._first: Snapshot | None = None
        self._baselines: list[Callable[[], Snapshot | None]] = []
        self.is_read = False
        table.read_asked.connect(self.read)
        table.export_asked.connect(self._export)
        table.compared.connect(self._compare)
        table.model.write_asked.connect(self._write)
        table.undo_asked.connect(self._undo_last)

    def show_unit(self, unit: Unit) -> None:
        """Show another charger; its settings are read when the tab is first looked at."""
        is_other = self._unit is None or self._unit.unit_id != unit.unit_id
        self._unit = unit
        if is_other:
            self._first = None
            self.is_read = False
            self._table.model.can_write = False
            self._table.model.forget_edits()
            self._table.model.show_snapshot(None)
            self._offer_baselines()

    def look(self) -> None:
        """The tab is seen: read the settings unless that was done."""
        if not self.is_read:
            self.read()

    def read(self) -> None:
        """Read all settings anew."""
        if self._unit is not None:
            self._tasks.start_once("read settings", self._reading(), busy=self._table.read_button)

    async def _reading(self) -> None:
        self._table.say(self._table.tr("Reading the settings…"), "working")
        try:
            async with self._session(ReadsSettings) as session:
                snapshot = await session.ask(ReadsSettings).read_settings()
                self._table.model.can_write = session.has(WritesSettings)
        except AppError as error:
            self._table.say(f"{error.message} {error.advice}", "fault")
            return
        self.is_read = True
        self._first = self._first or snapshot
        self._table.model.show_snapshot(snapshot)
        self._offer_baselines()

    @asynccontextmanager
    async def _session(self, capability: type) -> AsyncIterator[Session]:
        """Use the page's session where it can do this, else one of its own."""
        session = self._session_of()
        if session is not None and session.is_open and session.has(capability):
            yield session
            return
        assert self._unit is not None
        async with self._bench.open(self._unit.unit_id, capability=capability) as own:
            yield own

    # Comparing

    def _offer_baselines(self) -> None:
        self._baselines = [lambda: None]
        titles = []
        if self._first is not None:
            titles.append(self._table.tr("First read here, {time}").format(time=moment_text(self._first.taken_at)[11:]))
            self._baselines.append(lambda: self._first)
        jobs = jobs_of(self._bench, self._unit.unit_id) if self._unit is not None else []
        for job in sorted(jobs, key=lambda job: job.created_at, reverse=True):
            if job.has_backup:
                titles.append(self._table.tr("Backup of {time}").format(time=moment_text(job.created_at)[:16]))
                self._baselines.append(self._loader(job.id))
        self._table.show_baselines(titles)

    def _loader(self, job_id: str) -> Callable[[], Snapshot | None]:
        return lambda: self._bench.store.backups.load(job_id)

    def _compare(self, place: int) -> None:
        try:
            self._table.model.compare(self._baselines[place]())
        except StoreError as error:
            self._table.say(f"{error.message} {error.advice}", "fault")

    # Writing

    def _write(self, setting: Setting, text: str) -> None:
        self._tasks.start(f"write {setting.key}", self._writing(setting, text))

    async def _writing(self, setting: Setting, text: str) -> None:
        unit = self._unit
        needs_consent = setting.is_one_way or bool(setting.caution)
        if unit is None or (needs_consent and not await self._sure(setting)):
            return
        mark = _Marks(self, unit.unit_id, setting.key)
        mark(WriteState.WRITING, self._table.tr("writing…"))
        change = Change(
            key=setting.key,
            before=setting.value,
            after=text,
            is_secret=setting.is_secret,
            needs_restart=setting.needs_restart,
            is_one_way=setting.is_one_way,
            reason="edited by hand",
        )
        try:
            async with self._session(WritesSettings) as session:
                result = await self._bench.edit(unit.unit_id, session, change, has_consent=needs_consent)
        except AppError as error:
            mark(WriteState.FAILED, f"{error.message} {error.advice}", edit=self.last(unit.unit_id, setting.key))
            return
        self._show_result(mark, setting, text, result)

    def last(self, unit_id: str, key: str) -> Edit | None:
        """Return the newest edit of this key."""
        return next((edit for edit in edits_of(self._bench, unit_id) if edit.key == key), None)

    def _show_result(self, mark: _Marks, setting: Setting, text: str, result: WriteResult) -> None:
        tr, seen, edit = self._table.tr, result.read_back, self.last(mark.unit_id, setting.key)
        more = tr(" Restart it to take effect.") if result.needs_restart else ""
        more += f" {edit.limit}" if edit is not None and edit.limit else ""
        if not result.is_accepted:
            mark(WriteState.FAILED, result.note or tr("The charger refused it."))
        elif seen is None or (setting.is_secret and seen != text):
            mark(WriteState.UNSURE, tr("Accepted; it can't be read back.") + more, edit=edit)
        elif seen == text:
            mark(WriteState.PROVED, tr("Read back.") + more, edit=edit, value=text)
        else:
            note = tr("It now says {value}.").format(value=visible(seen, 80)) + more
            mark(WriteState.UNSURE, note, edit=edit, value=seen)

    # The way back

    def _undo_last(self, key: str) -> None:
        edit = self.last(self._unit.unit_id, key) if self._unit is not None else None
        if edit is not None:
            self.undo(edit.id)

    def undo(self, edit_id: str) -> None:
        """Ask, then write the old value of an edit back."""
        if self._unit is not None:
            self._tasks.start_once("undo edit", self._undoing(self._unit.unit_id, edit_id))

    async def _undoing(self, unit_id: str, edit_id: str) -> None:
        edit = next((edit for edit in edits_of(self._bench, unit_id) if edit.id == edit_id), None)
        if edit is None or not await self._undo_wanted(edit):
            return
        tr, mark = self._table.tr, _Marks(self, unit_id, edit.key)
        mark(WriteState.WRITING, tr("writing the old value back…"))
        try:
            result = await self._bench.undo_edit(edit_id)
        except AppError as error:
            note = tr("Not undone. {why}").format(why=f"{error.message} {error.advice}")
            mark(WriteState.FAILED, note, edit=self.last(unit_id, edit.key))
            raise
        restart = tr(" Restart it to take effect.") if result.needs_restart else ""
        if result.read_back is None:
            mark(WriteState.UNSURE, tr("Old value written; it can't be read back.") + restart)
        else:
            note = tr("Old value is back, and read back.") + restart
            mark(WriteState.PROVED, note, value=result.read_back)

    def mark(self, unit_id: str, key: str, state: WriteState, note: str, edit: Edit | None, value: str | None) -> None:
        """Show what became of an edit, unless another charger is shown by now."""
        now = self._bench.finder.units.get(unit_id)
        if self._unit is None or self._unit.unit_id not in (unit_id, now.unit_id if now is not None else ""):
            return
        self._table.model.replace(key, value)
        self._table.model.mark(key, state, note, can_undo=edit is not None and edit.can_undo)

    async def _undo_wanted(self, edit: Edit) -> bool:
        tr = self._table.tr
        answer = await ask(
            self._table.window(),
            tr("Undo this edit?"),
            tr("“{key}” gets its old value back: {value}. It is read back afterwards.").format(
                key=visible(edit.key, 80), value=visible(edit.before or "", 120) or tr("empty")
            ),
            (Button(key="no", text=tr("Leave it")), Button(key="yes", text=tr("Undo"), role="danger")),
            icon_name="undo-2",
            tone="attention",
        )
        return answer == "yes"

    async def _sure(self, setting: Setting) -> bool:
        tr, name = self._table.tr, visible(setting.label or setting.key, 80)
        title = tr("This can't be undone")
        text = tr("Once “{name}” is changed, Rehome can't put the old value back. Go on?").format(name=name)
        if setting.caution and not setting.is_one_way:
            title = tr("Nobody has proved this")
            text = tr("{caution} Change “{name}” all the same?").format(caution=setting.caution, name=name)
        answer = await ask(
            self._table,
            title,
            text,
            (Button(key="no", text=tr("Leave it")), Button(key="yes", text=tr("Change it"), role="danger")),
            icon_name="triangle-alert",
            tone="attention",
        )
        return answer == "yes"

    # Export

    def _export(self) -> None:
        self._tasks.start_once("export settings", self._exporting(), busy=self._table.export_button)

    async def _exporting(self) -> None:
        snapshot = self._table.model.snapshot
        if snapshot is None or self._unit is None:
            self._table.say(self._table.tr("Read the settings first."))
            return
        serial = "".join(char for char in self._unit.identity.serial if char.isalnum())[:40] or "charger"
        title = self._table.tr("Export settings without secrets")
        path = await choose_file(self._table, title, pattern="JSON (*.json)", save_as=f"settings-{serial}.json")
        if path is None:
            return
        try:
            path.write_text(export_json(snapshot, charger=self._unit.title), encoding="utf-8")
        except OSError as error:
            text = self._table.tr("Not exported: {why}.").format(why=error.strerror or error)
            self._table.say(text, "fault")
            return
        self._table.say(self._table.tr("Exported to {name}.").format(name=path.name), "good")


class _Marks:
    """Marks one setting of one charger."""

    def __init__(self, desk: SettingsDesk, unit_id: str, key: str) -> None:
        self.unit_id = unit_id
        self._desk = desk
        self._key = key

    def __call__(self, state: WriteState, note: str, *, edit: Edit | None = None, value: str | None = None) -> None:
        self._desk.mark(self.unit_id, self._key, state, note, edit, value)
