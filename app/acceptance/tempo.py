"""How long a second of a case is. One second, except where simulated units live faster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Cases tell times in their own seconds; ``real`` turns them into this computer's.

    ``least_s`` keeps waiting times from shrinking below what a busy computer needs to answer at all.
    """

    pace: float = 1.0
    least_s: float = 0.0
    returns_s: float = 180.0
    """How long a unit that dropped off between two cases is waited for (connection-failures: most return in 120 s)."""
    restores_s: float = 60.0
    """How long putting one thing back may take: the endpoint holds commands for 30 s after a dial-in without Boot."""

    def real(self, seconds: float) -> float:
        """Return the real time of a wait that ends as soon as something happens."""
        return max(seconds * self.pace, self.least_s)

    def exactly(self, seconds: float) -> float:
        """Return the real time of a wait that always lasts."""
        return seconds * self.pace


AS_IT_IS = Tempo()
