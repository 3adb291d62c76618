"""The power side of a simulated JuiceBox: a car, a relay, a meter and the limits. Pure: it is told the time.

Sources: chargers-commercial 1.6; philipkocanda/juicebox-protocol README (order of the limits, five minutes, EEPROM).
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_A = 6
"""Below it the box does not charge (juicebox-protocol README)."""

FRESH_S = 300.0
"""Without a command for about so long the offline limit holds."""


@dataclass(slots=True)
class Power:
    """The relay and what hangs on it. Times are the box's own seconds; energies Wh, currents A.

    ``eeprom_writes`` counts how often the offline limit was written, which wears the memory out.
    """

    rating_a: int = 40
    offline_a: int = 40
    online_a: int | None = None
    wants_current: bool = True
    draws_a: float = 48.0
    """What the car would take."""
    voltage_v: float = 240.0
    lifetime: float = 4_262_804.0
    session: float = 0.0
    is_plugged: bool = False
    is_faulty: bool = False
    eeprom_writes: int = 0
    told_s: float | None = None
    now_s: float = 0.0
    _was_charging: bool = field(default=False, repr=False)

    def pass_time(self, now_s: float) -> None:
        """Let time go by until ``now_s``: the meter counts, and the online limit may go stale on the way."""
        stale_s = None if self.told_s is None else self.told_s + FRESH_S
        if stale_s is not None and self.now_s < stale_s < now_s:
            self._count(stale_s)
            self.settle()
        self._count(now_s)
        self.settle()

    def _count(self, until_s: float) -> None:
        energy = self.current_a * self.voltage_v * max(until_s - self.now_s, 0.0) / 3600
        self.lifetime += energy
        self.session += energy
        self.now_s = max(until_s, self.now_s)

    def settle(self) -> None:
        """Note whether charging ended: the session's counter falls to 0 then."""
        if self._was_charging and not self.is_charging:
            self.session = 0.0
        self._was_charging = self.is_charging

    @property
    def is_online(self) -> bool:
        """Say whether commands came lately."""
        return self.told_s is not None and self.now_s - self.told_s < FRESH_S

    @property
    def limit_a(self) -> int:
        """Return the limit in force: the lowest of rating, offline and, while it is fresh, online."""
        limits = [self.rating_a, self.offline_a]
        if self.is_online and self.online_a is not None:
            limits.append(self.online_a)
        return min(limits)

    @property
    def is_charging(self) -> bool:
        """Say whether current flows."""
        return self.is_plugged and self.wants_current and not self.is_faulty and self.limit_a >= LEAST_A

    @property
    def current_a(self) -> float:
        """Return the current that flows."""
        return min(float(self.limit_a), self.draws_a) if self.is_charging else 0.0

    @property
    def mode(self) -> int:
        """Return the ``S`` of its reports."""
        if self.is_faulty:
            return 5
        return 2 if self.is_charging else 1 if self.is_plugged else 0

    def obey(self, online_a: int, offline_a: int) -> None:
        """Take both limits of a command. The offline one is written only where it is another one."""
        self.online_a = online_a
        self.told_s = self.now_s
        if offline_a != self.offline_a:
            self.offline_a = offline_a
            self.eeprom_writes += 1
        self.settle()

    def lose_power(self) -> None:
        """Forget what is not in the EEPROM."""
        self.online_a = self.told_s = None
        self.session = 0.0
        self._was_charging = False
