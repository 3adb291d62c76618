"""Gather everything a report says about one job, as plain values. Holds no secret: its sources hold none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.diagnosis.catalogue import explain
from app.driver.registry import Registry
from app.model.acceptance import RunResult
from app.model.backend import Backend
from app.model.finding import Evidence, Finding
from app.model.frame import Frame
from app.model.job import (
    EventKind,
    Job,
    JobEvent,
    JobState,
    Proof,
    Step,
    StepKind,
    StepState,
    Strength,
    Target,
    UndoLimit,
)
from app.model.query import TrafficQuery
from app.model.reading import Reading
from app.model.unit import Unit
from app.report.acceptance import AcceptanceSection, section
from app.storage.db import Store

FRAME_LIMIT = 24
FRAME_TEXT = 700
"""Frames quoted in a report, and characters of each."""

ATTEMPT_LIMIT = 40
POINT_LIMIT = 400
"""Points of one curve."""

TELLING = (
    "BootNotification",
    "StatusNotification",
    "RemoteStartTransaction",
    "StartTransaction",
    "RemoteStopTransaction",
    "StopTransaction",
)
"""The actions whose frames prove a job."""

STEP_TITLES = {
    StepKind.IDENTIFY: "Identify",
    StepKind.BACK_UP: "Back up",
    StepKind.CHOOSE: "Choose and check the new backend",
    StepKind.PLAN: "Plan",
    StepKind.APPLY: "Point it at this computer",
    StepKind.RESTART: "Restart",
    StepKind.PROVE: "Prove on this computer",
    StepKind.SWITCH: "Switch to the new backend",
    StepKind.SESSION: "Charge on the new backend",
    StepKind.HAND_OVER: "Hand over",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A labelled value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is true at the end, in one line. ``level``: proved, claimed, open, fault, undone."""

    level: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChange:
    """A setting before and after the job; ``outcome`` says how it was verified."""

    key: str
    before: str
    after: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step as the report tells it."""

    title: str
    state: str
    note: str
    proofs: tuple[Proof, ...]
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLine:
    """A finding with its explanation."""

    code: str
    severity: str
    title: str
    cause: str
    remedy: str
    evidence: tuple[Evidence, ...]
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A frame that proves something; ``text`` may be cut."""

    at: datetime
    direction: str
    action: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Readings of one measurand, connector and phase: (UTC time, value in ``unit``)."""

    measurand: str
    unit: str
    connector: int
    phase: str
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything the report of one job says."""

    job_id: str
    site: str
    title: str
    verdict: Verdict
    is_simulated: bool
    made_at: datetime
    began_at: datetime
    ended_at: datetime
    unit: tuple[Fact, ...]
    backend_before: tuple[Fact, ...]
    backend_after: tuple[Fact, ...]
    changes: tuple[ValueChange, ...]
    steps: tuple[StepLine, ...]
    undo: tuple[Proof, ...]
    findings: tuple[FindingLine, ...]
    undo_limits: tuple[UndoLimit, ...]
    excluded: tuple[UndoLimit, ...]
    doors: tuple[Fact, ...]
    frames: tuple[Quote, ...]
    curves: tuple[Curve, ...]
    versions: tuple[Fact, ...]
    attempts: tuple[Fact, ...] = field(default=())
    """Earlier tries of steps that failed or were interrupted."""
    acceptance: AcceptanceSection | None = None
    """The newest acceptance run of this unit since the job began."""


def build(
    job: Job,
    events: Sequence[JobEvent],
    *,
    store: Store,
    unit: Unit | None,
    registry: Registry,
    version: str,
    site_name: str = "",
    accepted: Callable[[str], RunResult | None] = lambda _: None,
) -> Report:
    """Fold a job and its records into a report; ``accepted`` finds the newest acceptance run of an identity."""
    identity = str(job.facts.get("arrival", {}).get("identity", ""))
    run = accepted(identity) if identity else None
    return Report(
        job_id=job.id,
        site=site_name,
        title=job.unit_title,
        verdict=verdict(job),
        is_simulated=unit.is_simulated if unit is not None else False,
        made_at=datetime.now(UTC),
        began_at=job.created_at,
        ended_at=job.updated_at,
        unit=_unit_facts(job, registry),
        backend_before=_backend_facts(job.backend_before),
        backend_after=_backend_facts(job.backend),
        changes=tuple(_changes(job)),
        steps=tuple(_step_line(step) for step in job.steps),
        undo=job.undo_proofs,
        findings=tuple(_finding_line(item) for item in job.findings),
        undo_limits=job.undo_limits,
        excluded=_excluded(job),
        doors=tuple(Fact(label=door.text, value=_door_state(job, door.id)) for door in job.doors),
        frames=_quotes(store, job, identity) if identity else (),
        curves=_curves(_readings(store, job, identity)),
        versions=_versions(job, registry, version),
        attempts=tuple(_attempts(events))[-ATTEMPT_LIMIT:],
        acceptance=section(run) if run is not None and run.started_at >= job.created_at else None,
    )


