"""The endpoint's judge: one object that remembers what single observations can't show. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.diagnosis import dialled, spoken
from app.model.finding import Evidence, Finding, Severity
from app.model.frame import Frame, Handshake, Knock
from app.model.observation import BootSeen, Observation, Stateless, Unbooted, UnsetClock

REMEMBERED = 1000
"""Identities whose history is kept."""


@dataclass(slots=True)
class _History:
    hosts: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    serial: str = ""


class Watch:
    """Turns observations into findings (``app.model.observation.Judge``).

    Keeps, for each identity, the last source addresses and the serial, to see two units under one name (ID-TWIN).
    """

    def __init__(self) -> None:
        self._histories: OrderedDict[str, _History] = OrderedDict()

    def __call__(self, observation: Observation) -> Iterable[Finding]:
        """Judge one observation."""
        return list(self._judged(observation))

    def _judged(self, seen: Observation) -> Iterator[Finding]:
        match seen:
            case Handshake():
                yield from dialled.at_handshake(seen)
                yield from self._twin_address(seen)
            case Knock():
                yield from dialled.at_knock(seen)
            case Frame():
                yield from spoken.at_frame(seen)
            case BootSeen():
                yield from spoken.at_boot(seen.boot)
                yield from self._twin_serial(seen)
            case UnsetClock():
                yield from spoken.at_unset_clock(seen)
            case Unbooted():
                yield from spoken.at_unbooted(seen)
            case Stateless():
                yield from spoken.at_stateless(seen)

    def _history(self, identity: str) -> _History:
        history = self._histories.pop(identity, None) or _History()
        self._histories[identity] = history
        if len(self._histories) > REMEMBERED:
            self._histories.popitem(last=False)
        return history

    def _twin_address(self, shake: Handshake) -> Iterator[Finding]:
        hosts = self._history(shake.identity).hosts
        host = shake.remote.rpartition(":")[0]
        if not hosts or hosts[-1] != host:
            hosts.append(host)
        # One change of address is a new DHCP lease; there and back again is two units.
        if len(hosts) == 3 and hosts[0] == hosts[2]:
            yield _twin(shake.identity, "addresses", hosts[1], host)

    def _twin_serial(self, seen: BootSeen) -> Iterator[Finding]:
        history = self._history(seen.handshake.identity)
        serial = seen.boot.serial
        if serial and history.serial and serial != history.serial:
            yield _twin(seen.handshake.identity, "serial numbers", history.serial, serial)
        history.serial = serial or history.serial


def _twin(identity: str, what: str, one: str, other: str) -> Finding:
    return Finding(
        code="ID-TWIN",
        severity=Severity.FAULT,
        evidence=(Evidence(label=what, text=f"{one} and {other}"),),
        details={"identity": identity, "what": what, "one": one, "other": other},
    )
