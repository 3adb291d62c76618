"""Experiments with the line itself: how long it holds in which rhythm, and when the unit comes back."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from datetime import datetime

from app.diagnosis import decode
from app.experiment.stage import Stage
from app.experiment.witness import Happening
from app.model.frame import Knock
from app.model.observation import Ended
from app.ocpp.endpoint import Endpoint

HELD, DROPPED, NOTHING = "held", "dropped", "nothing"
RETURNED, AWAY = "returned", "away"
LEFT = "left"
POLITE = frozenset({1000, 1001})
REFUSALS = 2
"""How many dial-ins are refused before it is let in again [OURS]."""
STATUS = 503
VISIT_S = 5.0
"""A unit that says goodbye and is away so long has gone elsewhere [OURS]."""


async def ping_rhythm(stage: Stage) -> None:
    """Hold one connection in each rhythm and measure how long it lasts."""
    tempo, round_s = stage.tempo, stage.experiment.round_s
    with stage.manners() as change:
        for setting in stage.settings():
            change(ping_s=tempo.exactly(float(setting)))
            there = await stage.come_back(tempo.real(round_s))
            if there is None:
                stage.mark(NOTHING, "It did not dial again.")
                return
            hold_s = tempo.exactly(round_s)
            stage.say("Holding the line …", hold_s)
            ended = await stage.witness.until(_end_of(there), hold_s)
            _mark_hold(stage, ended, float(setting))


def _mark_hold(stage: Stage, ended: Ended | None, every_s: float) -> None:
    if ended is None:
        stage.mark(HELD, f"It held for {stage.experiment.round_s:.0f} s.", lasted=stage.experiment.round_s)
        return
    lasted_s = stage.tempo.told(ended.lasted_s)
    since_s = lasted_s - ended.pings * every_s if ended.pings else -1.0
    after = f", {since_s:.0f} s after ping {ended.pings}" if ended.pings else ""
    stage.mark(
        DROPPED,
        f"It ended after {lasted_s:.0f} s{after} ({decode.close(ended.code)}).",
        lasted=lasted_s,
        pings=ended.pings,
        since_ping=since_s,
        code=ended.code,
    )


def _end_of(there: Endpoint) -> Callable[[Sequence[Happening]], Ended | None]:
    def look(happened: Sequence[Happening]) -> Ended | None:
        ends = (item for item in happened if isinstance(item, Ended))
        return next((item for item in ends if item.connection == there.connection), None)

    return look


async def redial_rhythm(stage: Stage) -> None:
    """Refuse the unit's next dial-ins, then cut its line, and measure how long it stays away."""
    limit_s = stage.tempo.real(stage.experiment.round_s)
    with stage.manners() as change:
        for setting in stage.settings():
            if setting == "refused":
                change(refuses_upgrade=STATUS)
            began = stage.now()
            await stage.let_go(cut=setting == "cut")
            if setting == "refused":
                stage.say("Refusing its dial-ins …", limit_s)
                refused = await stage.witness.until(_refused, limit_s)
                change(refuses_upgrade=0)
                began_again = refused[-1].at if refused else None
            else:
                refused, began_again = [], began
            there = await _returned(stage, limit_s) if began_again is not None else None
            _mark_return(stage, began, refused or [], there)
            if there is None:
                return


async def _returned(stage: Stage, limit_s: float) -> Endpoint | None:
    stage.say("Waiting for the charger to return …", limit_s)
    return await stage.arrival(limit_s)


def _refused(happened: Sequence[Happening]) -> list[Knock] | None:
    knocks = [item for item in happened if isinstance(item, Knock) and item.verdict == "refused"]
    return knocks[:REFUSALS] if len(knocks) >= REFUSALS else None


def _mark_return(stage: Stage, began: datetime, refused: Sequence[Knock], there: Endpoint | None) -> None:
    if there is None:
        stage.mark(AWAY, "It did not return.")
        return
    moments = [began, *(knock.at for knock in refused), there.opened_at]
    gaps = [stage.tempo.told((late - soon).total_seconds()) for soon, late in itertools.pairwise(moments)]
    told = ", ".join(f"{gap:.0f} s" for gap in gaps)
    stage.mark(RETURNED, f"It dialled again after {told}.", longest=max(gaps), dials=len(gaps))


async def hold(stage: Stage) -> None:
    """Say nothing but what must be said, and watch whether, when and how the unit leaves."""
    with stage.manners() as change:
        change(ping_s=0.0)
        for _ in stage.settings():
            there = await stage.come_back(stage.tempo.real(180))
            if there is None:
                stage.mark(NOTHING, "It did not dial again.")
                return
            hold_s = stage.tempo.exactly(stage.experiment.round_s)
            stage.say("Holding the line …", hold_s)
            await stage.witness.until(_left_for(stage), hold_s)
            _mark_departures(stage)


def _left_for(stage: Stage) -> Callable[[Sequence[Happening]], bool | None]:
    """Return a look that finds a goodbye with a long absence: more need not be waited for."""

    def look(happened: Sequence[Happening]) -> bool | None:
        return True if any(away_s >= VISIT_S for _, away_s in _goodbyes(happened, stage)) else None

    return look


def _goodbyes(happened: Sequence[Happening], stage: Stage) -> list[tuple[Ended, float]]:
    """Pair the unit's own polite ends with how long it was away afterwards; until now where it did not return."""
    found = []
    for at, item in enumerate(happened):
        if isinstance(item, Ended) and not item.is_by_us and item.code in POLITE:
            later = (other.opened_at for at2, other in enumerate(happened) if isinstance(other, Endpoint) and at2 > at)
            back = next(later, stage.now())
            found.append((item, stage.tempo.told((back - item.at).total_seconds())))
    return found


def _mark_departures(stage: Stage) -> None:
    happened = tuple(stage.witness.happened)
    ends = [item for item in happened if isinstance(item, Ended) and not item.is_by_us]
    away = [away_s for _, away_s in _goodbyes(happened, stage) if away_s >= VISIT_S]
    times = [stage.tempo.told(item.lasted_s) for item in ends]
    told = ", ".join(f"{time:.0f} s" for time in times)
    if away:
        seen = f"It said goodbye after {times[0]:.0f} s and was away for {away[0]:.0f} s or more."
        stage.mark(LEFT, seen, lasted=times[0], away=away[0], count=len(away))
    elif ends:
        spread = (max(times) - min(times)) / max(times)
        stage.mark(
            DROPPED,
            f"It vanished after {told}.",
            count=len(ends),
            lasted=sum(times) / len(times),
            spread=spread,
            code=ends[-1].code,
        )
    else:
        stage.mark(HELD, f"It stayed for {stage.experiment.round_s:.0f} s.")
