"""What a box may be told: never more than any limit known, changed seldom. Pure.

Facts: chargers-commercial 1.6, Rules and Safety. Why: the decision “A JuiceBox is told little, and equal values”.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from app.errors import ValueRejected
from app.juicenet.message import MOST_A
from app.model.juicebox import LEAST_A, Adoption, BoxReport

RISE_S = 60.0
"""A rise waits so long after the change before: one of the two fields is kept in EEPROM [OURS]."""
SMALL_A = 1
"""A rise by no more than this is hardly worth a write; it waits ``SMALL_RISE_S`` [OURS]."""
SMALL_RISE_S = 900.0
CHANGES_A_DAY = 200
"""Changes of one box a day, after which it is only lowered: 27 years at 10 a day for a cell that bears 100,000
(ATmega328P datasheet, Features), 500 days at this bound [OURS]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a box reported before we first sent it anything. Currents in A.

    ``lowest_a``: the lowest limit of at least 6 A; ``is_locked``: by its newest report it may not charge.
    """

    is_heard: bool = False
    lowest_a: int | None = None
    is_locked: bool = False
    rating_a: int | None = None

    @staticmethod
    def kept(adoption: Adoption) -> Found:
        """Return what was found when a kept adoption was made: what the box holds since is what we told it."""
        known = adoption.known_a
        return Found(
            is_heard=True,
            lowest_a=None if known is None else math.floor(known),
            is_locked=adoption.is_revived,
            rating_a=math.floor(adoption.rating_a),
        )

    def after(self, report: BoxReport) -> Found:
        """Take in another report."""
        told = [limit for limit in (report.offline_limit_a, report.online_limit_a) if limit is not None]
        # 1 to 5 A mean the same as 0: do not charge. They are no wire's limit.
        real = [limit for limit in (self.lowest_a, *told) if limit is not None and limit >= LEAST_A]
        return Found(
            is_heard=True,
            lowest_a=min(real, default=None),
            is_locked=told[0] < LEAST_A if told else self.is_locked,
            rating_a=report.rating_a if report.rating_a is not None else self.rating_a,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a box is told now, since when, and how often that changed on this UTC day (``day``).

    ``held_a``: what it was told last, where nothing is told now.
    """

    limit_a: int | None = None
    changed_at: datetime | None = None
    changes_today: int = 0
    day: date | None = None
    held_a: int | None = None

    def on(self, at: datetime) -> Sent:
        """Return it as it stands at a time: a new day counts anew, and a clock that was set back stops nothing."""
        changed = self.changed_at
        day = self.day or (changed.date() if changed is not None else at.date())
        changes = self.changes_today if day == at.date() else 0
        return replace(self, changed_at=None if changed is None else min(changed, at), changes_today=changes)

    def withdrawn(self) -> Sent:
        """Return it for a box that is told nothing more: what it holds is remembered."""
        return replace(self, limit_a=None, held_a=self.held_a if self.limit_a is None else self.limit_a)


def proposal(
    box_id: str,
    circuit_a: float | None,
    found: Found,
    at: datetime,
    *,
    rating_a: float | None = None,
    is_revived: bool = False,
    lifts_known: bool = False,
) -> Adoption:
    """Make an adoption of what a person says and the box reported; ``rating_a`` is the type label's, in A.

    Raises ValueRejected, with advice, where a limit is missing or can't be.
    """
    if not found.is_heard:
        raise ValueRejected(f"JuiceBox {box_id} has not reported yet.", "Wait for its first report: it tells limits.")
    rating = _rating(found, rating_a)
    circuit = _circuit(circuit_a, rating)
    if found.is_locked and not is_revived:
        raise ValueRejected(
            f"JuiceBox {box_id} was left at 0 A, by a backend that unlocked each session or by another bridge.",
            "Confirm that it shall charge again. Anybody can then charge there, unless a backend decides who may.",
        )
    return Adoption(
        box_id=box_id,
        circuit_a=circuit,
        rating_a=rating,
        known_a=found.lowest_a,
        at=at,
        is_revived=is_revived and found.is_locked,
        lifts_known=lifts_known,
    )


