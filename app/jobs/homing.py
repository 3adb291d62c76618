"""A unit that was moved and comes back to this computer: because a name server leads it here, not by its own fault."""

from __future__ import annotations

from datetime import datetime

from app.diagnosis.tls import is_address
from app.errors import StepBlocked
from app.jobs.stepping import StepRun
from app.model.backend import Backend
from app.model.finding import Severity
from app.model.frame import Handshake
from app.model.unit import authority


def heard_here(step: StepRun, backend: Backend, identity: str, since: datetime) -> bool:
    """Say whether our own endpoint has heard the unit since a time; not where the new backend is our own endpoint."""
    if authority(backend.url) == authority(step.bench.server.state.url):
        return False
    here = [step.bench.server.endpoint(name) for name in {identity, backend.identity}]
    return any(endpoint is not None and endpoint.last_heard_at > since for endpoint in here)


def dials_new(shake: Handshake, backend: Backend) -> bool:
    """Say whether a unit that came here dials the new backend, by its name and on its port: it kept the new address.

    An address that is no name is nobody's to lead astray.
    """
    if is_address(backend.host) or not backend.host:
        return False
    port = shake.local.rpartition(":")[2]
    names = [shake.tls.hello.server_name if shake.tls is not None else "", shake.host.partition(":")[0]]
    return authority(backend.url) in [f"{name.lower().rstrip('.')}:{port}" for name in names]


def came_home(step: StepRun, backend: Backend) -> StepBlocked:
    """Say that what the unit is connected to is this computer."""
    known = step.bench.server.old_names.answers(backend.host)
    who = "our own name server" if known else "a name server (ours, or the site's router for us)"
    return StepBlocked(
        f"The charger is connected to this computer, not to “{backend.host}”: {who} may lead it here.",
        "Stop standing in, or take that name out; wait a minute or restart the charger, then continue. If it still "
        "comes back, it did not keep the new address.",
    )


def report_own_dns(step: StepRun, backend: Backend, *proofs: tuple[str, str]) -> None:
    """Report that the new backend's name leads here."""
    step.report("OLD-BACKEND", Severity.FAULT, *proofs, details={"case": "own-dns", "host": backend.host})
