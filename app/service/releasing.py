"""Let all boxes of a site charge freely again, before their bridge is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from app.bridge.keeping import StateStore
from app.errors import StoreError
from app.juicenet.peer import JuicePeer
from app.service.adopting import Adopter, place_of
from app.service.site import SitePlan

LIMIT_S = 180.0
"""How long boxes have to report: they do so every 30 s, idle, and a rise waits 60 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What became of it: which boxes were told their ceilings (in A), and which not, and why."""

    told: dict[str, float]
    left: dict[str, str]
    waiting: dict[str, int]
    """Messages that no backend has got yet, by identity."""


async def release(
    plan: SitePlan,
    *,
    limit_s: float = LIMIT_S,
    peer: JuicePeer | None = None,
    told: Callable[[str, float], None] = lambda _box_id, _limit_a: None,
) -> Released:
    """Tell each box its ceiling and nothing more. The bridge itself must be stopped.

    Raises StoreError (it runs), PortInUse, ServerError.
    """
    try:
        store = StateStore.open(plan.folder / "bridge.db")
    except StoreError as error:
        raise StoreError(error.message, "Stop the bridge first, then release the boxes.") from error
    try:
        async with peer if peer is not None else JuicePeer(plan.address, plan.juicenet_ports) as listening:
            work = _Release(plan, store, listening, told)
            try:
                async with asyncio.timeout(limit_s):
                    await work.run()
            except TimeoutError:
                pass
            for box in plan.boxes:
                listening.withdraw(box.box_id)
            return Released(told=work.told, left=work.left, waiting=dict(store.waiting))
    finally:
        await store.close()


class _Release:
    def __init__(self, plan: SitePlan, store: StateStore, peer: JuicePeer, told: Callable[[str, float], None]) -> None:
        self.told: dict[str, float] = {}
        self._plan = plan
        self._peer = peer
        self._tell = told
        self._adopters = {box.box_id: Adopter(box, peer, store.memory(place_of(box))) for box in plan.boxes}

    @property
    def left(self) -> dict[str, str]:
        """Return who was not told, and why."""
        return {box_id: self._why(box_id) for box_id in self._adopters if box_id not in self.told}

    def _why(self, box_id: str) -> str:
        if self._peer.book.state(box_id) is None:
            return "it was not heard"
        return self._adopters[box_id].trouble or "it has not taken it yet"

    async def run(self) -> None:
        """Go on until each box holds its ceiling."""
        with self._peer.states.subscribe(20_000) as states:
            for box_id, adopter in self._adopters.items():
                if adopter.take_up():
                    self._allow(box_id)
            while len(self.told) < len(self._adopters):
                state = await anext(states)
                if state.box_id in self._adopters and state.box_id not in self.told:
                    self._heard(state.box_id)

    def _heard(self, box_id: str) -> None:
        adopter = self._adopters[box_id]
        if adopter.is_done or adopter.adopt(datetime.now(UTC)):
            self._allow(box_id)
            self._look(box_id)

    def _allow(self, box_id: str) -> None:
        ceiling_a = self._peer.book.ceiling_a(box_id)
        self._peer.book.allow(box_id, ceiling_a, datetime.now(UTC))

    def _look(self, box_id: str) -> None:
        state, ceiling_a = self._peer.book.state(box_id), float(self._peer.book.ceiling_a(box_id))
        if state is not None and ceiling_a and state.allowed_a == ceiling_a:
            self.told[box_id] = ceiling_a
            self._tell(box_id, ceiling_a)
