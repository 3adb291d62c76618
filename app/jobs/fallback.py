"""A 2.x unit that can't reach its new backend goes back to the slot before: to us (P2-201 B10.FR.03 to .07)."""

from __future__ import annotations

from app.diagnosis.naming import found
from app.errors import AppError, VerifyFailed
from app.jobs.stepping import StepRun
from app.model.finding import Severity
from app.model.job import Target
from app.ocpp import repoint2
from app.ocpp.endpoint import Endpoint

READ_S = 40.0
"""Longest wait for a unit that has come back to take a question."""


def watch_s(step: StepRun) -> float:
    """Return how long to watch whether a unit comes back: its redial time, or its attempts at the new backend."""
    redial_s = step.timing.redial_s * 2
    backup = step.store.backups.load(step.job_id)
    told = {setting.key: setting.value or "" for setting in backup.settings} if backup is not None else {}
    attempts_s = repoint2.attempts_s(told)
    if not attempts_s:
        return redial_s
    return max(redial_s, min(step.timing.restart_s + attempts_s, step.timing.patience_s))


def recall_slots(step: StepRun, endpoint: Endpoint) -> None:
    """Remember what this job wrote into slots before the program ended: the unit itself never tells."""
    if endpoint.version == "1.6":
        return
    for write in step.job.writes:
        slot = repoint2.slot_of(write.key)
        if slot is not None and write.is_accepted and write.target is Target.BACKEND:
            endpoint.habits.slots.setdefault(slot, repoint2.url_of(write.after))


async def fell_back(step: StepRun, back: Endpoint, since_s: float) -> VerifyFailed | None:
    """Say that a unit kept its new slot and came back over another one; ``None`` where that is not so."""
    if back.version == "1.6":
        return None
    try:
        settings = await back.get_settings(repoint2.NEEDED)
    except AppError:
        return None
    known = {setting.key: setting for setting in settings}
    target = repoint2.Target(identity=back.identity, version=back.version, settings=known)
    wanted, used = next(iter(target.order), None), target.active
    if wanted is None or used is None or wanted == used:
        return None
    slots = ",".join(map(str, target.order))
    step.found(
        found(
            "OLD-PROFILE",
            Severity.FAULT,
            ("NetworkConfigurationPriority", slots),
            ("ActiveNetworkProfile", str(used)),
            ("came back here", back.handshake.request_line),
            case="fallback",
            alike=("DNS-FAIL", "TLS-TRUST", "AUTH-401"),
            key=str(wanted),
            slots=slots,
            count=str(used),
            away=f"{since_s:.0f} s",
        )
    )
    return VerifyFailed(
        f"The charger took slot {wanted} for the new backend and came back here over slot {used}: it gets no "
        "connection there.",
        "Check from its own network: address, name, firewall, certificate, password, and whether the backend knows "
        "it. Then continue, and it is tried once more; or undo, which puts the old order back.",
    )
