"""A running bridge: everything a site's plan names, made and ended in order."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.corrections import BOOT
from app.bridge.keeping import StateStore
from app.bridge.relay_desk import RelayDesk
from app.bridge.relay_order import RelayOrder
from app.bridge.target import Target
from app.bridge.uplink import RHYTHM, Rhythm
from app.errors import AppError, SiteError
from app.feed import Feed
from app.juicenet.peer import JuicePeer
from app.model.bridge import BridgeStatus
from app.model.frame import Direction, Frame
from app.model.juicebox import BoxReport
from app.ocpp.frame import head
from app.scope import Scope, Trouble
from app.service.boxunit import BoxUnit
from app.service.recorder import Recorder
from app.service.site import BackendPlan, BoxPlan, RelayPlan, SitePlan, UnitPlan
from app.storage.vault import MemoryVault
from app.trust.desk import TrustDesk

if TYPE_CHECKING:
    from app.trust.wardrobe import Wardrobe

log = logging.getLogger(__name__)

ROUND = timedelta(seconds=1)
"""How often silent boxes are looked for, and the bridge shows that it lives."""
QUEUE = 20_000
"""Reports that may wait for their units."""
LEAVING = "everything to be told to its backend; then its line ends: it was taken out of the plan"
FIXED = {
    "folder": "the state folder",
    "address": "the address",
    "juicenet_ports": "the JuiceNet ports",
    "relay_port": "the relay port",
    "status_host": "the status page's address",
    "status_port": "the status page's port",
    "standin": "what stands in",
    "keep_days": "how long recordings are kept",
}
"""What a reload can't change, in words."""
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}


