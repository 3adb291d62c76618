"""Watch our door while we wait for a unit: what comes under a wrong name tells the cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.jobs.stepping import StepRun
from app.model.address import NetAddress
from app.model.finding import Severity
from app.model.frame import Knock


@contextmanager
def watching(step: StepRun, identity: str) -> Iterator[None]:
    """Report, once each, peers that seem to be this unit but don't come as ``identity``."""
    told: set[tuple[str, str]] = set()
    hosts = {way.address.host for way in step.unit.ways if isinstance(way.address, NetAddress)}

    async def watch() -> None:
        with step.bench.server.knocks.subscribe() as knocks:
            async for knock in knocks:
                _tell(step, knock, identity, hosts, told)

    task = step.scope.isolated("strays", watch())
    try:
        yield
    finally:
        task.cancel()


def _tell(step: StepRun, knock: Knock, identity: str, hosts: set[str], told: set[tuple[str, str]]) -> None:
    if knock.identity == identity and knock.verdict == "accepted":
        return
    is_near = identity.lower() in f"{knock.identity} {knock.text}".lower()
    if not is_near and (_host(knock.remote) not in hosts or _is_loopback(knock.remote)):
        return
    mark = (knock.verdict, knock.identity)
    if mark in told or len(told) >= 5:
        return
    told.add(mark)
    came = f"came as “{knock.identity}”" if knock.identity else knock.text
    step.progress(f"Something from {knock.remote} {came}; still waiting for “{identity}”")
    for finding in step.bench.server.findings_of(knock):
        step.found(finding)
    if knock.verdict == "accepted":
        details = {"path": knock.text, "faults": came, "identity": identity, "remote": knock.remote}
        step.report("URL-COMPOSE", Severity.WARNING, ("from", knock.remote), ("what came", knock.text), details=details)


def _host(remote: str) -> str:
    return remote.rpartition(":")[0].strip("[]")


def _is_loopback(remote: str) -> bool:
    return _host(remote) in ("127.0.0.1", "::1")
