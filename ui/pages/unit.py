"""The page of one charger: who it is, what stands between it and a charge, live curves, settings, history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from app.driver.capability import ExportsLog, Meters, Reboots, ReportsStatus, Status
from app.driver.session import Session
from app.errors import AppError, LinkError
from app.model.address import BleAddress, NetAddress
from app.model.edit import Edit
from app.model.finding import Finding
from app.model.job import Job, JobState
from app.model.reading import Measurand, Reading, Sampled, StateChange, spread
from app.model.secret import Secret
from app.model.unit import Unit, UnitChange
from ui.dialogs import Button, ask
from ui.models.plain import visible
from ui.models.triage import described, words_of
from ui.models.unit_words import box_of, bridged_as
from ui.pages.page import Page
from ui.pages.unit_diagnosis import DiagnosisTab
from ui.pages.unit_header import UnitHeader
from ui.pages.unit_history import HistoryTab
from ui.pages.unit_known import edits_of, endpoint_of, gather, identities, jobs_of, sample_ids
from ui.pages.unit_live import LiveTab
from ui.pages.unit_log import show_log
from ui.pages.unit_settings import SettingsDesk
from ui.pages.unit_verdict import verdict_of
from ui.theme import SPACE_8, SPACE_12, SPACE_16, SPACE_24, set_role
from ui.widgets.empty import Empty
from ui.widgets.settings_table import SettingsTable

if TYPE_CHECKING:
    from app.workbench import Workbench

STATUS_S = 3.0
"""How often a charger that streams nothing is asked how it is."""

RECALLED = timedelta(minutes=30)
"""How much of the stored past the curves begin with."""

CHAIN_MS = 1000
"""How often the chain of proof is computed anew."""

FOUND_LIMIT = 500
"""Chargers whose findings are kept; beyond it the oldest are forgotten (a flood of identities)."""

DIAGNOSIS, LIVE, SETTINGS, HISTORY = range(4)


class UnitPage(Page):
    """One charger. A session to it is open only while this page is shown."""

    page_id: ClassVar[str] = "unit"
    title: ClassVar[str] = "Charger"
    icon_name: ClassVar[str] = "ev-charger"

    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(bench, parent)
        set_role(self, "page")
        self.unit_id = ""
        self.session: Session | None = None
        self.trouble: AppError | None = None
        self.status: Status | None = None
        self._states: dict[int, StateChange] = {}
        self._registers: list[float] = []
        self._visits = 0
        self._open_visits: set[asyncio.Task[None]] = set()
        self._findings: dict[str, dict[str, Finding]] = {}
        self._build()
        self.settings = SettingsDesk(bench, self.settings_table, self.tasks, self._open_session)
        self._connect()

    def _build(self) -> None:
        self.header = UnitHeader(self)
        self.diagnosis = DiagnosisTab(self)
        self.live = LiveTab(self)
        self.settings_table = SettingsTable(self)
        self.history = HistoryTab(self)
        self.tabs = QTabWidget(self)
        self.tabs.setAccessibleName(self.tr("Parts of this page"))
        for part, text in (
            (self.diagnosis, self.tr("Diagnosis")),
            (self.live, self.tr("Live")),
            (self.settings_table, self.tr("Settings")),
            (self.history, self.tr("History")),
        ):
            self.tabs.addTab(part, text)
        self.lost = Empty(
            self.tr("This charger is not known any more"),
            self.tr("It was forgotten, or its address now leads to another one."),
            "search-x",
            self.tr("Back to the site"),
            self,
        )
        self.lost.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_24, SPACE_12, SPACE_16, SPACE_12)
        layout.setSpacing(SPACE_8)
        layout.addWidget(self.header)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.lost, 1)

    def _connect(self) -> None:
        header = self.header
        header.back_asked.connect(self._to_site)
        header.next_asked.connect(self._rehome)
        header.refresh_asked.connect(self.refresh)
        header.restart_asked.connect(self._restart)
        header.log_asked.connect(self._log)
        header.traffic_asked.connect(self._to_traffic)
        self.lost.acted.connect(self._to_site)
        self.diagnosis.retry_asked.connect(self.refresh)
        self.diagnosis.login_given.connect(self._log_in)
        self.diagnosis.family.sheet_wanted.connect(self._to_family)
        self.diagnosis.family.typing_wanted.connect(self._to_typing)
        self.diagnosis.verdict.triage_asked.connect(self._to_triage)
        self.history.opened.connect(self._open_job)
        self.history.undo_asked.connect(self._undo)
        self.history.edit_undo_asked.connect(self.settings.undo)
        self.history.started.connect(self._rehome)
        self.tabs.currentChanged.connect(self._tab_changed)
        bench = self.bench
        self.listen(bench.finder.changes, self._units_changed)
        self.listen(bench.desk.changes, self._jobs_changed)
        self.listen(bench.edit_changes, self._edits_changed)
        self.listen(bench.samples, self._sampled, depth=20_000)
        self.listen(bench.findings, self._found)
        self.every(CHAIN_MS, self._show)

    # Coming and going

    @property
    def unit(self) -> Unit | None:
        """Return the charger shown, as last known."""
        return self.bench.finder.units.get(self.unit_id)

    def open(self, argument: object) -> None:
        """Show a charger by its id."""
        if not isinstance(argument, str) or argument == self.unit_id:
            return
        self._leave()
        self.unit_id = argument
        self.trouble, self.status = None, None
        self._states.clear()
        self._registers.clear()
        self.live.clear()
        self.diagnosis.strip.forget_choice()
        self.tabs.setCurrentIndex(DIAGNOSIS)
        self.tasks.replace("recall", self._recalling(argument))
        if self.is_shown:
            self.on_shown()

    async def _recalling(self, unit_id: str) -> None:
        """Give the curves their recent past, kind by kind so that nothing stalls."""
        unit, store = self.unit, self.bench.store.samples
        if unit is None:
            return
        self.bench.triage.look_up(unit)
        since = self.bench.now() - RECALLED
        for key in sample_ids(unit, endpoint_of(self.bench, unit)):
            self.live.recall(store.states(key, since))
            for kind in Measurand:
                await asyncio.sleep(0)
                if unit_id != self.unit_id:
                    return
                self.live.recall(store.series(key, kind, since))

    def on_shown(self) -> None:
        """Open a session and show what is known meanwhile."""
        unit = self.unit
        if unit is not None:
            self.settings.show_unit(unit)
            self.tabs.tabBar().setFocus()
            self._visit()
        self._show()
        self._show_jobs()

    def on_hidden(self) -> None:
        """Close the session: somebody else may need the charger now."""
        self._leave()

    def refresh(self) -> None:
        """Ask the charger anew, with a fresh session."""
        self.trouble = None
        self._leave()
        if self.is_shown and self.unit is not None:
            self._visit(is_anew=True)
        self._show()

    def _leave(self) -> None:
        self.tasks.cancel("visit")
        self.tasks.cancel("stream")
        self.session = None

    def _visit(self, *, is_anew: bool = False) -> None:
        if self.unit_id and not self.tasks.is_closed:
            self._visits += 1
            before = {task for task in self._open_visits if not task.done()}
            visit = self._visiting(self.unit_id, self._visits, before, is_anew=is_anew)
            self._open_visits = {*before, self.tasks.replace("visit", visit)}

    async def _visiting(self, unit_id: str, visit: int, before: set[asyncio.Task[None]], *, is_anew: bool) -> None:
        """Keep one session open and follow it until the page is left or the charger is lost.

        A serial port opens only once: the visits ``before`` must have let go first, and a fresh look comes before.
        """
        try:
            if before:
                await asyncio.wait(before)
            if is_anew:
                await self.bench.finder.refresh(unit_id)
            async with self.bench.open(unit_id) as session:
                self.session, self.trouble = session, None
                self._show()
                self._look_at_settings()
                if session.has(Meters):
                    self.tasks.replace("stream", self._streaming(session))
                await self._asking(session)
        except AppError as error:
            if visit == self._visits:
                self.trouble = error
        finally:
            if visit == self._visits:
                self.tasks.cancel("stream")
                self.session = None
        self._show()

    async def _asking(self, session: Session) -> None:
        while session.is_open:
            if session.has(ReportsStatus):
                self.status = await session.ask(ReportsStatus).status()
                self._heard(self.status.readings)
            await asyncio.sleep(STATUS_S)

    async def _streaming(self, session: Session) -> None:
        try:
            async for sample in session.ask(Meters).watch():
                self._heard((sample,))
        except LinkError as error:
            self.trouble = error

    def _open_session(self) -> Session | None:
        return self.session

    # What comes in

    def _units_changed(self, changes: Sequence[UnitChange]) -> None:
        unit = self.unit
        if unit is not None:
            self.unit_id = unit.unit_id
        if not any(change.unit.unit_id == self.unit_id for change in changes):
            return
        can_try = self.trouble is None or isinstance(self.trouble, LinkError)
        if unit is not None and unit.is_present and can_try and not self.tasks.is_running("visit"):
            self.settings.show_unit(unit)
            self._visit()
        self._show()

    def _jobs_changed(self, _: Sequence[Job]) -> None:
        self._show_jobs()

    def _edits_changed(self, _: Sequence[Edit]) -> None:
        self._show_jobs()

    def _heard(self, samples: Iterable[Reading | StateChange]) -> None:
        """Take what the session tells: a driver does not know the unit's id."""
        self._sampled(replace(sample, unit_id=self.unit_id) for sample in samples)

    def _sampled(self, samples: Iterable[Sampled]) -> None:
        unit = self.unit
        if unit is None:
            return
        ids = sample_ids(unit, endpoint_of(self.bench, unit))
        own = list(spread(sample for sample in samples if sample.unit_id in ids))
        for sample in own:
            if isinstance(sample, StateChange):
                self._states[sample.connector] = sample
            elif sample.measurand is Measurand.ENERGY and not sample.phase:
                self._registers = [*self._registers[:1], sample.value]
        if own:
            self.live.add(own)

    def _found(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._findings.setdefault(finding.unit_id, {})[finding.code] = finding
        while len(self._findings) > FOUND_LIMIT:
            del self._findings[next(iter(self._findings))]

    def _own_findings(self, unit: Unit) -> list[Finding]:
        ids = sample_ids(unit, endpoint_of(self.bench, unit))
        return [finding for key in ids for finding in self._findings.get(key, {}).values()]

    def _show(self) -> None:
        unit = self.unit
        self.tabs.setVisible(unit is not None)
        self.header.setVisible(unit is not None)
        self.lost.setVisible(unit is None)
        if unit is None:
            return
        profile = self.bench.registry.profiles.get(unit.identity.profile_id)
        self.header.show_unit(unit, profile.picture if profile else "ev-charger", self._state_text(unit))
        self.header.show_session(
            is_open=self.session is not None,
            can_restart=self.session is not None and self.session.has(Reboots),
            can_log=self.session is not None and self.session.has(ExportsLog),
            has_frames=bool(identities(unit)),
        )
        jobs = jobs_of(self.bench, unit.unit_id)
        open_job = max((job for job in jobs if not job.is_final), key=lambda job: job.created_at, default=None)
        is_done = any(job.state is JobState.DONE for job in jobs)
        bridged = "bridge" if bridged_as(self.bench.bridge, unit) else ""
        self.header.show_job(open_job, is_done=is_done, garage="juice" if box_of(unit) else bridged)
        known = gather(
            self.bench,
            unit,
            is_answering=self.session is not None,
            trouble=self.trouble.message if isinstance(self.trouble, LinkError) else "",
            says=self.status.link if self.status else None,
            states=self._known_states(unit),
            findings=self._own_findings(unit),
            register_wh=self._registers[-1] if self._registers else None,
            counted_wh=self._registers[-1] - self._registers[0] if self._registers else 0.0,
        )
        self.diagnosis.show_known(known, profile)
        verdict = verdict_of(self.bench, unit)
        self.diagnosis.verdict.show_row(verdict)
        self.header.show_verdict(words_of(verdict.item), described(verdict))
        self.diagnosis.show_trouble(self.trouble, can_log_in=bool(self._hosts()))

    def _known_states(self, unit: Unit) -> list[StateChange]:
        if self._states or self.status is None or not self.status.state:
            return list(self._states.values())
        return [
            StateChange(
                unit_id=unit.unit_id,
                connector=1,
                state=self.status.state,
                at=self.bench.now(),
                detail=self.status.detail,
            )
        ]

    def _state_text(self, unit: Unit) -> str:
        if self._states:
            return self._states[max(self._states)].state
        return (self.status.state if self.status else "") or unit.state

    def _show_jobs(self) -> None:
        self.history.show_jobs(jobs_of(self.bench, self.unit_id), edits_of(self.bench, self.unit_id))

    # What the technician does

    def _tab_changed(self, _: int) -> None:
        self._look_at_settings()

    def _look_at_settings(self) -> None:
        if self.tabs.currentIndex() == SETTINGS and self.is_shown:
            self.settings.look()

    def focus_search(self) -> bool:
        """Put the keyboard into the search field of the settings."""
        if self.tabs.currentIndex() != SETTINGS:
            return False
        self.settings_table.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        return True

    def _to_site(self) -> None:
        self.go.emit("site", None)

    def _to_triage(self) -> None:
        self.go.emit("site", f"triage:{self.unit_id}")

    def _to_traffic(self) -> None:
        unit = self.unit
        if unit is not None:
            self.go.emit("traffic", next(iter(sorted(identities(unit))), None))

    def _to_family(self) -> None:
        unit = self.unit
        if unit is not None:
            self.go.emit("chargers", unit.identity.profile_id)

    def _to_typing(self) -> None:
        self.go.emit("chargers", f"type:{self.unit_id}")

    def _rehome(self) -> None:
        has_job = any(not job.is_final for job in jobs_of(self.bench, self.unit_id))
        box_id = box_of(self.unit) if self.unit is not None else ""
        bridged = bridged_as(self.bench.bridge, self.unit) if self.unit is not None else ""
        if box_id and not has_job:
            self.go.emit("garage", ("juice", box_id))
        elif bridged and not has_job:
            self.go.emit("garage", ("bridge", bridged))
        else:
            self.go.emit("jobs", f"unit:{self.unit_id}")

    def _open_job(self, job_id: str) -> None:
        self.go.emit("jobs", job_id)

    def _hosts(self) -> list[str]:
        ways = self.unit.ways if self.unit else ()
        return [
            way.address.host if isinstance(way.address, NetAddress) else str(way.address)
            for way in ways
            if isinstance(way.address, NetAddress | BleAddress)
        ]

    def _log_in(self, user: str, password: Secret) -> None:
        for host in self._hosts():
            self.bench.vault.set(f"charger/{host}/user", Secret(user))
            self.bench.vault.set(f"charger/{host}/password", password)
        self.refresh()

    def _restart(self) -> None:
        self.tasks.start_once("restart", self._restarting(), busy=self.header.restart_button)

    async def _restarting(self) -> None:
        name = visible(self.unit.title, 60) if self.unit else ""
        answer = await ask(
            self,
            self.tr("Restart {name}?").format(name=name),
            self.tr("A running charge stops, and the charger is away for a while. Its settings stay as they are."),
            (
                Button(key="no", text=self.tr("Cancel")),
                Button(key="yes", text=self.tr("Restart"), role="danger"),
            ),
            icon_name="rotate-cw",
        )
        session = self.session
        if answer == "yes" and session is not None:
            await session.ask(Reboots).restart()

    def _log(self) -> None:
        self.tasks.start_once("log", self._reading_log(), busy=self.header.log_button)

    async def _reading_log(self) -> None:
        session, unit = self.session, self.unit
        if session is not None and unit is not None:
            text = await session.ask(ExportsLog).read_log()
            await show_log(self, visible(unit.title, 60), text)

    def _undo(self, job_id: str) -> None:
        self.tasks.start_once("undo", self._undoing(job_id))

    async def _undoing(self, job_id: str) -> None:
        job = self.bench.desk.job(job_id)
        limits = "\n".join(f"• {visible(f'{limit.key}: {limit.reason}', 200)}" for limit in job.undo_limits)
        text = self.tr("Every changed setting gets its old value back, and the charger restarts.")
        if limits:
            text += "\n\n" + self.tr("This can't be put back:") + "\n" + limits
        answer = await ask(
            self,
            self.tr("Undo this job?"),
            text,
            (Button(key="no", text=self.tr("Leave it")), Button(key="yes", text=self.tr("Undo"), role="danger")),
            icon_name="undo-2",
            tone="attention",
        )
        if answer == "yes":
            self.bench.desk.undo(job_id)
            self.go.emit("jobs", job_id)
