"""The composition root: builds every part, owns the root scope; the facade that the face and the command line see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import app.drivers
from app import __version__, resources
from app import settings as settings_file
from app.acceptance.desk import AcceptanceDesk
from app.acceptance.tools import Tools
from app.diagnosis import thresholds
from app.diagnosis.watch import Watch
from app.discovery.adapters import adapters as list_adapters
from app.discovery.adapters import default_adapter, networks
from app.discovery.broadcast import BroadcastSource
from app.discovery.finder import Finder
from app.discovery.mdns import MdnsSource
from app.discovery.noticing import Notices
from app.discovery.opening import first_session
from app.discovery.remembering import remember
from app.discovery.searching import Searches
from app.discovery.serialports import SerialSource
from app.discovery.source import Source
from app.driver.capability import WriteResult
from app.driver.registry import Registry, load_drivers, load_profiles
from app.driver.session import Session
from app.errors import AppError, NotReachable, PortInUse
from app.experiment.desk import Experimenter
from app.feed import Feed
from app.jobs import checking
from app.jobs.editing import EditDesk
from app.jobs.landing import LandingDesk
from app.jobs.runner import JobDesk
from app.juicenet.desk import JuiceDesk
from app.juicenet.peer import PORTS
from app.links.real import RealLinks
from app.model.acceptance import RunResult
from app.model.edit import Edit
from app.model.finding import Finding
from app.model.frame import Adapter, Frame, ListenState
from app.model.query import TrafficQuery
from app.model.reading import Sampled, StateChange
from app.model.secret import Secret
from app.model.setting import Change
from app.model.unit import Sighting, Unit, authority
from app.ocpp.server import OcppServer
from app.ocpp.services.desk import ServiceDesk
from app.rescue.desk import RescueDesk
from app.scope import Scope, Trouble
from app.service.desk import BridgeDesk
from app.settings import Settings
from app.standin.desk import GarageDesk
from app.standin.fileservice import FileService
from app.storage.db import Store
from app.storage.vault import KeyringVault, MemoryVault, Vault
from app.trace.desk import TraceDesk
from app.triage.board import TriageBoard, triage_board
from app.trust.desk import TrustDesk

if TYPE_CHECKING:
    from app.links.ble import Radio
    from app.model.juicebox import PeerState
    from app.model.listening import ListenPlan
    from app.model.triage import Judgement
    from app.report.build import Report
    from app.trust.authority import Authority

log = logging.getLogger(__name__)

DRAIN_S = 0.1
"""How often frames and samples go to the storage writer (architecture, part 4)."""

QUEUE = 20_000
"""Frames the writer may fall behind before the oldest are dropped (two seconds at 10,000 a second)."""


class Workbench:
    """Everything Rehome can do, as one object. Use as ``async with``; leaving stops all of it in order.

    States::

        new ──enter──► open ──leave──► closed
    """

    def __init__(
        self,
        settings: Settings,
        *,
        home: Path,
        is_demo: bool = False,
        mdns_addresses: Sequence[str] = (),
        mdns_accepts: Callable[[Sighting], bool] = lambda _: True,
        list_ports: Callable[[], Iterable[Any]] | None = None,
        serial_ports: Sequence[str] = (),
        with_discovery: bool = True,
        asks_loopback: bool = False,
        radio: Radio | None = None,
    ) -> None:
        self.settings = settings
        self.home = home
        self.is_demo = is_demo
        self.frames: Feed[Frame] = Feed()
        self.samples: Feed[Sampled] = Feed()
        self.findings: Feed[Finding] = Feed()
        self.troubles: Feed[Trouble] = Feed()
        self.settings_changes: Feed[Settings] = Feed()
        self.registry = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
        self._mdns_addresses = tuple(mdns_addresses)
        self._mdns_accepts = mdns_accepts
        self._list_ports = list_ports
        self._serial_ports = tuple(serial_ports)
        self._with_discovery = with_discovery
        self._asks_loopback = asks_loopback
        self._radio = radio
        self._stack = AsyncExitStack()
        self.scope = Scope("workbench", report=self._trouble)
        self.store: Store
        self.vault: Vault
        self.server: OcppServer
        self.juice: JuiceDesk
        self.links: RealLinks
        self.finder: Finder
        self.searches: Searches
        self.desk: JobDesk
        self.hand: EditDesk
        self.files: FileService
        self.garage: GarageDesk
        self.bridge: BridgeDesk
        self.old_backend: LandingDesk
        self.rescue: RescueDesk
        self.triage: TriageBoard
        self.services: ServiceDesk
        self.acceptance: AcceptanceDesk
        self.experiments: Experimenter

    async def __aenter__(self) -> Workbench:
        async with AsyncExitStack() as stack:
            self._build(stack)
            await stack.enter_async_context(self.scope)
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def _build(self, stack: AsyncExitStack) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.vault = MemoryVault() if self.is_demo else KeyringVault.open_or_memory()
        self.store = Store.open(
            self.home / "rehome.db", keep_frames=self.settings.keep_frames, redact=self.vault.redact
        )
        stack.callback(self.store.close)
        self.traces = TraceDesk(self.store, now=self.now, adapter=lambda: self.adapter_address)
        self.trust = TrustDesk(self.vault, self.home / "trust", lambda: (item.address for item in self.adapters()))
        self.server = OcppServer(
            frames=self.frames,
            samples=self.samples,
            findings=self.findings,
            judge=self.traces.witness.judging(Watch(thresholds.read(self.home / "thresholds.toml"))),
            sighted=lambda sighting: self.finder.sighted(sighting),
            expected=self._expected_secret,
            first_seq=self.store.traffic.last_seq() + 1,
            plan=self.settings.listen_plan(),
            wardrobe=self.trust.wardrobe,
        )
        self.juice = JuiceDesk(
            self.home,
            address=lambda: self.adapter_address,
            sighted=lambda sighting: self.finder.sighted(sighting),
            noted=lambda change: self.finder.noted(change),
            ports=(0,) if self.is_demo else PORTS,  # demos run beside each other, and its boxes are led anywhere
        )
        self.links = RealLinks(
            adapter_address="" if self.is_demo else self.settings.adapter,
            vault=self.vault,
            ocpp=self.server.endpoint,
            juicenet=self.juice.box,
            radio=self._radio,
        )
        self.finder = Finder(
            registry=self.registry,
            links=self.links,
            scope=self.scope,
            ours=self.ours,
            known=self.store.units.all(),
            is_simulated=self.is_demo,
        )
        stays_here = self._asks_loopback or self.is_demo
        at = (self.registry, self.finder, self.links, self.scope)
        self.searches = Searches(*at, stays_here=stays_here, radio=self._radio)
        self._build_desks()

    def _build_desks(self) -> None:
        self.rescue = RescueDesk(store=self.store, vault=self.vault, folder=self.home)
        self.desk = JobDesk(store=self.store, vault=self.vault, bench=self, scope=self.scope)
        self.hand = EditDesk(store=self.store, vault=self.vault, bench=self, jobs=self.desk, scope=self.scope)
        self.files = FileService(self.home / "files")
        self.garage = GarageDesk(
            networks,
            lambda: self.adapter_address,
            visitor=self.server.visitor,
            is_demo=self.is_demo,
            report=self._trouble,
            now=self.now,
        )
        self.bridge = BridgeDesk(self)
        self.old_backend = LandingDesk(self, self.garage, self.desk, self.store, self.vault, report=self._trouble)
        self.services = ServiceDesk(
            server=self.server,
            shelf=self.store.cards,
            files=self.files,
            issuer=lambda: self.authority,
            address=lambda: self.adapter_address,
        )
        self.acceptance = AcceptanceDesk(
            server=self.server, folder=self.home / "acceptance", scope=self.scope, report=self._trouble
        )
        self.experiments = Experimenter(
            server=self.server,
            scope=self.scope,
            visit=checking.reply,
            hindrance=lambda identity: "It is being accepted." if self.acceptance.running(identity) else "",
            report=self._trouble,
        )
        self.triage = triage_board(self, asks=checking.answering)
        self.acceptance.tools = Tools(files=self.files, root_pem=lambda: self.authority.root.pem)

    async def _start(self, stack: AsyncExitStack) -> None:
        self.scope.required("storage writer", self._drain())
        self.scope.isolated("remember units", remember(self.finder.changes, self.store.units, self._trouble))
        kept = (self.server.arrivals, self.findings, self.desk.changes, self.acceptance.started)
        self.scope.isolated("trace witness", self.traces.keep(*kept))
        await asyncio.sleep(0)  # both listen from here on
        await stack.enter_async_context(self.server)
        stack.push_async_callback(self.files.close)
        stack.push_async_callback(self.garage.close)
        stack.push_async_callback(self.old_backend.close)
        self.old_backend.open()
        stack.push_async_callback(self.juice.stop)
        stack.push_async_callback(self.bridge.close)
        stack.push_async_callback(self.desk.close)
        if self.settings.endpoint_on:
            try:
                await self.start_endpoint()
            except AppError as error:
                log.info("the endpoint does not listen: %s", error.message)
        if self.settings.juicenet_on:
            try:
                await self.juice.start()
            except AppError as error:
                log.info("JuiceBoxes are not listened to: %s", error.message)
        if self._with_discovery:
            self.finder.start(self._sources())
            self.scope.isolated("radio links", self._notices().follow(self.finder.statuses))
            self.scope.isolated("adapter", self._notices().guard())

    def _notices(self) -> Notices:
        return Notices(
            self.server.observed,
            adapters=self.adapters,
            address=lambda: self.adapter_address,
            is_busy=lambda: bool(self.desk.running or self.server.endpoints),
            now=self.now,
        )

    def _sources(self) -> list[Source]:
        chosen = (self.settings.adapter,) if self.settings.adapter else ()
        addresses = self._mdns_addresses or chosen
        self.broadcast = BroadcastSource(
            (driver.broadcast for driver in self.registry.drivers.values()),
            self.links.everybody,
            adapter=lambda: self._mdns_addresses[0] if self._mdns_addresses else self.adapter_address,
            asks_loopback=self._asks_loopback,
        )
        return [
            self.broadcast,
            self.searches.bluetooth,
            MdnsSource(self.registry.mdns_types, addresses=addresses, accepts=self._mdns_accepts),
            SerialSource(list_ports=self._list_ports, extra_ports=self._serial_ports),
        ]

    def _trouble(self, trouble: Trouble) -> None:
        log.info("%s failed: %s", trouble.name, trouble.error)
        self.troubles.publish(trouble)

    def _expected_secret(self, identity: str) -> Secret | None:
        return self.vault.get(f"identity/{identity}")

    # The endpoint

    def adapters(self) -> list[Adapter]:
        """List this computer's network adapters with their addresses, the best one first."""
        return list_adapters()

    @property
    def adapter_address(self) -> str:
        """Return the address chargers reach us at: the chosen adapter's if it is there, else the best one's."""
        if self.is_demo:
            return "127.0.0.1"
        present = self.adapters()
        if self.settings.adapter in [adapter.address for adapter in present]:
            return self.settings.adapter
        return default_adapter(present).address

    def endpoint_urls(self) -> list[str]:
        """List the base URLs chargers can dial, empty while the endpoint does not listen."""
        state = self.server.state
        return [state.url] if state.is_listening else []

    async def start_endpoint(self, host: str = "", port: int | None = None) -> ListenState:
        """Listen. Raises PortInUse with the owner's name, where known, and a free port; ``0`` takes any free port."""
        wanted = self.settings.endpoint_port if port is None else port
        return await self.server.start(host or self.adapter_address, wanted)

    async def move_endpoint(self, host: str, port: int) -> ListenState:
        """Listen elsewhere; the old listener stays when the new one can't start. Remembered in the settings."""
        state = await self.server.move(host, port)
        self.change_settings(replace(self.settings, endpoint_port=state.port, adapter=host))
        return state

    @property
    def authority(self) -> Authority:
        """Return our own certificate authority."""
        return self.trust.authority

    async def adopt_plan(self, plan: ListenPlan) -> ListenState:
        """Listen as planned and remember it; open connections stay. Raises ServerError."""
        self.trust.check(plan.personality)
        state = await self.server.adopt(plan)
        self.change_settings(self.settings.with_plan(plan))
        return state

    async def stop_endpoint(self) -> None:
        """Stop listening and close all connections."""
        await self.server.stop()

    async def switch_juicenet(self, *, is_on: bool) -> PeerState:
        """Listen for JuiceBoxes, or no more, and remember it. Raises PortInUse, ServerError, StoreError."""
        if is_on:
            await self.juice.start()
        else:
            await self.juice.stop()
        self.change_settings(replace(self.settings, juicenet_on=is_on))
        return self.juice.state

    async def listen_somewhere(self) -> ListenState:
        """Make sure the endpoint listens, on the suggested port where the usual one is taken."""
        if self.server.state.is_listening:
            return self.server.state
        try:
            return await self.start_endpoint()
        except PortInUse as error:
            with suppress(PortInUse):  # another program may take that one too
                return await self.start_endpoint(port=error.suggestion)
        return await self.start_endpoint(port=0)

    def ours(self) -> frozenset[str]:
        """Return ``host:port`` of every backend that is ours: the endpoint, the presets, and where jobs moved units."""
        urls = [*self.endpoint_urls(), *(preset.url for preset in self.settings.presets), *self.desk.backend_urls()]
        return frozenset(authority(url) for url in urls)

    # Sessions

    @asynccontextmanager
    async def open(
        self, unit_id: str, *, capability: type | None = None, driver_id: str = ""
    ) -> AsyncIterator[Session]:
        """Open a session to a unit over the first way that works and offers the capability; probing pauses meanwhile.

        ``driver_id`` allows only the ways of that driver. Raises NotReachable (no way leads there), NotSupported (no
        way offers it) or what the best way raised.
        """
        unit = self.unit(unit_id)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.finder.hold(unit_id))
            yield await first_session(unit, self.registry, self.links, stack, capability, driver_id)

    def unit(self, unit_id: str) -> Unit:
        """Return a unit; raises NotReachable for one nobody knows."""
        unit = self.finder.units.get(unit_id)
        if unit is None:
            raise NotReachable(
                f"No charger “{unit_id}” is known here.", "Run a search again, or add it by its address."
            )
        return unit

    # Settings written by hand

    @property
    def edit_changes(self) -> Feed[Edit]:
        """Return the feed of edits by hand, each as it then stands."""
        return self.hand.changes

    async def edit(self, unit_id: str, session: Session, change: Change, *, has_consent: bool = False) -> WriteResult:
        """Write one value: backed up, on disk before it is sent, read back. Raises JobError, Refused, LinkError.

        ``has_consent``: a person has accepted the setting's ``caution``.
        """
        return await self.hand.edit(unit_id, session, change, has_consent=has_consent)

    async def undo_edit(self, edit_id: str) -> WriteResult:
        """Write the old value of an edit back; raises JobError where it can't be restored."""
        return await self.hand.undo_edit(edit_id)

    def edits(self, unit_id: str) -> tuple[Edit, ...]:
        """List a unit's edits by hand, the newest first."""
        return self.hand.edits(unit_id)

    # Records

    def traffic(
        self, query: TrafficQuery, *, before: int | None = None, after: int | None = None, limit: int = 500
    ) -> list[Frame]:
        """Read stored frames (oldest first), at most ``limit``, next to a sequence number."""
        return self.store.traffic.page(query, before=before, after=after, limit=limit)

    def report(self, job_id: str) -> Report:
        """Fold a job's records into its report."""
        from app.report.build import build as build_report

        job = self.desk.job(job_id)
        unit = self.finder.units.get(job.unit_id)
        return build_report(
            job,
            self.store.jobs.events(job_id),
            store=self.store,
            unit=unit,
            registry=self.registry,
            version=__version__,
            site_name=self.settings.site_name,
            accepted=self.acceptance.latest,
        )

    async def save_acceptance(self, run: RunResult, path: Path) -> None:
        """Write an acceptance run as HTML, JUnit XML or JSON, as the file's name asks. Raises StoreError."""
        from app.report.acceptance import save

        await save(run, path)

    async def save_report(self, job_id: str, folder: Path) -> dict[str, Path]:
        """Write a job's report as HTML, PDF and JSON into a folder; return the paths by kind. Raises StoreError."""
        from app.report.files import write as write_report

        return await write_report(self.report(job_id), folder, f"rehome-{job_id}")

    async def save_triage(self, judgements: Sequence[Judgement], path: Path, *, site: str) -> None:
        """Write a triage as HTML, CSV, XLSX or JSON, as the file's name asks. Raises StoreError."""
        from app.report.triage import save

        await save(judgements, path, site=site, at=self.now())

    def report_html(self, job_id: str) -> str:
        """Return a job's report in its print form, for a preview."""
        from app.report.text import html as report_html

        return report_html(self.report(job_id), for_print=True)

    def change_settings(self, settings: Settings) -> None:
        """Take new settings and save them (in the demo they are forgotten). Raises StoreError."""
        if not self.is_demo:
            settings_file.save(settings, self.home / "settings.toml")
        self.settings = settings
        self.settings_changes.publish(settings)

    def now(self) -> datetime:
        """Return the time, UTC."""
        return datetime.now(UTC)

    async def _drain(self) -> None:
        frames = self.frames.subscribe(QUEUE)
        samples = self.samples.subscribe(QUEUE)
        try:
            while True:
                await asyncio.sleep(DRAIN_S)
                self._write(frames.take(), samples.take())
        finally:
            self._write(frames.take(), samples.take())
            frames.close()
            samples.close()

    def _write(self, frames: list[Frame], samples: list[Sampled]) -> None:
        if frames:
            self.store.traffic.add(frames)
        if samples:
            self.store.samples.add(samples)
            for sample in samples:
                if isinstance(sample, StateChange):
                    self.finder.noted(sample)
