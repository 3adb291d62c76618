"""Point the unit at the real backend, and say honestly how far that is proved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime

from app.driver.capability import ReportsStatus, SetsBackend
from app.errors import LinkError, LinkLost, NotReachable, NotSupported, StepBlocked, TimedOut
from app.jobs.fallback import fell_back, outlast_trial, recall_slots, tries_addresses, watch_s
from app.jobs.homing import came_home, dials_new, heard_here, report_own_dns
from app.jobs.leaving import closed_for_sessions, rescue
from app.jobs.stepping import StepRun, is_dialled_in
from app.jobs.steps.restart import introduces_itself_late, needs_restart, restart
from app.jobs.writing import by_hand, holds, point_at, unkept
from app.model.backend import Backend
from app.model.finding import Severity
from app.model.job import Strength, Target, Write

LEAVE_S = 30.0
"""How long a unit may take to hang up after it was pointed elsewhere; longer is only noted."""
FIRST_POLL_S = 0.1
SLOWEST_POLL_S = 3.0


async def run(step: StepRun) -> None:
    """Write the real address over the unit's own interface, or else over its connection to us; restart; prove."""
    if not step.job.has_backup:
        raise StepBlocked(
            "Nothing is written without a backup.", "Go back to the backup, or do this by hand and leave the step out."
        )
    backend = step.backend
    _need_a_way_out(step, backend)
    identity = str(step.job.facts.get("rehearsal", {}).get("identity", "")) or backend.identity
    began = step.clock()
    over_us = await _point(step, backend, identity)
    if _wants_restart(step) and (not over_us or step.bench.server.endpoint(identity) is not None):
        await restart(step)
    await (_prove_gone(step, backend, identity) if over_us else _prove_connected(step, backend, identity))
    await _confirm(step, backend, began)


def _need_a_way_out(step: StepRun, backend: Backend) -> None:
    """Refuse a new backend whose name we answer ourselves: the unit would come back here, and nothing be proved."""
    if step.bench.server.old_names.answers(backend.host):
        report_own_dns(step, backend, ("answered by", "the name server of this program"))
        raise StepBlocked(
            f"This computer's own name server answers “{backend.host}”, the new backend's name.",
            "Take it out of the names that are answered here (Garage, DNS), then continue. Nothing was written.",
        )


def _wants_restart(step: StepRun) -> bool:
    return needs_restart(step, Target.BACKEND) or (step.has_own(SetsBackend) and introduces_itself_late(step.profile))


async def _point(step: StepRun, backend: Backend, identity: str) -> bool:
    """Write the real address; say whether that went over the unit's connection to us."""
    if _has_left(step, identity):
        return _tell_left(step)
    try:
        async with step.open(SetsBackend) as session:
            over_us = is_dialled_in(session)
            if over_us:
                _recall(step, identity)
                await rescue(step, identity)
            async with closed_for_sessions(step, identity) if over_us else nullcontext():
                count = await point_at(step, session, backend, Target.BACKEND)
            if not count:
                step.note("Nothing had to be written.")
            if not over_us and not await holds(step, session, backend):
                raise unkept("right after writing")
            return over_us
    except NotSupported as error:
        raise by_hand(step, backend) from error
    except (NotReachable, LinkLost):
        if not _has_left(step, identity):
            raise
        return _tell_left(step)


def _recall(step: StepRun, identity: str) -> None:
    endpoint = step.bench.server.endpoint(identity)
    if endpoint is not None:
        recall_slots(step, endpoint)


def _has_left(step: StepRun, identity: str) -> bool:
    """Say whether the address itself was written over the unit's connection to us, and the unit is gone since."""
    is_gone = step.bench.server.endpoint(identity) is None
    return is_gone and not step.has_own(SetsBackend) and bool(_address_writes(step))


def _tell_left(step: StepRun) -> bool:
    if _address_writes(step)[-1].is_accepted:
        step.note("It was written to and has left this computer.", strength=Strength.CLAIMED)
    else:
        text = "It hung up while its address was written; whether it took it is not known."
        step.note(text, strength=Strength.OPEN)
    return True


def _address_writes(step: StepRun) -> list[Write]:
    """List the attempts to write the last key of the plan: the address."""
    planned = step.job.changes(Target.BACKEND)
    last = planned[-1].key if planned else ""
    return [write for write in step.job.writes if write.target is Target.BACKEND and write.key == last]


async def _prove_connected(step: StepRun, backend: Backend, identity: str) -> None:
    await _prove_left(step, identity)
    since = step.clock()
    timing = step.timing
    step.progress(
        "Waiting until the charger says that it is connected",
        expected_s=timing.redial_s,
        patience_s=timing.patience_s,
    )
    if not await _is_connected(step, backend, lambda: heard_here(step, backend, identity, since)):
        step.note("It does not say whether it is connected.", strength=Strength.OPEN)
        if tries_addresses(step.profile):
            await outlast_trial(step, backend, identity)


