"""What would be sent to a JuiceBox, and why: said before anybody agrees to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.juicenet.limits import CHANGES_A_DAY, RISE_S
from app.model.juicebox import LEAST_A, Adoption, BoxState
from ui.i18n import worded

HINT = (
    "Ask an electrician, or take it from the plan. In the USA and Canada a continuous load may use 80 % of the "
    "breaker (NEC 625.41): a 40 A breaker allows 32 A."
)


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit that counts, or that a person had set aside: its name, A, where it comes from."""

    name: str
    amps: float
    origin: str
    counts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would be sent: at most ``most_a``, as ``bounds`` demand; ``then`` are the consequences, in sentences."""

    most_a: int
    bounds: tuple[Bound, ...]
    then: tuple[str, ...]

    @property
    def headline(self) -> str:
        """Say what is sent at most."""
        if not self.most_a:
            return worded("0 A is sent: below 6 A a box does not charge.")
        return worded("At most {amps} A is sent, the lowest of these:", amps=str(self.most_a))


def outlook(adoption: Adoption, box: BoxState) -> Outlook:
    """Say what an adoption would mean for a box."""
    whole = math.floor(adoption.ceiling_a)
    most = whole if whole >= LEAST_A else 0
    return Outlook(most_a=most, bounds=bounds_of(adoption, box), then=_then(adoption, box, most))


def bounds_of(adoption: Adoption, box: BoxState) -> tuple[Bound, ...]:
    """List the limits known of a box."""
    reported = box.report.rating_a if box.report is not None else None
    origin = worded("reported by the box") if reported is not None else worded("from its type label")
    found = [
        Bound(worded("Circuit"), adoption.circuit_a, worded("entered by you")),
        Bound(worded("Rating"), adoption.rating_a, origin),
    ]
    if adoption.known_a is not None:
        text = worded("set aside by you") if adoption.lifts_known else worded("held when it came: maybe for its wiring")
        found.append(Bound(worded("Known limit"), adoption.known_a, text, counts=not adoption.lifts_known))
    return tuple(found)


def _then(adoption: Adoption, box: BoxState, most: int) -> tuple[str, ...]:
    changes = worded(
        "Both limits of a command are told the same. The box keeps one of them in its memory (EEPROM), which wears "
        "with each change: less goes out at once, more at most every {rise} s, and after {most} changes a day only "
        "less. Changes today: {count}.",
        rise=f"{RISE_S:g}",
        most=str(CHANGES_A_DAY),
        count=str(box.changes_today),
    )
    if box.adoption is not None and box.adoption.ceiling_a == adoption.ceiling_a:
        return (changes,)
    free = worded("With its next report it is told {amps} A and charges whoever plugs in.", amps=str(most))
    if adoption.is_revived and box.adoption is None:
        free = worded("It was at 0 A. {then}", then=free)
    return (free, changes)


def withdrawal_text(box: BoxState) -> str:
    """Say what becomes of a box that is told nothing any more."""
    report = box.report
    offline = report.offline_limit_a if report is not None else None
    text = worded("Nothing more is sent to it. Five minutes later it goes by the limit that it keeps itself")
    text += f": {offline} A. " if offline is not None else worded(", which this version does not tell. ")
    if (box.allowed_a is not None and box.allowed_a < LEAST_A) or (offline is not None and offline < LEAST_A):
        text += worded("Then it charges nobody: let it charge first, and wait until it reports that limit.")
    return text