class Runtime:
    """A bridge that runs. Use as ``async with``; leaving ends it in order, within seconds, and loses nothing.

    ``peer`` is one that listens already (the window's own); otherwise it makes and ends one. ``adopts``: the plan is
    a person's word on the boxes; otherwise it was given elsewhere, and boxes without one are told nothing.
    ``wardrobe``: the faces for units that dial with TLS; otherwise of an authority of its own in ``plan.folder``.
    """

    def __init__(
        self,
        plan: SitePlan,
        *,
        peer: JuicePeer | None = None,
        rhythm: Rhythm = RHYTHM,
        adopts: bool = True,
        wardrobe: Callable[[], Wardrobe] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.plan = plan
        self.frames: Feed[Frame] = Feed()
        self.started_at = now()
        self.beat = self.started_at
        self.units: dict[str, BoxUnit] = {}
        """By the box's serial."""
        self._now = now
        self._rhythm = rhythm
        self._adopts = adopts
        self._leaving: list[BoxUnit] = []
        """Taken out of the plan, with messages that wait for their backend."""
        self._has_boxes = False
        self._wardrobe = wardrobe or TrustDesk(MemoryVault(), plan.folder / "trust", lambda: (plan.address,)).wardrobe
        self._own_peer = peer is None
        self.peer = peer if peer is not None else JuicePeer(plan.address, plan.juicenet_ports)
        self._clockwork = Clockwork(now)
        self._scope = Scope("bridge", report=self._failed)
        self._stack = AsyncExitStack()
        self._seqs = itertools.count(1)
        self._troubles: dict[str, str] = {}
        self.store: StateStore
        self.relays: RelayDesk
        self.recorder: Recorder

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def status(self) -> BridgeStatus:
        """Return how everything stands."""
        boxes = tuple(unit.status for unit in self.units.values())
        leaving = tuple(replace(unit.status, awaits=LEAVING) for unit in self._leaving)
        trouble = [*self._troubles.values(), self.recorder.trouble]
        if self.store.trouble is not None:
            trouble.insert(0, self.store.trouble.message)
        return BridgeStatus(
            site=self.plan.name,
            started_at=self.started_at,
            units=boxes + leaving + self.relays.statuses,
            knocking=self.relays.knocking,
            trouble=" ".join(text for text in trouble if text),
        )

    def concern(self, name: str, text: str) -> bool:
        """Show something of the whole bridge that is wrong, or with an empty text no more; says whether that is new."""
        is_new = self._troubles.get(name, "") != text
        if text:
            self._troubles[name] = text
        else:
            self._troubles.pop(name, None)
        return is_new

    # Life

    async def _open(self, stack: AsyncExitStack) -> None:
        plan = self.plan
        plan.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = StateStore.open(plan.folder / "bridge.db")
        stack.push_async_callback(self.store.close)
        self.recorder = Recorder(plan.folder / "records", self.frames, site=plan.name, keep_days=plan.keep_days)
        self.relays = RelayDesk(
            memory=self.store.memory,
            heard=self.frames.publish,
            next_seq=lambda: next(self._seqs),
            wardrobe=self._wardrobe,
            report=self._failed,
        )
        await stack.enter_async_context(self._scope)
        self._scope.required("state", self.store.run())
        self._scope.isolated("record", self.recorder.run())
        self._scope.required("clock", self._clockwork.run())
        stack.push_async_callback(self.relays.close)
        stack.push_async_callback(self._stop_boxes)
        await self._open_doors(plan)
        for box in plan.boxes:
            self._begin(box, plan)
        self.relays.adopt([self._order(relay, plan) for relay in plan.relays])
        self._round(self._now())

    async def _open_doors(self, plan: SitePlan) -> None:
        """Listen for what the plan has: boxes, relays, or both."""
        if plan.boxes and not self._has_boxes:
            if self._own_peer:
                await self.peer.start()
            self._scope.required("reports", self._pass_on())
            self._has_boxes = True
        if plan.relays and not self.relays.port:
            await self.relays.open(plan.address, plan.relay_port)

    def _begin(self, box: BoxPlan, plan: SitePlan) -> None:
        unit = self.units[box.box_id] = BoxUnit(
            box,
            _backend(box, plan),
            peer=self.peer,
            store=self.store,
            clockwork=self._clockwork,
            heard=self._heard,
            rhythm=self._rhythm,
            adopts=self._adopts,
        )
        unit.start(self._scope)

    async def _stop_boxes(self) -> None:
        await asyncio.gather(*(unit.stop() for unit in (*self.units.values(), *self._leaving)))
        if self._own_peer and self._has_boxes:
            await self.peer.stop()

    # Another plan

    async def reload(self, plan: SitePlan) -> None:
        """Change what differs. An unchanged unit keeps its line; a changed one hangs up at a safe point and goes on.

        A box that was taken out is told nothing more; what its backend was not told yet is delivered first. Raises
        SiteError for what can't change while it runs, PortInUse, ServerError; then all goes on as it was.
        """
        fixed = [text for name, text in FIXED.items() if getattr(plan, name) != getattr(self.plan, name)]
        if fixed:
            raise SiteError(
                f"Changed, and can't be while the bridge runs: {', '.join(fixed)}.",
                "Stop the bridge and start it again; what runs goes on as it was.",
                problems=tuple(fixed),
            )
        await self._open_doors(plan)
        self.plan = plan
        wanted = {box.box_id: box for box in plan.boxes}
        for box_id in [box_id for box_id in self.units if box_id not in wanted]:
            self._take_out(box_id)
        for box in plan.boxes:
            await self._change(box)
        self.relays.adopt([self._order(relay, plan) for relay in plan.relays])

    def _take_out(self, box_id: str) -> None:
        unit = self.units.pop(box_id)
        unit.forgo()
        unit.outlet.let_go()
        if self._own_peer:
            self.peer.withdraw(box_id)
        self._leaving.append(unit)
        log.info("%s is no longer bridged", unit.plan.identity)

    async def _change(self, box: BoxPlan) -> None:
        unit = self.units.get(box.box_id)
        if unit is not None and (unit.plan, unit.backend) == (box, _backend(box, self.plan)):
            return
        if unit is not None and unit.plan.identity != box.identity:
            self._take_out(box.box_id)
        elif unit is not None:
            await unit.leave()
            if self._adopts:
                self.peer.withdraw(box.box_id)
        for old in [old for old in self._leaving if old.plan.identity == box.identity]:
            await old.leave()
            self._leaving.remove(old)
        self._begin(box, self.plan)

    def _let_go(self) -> None:
        """End the lines of boxes that were taken out, once their backends know everything."""
        for unit in [unit for unit in self._leaving if not unit.is_owed]:
            self._leaving.remove(unit)
            self._scope.isolated(f"end {unit.plan.identity}", unit.leave())

    async def _pass_on(self) -> None:
        with self.peer.reports.subscribe(QUEUE) as reports:
            async for report in reports:
                unit = self.units.get(report.box_id)
                if unit is not None:
                    self._tell(unit, report)

    def _tell(self, unit: BoxUnit, report: BoxReport) -> None:
        """Hand a report on; what fails at one unit stops no other."""
        try:
            unit.heard(report)
        except AppError as error:
            if self.concern(unit.plan.identity, f"{unit.plan.identity}: {error.message}"):
                log.error("%s: %s %s", unit.plan.identity, error.message, error.advice)
        else:
            self.concern(unit.plan.identity, "")

    def _round(self, now: datetime) -> None:
        self.beat = now
        for unit in self.units.values():
            unit.due(now)
        self._let_go()
        self._clockwork.alarm(self._round).set(now + ROUND)

    # Inside

    def _heard(self, identity: str, direction: Direction, text: str) -> None:
        """Record a text of a line; directions are those of a charge point's frames elsewhere: ``IN`` is its word."""
        if not self.frames.is_heard:
            return
        kind, uid, action = head(text)
        side = Direction.IN if direction is Direction.OUT else Direction.OUT
        self.frames.publish(
            Frame(
                seq=next(self._seqs),
                at=datetime.now(UTC),
                identity=identity,
                connection=1,
                direction=side,
                text=text,
                kind=kind,
                uid=uid,
                action=action,
            )
        )

    def _order(self, plan: RelayPlan, site: SitePlan) -> RelayOrder:
        backend = _backend(plan, site)
        return RelayOrder(
            unit_identity=plan.unit_identity,
            target=Target(
                url=backend.url,
                identity=plan.identity,
                subprotocol=SUBPROTOCOLS[backend.version],
                security_profile=backend.security_profile,
                secret=plan.secret,
                is_hex=plan.is_hex,
                roots=backend.roots,
                chain=plan.chain,
                key=plan.key,
            ),
            backend=backend.name,
            unit_secret=plan.unit_secret,
            vendor=plan.vendor,
            model=plan.model,
            watches_only=plan.watches_only,
            without=frozenset(plan.without) | (frozenset() if plan.adds_boot else {BOOT}),
        )

    def _failed(self, trouble: Trouble) -> None:
        log.error("%s failed", trouble.name, exc_info=trouble.error)
        self._troubles[trouble.name] = f"{trouble.name} failed: {trouble.error}."


def _backend(unit: UnitPlan, plan: SitePlan) -> BackendPlan:
    return next(backend for backend in plan.backends if backend.name == unit.backend)


async def serve(runtime: Runtime) -> None:
    """Run until cancelled."""
    async with runtime:
        await asyncio.Event().wait()
