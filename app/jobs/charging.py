"""A short charge on our own endpoint: remote start, meter values that rise, stop."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from app.errors import AppError, LinkLost, Refused, TimedOut
from app.feed import Subscription
from app.jobs.stepping import StepRun
from app.model.card import OWN_TAG
from app.model.job import Strength
from app.model.reading import Measurand, Reading
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import (
    Closed,
    EndpointEvent,
    MeterSampled,
    Transaction,
    TransactionStarted,
    TransactionStopped,
)

E = TypeVar("E", bound=EndpointEvent)

TAG = OWN_TAG
START_S = 30.0
RISE_S = 150.0
"""Two sample intervals of 60 s and a little (commissioning part 4: a sample within twice the interval)."""
ASK_EVERY_S = 2.0
STOP_S = 30.0


def is_ready(endpoint: Endpoint) -> bool:
    """Say whether a car is plugged in and nothing charges, or a charge is running already."""
    return _connector(endpoint) is not None or _running(endpoint) is not None


async def try_charging(step: StepRun, endpoint: Endpoint) -> None:
    """Charge a little and note what was seen. A refusal is noted, not raised; raises LinkLost."""
    running = _running(endpoint)
    try:
        if running is not None:
            step.note("A charge is already running; it is only watched.", strength=Strength.PROVED)
            await _watch(step, endpoint, running)
            return
        transaction = await _start(step, endpoint, _connector(endpoint) or 1)
        await _watch(step, endpoint, transaction)
        await _stop(step, endpoint, transaction)
    except LinkLost:
        raise
    except (Refused, TimedOut) as error:
        step.note("The charge on this computer could not be proved.", detail=error.message, strength=Strength.OPEN)


def _connector(endpoint: Endpoint) -> int | None:
    ready = (number for number, item in sorted(endpoint.statuses.items()) if number and item.state == "Preparing")
    return next(ready, None)


def _running(endpoint: Endpoint) -> Transaction | None:
    return next((item for item in endpoint.transactions.values() if item.is_running), None)


async def _start(step: StepRun, endpoint: Endpoint, connector: int) -> Transaction:
    step.progress(f"Starting a charge on connector {connector}", patience_s=START_S)
    with endpoint.events.subscribe() as events:
        status = await endpoint.start(connector, TAG)
        if status != "Accepted":
            raise Refused(f"It answered the remote start with “{status}”.", "Look whether the car is ready.")
        event = await _next(events, TransactionStarted, START_S)
    step.note("It started a charge on our command.", detail=f"connector {connector}")
    return event.transaction


async def _next(events: Subscription[EndpointEvent], kind: type[E], timeout_s: float) -> E:
    try:
        async with asyncio.timeout(timeout_s):
            async for event in events:
                if isinstance(event, kind):
                    return event
                if isinstance(event, Closed):
                    break
    except TimeoutError as error:
        raise TimedOut(f"It sent no {kind.__name__} within {timeout_s:.0f} s.", "Look at the car.") from error
    raise LinkLost("It hung up during the charge.", "Wait until it dials again.")


async def _watch(step: StepRun, endpoint: Endpoint, transaction: Transaction) -> None:
    """Wait until the energy register has risen; raises TimedOut."""
    step.progress("Waiting for meter values that rise", patience_s=RISE_S)
    asking = step.scope.isolated("ask for meter values", _ask(endpoint, transaction.connector))
    loop, first = asyncio.get_running_loop(), transaction.meter_start_wh
    deadline = loop.time() + RISE_S
    try:
        with endpoint.events.subscribe() as events:
            while True:
                event = await _next(events, MeterSampled, max(0.0, deadline - loop.time()))
                energy = _energy(event.readings)
                if energy is not None and first is not None and energy.value > first:
                    _tell(step, first, energy, event.readings)
                    return
                first = energy.value if first is None and energy is not None else first
    finally:
        asking.cancel()


async def _ask(endpoint: Endpoint, connector: int) -> None:
    """Ask for meter values now and then; units that can't be asked send them by themselves."""
    while endpoint.is_open:
        await asyncio.sleep(ASK_EVERY_S)
        try:
            await endpoint.trigger("MeterValues", connector)
        except AppError:
            return


def _energy(readings: tuple[Reading, ...]) -> Reading | None:
    return next((item for item in readings if item.measurand is Measurand.ENERGY and not item.phase), None)


def _tell(step: StepRun, first: float, energy: Reading, readings: tuple[Reading, ...]) -> None:
    power = next((item for item in readings if item.measurand is Measurand.POWER and not item.phase), None)
    detail = f"{first:.0f} Wh → {energy.value:.0f} Wh" + (f", {power.value:.0f} W" if power else "")
    charged = {"energy_wh": energy.value - first, "where": "this computer"}
    step.note("Its meter values rise while it charges.", detail=detail, facts={"rehearsal_charge": charged})


async def _stop(step: StepRun, endpoint: Endpoint, transaction: Transaction) -> None:
    step.progress("Stopping the charge", patience_s=STOP_S)
    with endpoint.events.subscribe() as events:
        status = await endpoint.stop(transaction.transaction_id)
        if status != "Accepted":
            raise Refused(f"It answered the remote stop with “{status}”.", "Stop the charge at the car.")
        event = await _next(events, TransactionStopped, STOP_S)
    energy = event.transaction.energy_wh
    step.note("It stopped on our command.", detail=f"{energy:.0f} Wh" if energy is not None else "")
