"""Units that go back by themselves where the new backend gives no connection.

A 2.x unit goes back to the slot before: to us (P2-201 B10.FR.03 to .07). Some families try every new address for a
while after a restart, whatever they speak, and take it back.
"""

from __future__ import annotations

from app.diagnosis.naming import found
from app.driver.capability import SetsBackend
from app.errors import AppError, LinkError, ProtocolError, Refused, TimedOut, VerifyFailed
from app.jobs.stepping import StepRun, is_dialled_in
from app.jobs.writing import holds, unkept
from app.model.backend import Backend
from app.model.finding import Severity
from app.model.job import Strength, Target
from app.model.profile import Profile
from app.ocpp import repoint2
from app.ocpp.endpoint import Endpoint

ROLLS_BACK = "rolls-back"
"""Quirk of families that try a new address after a restart and take it back where no connection comes of it."""

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


def tries_addresses(profile: Profile | None) -> bool:
    """Say whether the family takes a new address back by itself where it gets no connection there."""
    return profile is not None and any(quirk.id == ROLLS_BACK for quirk in profile.quirks)


async def need_kept(step: StepRun, backend: Backend) -> bool:
    """Read the address once more after a wait; raises VerifyFailed where the unit has gone back.

    ``False`` = it can't be asked.
    """
    try:
        async with step.open(SetsBackend) as session:
            if is_dialled_in(session):
                return False
            if await holds(step, session, backend, "after waiting"):
                return True
    except (LinkError, Refused, ProtocolError):
        return False
    if not tries_addresses(step.profile):
        raise unkept("now")
    raise VerifyFailed(
        f"The charger tried {backend.host}, got no connection there, and went back to its old address by itself.",
        "It is as it was before. Check from its own network: address, firewall, certificate, password, and whether "
        "the identity is known there; then go back to the plan, so that it is written and tried anew.",
    )


async def outlast_trial(step: StepRun, backend: Backend, identity: str) -> None:
    """Wait until the unit would have gone back, and see that it has not; raises VerifyFailed where it has.

    A unit that says nothing of its connection tells it so: it keeps an address only where it was accepted.
    """
    patience_s = step.timing.patience_s
    step.progress("Waiting whether it goes back to its old address", expected_s=patience_s, patience_s=patience_s)
    try:
        back = await step.bench.server.arrival(identity, timeout_s=patience_s)
    except TimedOut:
        if await need_kept(step, backend):
            text = f"{patience_s:.0f} s later it has not gone back: it does where the new backend does not accept it."
            step.note(text, strength=Strength.CLAIMED)
        else:
            step.note("Whether it went back to its old address can't be read now.", strength=Strength.OPEN)
        return
    step.report(
        "NOT-APPLIED",
        Severity.FAULT,
        ("came back here", back.handshake.request_line),
        ("from", back.handshake.remote),
        details={"key": "the backend address", "shape": "the old value", "when": "after its own trial of the new one"},
    )
    raise VerifyFailed(
        f"The charger tried {backend.host}, got no connection there, and came back to this computer by itself.",
        "Check from its own network: address, firewall, certificate, password, and whether the backend knows the "
        "identity; then continue, and it is written and tried once more, or undo.",
    )
