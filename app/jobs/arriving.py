"""Save what arrives: the whole configuration of a unit that landed by its old backend's name, once, before anything.

::

    landed ──► known to the finder ──► read gently, as its driver has learnt to ──► stored, read back, equal
                   └── within TRIES landings
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from app.driver.capability import ReadsSettings
from app.driver.session import Session
from app.errors import AppError
from app.feed import Feed
from app.jobs import backups
from app.jobs.runner import JobDesk
from app.model.address import OcppAddress
from app.model.frame import ListenState
from app.model.garage import Landing, Saved
from app.model.setting import Snapshot
from app.model.unit import Unit, UnitChange
from app.ocpp.events import Heard
from app.ocpp.server import OcppServer
from app.scope import Scope, Trouble
from app.storage.db import Store
from app.storage.vault import Vault

TRIES = 3
"""Times one identity is tried in a program run: a unit that chokes on the question must not be asked at each redial."""
AT_ONCE = 4
"""Units read at the same time: after a power cut a whole garage lands together."""
KNOWN_S = 60.0
"""How long the finder may take to know who landed (it waits for the BootNotification)."""
READ_S = 600.0
"""How long one unit may be read: key by key, at a second each, several hundred keys take that long."""
REMEMBERED = 2000


class Units(Protocol):
    """The part of the finder that is needed."""

    changes: Feed[UnitChange]

    @property
    def units(self) -> Mapping[str, Unit]:
        """Return all units by id."""
        ...


class Bench(Protocol):
    """The workbench, seen from here."""

    @property
    def finder(self) -> Units:
        """Return who knows the units."""
        ...

    @property
    def server(self) -> OcppServer:
        """Return our endpoint."""
        ...

    def open(
        self, unit_id: str, *, capability: type | None = None, driver_id: str = ""
    ) -> AbstractAsyncContextManager[Session]:
        """Open a session that offers a capability; raises LinkError, NotSupported."""
        ...

    async def listen_somewhere(self) -> ListenState:
        """Make sure that the endpoint listens; raises ServerError."""
        ...


def backup_name(unit_id: str) -> str:
    """Return the name of the backup that is taken when a unit lands."""
    return f"landed/{unit_id}"


class ArrivalSaver:
    """Saves units that land while it is switched on. It writes nothing to them."""

    def __init__(
        self,
        *,
        bench: Bench,
        landed: Feed[Landing],
        store: Store,
        vault: Vault,
        jobs: JobDesk,
        now: Callable[[], datetime],
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.saved: Feed[Saved] = Feed()
        self._bench = bench
        self._landed = landed
        self._store = store
        self._vault = vault
        self._jobs = jobs
        self._now = now
        self._is_on = False
        self._scope = Scope("arrivals", report=report)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._busy: set[str] = set()
        self._is_idle = asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Say whether what lands is saved."""
        return self._is_on

    def switch(self, *, is_on: bool) -> None:
        """Save what lands from now on, and who is here already; or no more."""
        self._is_on = is_on
        if is_on:
            self._tries.clear()
            endpoints = tuple(self._bench.server.endpoints.values())
            self._take_up([item.identity for item in endpoints if item.handshake.old_host is not None])

    def backup(self, unit_id: str) -> Snapshot | None:
        """Return what was saved of a unit when it landed (secrets masked). Raises DamagedFile, StoreError."""
        return self._store.backups.load(backup_name(unit_id))

    async def follow(self) -> None:
        """Save who lands, until cancelled."""
        with self._landed.subscribe() as landings:
            async for landing in landings:
                if self._is_on and not landing.refusal:
                    self._take_up([landing.identity])

    async def idle(self) -> None:
        """Wait until nobody is being saved."""
        while self._busy:
            await self._is_idle.wait()

    async def close(self) -> None:
        """Stop. Idempotent."""
        await self._scope.close()

    def _take_up(self, identities: Sequence[str]) -> None:
        for identity in identities:
            tried = self._tries.get(identity, 0)
            if identity and identity not in self._busy and tried < TRIES:
                self._tries[identity] = tried + 1
                self._tries.move_to_end(identity)
                if len(self._tries) > REMEMBERED:
                    self._tries.popitem(last=False)
                self._busy.add(identity)
                self._is_idle.clear()
                self._scope.isolated(f"save {identity[:40]}", self._save(identity))

    async def _save(self, identity: str) -> None:
        unit_id = ""
        try:
            async with self._turns, asyncio.timeout(KNOWN_S + READ_S):
                async with asyncio.timeout(KNOWN_S):
                    unit = await self._known(identity)
                unit_id = unit.unit_id
                if self.backup(unit_id) is None and not self._has_job(unit_id):
                    await self._read(identity, unit_id)
        except TimeoutError:
            self._fail(
                identity, unit_id, "It took too long to tell its settings.", "It is tried again when it redials."
            )
        except AppError as error:
            self._fail(identity, unit_id, error.message, error.advice)
        finally:
            self._busy.discard(identity)
            if not self._busy:
                self._is_idle.set()

    async def _known(self, identity: str) -> Unit:
        """Wait until who dials in under an identity has said its first word, and the finder knows it."""
        finder, endpoint = self._bench.finder, self._bench.server.endpoint(identity)
        if endpoint is not None and not endpoint.heard_actions:
            await endpoint.wait_for(Heard, timeout_s=KNOWN_S)
        with finder.changes.subscribe() as changes:
            while True:
                unit = next((item for item in finder.units.values() if _dials_as(item, identity)), None)
                if unit is not None:
                    return unit
                await anext(changes)

    async def _read(self, identity: str, unit_id: str) -> None:
        async with self._bench.open(unit_id, capability=ReadsSettings) as session:
            if not isinstance(session.address, OcppAddress):
                return  # it has a way of its own, and needs no saving from here
            snapshot, _ = await backups.take(backup_name(unit_id), session, self._store, self._vault)
        self.saved.publish(Saved(at=self._now(), identity=identity, unit_id=unit_id, settings=len(snapshot.settings)))

    def _fail(self, identity: str, unit_id: str, trouble: str, advice: str) -> None:
        self.saved.publish(Saved(at=self._now(), identity=identity, unit_id=unit_id, trouble=trouble, advice=advice))

    def _has_job(self, unit_id: str) -> bool:
        return any(self._jobs.job(job_id).unit_id == unit_id for job_id in self._jobs.running)


def _dials_as(unit: Unit, identity: str) -> bool:
    return any(way.is_present and way.address == OcppAddress(identity=identity) for way in unit.ways)
