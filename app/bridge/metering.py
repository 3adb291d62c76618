"""A meter register and cars' stays out of what a JuiceBox reports. Pure.

A box tells no sessions: it tells its lifetime energy (``L``), the energy of the running stretch of charging (``E``,
which falls to 0 when charging stops, whether or not the car stays) and whether a car is there (``S``). Datagrams get
lost, boxes and bridges restart. So energy always comes from the difference of ``L``, however much was not heard, and
``E`` only tells which stay it belongs to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from app.bridge.outlet import OutletState
from app.model.juicebox import BoxMode, BoxReport

SWAP_S = 360.0
"""After a silence longer than this another car may be there: as long as v07 boxes are silent in health
(connection-failures, "JuiceBox v07 6 min silence")."""

PATIENCE_S = {"": 390.0, "v07": 390.0}
"""How long a box may be silent and still counts as present, where it is known to be slow."""

PATIENCE_ELSE_S = 120.0
"""Four of the 30 s in which an idle box reports (chargers-commercial 1.6)."""

MOST_W = 20_000.0
"""More than any Wi-Fi JuiceBox delivers: 80 A (SAE J1772, level 2) at 250 V."""

SLACK_WH = 500_000
"""A clock that was wrong while the bridge was away must not make energy unbelievable [OURS]."""

HEARD_SLACK_WH = 5_000
"""The same while it is heard: a forged report must not sell 500 kWh [OURS]."""

DOUBTS = 3
"""Reports in a row that make us believe that the lifetime energy fell or jumped. Right after a restart of the bridge
nobody else can tell an old datagram from a box that counts anew [OURS]."""

NOTES = 5
"""Oddities kept, the last ones."""

FAULT = "The box reports an error (S5)"


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What outlives a restart. ``lifetime_wh``: the box's own counter at ``register_wh``; ``stretch_wh``: its E."""

    register_wh: int = 0
    base_wh: int = 0
    lifetime_wh: int | None = None
    stretch_wh: int = 0
    plug: int = 0
    plug_began_wh: int = 0
    is_plugged: bool = False
    is_charging: bool = False
    at: str = ""
    notes: tuple[str, ...] = ()


