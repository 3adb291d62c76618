"""Who is it, how is it, where does it dial? Reads only."""

from __future__ import annotations

from dataclasses import replace

from app.driver.capability import Identifies, ReportsStatus, SetsBackend, Status
from app.driver.session import Session
from app.jobs.stepping import CLAIMS, StepRun
from app.model.backend import Backend
from app.model.job import Strength
from app.model.unit import Identity, LinkState, strong


async def run(step: StepRun) -> None:
    """Read identity, condition and present backend."""
    step.progress("Asking the charger who it is")
    async with step.open(Identifies) as session:
        identity = await session.ask(Identifies).identify()
        _tell_identity(step, session, identity)
        status = await session.ask(ReportsStatus).status() if session.has(ReportsStatus) else None
        backend = await session.ask(SetsBackend).read_backend() if session.has(SetsBackend) else None
    if status is not None:
        _tell_status(step, status)
    _tell_backend(step, backend, status.link if status else LinkState())


def _tell_identity(step: StepRun, session: Session, identity: Identity) -> None:
    name = " ".join(part for part in (identity.vendor, identity.model) if part) or "A charger that gives no name"
    details = [f"{label} {value}" for label, value in _labelled(identity) if value]
    facts = {
        "identity": replace(identity, claims=(), extra={}),
        CLAIMS: sorted(strong(identity), key=str),
        "way": str(session.address),
        "speaks": step.speaks,
    }
    step.note(f"{name} answers at {session.address}.", detail=", ".join(details), facts=facts)
    profile = step.profile
    if profile is not None:
        step.note(f"Known as “{profile.family}”.", detail=f"evidence grade: {profile.grade.value}")
    else:
        step.note("Rehome does not know this model.", strength=Strength.OPEN)


def _labelled(identity: Identity) -> tuple[tuple[str, str], ...]:
    return ("serial", identity.serial), ("firmware", identity.firmware), ("MAC", identity.mac)


def _tell_status(step: StepRun, status: Status) -> None:
    state = " · ".join(part for part in (status.state, status.detail) if part)
    if state:
        step.note(f"It says: {state}.", strength=Strength.CLAIMED, facts={"state_before": state})
    if status.has_fault:
        step.note("It reports a fault; moving it will not cure that.", detail=state, strength=Strength.CLAIMED)
    if status.state == "Charging":
        step.note("A car is charging now. The move may interrupt it.", strength=Strength.CLAIMED)


def _tell_backend(step: StepRun, backend: Backend | None, link: LinkState) -> None:
    if backend is None or not backend.url:
        step.note("It has no backend address, or does not tell it.", strength=Strength.CLAIMED)
        return
    known = backend.without_secret()
    facts = {"backend_before": known, "link_before": link}
    text = f"It dials {known.url} as “{known.identity}”."
    if link.is_enabled is False:
        text = f"OCPP is switched off; its address is {known.url}, its identity “{known.identity}”."
    step.note(text, strength=Strength.CLAIMED, facts=facts)
    if link.is_connected is not None and link.is_enabled is not False:
        word = "is connected" if link.is_connected else "gets no connection"
        step.note(f"It says that it {word}.", strength=Strength.CLAIMED)
