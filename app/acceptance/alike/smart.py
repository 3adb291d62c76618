"""Smart charging: the limit that is set, and whether the car keeps to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.acceptance.alike.metering import Sample
from app.acceptance.take import Exchange
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import quantity

PROFILE_ID = 41_009
LIMIT_A = 8.0
LIMIT_W = 1_840.0
"""8 A at 230 V on one phase."""
TOLERANCE_A = 1.0
"""How far above the limit the car may draw: meters and pilots are not exact [OURS]."""


def limit(unit: object) -> float:
    """Return the limit in the unit of its schedule, A (a phase) or W."""
    return LIMIT_A if unit == "A" else LIMIT_W


def judge_schedule(read: Exchange, name: str) -> Iterator[Check]:
    """Look at the limits of a composite schedule; ``name`` is its field in the answer."""
    periods = read.get(name, "chargingSchedulePeriod")
    told = [period.get("limit") for period in periods if isinstance(period, dict)] if isinstance(periods, list) else []
    limits = [number for one in told if (number := quantity(one)) is not None]
    yield must("and holds periods with limits", bool(limits), f"{told}"[:80], *read.seqs)
    if limits:
        unit = read.get(name, "chargingRateUnit")
        text = f"none of them above our limit of {limit(unit):.0f} {unit}"
        yield should(text, max(limits) <= limit(unit) + 0.1, f"at most {max(limits):g} {unit}", *read.seqs)


def judge_draw(after: Sequence[Sample], unit: str) -> Iterator[Check]:
    """Compare the last sample after a limit of ``unit`` with it: by the unit's own quantity where that is told."""
    seqs = [item.message.seq for item in after]
    yield must("Samples come after it", bool(after), f"{len(after)} came", *seqs)
    currents = [item.current_a for item in after if item.current_a is not None]
    powers = [item.power_w for item in after if item.power_w is not None]
    if currents and (unit == "A" or not powers):
        seen = ", ".join(f"{current:.1f} A" for current in currents[:8])
        is_kept = currents[-1] <= LIMIT_A + TOLERANCE_A
        yield must(f"The car draws at most {LIMIT_A:.0f} A a phase from then on", is_kept, seen, *seqs)
    elif powers:
        ceiling_w = LIMIT_W if unit == "W" else 3 * LIMIT_W
        seen = ", ".join(f"{power:.0f} W" for power in powers[:8])
        is_kept = powers[-1] <= ceiling_w * (1 + TOLERANCE_A / LIMIT_A)
        yield must(f"The car draws at most {ceiling_w:.0f} W from then on", is_kept, seen, *seqs)
    elif after:
        yield should("They tell the current or the power", False, "", *seqs)