def verdict(job: Job) -> Verdict:
    """Say what is true at the end, no more than what is proved."""
    target = job.backend.url if job.backend is not None else "no backend"
    if job.state is JobState.UNDONE:
        return Verdict(level="undone", title="Undone", text=_undone_text(job))
    if job.state is JobState.ABANDONED:
        return Verdict(level="open", title="Given up", text=f"The job was given up: {job.note or 'no reason given'}.")
    if job.state is not JobState.DONE:
        step = job.current
        at = STEP_TITLES[step] if step is not None else "the end"
        return Verdict(level="open", title="Not finished", text=f"The job stands at “{at}”. {job.note}".strip())
    if job.step(StepKind.SESSION).state is StepState.DONE:
        energy = float(job.facts.get("session", {}).get("energy_wh", 0.0))
        if job.step(StepKind.SWITCH).state is StepState.SKIPPED and not job.facts.get("confirmed"):
            return _charged(energy, target)
        text = f"It dials {target} and has charged {energy / 1000:.3f} kWh there."
        return Verdict(level="proved", title="Moved and charging", text=text)
    return _moved(job, target)


def _charged(energy_wh: float, target: str) -> Verdict:
    """Say of a charger that was not repointed from here that it charges, and that nobody saw whom it dials."""
    text = f"It has charged {energy_wh / 1000:.3f} kWh. Rehome did not write {target}, nor see that it dials there."
    return Verdict(level="claimed", title="Charging", text=text)


def _moved(job: Job, target: str) -> Verdict:
    if job.step(StepKind.SWITCH).state is StepState.SKIPPED:
        text = f"The address {target} was not written by Rehome. {job.step(StepKind.SWITCH).note}"
        return Verdict(level="open", title="Prepared", text=text)
    if job.facts.get("confirmed"):
        text = f"It dials {target}, and the backend confirms it. No charge was seen there."
        return Verdict(level="proved", title="Moved", text=text)
    texts = [proof.text for proof in job.step(StepKind.SWITCH).proofs if proof.strength is Strength.CLAIMED]
    if any("connected" in text for text in texts):
        text = f"It is set to {target} and says that it is connected. No charge was seen there."
        return Verdict(level="claimed", title="Moved", text=text)
    text = f"It was set to {target}. Whether the backend took it was not seen from here."
    return Verdict(level="claimed", title="Moved", text=text)


def _undone_text(job: Job) -> str:
    if job.undo_limits:
        return f"The old settings are back, except {len(job.undo_limits)} that can't be brought back (see below)."
    return "The old settings are back and were read back."


def _unit_facts(job: Job, registry: Registry) -> tuple[Fact, ...]:
    known = job.facts.get("identity", {})
    profile = registry.profiles.get(job.profile_id)
    pairs = [
        ("Charger", job.unit_title),
        ("Vendor", known.get("vendor", "")),
        ("Model", known.get("model", "")),
        ("Serial number", known.get("serial", "")),
        ("MAC", known.get("mac", "")),
        ("Firmware", known.get("firmware", "")),
        ("Family", f"{profile.family} (evidence: {profile.grade.value})" if profile is not None else ""),
        ("Reached at", job.facts.get("way", "")),
        ("State when found", job.facts.get("state_before", "")),
    ]
    return tuple(Fact(label=label, value=str(value)) for label, value in pairs if value)


def _backend_facts(backend: Backend | None) -> tuple[Fact, ...]:
    if backend is None:
        return ()
    pairs = [
        ("Name", backend.name),
        ("Address", backend.url),
        ("Identity", backend.identity),
        ("Security profile", str(int(backend.security_profile))),
    ]
    return tuple(Fact(label=label, value=value) for label, value in pairs if value)


def _changes(job: Job) -> Iterable[ValueChange]:
    """Yield each written key once: as it was found, and as it was left."""
    first: dict[str, str] = {}
    last = {}
    for write in job.writes:
        first.setdefault(write.key, write.before)
        last[write.key] = write
    for key, write in sorted(last.items(), key=lambda item: (item[1].order, item[0])):
        outcome = "read back and equal" if write.read_back is not None else "accepted; not shown by the charger"
        if write.is_open:
            outcome = "interrupted: the charger may hold either value"
        elif not write.is_accepted:
            outcome = "refused"
        elif write.read_back is not None and write.read_back != write.after:
            outcome = f"the charger holds “{write.read_back}”"
        if write.target is Target.UNDO:
            outcome = f"restored, {outcome}"
        yield ValueChange(key=key, before=first[key], after=write.after, outcome=outcome, at=write.intended_at)