class Stays:
    """The register and the stays at one box.

    Give it believed reports in order (``BoxBook`` sorts out the others); one that comes twice changes nothing. The
    register begins at the box's lifetime energy, never falls, and goes on where that falls or jumps. Stays:

    - A car that comes while nobody listens, and energy that flowed while no car was seen, are stays of their own.
    - Energy that flowed while a car was seen before and after belongs to that car, unless there was silence for longer
      than ``SWAP_S`` and the stretch of charging is another one: then the former car is taken to have left.
    """

    def __init__(self, kept: str | None = None) -> None:
        """Begin, or go on from what ``kept`` gave before a restart."""
        self._kept = _read(kept)
        self._last: BoxReport | None = None
        self._doubted: list[BoxReport] = []
        self._is_present = False

    @property
    def kept(self) -> str:
        """Return what a later ``Stays`` goes on from."""
        return json.dumps(asdict(self._kept), separators=(",", ":"))

    @property
    def register_wh(self) -> int:
        """Return the register."""
        return self._kept.register_wh

    @property
    def base_wh(self) -> int:
        """Return the register at the first report ever."""
        return self._kept.base_wh

    @property
    def notes(self) -> tuple[str, ...]:
        """Return oddities of the box's counters, the newest last."""
        return self._kept.notes

    def raise_to(self, register_wh: int) -> None:
        """Learn that a higher register was told before a restart than the one that was kept."""
        more, kept = register_wh - self._kept.register_wh, self._kept
        if more > 0:
            kept.register_wh += more
            kept.stretch_wh += more
            kept.lifetime_wh = None if kept.lifetime_wh is None else kept.lifetime_wh + more

    def heard(self, report: BoxReport) -> tuple[OutletState, ...]:
        """Take a report; return the states to tell, in order: the last is how it is now, others went unseen."""
        if self._is_again(report) or self._is_doubted(report):
            return ()
        self._is_present = True
        if not self._kept.at:
            self._first(report)
            return (self._keep(report),)
        before = self._kept.register_wh
        stretch_wh = report.session_wh if _is_charging(report) else None
        grown_wh = self._grown(report)
        self._kept.register_wh = before + grown_wh
        unseen = self._stay(report, before, grown_wh, stretch_wh)
        return (*unseen, self._keep(report))

    def due(self, at: datetime) -> OutletState | None:
        """Return the state if the box has become absent since it was last asked."""
        if not self._is_present or self._last is None:
            return None
        patience_s = PATIENCE_S.get(self._last.version, PATIENCE_ELSE_S)
        if (at - self._last.at).total_seconds() <= patience_s:
            return None
        self._is_present = False
        return self.state(at)

    def state(self, at: datetime) -> OutletState:
        """Return how it stands; what was measured only while the box is heard."""
        kept, last = self._kept, self._last if self._is_present else None
        return OutletState(
            at=at,
            is_present=self._is_present,
            is_plugged=kept.is_plugged,
            is_charging=kept.is_charging,
            plug=kept.plug,
            plug_began_wh=kept.plug_began_wh,
            register_wh=kept.register_wh,
            fault=FAULT if last and last.mode is BoxMode.ERROR else "",
            voltage_v=last.voltage_v if last else None,
            current_a=_current_a(last) if last else None,
            power_w=_power_w(last) if last else None,
            frequency_hz=last.frequency_hz if last else None,
            temperature_c=last.temperature_c if last else None,
            limit_a=_limit_a(last) if last else None,
        )

    def _is_again(self, report: BoxReport) -> bool:
        last = self._last
        if last is None:
            return False
        numbers = (report.loop, report.counter)
        is_same = numbers != (None, None) and numbers == (last.loop, last.counter)
        return is_same and report.lifetime_wh == last.lifetime_wh

    def _is_doubted(self, report: BoxReport) -> bool:
        """Say whether to wait for more reports before this one's lifetime energy is believed."""
        before, told, doubted = self._kept.lifetime_wh, report.lifetime_wh, self._doubted
        if before is None or told is None or 0 <= told - before <= self._most_wh(report):
            doubted.clear()
            return False
        if doubted and not 0 <= told - (doubted[-1].lifetime_wh or 0) <= self._most_wh(report):
            doubted.clear()
        doubted.append(report)
        if len(doubted) < DOUBTS:
            return True
        self._count_anew(doubted[0], before)
        doubted.clear()
        return False

    def _count_anew(self, first: BoxReport, before_wh: int) -> None:
        """Take another lifetime energy for the register as it is; the running stretch tells what flowed meanwhile."""
        told = first.lifetime_wh or 0
        verb = "fell" if told < before_wh else "jumped"
        self._kept.lifetime_wh = told - self._grown_stretch(first)
        text = f"{first.at:%Y-%m-%d %H:%M} UTC: lifetime energy {verb} from {before_wh} to {told} Wh"
        self._kept.notes = (*self._kept.notes, text)[-NOTES:]

    def _first(self, report: BoxReport) -> None:
        """Begin at the box's own counter; what flowed before anybody listened is nobody's."""
        kept = self._kept
        kept.register_wh = kept.base_wh = report.lifetime_wh or 0
        kept.lifetime_wh = report.lifetime_wh
        if _is_plugged(report, before=False):
            self._arrived(kept.register_wh)

    def _keep(self, report: BoxReport) -> OutletState:
        kept = self._kept
        kept.at = report.at.isoformat()
        kept.is_charging = _is_charging(report)
        if report.session_wh is not None or not kept.is_charging:
            kept.stretch_wh = report.session_wh or 0
        self._last = report
        return self.state(report.at)

    # Energy

    def _grown(self, report: BoxReport) -> int:
        """Return the energy since the last report."""
        kept, told = self._kept, report.lifetime_wh
        if told is not None and kept.lifetime_wh is not None:
            grown, kept.lifetime_wh = told - kept.lifetime_wh, told
            return grown
        grown = self._grown_stretch(report)
        if told is not None:
            kept.lifetime_wh = told
        elif kept.lifetime_wh is not None:
            kept.lifetime_wh += grown
        return grown

    def _grown_stretch(self, report: BoxReport) -> int:
        """Return the energy since the last report as far as the stretch's own counter knows it."""
        told, before = report.session_wh, self._kept.stretch_wh
        if told is None:
            return 0
        grown = told - before if told >= before else told
        return grown if grown <= self._most_wh(report) else 0

    def _most_wh(self, report: BoxReport) -> float:
        slack_wh = SLACK_WH if self._last is None else HEARD_SLACK_WH
        return MOST_W * max(0.0, self._silence_s(report)) / 3600 + slack_wh

    def _silence_s(self, report: BoxReport) -> float:
        return (report.at - datetime.fromisoformat(self._kept.at)).total_seconds()

    # Stays

    def _stay(self, report: BoxReport, before_wh: int, grown_wh: int, stretch_wh: int | None) -> list[OutletState]:
        """Settle whose energy it was; return the states of stays nobody saw."""
        kept = self._kept
        is_plugged = _is_plugged(report, before=kept.is_plugged)
        began_wh = before_wh
        if stretch_wh is not None and stretch_wh <= grown_wh and self._silence_s(report) > SWAP_S:
            began_wh = before_wh + grown_wh - stretch_wh
        unseen: list[OutletState] = []
        if kept.is_plugged:
            is_other = began_wh > before_wh and stretch_wh != kept.stretch_wh + grown_wh
            if is_plugged and (is_other or self._fell(report, stretch_wh)):
                self._arrived(began_wh)
        else:
            passed_wh = began_wh if is_plugged else before_wh + grown_wh
            if passed_wh > before_wh:
                unseen = self._unseen(report, before_wh, passed_wh)
            if is_plugged:
                self._arrived(began_wh)
        kept.is_plugged = is_plugged
        return unseen

    def _fell(self, report: BoxReport, stretch_wh: int | None) -> bool:
        """Say whether, after a long silence, another stretch runs than the one that ran before."""
        return stretch_wh is not None and stretch_wh < self._kept.stretch_wh and self._silence_s(report) > SWAP_S

    def _arrived(self, began_wh: int) -> None:
        self._kept.plug += 1
        self._kept.plug_began_wh = began_wh
        self._kept.is_plugged = True

    def _unseen(self, report: BoxReport, began_wh: int, ended_wh: int) -> list[OutletState]:
        """Make the two states of a stay that began and ended between two reports."""
        kept, register_wh = self._kept, self._kept.register_wh
        came, left = datetime.fromisoformat(kept.at), report.at
        self._last, kept.is_charging = None, False
        self._arrived(began_wh)
        kept.register_wh = began_wh
        states = [self.state(came)]
        kept.register_wh, kept.is_plugged = ended_wh, False
        states.append(self.state(left))
        kept.register_wh = register_wh
        return states


