"""What we saw ourselves: the unit dials this computer under its new identity, and talks."""

from __future__ import annotations

import asyncio
from datetime import datetime

from app.diagnosis import others
from app.diagnosis.applied import slow_return
from app.diagnosis.others import Verdict
from app.driver.capability import SetsBackend
from app.errors import LinkError, LinkLost, NotSupported, TimedOut
from app.jobs.charging import is_ready, try_charging
from app.jobs.fallback import need_kept
from app.jobs.ourselves import our_backend
from app.jobs.stepping import StepRun, is_dialled_in
from app.jobs.strays import watching
from app.jobs.writing import holds, unkept
from app.model.frame import Boot
from app.model.job import StepKind, StepState, Strength, Target
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Booted, Heard
from app.ocpp.sightings import identity_of

FIRST_WORD_S = 35.0
"""How long a connected unit may be silent: longer than the 30 s after which it is asked for its Boot."""
STATUS_S = 5.0
ATTEMPTS = 3
"""A unit may drop and return in the middle of the proof (charge-points-in-practice)."""


async def run(step: StepRun) -> None:
    """Wait for the unit with its own times, then collect handshake, boot, state and, with a car, a short charge."""
    state = await step.bench.listen_somewhere()
    await _still_applied(step)
    identity = str(step.job.facts.get("rehearsal", {}).get("identity", "")) or step.backend.identity
    for attempt in range(1, ATTEMPTS + 1):
        endpoint = await _arrived(step, identity, state.url)
        try:
            await _collect(step, endpoint)
            return
        except LinkLost:
            if attempt == ATTEMPTS:
                raise
            step.progress(f"“{identity}” hung up; waiting for it to dial again")


async def _still_applied(step: StepRun) -> None:
    """Find out early that a unit set itself back, where its own interface can be asked."""
    was_restarted = step.job.step(StepKind.RESTART).state is StepState.DONE
    patience_s = step.timing.restart_s * 4 if was_restarted else 1.0
    step.progress("Reading the address again", expected_s=step.timing.restart_s if was_restarted else None)
    try:
        async with step.open_until(SetsBackend, patience_s=patience_s) as session:
            if is_dialled_in(session):
                return
            ours = our_backend(await step.bench.listen_somewhere(), step.unit, step.backend)
            if not await holds(step, session, ours):
                raise unkept("now")
    except (LinkError, NotSupported):
        step.note("Its own interface does not answer now; the endpoint will tell.", strength=Strength.OPEN)


async def _arrived(step: StepRun, identity: str, url: str) -> Endpoint:
    timing = step.timing
    after = _not_before(step)
    expected_s = timing.redial_s + (timing.restart_s if after else 0.0)
    step.progress(f"Waiting for “{identity}” to dial {url}", expected_s=expected_s, patience_s=timing.patience_s)
    with watching(step, identity):
        try:
            return await step.bench.server.arrival(identity, timeout_s=timing.patience_s, after=after)
        except TimedOut as error:
            late = slow_return(timing.patience_s, timing.patience_s, timing.redial_s)
            if late is not None:
                step.found(late)
            await need_kept(step, our_backend(await step.bench.listen_somewhere(), step.unit, step.backend))
            raise TimedOut(
                f"“{identity}” did not dial this computer within {timing.patience_s / 60:.0f} minutes.",
                "Look at the knock list under “Endpoint”: what came instead tells the cause. Check that the charger's "
                "network reaches this computer and that its firewall lets the port in.",
            ) from error


def _not_before(step: StepRun) -> datetime | None:
    """A connection from before the restart proves nothing."""
    restarted = step.job.facts.get("restarted_at")
    if restarted is None or not any(write.target is Target.ENDPOINT for write in step.job.writes):
        return None
    return datetime.fromisoformat(str(restarted))