def _rating(found: Found, label_a: float | None) -> float:
    known = [float(limit) for limit in (found.rating_a, label_a) if limit is not None]
    rating = min(known, default=None)
    if rating is None:
        raise ValueRejected("This box does not tell its rating.", "Enter the current from its type label, in A.")
    if not LEAST_A <= rating <= MOST_A:  # NaN compares false
        raise ValueRejected(f"{rating:g} A is no rating of a JuiceBox.", "Look at its type label.")
    return rating


def _circuit(circuit_a: float | None, rating_a: float) -> float:
    if circuit_a is None:
        raise ValueRejected(
            "The circuit's limit is missing.", "Enter the highest continuous current the circuit allows, in A."
        )
    if not LEAST_A <= circuit_a <= MOST_A:
        raise ValueRejected(
            f"{circuit_a:g} A can't be a circuit's limit here.",
            f"Enter the highest continuous current the circuit allows, from {LEAST_A:g} to {MOST_A} A.",
        )
    if circuit_a > rating_a:
        raise ValueRejected(
            f"{circuit_a:g} A is more than the box's rating of {rating_a:g} A.",
            f"Enter at most {rating_a:g} A: the continuous current, not the number on the breaker.",
        )
    return float(circuit_a)


def ceiling(adoption: Adoption, found: Found, rating_a: int | None) -> int:
    """Return the whole amperes above which a box is never told anything: 0, or 6 to 80.

    What was found on the box counts, whatever the adoption says. ``rating_a`` is what it reports now: a lower one
    counts, a higher one does not.
    """
    limits = [adoption.ceiling_a, float(MOST_A), _found_limit(adoption, found)]
    if rating_a is not None:
        limits.append(float(rating_a))
    return _whole(min(limits))


def _found_limit(adoption: Adoption, found: Found) -> float:
    if found.is_locked and not adoption.is_revived:
        return 0.0
    return float(found.lowest_a) if found.lowest_a is not None and not adoption.lifts_known else math.inf


def allowed(wanted_a: float, ceiling_a: int) -> int:
    """Return the limit to tell for a wish: 0 below 6 A, never above the ceiling."""
    return _whole(min(wanted_a, float(ceiling_a))) if math.isfinite(wanted_a) else 0


def _whole(limit_a: float) -> int:
    return math.floor(limit_a) if limit_a >= LEAST_A else 0


def step(sent: Sent, target_a: int, at: datetime) -> tuple[Sent, datetime | None]:
    """Return what is told next on the way to a target, and until when a rise has to wait.

    The first value and each lower one go out at once. The first is no change that a rise would wait after: a bridge
    that starts again says 0 until it knows who charges, and must not hold that car up for a minute.
    """
    sent = sent.on(at)
    if sent.limit_a == target_a:
        return sent, None
    if sent.limit_a is not None and target_a > sent.limit_a:
        until = _rises_at(sent, target_a, at)
        if until > at:
            return sent, until
    elif sent.held_a is not None and sent.changes_today >= CHANGES_A_DAY:
        target_a = min(target_a, sent.held_a)  # adopted again and again: no way around the day's bound
    changed_at = at if sent.limit_a is not None else None
    return Sent(limit_a=target_a, changed_at=changed_at, changes_today=sent.changes_today + 1, day=at.date()), None


def _rises_at(sent: Sent, target_a: int, at: datetime) -> datetime:
    if sent.changes_today >= CHANGES_A_DAY:
        return datetime.combine(at.date() + timedelta(days=1), datetime.min.time(), at.tzinfo)
    is_small = sent.limit_a is not None and sent.limit_a > 0 and target_a - sent.limit_a <= SMALL_A
    if sent.changed_at is None:
        return at
    return sent.changed_at + timedelta(seconds=SMALL_RISE_S if is_small else RISE_S)
