"""The site file's word on a box, put on it once it was heard, and kept."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from app.bridge.session import Memory
from app.errors import AppError, ValueRejected
from app.juicenet import adoptions
from app.juicenet.peer import JuicePeer
from app.model.juicebox import Adoption
from app.service.site import BoxPlan

log = logging.getLogger(__name__)

KEY = "adoption"
"""Where the adoption is kept: after a restart the box holds what we had told it, and that is no limit of its own."""


def place_of(plan: BoxPlan) -> str:
    """Return under which name the store keeps a box's adoption: its own, as its charge point may be given another."""
    return f"box:{plan.box_id}"


class Adopter:
    """Adopts one box by its plan. ``trouble`` says why that can't be."""

    def __init__(self, plan: BoxPlan, peer: JuicePeer, memory: Memory) -> None:
        self.plan = plan
        self.trouble = ""
        self._peer = peer
        self._memory = memory

    @property
    def is_done(self) -> bool:
        """Say whether the box may be told anything."""
        return self._peer.book.ceiling_a(self.plan.box_id) > 0

    def take_up(self) -> bool:
        """Go on with the adoption of an earlier run, under the limits the plan has now; says whether there is one."""
        plan, kept = self.plan, adoptions.understood(self._memory.get(KEY) or "")
        if kept is None or kept.box_id != plan.box_id or (kept.is_revived and not plan.is_revived):
            return False
        self._peer.adopt(replace(kept, circuit_a=plan.circuit_a, lifts_known=plan.lifts_known), is_kept=True)
        return True

    def adopt(self, at: datetime) -> bool:
        """Put the plan's word on the box; says whether that was done."""
        adoption = self.propose(at)
        return adoption is not None and self.take(adoption)

    def propose(self, at: datetime) -> Adoption | None:
        """Keep the plan's word on the box for the store's next flush; nothing is adopted yet."""
        plan = self.plan
        try:
            adoption = self._peer.book.proposal(
                plan.box_id, plan.circuit_a, at=at, is_revived=plan.is_revived, lifts_known=plan.lifts_known
            )
        except ValueRejected as error:
            self.refused(error)
            return None
        self._memory.put(KEY, adoptions.worded(adoption))
        return adoption

    def take(self, adoption: Adoption) -> bool:
        """Adopt the box; says whether that was done. From now on it may be told something."""
        try:
            self._peer.adopt(adoption)
        except ValueRejected as error:
            self.refused(error)
            return False
        self.trouble = ""
        return True

    def refused(self, error: AppError) -> None:
        """Say, once, why the box is not adopted."""
        if self.trouble != error.message:
            log.warning("%s: %s %s", self.plan.identity, error.message, error.advice)
        self.trouble = error.message