async def _collect(step: StepRun, endpoint: Endpoint) -> None:
    shake = endpoint.handshake
    step.note(
        f"“{endpoint.identity}” dialled this computer from {shake.remote}.",
        detail=shake.request_line,
        facts={"arrival": {"identity": endpoint.identity, "request": shake.request_line, "at": endpoint.opened_at}},
    )
    step.note(
        f"It speaks {shake.chosen_subprotocol}." if shake.chosen_subprotocol else "It named no OCPP version.",
        detail=", ".join(shake.subprotocols),
        strength=Strength.PROVED if shake.chosen_subprotocol else Strength.OPEN,
    )
    _tell_password(step, endpoint)
    await _first_word(step, endpoint)
    step.must_be_ours(identity_of(endpoint.identity, endpoint.ledger.boot), str(endpoint.address))
    await _state(step, endpoint)
    _foretell(step, endpoint)
    if is_ready(endpoint):
        await try_charging(step, endpoint)
    else:
        step.note("No car was plugged in, so no charge was tried here.", strength=Strength.OPEN)


def _foretell(step: StepRun, endpoint: Endpoint) -> None:
    """Say which common backends would object to what it has shown, before it is moved to one."""
    for opinion in others.judge(endpoint.handshake, findings=endpoint.findings):
        if opinion.verdict is Verdict.ACCEPTS:
            continue
        reason = max(opinion.reasons, key=lambda item: item.verdict is Verdict.REFUSES)
        does = "would refuse it" if reason.verdict is Verdict.REFUSES else "would let it in and stumble"
        byte = f"byte {reason.place.start} of its request; " if reason.place.start >= 0 else ""
        step.note(
            f"{opinion.other.name} {does}: {reason.text}",
            detail=f"{byte}{reason.change} ({reason.source})",
            strength=Strength.OPEN,
        )


def _tell_password(step: StepRun, endpoint: Endpoint) -> None:
    expected = step.bench.server.expected(endpoint.identity)
    reading = endpoint.handshake.password_reading
    if not expected:
        return
    if reading in ("plain", "hex", "bytes"):
        step.note("It sent the right password.", detail=f"read as {reading}")
    elif not endpoint.handshake.has_password:
        step.note("It sent no password.", strength=Strength.OPEN)
    else:
        step.note("It sent a password that is not the new backend's.", strength=Strength.OPEN)


async def _first_word(step: StepRun, endpoint: Endpoint) -> None:
    step.progress("Waiting for its first message", expected_s=2.0, patience_s=FIRST_WORD_S)
    boot = endpoint.boot or await _boot(endpoint)
    if boot is not None:
        parts = (boot.vendor, boot.model, boot.serial, boot.firmware)
        step.note(
            "It sent a BootNotification, and it was accepted.",
            detail=" · ".join(part for part in parts if part),
            facts={"boot": {"vendor": boot.vendor, "model": boot.model, "serial": boot.serial}},
        )
        return
    heard = ", ".join(sorted(endpoint.heard_actions))
    if heard:
        step.note("It was accepted before, so it sent no BootNotification; it talks.", detail=heard)
        return
    settings = await endpoint.get_settings(("HeartbeatInterval",))
    shown = ", ".join(f"{setting.key} = {setting.shown}" for setting in settings) or "no such key"
    step.note("It sent nothing by itself, but answers our question.", detail=shown)


async def _boot(endpoint: Endpoint) -> Boot | None:
    """Return the Boot that comes first, or ``None`` as soon as it says anything else (or nothing)."""
    if endpoint.heard_actions:
        return endpoint.boot
    try:
        await endpoint.wait_for(Heard, timeout_s=FIRST_WORD_S)
        if endpoint.boot is None and "BootNotification" in endpoint.heard_actions:
            await endpoint.wait_for(Booted, timeout_s=1.0)
    except TimedOut:
        return None
    return endpoint.boot


async def _state(step: StepRun, endpoint: Endpoint) -> None:
    if not endpoint.statuses:
        with endpoint.events.subscribe() as events:
            try:
                async with asyncio.timeout(STATUS_S):
                    async for _ in events:
                        if endpoint.statuses or not endpoint.is_open:
                            break
            except TimeoutError:
                pass
    if not endpoint.is_open:
        raise LinkLost("It hung up before it told its state.", "Wait until it dials again, then continue.")
    if not endpoint.statuses:
        step.note("It has not reported a state yet.", strength=Strength.OPEN)
        return
    text = ", ".join(f"connector {number}: {item.state}" for number, item in sorted(endpoint.statuses.items()))
    step.note("It reported its state.", detail=text)
