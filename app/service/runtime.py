"""A running bridge: everything a site's plan names, made and ended in order."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from app.bridge.clockwork import Clockwork, utc_now
from app.bridge.corrections import BOOT
from app.bridge.keeping import StateStore
from app.bridge.relay_desk import RelayDesk
from app.bridge.relay_order import RelayOrder
from app.bridge.target import Target
from app.bridge.uplink import RHYTHM, Rhythm
from app.feed import Feed
from app.juicenet.peer import JuicePeer
from app.model.bridge import BridgeStatus
from app.model.frame import Direction, Frame
from app.ocpp.frame import head
from app.scope import Scope, Trouble
from app.service.boxunit import BoxUnit
from app.service.recorder import Recorder
from app.service.site import RelayPlan, SitePlan

log = logging.getLogger(__name__)

ROUND = timedelta(seconds=1)
"""How often silent boxes are looked for, and the bridge shows that it lives."""
QUEUE = 20_000
"""Reports that may wait for their units."""
SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}


class Runtime:
    """A bridge that runs. Use as ``async with``; leaving ends it in order, within seconds, and loses nothing.

    ``peer`` is one that listens already (the window's own); otherwise it makes and ends one.
    """

    def __init__(
        self,
        plan: SitePlan,
        *,
        peer: JuicePeer | None = None,
        rhythm: Rhythm = RHYTHM,
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
        trouble = [*self._troubles.values(), self.recorder.trouble]
        if self.store.trouble is not None:
            trouble.insert(0, self.store.trouble.message)
        return BridgeStatus(
            site=self.plan.name,
            started_at=self.started_at,
            units=boxes + self.relays.statuses,
            knocking=self.relays.knocking,
            trouble=" ".join(text for text in trouble if text),
        )

    # Life

    async def _open(self, stack: AsyncExitStack) -> None:
        plan = self.plan
        plan.folder.mkdir(parents=True, exist_ok=True)
        self.store = StateStore.open(plan.folder / "bridge.db")
        stack.push_async_callback(self.store.close)
        self.recorder = Recorder(plan.folder / "records", self.frames, site=plan.name, keep_days=plan.keep_days)
        self.relays = RelayDesk(
            memory=self.store.memory,
            heard=self.frames.publish,
            next_seq=lambda: next(self._seqs),
            report=self._failed,
        )
        await stack.enter_async_context(self._scope)
        self._scope.required("state", self.store.run())
        self._scope.isolated("record", self.recorder.run())
        self._scope.required("clock", self._clockwork.run())
        if plan.boxes:
            await self._open_boxes(stack)
        if plan.relays:
            self.relays.adopt([self._order(relay) for relay in plan.relays])
            await self.relays.open(plan.address, plan.relay_port)
            stack.push_async_callback(self.relays.close)
        self._round(self._now())

    async def _open_boxes(self, stack: AsyncExitStack) -> None:
        if self._own_peer:
            await self.peer.start()
            stack.push_async_callback(self.peer.stop)
        backends = {backend.name: backend for backend in self.plan.backends}
        for box in self.plan.boxes:
            unit = BoxUnit(
                box,
                backends[box.backend],
                peer=self.peer,
                store=self.store,
                clockwork=self._clockwork,
                heard=self._heard,
                rhythm=self._rhythm,
            )
            self.units[box.box_id] = unit
            unit.start(self._scope)
            stack.push_async_callback(unit.stop)
        self._scope.required("reports", self._pass_on())

    async def _pass_on(self) -> None:
        with self.peer.reports.subscribe(QUEUE) as reports:
            async for report in reports:
                unit = self.units.get(report.box_id)
                if unit is not None:
                    unit.heard(report)

    def _round(self, now: datetime) -> None:
        self.beat = now
        for unit in self.units.values():
            unit.due(now)
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

    def _order(self, plan: RelayPlan) -> RelayOrder:
        backend = next(one for one in self.plan.backends if one.name == plan.backend)
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


async def serve(runtime: Runtime) -> None:
    """Run until cancelled."""
    async with runtime:
        await asyncio.Event().wait()