async def _is_connected(step: StepRun, backend: Backend, is_here: Callable[[], bool]) -> bool:
    """Ask the unit itself until it is connected (``True``); ``False`` where it never says; raises TimedOut.

    A connection to ourselves (``is_here``) is none to the new backend, whatever the unit says.
    """
    loop = asyncio.get_running_loop()
    deadline, pause_s = loop.time() + step.timing.patience_s, FIRST_POLL_S
    is_checked = False
    while True:
        try:
            async with step.open_until(SetsBackend, patience_s=max(1.0, deadline - loop.time())) as session:
                if not is_checked and not await holds(step, session, backend, "after the move"):
                    raise unkept("after the move")
                is_checked = True
                connected = await _wait_in(session.ask(ReportsStatus), deadline)
        except NotSupported:
            return False
        except LinkError:
            connected = False
        if connected is None:
            return False
        if connected and not is_here():
            step.note("It says that it is connected to the new backend.", strength=Strength.CLAIMED)
            return True
        if loop.time() >= deadline and is_here():
            raise came_home(step, backend)
        if loop.time() >= deadline:
            raise TimedOut(
                f"It gets no connection to the new backend within {step.timing.patience_s / 60:.0f} minutes.",
                "Check identity and password at the backend and whether the charger's network reaches it; then try "
                "this step again, or undo.",
            )
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, SLOWEST_POLL_S)


async def _wait_in(unit: ReportsStatus, deadline: float) -> bool | None:
    """Poll one open session; ``None`` = the unit does not say."""
    loop, pause_s = asyncio.get_running_loop(), FIRST_POLL_S
    while True:
        link = (await unit.status()).link
        if link.is_connected is None:
            return None
        if link.is_connected or loop.time() >= deadline:
            return link.is_connected
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, SLOWEST_POLL_S)


async def _prove_left(step: StepRun, identity: str) -> bool:
    """Wait until the unit has hung up on us."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEAVE_S
    while (endpoint := step.bench.server.endpoint(identity)) is not None:
        if loop.time() >= deadline:
            step.note("It is still connected to this computer.", strength=Strength.OPEN)
            return False
        with endpoint.events.subscribe() as events:
            try:
                async with asyncio.timeout(min(1.0, LEAVE_S)):
                    async for _ in events:
                        if not endpoint.is_open:
                            break
            except TimeoutError:
                continue
    step.note("It has left this computer.", facts={"left_at": step.clock()})
    return True


async def _prove_gone(step: StepRun, backend: Backend, identity: str) -> None:
    """Prove by absence: the unit hung up and does not come back within its redial time."""
    if not await _prove_left(step, identity):
        raise StepBlocked(
            "The charger still dials this computer.",
            "Restart it (switch it off and on), then continue. If it comes back here, it did not keep the address.",
        )
    wait_s, began = watch_s(step), asyncio.get_running_loop().time()
    step.progress("Watching whether it comes back to this computer", expected_s=wait_s, patience_s=wait_s)
    try:
        back = await step.bench.server.arrival(identity, timeout_s=wait_s)
    except TimedOut:
        step.note(f"It did not come back to this computer within {wait_s:.0f} s.")
        text = "Whether the new backend took it can't be seen from here."
        step.note(text, detail="It has no other interface that says so.", strength=Strength.OPEN)
        return
    if dials_new(back.handshake, backend):
        report_own_dns(step, backend, ("came back here", back.handshake.request_line), ("as", back.handshake.host))
        raise came_home(step, backend)
    error = await fell_back(step, back, asyncio.get_running_loop().time() - began)
    if error is not None:
        raise error
    step.report(
        "NOT-APPLIED",
        Severity.FAULT,
        ("came back here", back.handshake.request_line),
        ("from", back.handshake.remote),
        details={"key": "the backend address", "shape": "the old value", "when": "after its restart"},
    )
    raise unkept("after its restart")


async def _confirm(step: StepRun, backend: Backend, since: datetime) -> None:
    if step.confirmation is None:
        return
    patience_s = min(step.timing.patience_s, 60.0)
    step.progress("Asking the new backend", patience_s=patience_s)
    try:
        async with asyncio.timeout(patience_s):
            words = await step.confirmation(backend.without_secret(), since)
    except TimeoutError:
        words = ""
    if words:
        step.note("The new backend confirms it.", detail=words, facts={"confirmed": words})
    else:
        step.note("The new backend did not confirm it.", strength=Strength.OPEN)