def _read(text: str | None) -> _Kept:
    if text is None:
        return _Kept()
    values = json.loads(text)
    told = {field.name: values[field.name] for field in fields(_Kept) if field.name in values}
    return _Kept(**told | {"notes": tuple(told.get("notes", ()))})


def _is_charging(report: BoxReport) -> bool:
    if report.mode is None:
        return (report.current_a or 0) > 0
    return report.mode is BoxMode.CHARGING


def _is_plugged(report: BoxReport, *, before: bool) -> bool:
    """Say whether a car is there; a box in error does not tell."""
    if report.mode is BoxMode.ERROR or (report.mode is None and not _is_charging(report)):
        return before
    return report.mode is not BoxMode.UNPLUGGED


def _current_a(report: BoxReport) -> float:
    return (report.current_a or 0.0) if _is_charging(report) else 0.0


def _power_w(report: BoxReport) -> float | None:
    if not _is_charging(report):
        return 0.0
    if report.voltage_v is None or report.current_a is None:
        return None
    factor = 1.0 if report.power_factor is None else report.power_factor
    return round(report.voltage_v * report.current_a * factor, 1)


def _limit_a(report: BoxReport) -> float | None:
    """Return the lowest limit it reports: rating, offline and online limits apply together (1.6)."""
    told = [report.online_limit_a, report.offline_limit_a, report.rating_a]
    return min((float(value) for value in told if value is not None), default=None)
