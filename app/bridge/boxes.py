"""A JuiceBox as the outlet of a charge point."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from app.bridge.metering import Stays
from app.bridge.outlet import OutletState
from app.bridge.station import Kept
from app.errors import ValueRejected
from app.juicenet.peer import JuicePeer
from app.model.juicebox import LEAST_A, BoxReport

log = logging.getLogger(__name__)

KEY = "outlet"
"""Where the register and the stays lie in the charge point's memory."""

KEEP_EVERY = timedelta(minutes=15)
"""How often the register is kept while nothing else changes: the box's own counter makes up for what was not kept,
and a flash disk shall not be worn out [OURS]."""

Noted = Callable[[OutletState], object]


class BoxOutlet:
    """An ``Outlet`` over one box of the peer.

    Whoever owns it passes on the peer's reports of this box by ``heard``, and calls ``due`` now and then. Both take
    what is to be told of each change (the station's ``noted``): ``state`` is already that change then.
    """

    def __init__(self, peer: JuicePeer, box_id: str, kept: Kept, *, now: datetime) -> None:
        self.box_id = box_id
        self._peer = peer
        self._kept = kept
        self._stays = Stays(kept.memory.get(KEY))
        running = kept.sessions.running()
        if running is not None:
            self._stays.raise_to(running.last_wh)
        self._state = self._stays.state(now)
        self._wished_a = 0.0
        self._is_wished = False
        self._is_let_go = False
        self._ceiling_a = self.ceiling_a
        self._marks: tuple[object, ...] = ()
        self._told_notes = self.notes[-1:]
        self._kept_at: datetime | None = None

    @property
    def state(self) -> OutletState:
        """Return what is known now."""
        return self._state

    @property
    def ceiling_a(self) -> float:
        """Return the current above which nothing is ever sent; 0 where nobody adopted the box."""
        return float(self._peer.book.ceiling_a(self.box_id))

    @property
    def allowed_a(self) -> float:
        """Return what was allowed last, within the ceiling."""
        allowed_a = min(self._wished_a, self.ceiling_a)
        return allowed_a if allowed_a >= LEAST_A else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """Return oddities of the box's counters, the newest last."""
        return self._stays.notes

    def unmetered_wh(self, metered_wh: int) -> int:
        """Return the energy that flowed outside of all sessions since the bridge first heard the box.

        ``metered_wh``: what its ended sessions took (``StateStore.metered_wh``).
        """
        running = self._kept.sessions.running()
        open_wh = self._stays.register_wh - running.start_wh if running is not None else 0
        return max(0, self._stays.register_wh - self._stays.base_wh - metered_wh - open_wh)

    def allow(self, limit_a: float) -> None:
        """Allow a current from now on. A box nobody adopted is told nothing."""
        if limit_a != self._wished_a or not self._is_wished:
            self._keep_now()  # a session began or ended: no restart may find the register below what was told
        self._wished_a, self._is_wished = max(0.0, limit_a), True
        self._pass_on()

    def let_go(self) -> None:
        """Tell the box nothing from now on, whatever its station says."""
        self._is_let_go = True

    def heard(self, report: BoxReport, noted: Noted) -> None:
        """Take a report; tell what follows from it, in order: also stays that nobody saw."""
        if report.box_id != self.box_id:
            return
        states = self._stays.heard(report)
        self._keep(report)
        for state in states:
            self._tell(state, noted)
        self._follow()

    def due(self, now: datetime, noted: Noted) -> None:
        """Tell if the box has been silent for too long."""
        state = self._stays.due(now)
        if state is not None:
            self._tell(state, noted)
        self._follow()

    def _tell(self, state: OutletState, noted: Noted) -> None:
        self._state = state
        noted(state)

    def _follow(self) -> None:
        """Pass the wish on again where the ceiling changed, as when the box was adopted only now."""
        if self._is_wished and self.ceiling_a != self._ceiling_a:
            self._pass_on()

    def _pass_on(self) -> None:
        self._ceiling_a = self.ceiling_a
        if self._is_let_go:
            return
        with contextlib.suppress(ValueRejected):
            self._peer.allow(self.box_id, self.allowed_a)

    def _keep(self, report: BoxReport) -> None:
        """Keep the register and the stays before anybody tells of them, so that no restart finds them older."""
        now = self._stays.state(report.at)
        uncounted = None if report.lifetime_wh is not None else now.register_wh
        marks = (now.plug, now.is_plugged, now.is_charging, self.notes, uncounted)
        is_fresh = self._kept_at is not None and timedelta(0) <= report.at - self._kept_at < KEEP_EVERY
        if self.notes[-1:] != self._told_notes:
            self._told_notes = self.notes[-1:]
            log.warning("JuiceBox %s: %s. Its register goes on as it was.", self.box_id, self.notes[-1])
        if marks != self._marks or not is_fresh:
            self._marks, self._kept_at = marks, report.at
            self._keep_now()

    def _keep_now(self) -> None:
        self._kept.memory.put(KEY, self._stays.kept)
