"""The finish line: a charge on the new backend, seen over the unit's own interface."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from app.driver.capability import ReportsStatus, Status
from app.errors import LinkError, NotSupported, StepBlocked
from app.jobs.stepping import Skipped, StepRun, is_dialled_in
from app.model.job import StepKind, StepState, Strength
from app.model.reading import Measurand

WATCH_S = 120.0
"""How long a charge may take to begin once a car is plugged in, before a person is asked again."""
POLL_S = 1.0

NO_CAR = frozenset({"Available", "Unavailable", "Faulted", ""})


@dataclass(slots=True)
class _Seen:
    """What was seen of the charge so far."""

    first_wh: float | None = None
    last_wh: float | None = None
    is_charging: bool = False
    power_w: float | None = None


async def run(step: StepRun) -> Skipped | None:
    """Watch until the unit charges and its meter rises; ask a person where no car is there."""
    if not step.has_own(ReportsStatus):
        return Skipped(reason="The charger has no interface of its own; see the new backend for the charge.")
    try:
        async with step.open(ReportsStatus) as session:
            if is_dialled_in(session):
                return Skipped(reason="It still dials this computer, so no charge on the new backend can be seen.")
            await _watch(step, session.ask(ReportsStatus))
    except NotSupported:
        return Skipped(reason="The charger does not tell its state; see the new backend for the charge.")
    return None


async def _watch(step: StepRun, unit: ReportsStatus) -> None:
    loop = asyncio.get_running_loop()
    deadline, seen = loop.time() + WATCH_S, _Seen()
    again = " Unplug the car and plug it in again first." if "rehearsal_charge" in step.job.facts else ""
    step.progress(f"Start a charge now: from the new backend, an app or a card.{again}", patience_s=WATCH_S)
    while True:
        status = await _status(step, unit)
        if status is not None and _take(seen, status):
            _tell(step, seen)
            return
        if status is not None and status.state in NO_CAR and not seen.is_charging:
            raise StepBlocked(
                "No car is plugged in.",
                "Plug one in and start a charge from the new backend, then continue. Or leave this out and say why.",
            )
        if loop.time() >= deadline:
            raise StepBlocked(
                "No charge with a rising meter was seen.",
                "Unplug the car and plug it in again, start a charge from the new backend, an app or a card, then "
                "continue. Or leave this step out and say why.",
            )
        await asyncio.sleep(POLL_S if seen.first_wh is None else POLL_S / 2)


async def _status(step: StepRun, unit: ReportsStatus) -> Status | None:
    """Ask once and keep the readings, for the report's chart."""
    try:
        status = await unit.status()
    except LinkError:
        return None
    step.store.samples.add([replace(item, unit_id=step.job.unit_id) for item in status.readings])
    return status


def _take(seen: _Seen, status: Status) -> bool:
    """Enter one status; say whether a charge with a rising meter is proved."""
    if status.state != "Charging":
        return False
    values = {item.measurand: item.value for item in status.readings if not item.phase}
    energy = values.get(Measurand.ENERGY)
    seen.is_charging, seen.power_w = True, values.get(Measurand.POWER)
    if energy is None:
        return False
    seen.first_wh = energy if seen.first_wh is None else seen.first_wh
    seen.last_wh = energy
    return energy > seen.first_wh


def _tell(step: StepRun, seen: _Seen) -> None:
    first, last = seen.first_wh or 0.0, seen.last_wh or 0.0
    power = f", {seen.power_w:.0f} W" if seen.power_w is not None else ""
    detail = f"{first:.1f} Wh → {last:.1f} Wh{power}"
    if step.job.step(StepKind.SWITCH).state is StepState.SKIPPED:
        facts = {"session": {"energy_wh": last - first, "where": "a backend nobody saw"}}
        text = "It charges, and its meter rises; which backend it dials was not seen."
        step.note(text, detail=detail, strength=Strength.CLAIMED, facts=facts)
        return
    facts = {"session": {"energy_wh": last - first, "where": "the new backend"}}
    step.note("It charges on the new backend, and its meter rises.", detail=detail, facts=facts)