def _step_line(step: Step) -> StepLine:
    return StepLine(
        title=STEP_TITLES[step.kind],
        state=step.state.value,
        note=step.note,
        proofs=step.proofs,
        started_at=step.started_at,
        ended_at=step.ended_at,
    )


def _finding_line(finding: Finding) -> FindingLine:
    text = explain(finding)
    return FindingLine(
        code=finding.code,
        severity=finding.severity.value,
        title=text.title,
        cause=text.cause,
        remedy=text.remedy,
        evidence=finding.evidence,
        at=finding.at,
    )


def _excluded(job: Job) -> tuple[UndoLimit, ...]:
    found = job.facts.get("backup", {}).get("excluded", {})
    known = {limit.key for limit in job.undo_limits}
    return tuple(UndoLimit(key=str(key), reason=str(why)) for key, why in found.items() if key not in known)


def _door_state(job: Job, door_id: str) -> str:
    return "accepted" if door_id in job.acknowledged else "not accepted"


def _attempts(events: Sequence[JobEvent]) -> Iterable[Fact]:
    """Tell what went wrong on the way and was tried again."""
    for event in events:
        if event.kind in (EventKind.FAILED, EventKind.UNDO_FAILED):
            title = STEP_TITLES[event.step] if event.step is not None else "Undo"
            yield Fact(label=f"{event.at:%H:%M:%S} {title}", value=str(event.data.get("message", "")))
        elif event.kind is EventKind.PAUSED:
            yield Fact(label=f"{event.at:%H:%M:%S} Paused", value=str(event.data.get("reason", "")))


def _quotes(store: Store, job: Job, identity: str) -> tuple[Quote, ...]:
    quotes: list[Quote] = []
    for action in TELLING:
        query = TrafficQuery(
            identity=identity, action=action, since=job.created_at, until=job.updated_at + timedelta(seconds=5)
        )
        frames = store.traffic.page(query, after=0, limit=FRAME_LIMIT // len(TELLING))
        quotes += [_quote(frame) for frame in frames]
    return tuple(sorted(quotes, key=lambda quote: quote.at))


def _quote(frame: Frame) -> Quote:
    text = frame.text if len(frame.text) <= FRAME_TEXT else frame.text[:FRAME_TEXT] + " …"
    return Quote(at=frame.at, direction=frame.direction.value, action=frame.action, text=text)


def _readings(store: Store, job: Job, identity: str) -> list[Reading]:
    until = job.updated_at + timedelta(seconds=5)
    ids = {job.unit_id, f"ocpp:{identity}"} if identity else {job.unit_id}
    found = [item for unit_id in ids for item in store.samples.readings(unit_id, job.created_at, until)]
    return sorted(found, key=lambda item: item.at)


def _curves(readings: Iterable[Reading]) -> tuple[Curve, ...]:
    series: dict[tuple[str, str, int, str], list[tuple[datetime, float]]] = {}
    for item in readings:
        name = (item.measurand.value, item.measurand.unit, item.connector, item.phase)
        series.setdefault(name, []).append((item.at, item.value))
    return tuple(
        Curve(measurand=measurand, unit=unit, connector=connector, phase=phase, points=_thinned(points))
        for (measurand, unit, connector, phase), points in sorted(series.items())
        if len(points) > 1
    )


def _thinned(points: list[tuple[datetime, float]]) -> tuple[tuple[datetime, float], ...]:
    """Keep at most ``POINT_LIMIT`` points, the first and the last among them."""
    if len(points) <= POINT_LIMIT:
        return tuple(points)
    pace = (len(points) - 1) / (POINT_LIMIT - 1)
    return tuple(points[round(index * pace)] for index in range(POINT_LIMIT))


def _versions(job: Job, registry: Registry, version: str) -> tuple[Fact, ...]:
    profile = registry.profiles.get(job.profile_id)
    facts = [
        Fact(label="Rehome (report)", value=version),
        Fact(label="Rehome (job)", value=job.version),
        Fact(label="Charger firmware", value=str(job.facts.get("identity", {}).get("firmware", "")) or "unknown"),
    ]
    if profile is not None:
        facts.append(Fact(label="Profile", value=f"{profile.id}, driver {profile.driver}"))
    return tuple(facts)
