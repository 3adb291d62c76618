"""What is to be relayed: one OCPP unit and the backend it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.bridge.target import Target
from app.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOrder:
    """One unit. ``target`` is its place at the backend, ``unit_identity`` what it says of itself when it dials.

    A ``unit_identity`` may also be the unit's IP address, for one that says no name at all. Without ``unit_secret``
    whoever says the identity on the site's network is let in.
    """

    unit_identity: str
    target: Target
    backend: str = ""
    """The backend's name in the site file."""
    unit_secret: Secret = field(default_factory=lambda: Secret(""))
    vendor: str = ""
    """For a BootNotification of a unit that never sent one: with ``model``."""
    model: str = ""
    watches_only: bool = False
    """Pass everything on as it is, both ways; add, hold and ask nothing."""
    without: frozenset[str] = frozenset()
    """Codes of corrections that are forbidden."""

    def allows(self, code: str) -> bool:
        """Say whether a correction may be made."""
        return not self.watches_only and code not in self.without
