"""One JuiceBox of a site as a charge point: its outlet, its station, its line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from app.bridge.boxes import BoxOutlet
from app.bridge.clockwork import Clockwork
from app.bridge.keeping import StateStore
from app.bridge.station import Equipment, Kept, Start, Station
from app.bridge.station16 import Station16
from app.bridge.station201 import Station201
from app.bridge.target import Target
from app.bridge.uplink import RHYTHM, Rhythm, Uplink
from app.errors import StoreError
from app.juicenet.peer import JuicePeer
from app.model.bridge import LineState, UnitStatus
from app.model.frame import Direction
from app.model.juicebox import Adoption, BoxReport
from app.scope import Scope
from app.service.adopting import Adopter, place_of
from app.service.site import BackendPlan, BoxPlan

VENDOR = "Enel X JuiceBox"
STATIONS: dict[str, type[Station16] | type[Station201]] = {"1.6": Station16, "2.0.1": Station201}

SAFE_S = 5.0
"""How long a line may take to come to a safe point [OURS]."""
LOOK_S = 0.02

_CONNECTED = (LineState.ONLINE, LineState.PENDING)

Heard = Callable[[str, Direction, str], None]
"""Takes identity, direction and text of everything on a line."""


class BoxUnit:
    """A box that is bridged. ``start`` and ``stop`` hold its line; the peer's reports come by ``heard``."""

    def __init__(
        self,
        plan: BoxPlan,
        backend: BackendPlan,
        *,
        peer: JuicePeer,
        store: StateStore,
        clockwork: Clockwork,
        heard: Heard,
        local_address: str = "",
        rhythm: Rhythm = RHYTHM,
        adopts: bool = True,
    ) -> None:
        self.plan = plan
        self.backend = backend
        self._store = store
        name = plan.identity
        kept = Kept(outbox=store.outbox(name), sessions=store.sessions(name), memory=store.memory(name))
        self.outlet = BoxOutlet(peer, plan.box_id, kept, now=clockwork.now())
        self.station: Station = STATIONS[backend.version](
            _equipment(plan, peer),
            self.outlet,
            kept,
            now=clockwork.now(),
            security_profile=int(backend.security_profile),
        )
        self.uplink = Uplink(
            _target(plan, backend, self.station.subprotocol),
            self.station,
            clockwork,
            flush=store.flush,
            heard=lambda direction, text: heard(name, direction, text),
            delivered=lambda: store.delivered(name),
            local_address=local_address,
            rhythm=rhythm,
        )
        self._line: asyncio.Task[None] | None = None
        self._scope: Scope | None = None
        self._adopting: asyncio.Task[None] | None = None
        self._kept = kept
        self._adopts = adopts
        self._adopter = Adopter(plan, peer, store.memory(place_of(plan)))
        if self._adopter.take_up() if adopts else self._adopter.is_done:
            self._say_nobody()

    @property
    def status(self) -> UnitStatus:
        """Return how it stands; what the box itself lacks comes before what the line lacks."""
        status = self.uplink.status
        unmetered_wh = self.outlet.unmetered_wh(self._store.metered_wh(self.plan.identity))
        unmetered_wh += self.station.untold.wh
        trouble = self._adopter.trouble or status.trouble or self.station.untold.words
        return replace(status, unit=self.plan.box_id, trouble=trouble, unmetered_wh=unmetered_wh)

    def start(self, scope: Scope) -> None:
        """Begin to hold the line."""
        self._scope = scope
        self._line = scope.isolated(f"uplink {self.plan.identity}", self.uplink.run())

    async def stop(self) -> None:
        """Hang up. What runs and what waits stays on disk."""
        self.forgo()
        line, self._line = self._line, None
        if line is not None:
            line.cancel()
            await asyncio.wait([line])

    def forgo(self) -> None:
        """Adopt its box no more."""
        if self._adopting is not None:
            self._adopting.cancel()
        self._scope = None

    async def leave(self) -> None:
        """Hang up at a safe point: what was said is answered first, if that comes soon."""
        self.forgo()
        if self._line is not None and self.uplink.line is not LineState.OFF:
            self.uplink.restart("the bridge's plan was changed")
            with suppress(TimeoutError):
                async with asyncio.timeout(SAFE_S):
                    while self.uplink.line in _CONNECTED:  # noqa: ASYNC110 - a line tells nobody of its end
                        await asyncio.sleep(LOOK_S)
        await self.stop()

    @property
    def is_owed(self) -> bool:
        """Say whether the backend has not been told everything yet."""
        return self._kept.outbox.head() is not None or self._kept.sessions.running() is not None

    def heard(self, report: BoxReport) -> None:
        """Take a report of its box."""
        if not self._adopter.is_done:
            self._adopt()
        self.outlet.heard(report, self.uplink.noted)

    def due(self, now: datetime) -> None:
        """Do what time asks."""
        self.outlet.due(now, self.uplink.noted)

    def _adopt(self) -> None:
        if not self._adopts:
            self._adopter.trouble = f"JuiceBox {self.plan.box_id} is not adopted: nothing is sent to it."
        elif self._scope is not None and (self._adopting is None or self._adopting.done()):
            adoption = self._adopter.propose(self.station.started_at)
            if adoption is not None:
                self._adopting = self._scope.isolated(f"adopt {self.plan.identity}", self._adopt_kept(adoption))

    async def _adopt_kept(self, adoption: Adoption) -> None:
        """Adopt the box once that is on disk: nobody could tell our own 0 A from its former backend's otherwise."""
        try:
            await self._store.flush()
        except StoreError as error:
            self._adopter.refused(error)
        else:
            if self._adopter.take(adoption):
                self._say_nobody()

    def _say_nobody(self) -> None:
        """Tell the box that nobody is let in yet; in a session, or where all may charge, the station does."""
        if self.plan.start is not Start.FREE and self._kept.sessions.running() is None:
            self.outlet.allow(self.outlet.allowed_a)


def _equipment(plan: BoxPlan, peer: JuicePeer) -> Equipment:
    state = peer.book.state(plan.box_id)
    software = state.software if state is not None else ""
    return Equipment(
        identity=plan.identity,
        vendor=VENDOR,
        model=software.removeprefix("EMWERK-").partition("-")[0] or "JuiceBox",
        serial=plan.box_id,
        firmware=software,
        start=plan.start,
        id_tag=plan.id_tag,
    )


def _target(plan: BoxPlan, backend: BackendPlan, subprotocol: str) -> Target:
    return Target(
        url=backend.url,
        identity=plan.identity,
        subprotocol=subprotocol,
        security_profile=backend.security_profile,
        secret=plan.secret,
        is_hex=plan.is_hex,
        roots=backend.roots,
        chain=plan.chain,
        key=plan.key,
    )
