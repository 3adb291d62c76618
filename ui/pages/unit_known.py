"""Put together what is known of a charger, for its chain of proof."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from app.diagnosis.catalogue import explain
from app.errors import StoreError
from app.model.address import OcppAddress
from app.model.edit import Edit
from app.model.finding import Evidence, Finding
from app.model.frame import Knock
from app.model.job import Job, JobState, StepKind, StepState, Strength
from app.model.proof import Known, Stage, knocks_of
from app.model.reading import StateChange
from app.model.unit import LinkState, Unit

if TYPE_CHECKING:
    from app.ocpp.endpoint import Endpoint
    from app.workbench import Workbench

log = logging.getLogger(__name__)


def jobs_of(bench: Workbench, unit_id: str) -> list[Job]:
    """Return the jobs of a charger, also those begun before it turned out to be one known under another id."""
    units = bench.finder.units

    def leads_here(job: Job) -> bool:
        unit = units.get(job.unit_id)
        return (unit.unit_id if unit is not None else job.unit_id) == unit_id

    return [job for job in bench.desk.jobs.values() if leads_here(job)]


def edits_of(bench: Workbench, unit_id: str) -> tuple[Edit, ...]:
    """Return the settings of a charger written by hand, the newest first; none where they can't be read."""
    try:
        return bench.edits(unit_id)
    except StoreError as error:
        log.info("the edits can't be read: %s", error.message)
        return ()


def identities(unit: Unit) -> frozenset[str]:
    """Return every name under which this charger may speak to our endpoint."""
    names = {way.address.identity for way in unit.ways if isinstance(way.address, OcppAddress)}
    return frozenset(names)


def sample_ids(unit: Unit, endpoint: Endpoint | None) -> frozenset[str]:
    """Return every id under which readings, states and findings of this charger are published."""
    dialled = (str(way.address) for way in unit.ways if isinstance(way.address, OcppAddress))
    return frozenset({unit.unit_id, *identities(unit), *dialled, *((endpoint.unit_id,) if endpoint else ())})


def endpoint_of(bench: Workbench, unit: Unit) -> Endpoint | None:
    """Return the newest connection of this charger to our endpoint, if it has one."""
    found = (bench.server.endpoints.get(name) for name in identities(unit))
    return next((endpoint for endpoint in found if endpoint is not None), None)


def gather(
    bench: Workbench,
    unit: Unit,
    *,
    is_answering: bool = False,
    trouble: str = "",
    says: LinkState | None = None,
    states: Iterable[StateChange] = (),
    findings: Iterable[Finding] = (),
    register_wh: float | None = None,
    counted_wh: float = 0.0,
) -> Known:
    """Collect what unit, endpoint, knocks and the open session tell.

    ``register_wh`` is the energy register's newest value, ``counted_wh`` what it rose since the page was opened.
    """
    endpoint = endpoint_of(bench, unit)
    statuses = {state.connector: state for state in states}
    if endpoint is not None:
        statuses.update(endpoint.statuses)
    knocks = knocks_of(unit, bench.server.knock_list)
    found = _findings(endpoint, (*_knock_findings(bench, endpoint, knocks), *findings))
    return Known(
        unit=unit,
        is_answering=is_answering,
        trouble=trouble,
        says=says or LinkState(),
        handshake=endpoint.handshake if endpoint else None,
        is_connected=endpoint is not None and endpoint.is_open,
        boot=endpoint.boot if endpoint else None,
        statuses=tuple(statuses[key] for key in sorted(statuses)),
        is_charging=_is_charging(endpoint, statuses.values()),
        charged_wh=_charged_wh(endpoint, register_wh) or (counted_wh if counted_wh > 0 else None),
        knocks=knocks,
        findings=found,
        titles={finding.code: explain(finding).title for finding in found},
        earlier=_earlier(jobs_of(bench, unit.unit_id)),
    )


_PROVED_BY = {
    StepKind.PROVE: (Stage.TCP, Stage.HTTP, Stage.WEBSOCKET, Stage.BOOT),
    StepKind.SESSION: (Stage.CHARGE,),
}
"""Which lamps a finished step of a job lights."""


def _earlier(jobs: Iterable[Job]) -> dict[Stage, tuple[Evidence, ...]]:
    """Take the proofs of the newest finished job."""
    done = max((job for job in jobs if job.state is JobState.DONE), key=lambda job: job.created_at, default=None)
    if done is None:
        return {}
    found: dict[Stage, tuple[Evidence, ...]] = {}
    for kind, stages in _PROVED_BY.items():
        step = done.step(kind)
        if step.state is StepState.DONE:
            lines = [
                Evidence(label="job", text=f"{proof.text} {proof.detail}".strip(), at=proof.at)
                for proof in step.proofs
                if proof.strength is Strength.PROVED
            ]
            found.update(dict.fromkeys(stages, tuple(lines)))
    return found


def _knock_findings(bench: Workbench, endpoint: Endpoint | None, knocks: Sequence[Knock]) -> tuple[Finding, ...]:
    """Return what its last knock tells, such as why TLS failed, unless it has come in since."""
    last = knocks[-1] if knocks else None
    if last is None or last.verdict == "accepted" or (endpoint is not None and endpoint.opened_at >= last.at):
        return ()
    return bench.server.findings_of(last)


def _findings(endpoint: Endpoint | None, others: Iterable[Finding]) -> tuple[Finding, ...]:
    own = (*endpoint.handshake.findings, *endpoint.findings) if endpoint is not None else ()
    return tuple({finding.code: finding for finding in (*others, *own)}.values())


def _is_charging(endpoint: Endpoint | None, statuses: Iterable[StateChange]) -> bool:
    if endpoint is not None and any(item.is_running for item in endpoint.transactions.values()):
        return True
    return any(status.state == "Charging" for status in statuses)


def _charged_wh(endpoint: Endpoint | None, register_wh: float | None) -> float | None:
    if endpoint is None or not endpoint.transactions:
        return None
    newest = list(endpoint.transactions.values())[-1]
    if newest.is_running and newest.meter_start_wh is not None and register_wh is not None:
        return max(0.0, register_wh - newest.meter_start_wh)
    amounts = [item.energy_wh for item in endpoint.transactions.values() if item.energy_wh is not None]
    return amounts[-1] if amounts else None
