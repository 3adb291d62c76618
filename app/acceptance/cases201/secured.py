"""Security profile, security events, false firmware signatures (A00 to A05, L01), network profiles (B09, B10)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.alike import security
from app.acceptance.cases201.asking import PROFILE, case201, selector
from app.acceptance.cases201.certificates import NO_CERTIFICATE
from app.acceptance.cases201.restart import judge_return, restarted
from app.acceptance.cases201.variables import told_status, told_value
from app.acceptance.facts import Facts, can_write, claims_setting
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
ACTIVE = "OCPPCommCtrlr.ActiveNetworkProfile"
NO_SLOT = 97
"""A configuration slot no station has [OURS]."""


def judge_profile(take: Take) -> Iterator[Check]:
    """Compare the claimed profile with the connection."""
    for read in take.asked("GetVariables")[:1]:
        yield from security.judge_profile(take, read, told_value(read), "A00")


@case201(
    "A201-SEC-01",
    "The security profile is as the connection shows it",
    "OCPP 2.0.1 A00 (SecurityCtrlr.SecurityProfile)",
    judge=judge_profile,
    budget_s=15,
    needs=[claims_setting(PROFILE)],
)
async def profile(stage: Stage) -> None:
    """Read SecurityProfile and compare it with how the station dialled."""
    security.mark_handshake(stage)
    await stage.call("GetVariables", {"getVariableData": [selector(PROFILE)]})


def judge_event(take: Take) -> Iterator[Check]:
    """Look for a security event after the restart."""
    yield from judge_return(take)
    events = take.heard("SecurityEventNotification")
    yield from security.judge_events(events, "A04")
    if events:
        is_dated = all(event.stamp() is not None for event in events)
        yield must("with the time it happened", is_dated, "", *map(seq_of, events))


@case201(
    "A201-SEC-02",
    "A restart is told as a security event",
    "OCPP 2.0.1 A04, appendix 1",
    judge=judge_event,
    budget_s=200,
    idle=True,
)
async def event(stage: Stage) -> None:
    """Reset it and wait for SecurityEventNotification."""
    since = stage.last_seq
    if await restarted(stage, "OnIdle"):
        await stage.heard("SecurityEventNotification", within_s=20, since=since)


def judge_bad_update(take: Take) -> Iterator[Check]:
    """Look at the status of an update with a certificate that is none."""
    for update in take.asked("UpdateFirmware"):
        told = [m.text("status") for m in take.heard("FirmwareStatusNotification")]
        yield must("UpdateFirmware is answered", update.answer is not None, update.status, *update.seqs)
        is_refused = update.status != "Accepted" or bool({"InvalidSignature", "DownloadFailed"} & {*told})
        words = f"{update.status}; {', '.join(told)}" if told else update.status
        yield must("An update with a false certificate is refused (L01)", is_refused, words, *update.seqs)
        is_named = update.status in ("InvalidCertificate", "RevokedCertificate")
        yield should("as InvalidCertificate", is_named, update.status, *update.seqs)


@case201(
    "A201-SEC-03",
    "An update with a false certificate is refused",
    "OCPP 2.0.1 L01",
    judge=judge_bad_update,
    budget_s=60,
    idle=True,
)
async def bad_update(stage: Stage) -> None:
    """Offer an update from an address that does not exist, signed with what is no certificate."""
    firmware = {
        "location": "http://127.0.0.1:9/rehome-no-firmware",
        "retrieveDateTime": "2000-01-01T00:00:00.000Z",
        "signingCertificate": NO_CERTIFICATE,
        "signature": "UmVob21l",
    }
    reply = await stage.offered("UpdateFirmware", {"requestId": 41_010, "firmware": firmware, "retries": 0})
    if reply.status == "Accepted":
        await stage.heard("FirmwareStatusNotification", where=lambda m: "ed" in m.text("status"), within_s=20)


# Network profiles: nothing here touches the slot in use, or the order of the slots ------------------------------------


def _connection(stage: Stage, security_profile: int) -> dict[str, object]:
    local = stage.facts.handshake.local or "127.0.0.1:9"
    return {
        "ocppVersion": "OCPP20",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": f"{'wss' if security_profile >= 2 else 'ws'}://{local}/",
        "messageTimeout": 30,
        "securityProfile": security_profile,
        "ocppInterface": "Wired0",
    }


def _used(facts: Facts) -> set[int]:
    """Return the slots that are in use or in the order."""
    told = f"{facts.value(PRIORITY)},{facts.value(ACTIVE)}"
    return {int(part) for part in told.split(",") if part.strip().isdigit()}


def judge_active(take: Take) -> Iterator[Check]:
    """Compare the slot in use with the order of the slots."""
    for read in take.asked("GetVariables"):
        for at, name in enumerate((PRIORITY, ACTIVE)):
            status = told_status(read, at)
            yield must(f"{name} is told (B09)", status == "Accepted", status, *read.seqs)
        order, active = told_value(read, 0), told_value(read, 1)
        is_listed = active.strip() in {part.strip() for part in order.split(",")}
        yield must("The slot in use is in the order (B10)", is_listed, f"{active} in {order}", *read.seqs)
        yield should("The first of the order is in use", order.split(",")[0].strip() == active, f"{active}", *read.seqs)


@case201(
    "A201-NET-01",
    "It tells which network profile is in use",
    "OCPP 2.0.1 B09, B10",
    judge=judge_active,
    budget_s=20,
    needs=[claims_setting(PRIORITY), claims_setting(ACTIVE)],
)
async def active(stage: Stage) -> None:
    """Read the order of the network profiles and the one in use."""
    await stage.call("GetVariables", {"getVariableData": [selector(PRIORITY), selector(ACTIVE)]})


def _judge_refused(take: Take, what: str) -> Iterator[Check]:
    for order in take.asked("SetNetworkProfile"):
        is_refused = order.answer is not None and order.status != "Accepted"
        yield must(what, is_refused, order.status, *order.seqs)
        yield should("It says Rejected", order.status in ("Rejected", "Failed"), order.status, *order.seqs)


def judge_no_slot(take: Take) -> Iterator[Check]:
    """Look at the status for a slot that does not exist."""
    yield from _judge_refused(take, "A profile for a slot that does not exist is refused (B09)")


@case201(
    "A201-NET-02",
    "A network profile for a slot that does not exist is refused",
    "OCPP 2.0.1 B09",
    judge=judge_no_slot,
    budget_s=30,
    needs=[claims_setting(PRIORITY)],
)
async def no_slot(stage: Stage) -> None:
    """Send SetNetworkProfile for slot 97."""
    data = _connection(stage, _security_profile(stage.facts))
    await stage.offered("SetNetworkProfile", {"configurationSlot": NO_SLOT, "connectionData": data})


def _security_profile(facts: Facts) -> int:
    told = facts.number(PROFILE)
    return int(told) if told is not None else facts.security_profile


def is_raised(facts: Facts) -> str:
    """Need a profile that could be lowered."""
    return "" if _security_profile(facts) > 0 else "It is on security profile 0: there is no lower one."


def judge_downgrade(take: Take) -> Iterator[Check]:
    """Look at the status of a lower profile."""
    yield from _judge_refused(take, "A network profile with a lower security profile is refused (B09, A05)")


@case201(
    "A201-NET-03",
    "A network profile with a lower security profile is refused",
    "OCPP 2.0.1 B09, A05",
    judge=judge_downgrade,
    budget_s=30,
    needs=[claims_setting(PRIORITY), is_raised],
)
async def downgrade(stage: Stage) -> None:
    """Send SetNetworkProfile with the next lower security profile for a slot that is not in the order."""
    free = next(slot for slot in (2, 1, 3, 0, *range(4, 20)) if slot not in _used(stage.facts))
    data = _connection(stage, _security_profile(stage.facts) - 1)
    await stage.offered("SetNetworkProfile", {"configurationSlot": free, "connectionData": data})


def judge_order(take: Take) -> Iterator[Check]:
    """Look at the status of an order that names an empty slot."""
    for write in take.asked("SetVariables")[:1]:
        status = told_status(write)
        is_refused = write.answer is not None and status not in ("Accepted", "RebootRequired")
        yield must("An order that names an empty slot is refused (B09, B10)", is_refused, status, *write.seqs)
    for read in take.asked("GetVariables")[-1:]:
        now = told_value(read)
        yield must("and the old order stays", str(NO_SLOT) not in now, now, *read.seqs)


@case201(
    "A201-NET-04",
    "An order of network profiles that names an empty slot is refused",
    "OCPP 2.0.1 B09, B10 (OCPPCommCtrlr.NetworkConfigurationPriority)",
    judge=judge_order,
    budget_s=40,
    needs=[can_write(PRIORITY)],
)
async def order(stage: Stage) -> None:
    """Try to set the order to slot 97 alone, and look that the old order stays."""
    await stage.set(PRIORITY, str(NO_SLOT))
    await stage.call("GetVariables", {"getVariableData": [selector(PRIORITY)]})
