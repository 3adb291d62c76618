"""Before a unit leaves our endpoint for its new backend: no new sessions, its queue drained and archived (P2-201 B10).

Inoperative lasts only until the order to restart: it survives restarts, and a new backend need not know that somebody
else has set it. A unit left Inoperative would be worse than found (decision 0022).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.errors import AppError, LinkLost, StoreError
from app.jobs.stepping import StepRun
from app.model.job import Strength
from app.ocpp.endpoint import Endpoint
from app.rescue.draining import Drained
from app.rescue.files import Ledger

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

    drained = await desk.drain(endpoint, tell)
    serial = endpoint.ledger.boot.serial if endpoint.ledger.boot else ""
    try:
        ledger = await desk.ledger(identity, serial=serial, is_dry=drained.is_dry)
        if any(session.is_replayed for session in ledger.sessions):
            _archived(step, ledger, [path.name for path in desk.save(ledger)])
    except StoreError as error:
        step.note(f"Its old sessions could not be archived: {error.message}", strength=Strength.OPEN)
    if not drained.is_dry:
        step.note("Its queue was not empty yet; what is left goes to the new backend.", strength=Strength.OPEN)


def _archived(step: StepRun, ledger: Ledger, files: list[str]) -> None:
    kept = [session for session in ledger.sessions if session.is_replayed]
    step.note(
        f"{len(kept)} sessions that no backend had got are archived: {ledger.energy_wh / 1000:.1f} kWh.",
        detail="\n".join(files),
        facts={"rescue": {"sessions": len(kept), "energy_wh": ledger.energy_wh, "files": files}},
    )


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
    endpoint, status = step.bench.server.endpoint(identity), ""
    if endpoint is not None:
        with suppress(AppError):
            status = await endpoint.availability(WHOLE, True)
    if status in ("Accepted", "Scheduled"):
        step.note("It takes sessions again.", detail=f"ChangeAvailability: {status}")
    else:
        text = "Whether it takes sessions again is not known: set it to “Operative” on the new backend."
        step.note(text, strength=Strength.OPEN)
