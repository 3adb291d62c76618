"""What a 1.6 station says of its connectors: states, and whether they are in service (OCPP 1.6 §4.9, §5.2, §7.7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from app.bridge.message import Message, Payload

if TYPE_CHECKING:
    from app.bridge.station16 import Station16

CONNECTORS = (0, 1)
SILENT = "The unit is not heard."
_OUT, _PLANNED = "out of service", "planned availability"
LEAST_A = 6.0
"""Below this no car charges (IEC 61851-1 annex A)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A connector's state as it is told."""

    status: str
    error: str = "NoError"
    info: str = ""


class Availability16:
    """Which connectors are out of service, and what waits for the end of a session; kept over restarts (§5.2)."""

    def __init__(self, station: Station16) -> None:
        self._station = station
        self._memory = station.kept.memory

    @property
    def out(self) -> frozenset[int]:
        """Return the connectors out of service; 0 = the whole."""
        return _numbers(self._memory.get(_OUT))

    @property
    def is_operative(self) -> bool:
        """Say whether the outlet is in service."""
        return not self.out

    def change(self, connector: int, is_operative: bool) -> str:
        """Put a connector, or all of them, in or out of service; returns the AvailabilityStatus."""
        touched = frozenset(CONNECTORS) if connector == 0 else frozenset({connector})
        if not is_operative and self._station.sessions.running is not None:
            self._memory.put(_PLANNED, _text(touched))
            return "Scheduled"
        self._memory.put(_PLANNED, None)
        self._memory.put(_OUT, _text(self.out - touched if is_operative else self.out | touched))
        return "Accepted"

    def apply_planned(self) -> None:
        """Do what waited for the end of the session."""
        planned = self._memory.get(_PLANNED)
        if planned is not None:
            self._memory.put(_PLANNED, None)
            self._memory.put(_OUT, _text(self.out | _numbers(planned)))


class States16:
    """Tells states: once they lasted MinimumStatusDuration, and only what the backend does not know yet."""

    def __init__(self, station: Station16) -> None:
        self._station = station
        self._current: dict[int, Shown] = {}
        self._since: dict[int, datetime] = {}
        self._said: dict[int, Shown] = {}
        self._told: dict[int, Shown] = {}
        self._flying: dict[str, tuple[int, Shown]] = {}

    def shown(self, connector: int) -> Shown:
        """Return what a connector is now."""
        state, station = self._station.seen, self._station
        if {0, connector} & station.availability.out:
            return Shown("Unavailable")
        if state.fault:
            return Shown("Faulted", "OtherError", state.fault[:50])
        if not state.is_present:
            return Shown("Faulted", "OtherError", SILENT)
        return Shown("Available" if connector == 0 else self._in_service())

    def _in_service(self) -> str:
        state, sessions = self._station.seen, self._station.sessions
        if sessions.running is not None:
            if state.is_charging:
                return "Charging"
            allowed_a = self._station.outlet.allowed_a
            in_force_a = allowed_a if state.limit_a is None else min(allowed_a, state.limit_a)
            return "SuspendedEVSE" if in_force_a < LEAST_A else "SuspendedEV"
        if state.is_plugged:
            return "Finishing" if sessions.is_spent else "Preparing"
        return "Preparing" if sessions.grant is not None else "Available"

    def noted(self, now: datetime) -> None:
        """Look at all states and say what changed."""
        for connector in CONNECTORS:
            shown = self.shown(connector)
            if self._current.get(connector) != shown:
                self._current[connector], self._since[connector] = shown, now
            if shown != self._said.get(connector) and self.due_at(connector) <= now and self._station.is_online:
                self.say(connector, now)

    def due_at(self, connector: int) -> datetime:
        """Return when a connector's state has lasted long enough."""
        return self._since[connector] + self._station.span(self._station.keys.number("MinimumStatusDuration"))

    def next_at(self, now: datetime) -> list[datetime]:
        """Return when states that wait are to be said."""
        if not self._station.is_online:
            return []
        waiting = [number for number in CONNECTORS if self._said.get(number) != self._current.get(number)]
        return [at for at in map(self.due_at, waiting) if at > now]

    def say(self, connector: int, now: datetime, *, is_asked: bool = False) -> None:
        """Say a connector's state, with the time since when it is so."""
        shown = self._current.setdefault(connector, self.shown(connector))
        since = self._since.setdefault(connector, now)
        payload: Payload = {"connectorId": connector, "errorCode": shown.error, "status": shown.status}
        payload["timestamp"] = self._station.clock.text(since)
        if shown.info:
            payload["info"] = shown.info
        at = self._station.clock.at(now)
        message = Message(action="StatusNotification", payload=payload, at=at, is_asked=is_asked)
        self._flying[message.uid] = (connector, shown)
        self._said[connector] = shown
        self._station.say(message)

    def say_all(self, now: datetime) -> None:
        """Say every state: the backend has just accepted us."""
        self._said.clear()
        self._told.clear()
        self.noted(now)

    def settled(self, message: Message, *, is_known: bool) -> None:
        """Learn whether a state has reached the backend."""
        flying = self._flying.pop(message.uid, None)
        if flying is not None and is_known:
            self._told[flying[0]] = flying[1]

    def closed(self) -> None:
        """Learn that the line is gone: what was on its way counts as not said."""
        self._flying.clear()
        self._said = dict(self._told)


def _numbers(text: str | None) -> frozenset[int]:
    return frozenset(int(part) for part in text.split(",")) if text else frozenset()


def _text(numbers: frozenset[int]) -> str | None:
    return ",".join(map(str, sorted(numbers))) or None
