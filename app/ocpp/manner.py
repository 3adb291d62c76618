"""How our endpoint treats one identity: as usual, or as an experiment or an acceptance case asks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BOOT_INTERVAL_S = 300
"""Heartbeat interval we hand out (commissioning §4: 300 s default)."""


@dataclass(slots=True)
class Manner:
    """Our manners towards one identity; mutable, kept by the server across its connections. Times in seconds."""

    boot_status: str = "Accepted"
    """``Accepted``, ``Pending`` or ``Rejected`` (OCPP 1.6 §4.2, P2-201 B01 to B03)."""
    boot_interval_s: int = BOOT_INTERVAL_S
    clock_offset_s: float = 0.0
    """Added to every time we tell."""
    answer_delay_s: float = 0.0
    """How long each answer of ours is held back."""
    withheld: set[str] = field(default_factory=set)
    """Actions that are taken in and never answered; ``TransactionEvent/Ended`` names its events of one type."""
    ping_s: float | None = None
    """Our ping rhythm; ``None`` = the listener's, ``0`` = never."""
    refuses_upgrade: int = 0
    """HTTP status with which its next dial-ins are refused; ``0`` = let in."""
    subprotocol: str = ""
    """The subprotocol agreed if the unit offers it, whichever it lists first; empty = its first one."""
    speaks_early: bool = False
    """Send commands without waiting for its Boot (to reproduce failures 9)."""
    is_left_alone: bool = False
    """It is being tested: nobody else asks it anything by himself meanwhile."""

    def withholds(self, action: str, payload: Mapping[str, Any]) -> bool:
        """Say whether a request of the unit gets no answer."""
        return bool(self.withheld) and bool(self.withheld & {action, f"{action}/{payload.get('eventType')}"})

    @property
    def is_usual(self) -> bool:
        """Say whether nothing is special."""
        return self == Manner()


USUAL = Manner()
"""How a unit is treated of which nothing else was said. Never changed."""
