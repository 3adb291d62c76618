"""How patient an endpoint is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds."""

    command_gate_s: float = 30.0
    """No command goes out before Boot is accepted, or this long (failures 9: Wallbox, EN+ loop otherwise)."""
    trigger_boot_s: float | None = 30.0
    """A unit that sent no Boot by then is asked for one; ``None`` = never (failures 29)."""
    status_s: float = 30.0
    """A unit that sent no status this long after Boot gets a finding (failures 31, evcc)."""
    queue_s: float = 120.0
    """Longest wait of a command for its turn [OURS]."""
    key_s: float = 10.0
    """Longest wait for the answer to a batch of configuration keys [OURS]."""
