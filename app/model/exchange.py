"""What was sent from the console and what came back. Texts are masked: they may be shown and stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One command to one charger. ``request`` and ``answer`` are JSON texts of the payloads.

    ``trouble`` says why there is no answer; while both are empty and ``took_s`` is ``None`` it is waited for.
    """

    identity: str
    version: str
    action: str
    request: str
    sent_at: datetime
    answer: str = ""
    trouble: str = ""
    took_s: float | None = None
    is_send: bool = False
    """It went as a SEND of OCPP 2.1: no answer is due."""

    @property
    def is_waiting(self) -> bool:
        """Say whether the answer is still awaited."""
        return self.took_s is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Favourite:
    """A request kept for later, under a title of the technician's. ``request`` is masked JSON text."""

    title: str
    version: str
    action: str
    request: str
