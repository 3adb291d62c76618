"""Before a unit leaves our endpoint for its new backend: no new sessions, its queue drained and archived (P2-201 B10).

Inoperative lasts only until the order to restart: it survives restarts, and a new backend need not know that somebody
else has set it. A unit left Inoperative would be worse than found (decision 0022).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.diagnosis.naming import found
from app.errors import AppError, LinkLost, StoreError
from app.jobs.stepping import StepRun
from app.model.finding import Severity
from app.model.job import Strength
from app.ocpp.endpoint import Endpoint
from app.rescue.draining import STUCK, Drained
from app.rescue.files import Ledger

MOST_TOLD = 30
"""Sessions named in the job and its report; the files hold all."""
RETURN_S = 60.0
WHOLE = 0
"""The whole charge point, in both versions' numbering."""


async def rescue(step: StepRun, identity: str) -> None:
    """Let the unit's queue run dry here, and archive the sessions it brought. Nothing to rescue says nothing."""
    desk, endpoint = step.bench.rescue, step.bench.server.endpoint(identity)
    if desk is None or endpoint is None:
        return
    step.progress("Waiting for messages that its dead backend never got", patience_s=desk.patience.longest_s)

    def tell(drained: Drained) -> None:
        step.progress(f"{drained.messages} kept messages taken", patience_s=desk.patience.longest_s)

    drained = await desk.empty(step.bench.server, identity, tell)
    serial = endpoint.ledger.boot.serial if endpoint.ledger.boot else ""
    try:
        ledger = await desk.ledger(identity, serial=serial, is_dry=drained.is_dry)
        if ledger.kept:
            _archived(step, ledger, [path.name for path in await desk.save(ledger)])
    except StoreError as error:
        step.note(f"Its old sessions could not be archived: {error.message}", strength=Strength.OPEN)
    if drained.stuck:
        _stuck(step, drained)
    if not drained.is_dry:
        step.note("Its queue was not empty yet; what is left goes to the new backend.", strength=Strength.OPEN)


def _stuck(step: StepRun, drained: Drained) -> None:
    """Name a message that came again and again although it was answered."""
    action, _, stamp = drained.stuck.partition(" ")
    step.found(
        found(
            "PAST-QUEUE",
            Severity.WARNING,
            (action, stamp or "no time"),
            case="repeated",
            action=action,
            stamp=stamp or "an unknown time",
            count=f"{STUCK} or more",
        )
    )
    if drained.is_dry:
        step.note(f"It sent {drained.stuck} again and again; it was kept, then refused, and the charger went on.")
        return
    text = f"It sends {drained.stuck} again and again, answered or refused; what lies behind that stays on it."
    step.note(text, strength=Strength.OPEN)


def _archived(step: StepRun, ledger: Ledger, files: list[str]) -> None:
    count, lines = len(ledger.kept), step.bench.rescue.rows(ledger) if step.bench.rescue is not None else []
    kept = [line for line in lines if line["is_replayed"]]
    told = [_line(row) for row in kept[:MOST_TOLD]]
    many = "One session" if count == 1 else f"{count} sessions"
    step.note(
        f"{many} that no backend had got: {ledger.kept_wh / 1000:.1f} kWh archived.",
        detail="\n".join([*files, *told]),
        facts={"rescue": {"sessions": count, "energy_wh": ledger.kept_wh, "files": files}},
    )


def _line(row: Mapping[str, Any]) -> str:
    """Write one session for the job and its report: no card, only its pseudonym."""
    energy = f"{row['energy_wh'] / 1000:.3f} kWh" if row["energy_wh"] is not None else "energy unknown"
    times = f"{row['started_at'] or '?'} – {row['stopped_at'] or '?'}"
    return " · ".join(part for part in (times, energy, row["card"], row["state"]) if part)


@asynccontextmanager
async def closed_for_sessions(step: StepRun, identity: str) -> AsyncIterator[None]:
    """Keep new sessions from starting while the unit is written to; it is open again afterwards, whatever happens."""
    endpoint = step.bench.server.endpoint(identity)
    is_closed = endpoint is not None and await _close(step, endpoint)
    try:
        yield
    finally:
        if is_closed:
            await _open(step, identity)


async def _close(step: StepRun, endpoint: Endpoint) -> bool:
    if any(transaction.is_running for transaction in endpoint.transactions.values()):
        step.note("A session runs; the charger is not taken out of service for the change.", strength=Strength.OPEN)
        return False
    try:
        status = await endpoint.availability(WHOLE, False)
    except LinkLost:
        raise
    except AppError:
        return False
    if status in ("Accepted", "Scheduled"):
        step.note("It takes no new sessions while it is changed.", detail=f"ChangeAvailability: {status}")
    return status in ("Accepted", "Scheduled")


async def _open(step: StepRun, identity: str) -> None:
    status, wait_s = "", min(step.timing.redial_s * 2, RETURN_S)
    with suppress(AppError):
        endpoint = await step.bench.server.arrival(identity, timeout_s=wait_s)
        try:
            status = await endpoint.availability(WHOLE, True)
        except LinkLost:  # it was hanging up just then, as many do after a new password
            endpoint = await step.bench.server.arrival(identity, timeout_s=wait_s, after=endpoint.opened_at)
            status = await endpoint.availability(WHOLE, True)
    if status in ("Accepted", "Scheduled"):
        step.note("It takes sessions again.", detail=f"ChangeAvailability: {status}")
    else:
        text = "Whether it takes sessions again is not known: set it to “Operative” on the new backend."
        step.note(text, strength=Strength.OPEN)
