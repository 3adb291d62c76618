"""The smallest workbench a job can stand on: real endpoint, real links, real drivers, one data folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import app.drivers
from app import resources
from app.driver.capability import Identifies
from app.driver.registry import Registry, load_drivers, load_profiles, reaches
from app.driver.session import Session
from app.errors import AppError, LoginWall, NotReachable, NotSupported
from app.feed import Feed
from app.jobs.context import Confirmation, Tap
from app.jobs.runner import JobDesk
from app.links.ble import Radio
from app.links.real import RealLinks
from app.model.address import Address, OcppAddress
from app.model.frame import Frame, ListenState
from app.model.job import Job
from app.model.profile import Timing
from app.model.reading import Sampled
from app.model.unit import Sighting, SourceKind, Unit, Way
from app.ocpp.host import Times
from app.ocpp.server import OcppServer
from app.rescue.desk import Patience, RescueDesk
from app.scope import Scope, Trouble
from app.storage.db import Store
from app.storage.vault import MemoryVault, Vault

QUICK = Timing(restart_s=0.3, redial_s=0.2, patience_s=4.0)
"""The patience of a test, in place of a real model's minutes."""


def quick_registry(timing: Timing = QUICK) -> Registry:
    profiles = [replace(profile, timing=timing) for profile in load_profiles(resources.texts("profiles", ".toml"))]
    return Registry(load_drivers(app.drivers), profiles)


@dataclass
class Units:
    """What a job needs of the finder."""

    units: dict[str, Unit] = field(default_factory=dict)

    def update(self, unit: Unit) -> None:
        self.units[unit.unit_id] = unit


class MiniBench:
    """Use as ``async with``; ``add`` makes a unit known; ``desk`` is there after entering."""

    def __init__(
        self,
        home: Path,
        *,
        vault: Vault | None = None,
        port: int = 0,
        timing: Timing = QUICK,
        tap: Tap | None = None,
        confirmation: Confirmation | None = None,
        radio: Radio | None = None,
    ) -> None:
        self.registry = quick_registry(timing)
        self.finder = Units()
        self.vault = vault or MemoryVault()
        self.frames: Feed[Frame] = Feed()
        self.samples: Feed[Sampled] = Feed()
        self.store = Store.open(home / "rehome.db", redact=self.vault.redact)
        self.troubles: list[Trouble] = []
        self.scope = Scope("bench", report=self.troubles.append)
        self.server = OcppServer(
            frames=self.frames,
            samples=self.samples,
            sighted=self._sighted,
            expected=lambda identity: self.vault.get(f"identity/{identity}"),
            first_seq=self.store.traffic.last_seq() + 1,
            times=Times(command_gate_s=0.5, trigger_boot_s=0.5, status_s=1.0, queue_s=2.0, key_s=1.0),
        )
        self.links = RealLinks(vault=self.vault, ocpp=self.server.endpoint, radio=radio)
        self._port = port
        self._tap, self._confirmation = tap, confirmation
        self._recorded = self.frames.subscribe(100_000)
        self.desk: JobDesk
        self.rescue = RescueDesk(store=self.store, vault=self.vault, folder=home, patience=Patience(0.2, 10.0))

    async def __aenter__(self) -> MiniBench:
        await self.scope.__aenter__()
        await self.server.__aenter__()
        self.scope.isolated("keep frames", self._keep_frames())
        self.desk = JobDesk(
            store=self.store,
            vault=self.vault,
            bench=self,
            scope=self.scope,
            tap=self._tap,
            confirmation=self._confirmation,
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await self.desk.close()
        await self.server.__aexit__(None, None, None)
        await self.scope.__aexit__(None, None, None)
        self.store.traffic.add(self._recorded.take())
        self._recorded.close()
        self.store.close()

    async def _keep_frames(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.store.traffic.add(self._recorded.take())

    async def listen_somewhere(self) -> ListenState:
        if not self.server.state.is_listening:
            await self.server.start("127.0.0.1", self._port)
        return self.server.state

    async def add(self, address: Address, unit_id: str = "u1") -> Unit:
        """Probe an address and make the unit known."""
        for driver in self.registry.drivers.values():
            profiles = [item for item in self.registry.profiles.values() if item.driver == driver.id]
            if isinstance(address, OcppAddress):  # a dial-in is no model's before it has said whose it is
                profiles.sort(key=lambda item: item.priority)
            for profile in (item for item in profiles if reaches(driver, item, address)):
                try:
                    found = await driver.probe(address, profile, self.links)
                except LoginWall:  # of another family: its own may log in
                    continue
                if found is not None:
                    source = SourceKind.DIAL_IN if isinstance(address, OcppAddress) else SourceKind.MANUAL
                    way = Way(driver_id=driver.id, address=address, source=source, seen_at=datetime.now(UTC))
                    unit = Unit(unit_id=unit_id, identity=found, ways=(way,), is_simulated=True)
                    self.finder.update(unit)
                    return unit
        raise NotReachable(f"nothing answers at {address}", "")

    @asynccontextmanager
    async def open(
        self, unit_id: str, *, capability: type | None = None, driver_id: str = ""
    ) -> AsyncIterator[Session]:
        unit, failure = self.finder.units[unit_id], None
        async with contextlib.AsyncExitStack() as stack:
            for way in unit.ways:
                if driver_id not in ("", way.driver_id):
                    continue
                profile = self._profile(unit, way.driver_id)
                session = self.registry.drivers[way.driver_id].open(way.address, profile, self.links)
                try:
                    await stack.enter_async_context(session)
                except AppError as error:
                    failure = error
                    continue
                if capability is None or session.has(capability):
                    yield session
                    return
            raise failure or NotSupported("no way offers this", "")

    def _profile(self, unit: Unit, driver_id: str):  # type: ignore[no-untyped-def]
        profile = self.registry.profiles.get(unit.identity.profile_id)
        if profile is not None and profile.driver == driver_id:
            return profile
        return self.registry.default_profile(driver_id, unit.identity)

    def _sighted(self, sighting: Sighting) -> None:
        """Forget nothing, learn nothing: tests add their units themselves."""

    async def done(self, job_id: str) -> Job:
        """Run a job until it stops."""
        self.desk.run(job_id)
        return await self.desk.finished(job_id)


def facts(jobs: Mapping[str, Job]) -> list[str]:
    """Describe jobs for a failing test's message."""
    return [
        f"{job.id} {job.state.value}: {job.note}\n"
        + "\n".join(
            f"  {step.kind.value:10} {step.state.value:12} {step.note}"
            + "".join(f"\n      [{proof.strength.value}] {proof.text} | {proof.detail}" for proof in step.proofs)
            for step in job.steps
        )
        for job in jobs.values()
    ]


__all__ = ["Identifies", "MiniBench", "facts", "quick_registry"]
