"""One live JuiceBox, as a driver sees it."""

from __future__ import annotations

from typing import Protocol

from app.errors import LinkLost
from app.feed import Feed
from app.model.juicebox import Adoption, BoxReport, BoxState


class Keeper(Protocol):
    """Who keeps the boxes: the desk, or a peer with its book."""

    reports: Feed[BoxReport]
    states: Feed[BoxState]
    labels: dict[str, float]
    """Ratings that people read from type labels, in A, by serial."""

    def box_state(self, box_id: str) -> BoxState | None:
        """Return how a box stands; ``None`` where it was not heard."""
        ...

    def ceiling_a(self, box_id: str) -> int:
        """Return the limit above which it is never told anything, in A."""
        ...

    def is_locked(self, box_id: str) -> bool:
        """Say whether it was found at 0 A."""
        ...

    def propose(
        self,
        box_id: str,
        circuit_a: float | None,
        *,
        rating_a: float | None = None,
        is_revived: bool = False,
        lifts_known: bool = False,
    ) -> Adoption:
        """Make an adoption; raises ValueRejected."""
        ...

    def adopt(self, adoption: Adoption) -> None:
        """Adopt; raises ValueRejected, StoreError."""
        ...

    def withdraw(self, box_id: str) -> None:
        """Send it nothing more; raises StoreError."""
        ...

    def allow(self, box_id: str, amps: float) -> BoxState | None:
        """Allow a current, in A; raises ValueRejected, StoreError."""
        ...


class Box:
    """A serial and who keeps it."""

    def __init__(self, keeper: Keeper, box_id: str) -> None:
        self.keeper = keeper
        self.box_id = box_id

    @property
    def state(self) -> BoxState:
        """Return how it stands; raises LinkLost where it is not heard any more."""
        state = self.keeper.box_state(self.box_id)
        if state is None:
            raise LinkLost(f"JuiceBox {self.box_id} does not send to us.", "Check that it has power and Wi-Fi.")
        return state
