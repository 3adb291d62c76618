"""Local list, cache and reservations (OCPP 1.6 §3.5, §5.1, §5.4, §5.10, §5.13, §5.15)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from app.acceptance.case import case
from app.acceptance.cases16 import moves
from app.acceptance.cases16.asking import claims
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import stamp

LISTED, ADDED = "REHOME-LISTED", "REHOME-ADDED"
VERSION = 41_001
"""A version no operator uses [OURS]."""


def keeps_list(facts: Facts) -> str:
    """Need the profile, and the list switched on where there is a switch (§9.2)."""
    lacking = claims("LocalAuthListManagement")(facts)
    if lacking or "LocalAuthListEnabled" not in facts.settings:
        return lacking
    return "" if facts.is_on("LocalAuthListEnabled") else "LocalAuthListEnabled is off."


def judge_version(take: Take) -> Iterator[Check]:
    """Look for a number."""
    for read in take.asked("GetLocalListVersion"):
        version = read.get("listVersion")
        yield must("GetLocalListVersion is answered (§5.10)", read.is_answered, read.status, *read.seqs)
        yield must("with a number, -1 at least", isinstance(version, int) and version >= -1, f"{version}", *read.seqs)
        is_kept = isinstance(version, int) and version >= 0
        yield should("and not -1, which means that there is no list", is_kept, f"{version}", *read.seqs)


@case(
    "A16-LIST-01",
    "The local list has a version",
    "OCPP 1.6 §5.10",
    judge=judge_version,
    budget_s=15,
    needs=[claims("LocalAuthListManagement")],
)
async def version(stage: Stage) -> None:
    """Ask for the version of the local list."""
    await stage.call("GetLocalListVersion")


def _entry(tag: str, status: str = "Accepted") -> dict[str, object]:
    return {"idTag": tag, "idTagInfo": {"status": status}}


async def _send(stage: Stage, kind: str, number: int, entries: list[dict[str, object]]) -> Exchange:
    stage.undo("an empty local list", lambda: _emptied(stage))
    payload = {"listVersion": number, "updateType": kind, "localAuthorizationList": entries}
    return await stage.call("SendLocalList", payload)


async def _emptied(stage: Stage) -> str:
    """Leave an empty list: what stood in it before can't be read over OCPP 1.6."""
    payload = {"listVersion": VERSION + 9, "updateType": "Full", "localAuthorizationList": []}
    reply = await stage.call("SendLocalList", payload)
    return "" if reply.status == "Accepted" else f"the unit said {reply.status}"


async def _must_be_empty(stage: Stage) -> None:
    """Touch no list of an operator: it could not be put back."""
    reply = await stage.call("GetLocalListVersion")
    known = reply.get("listVersion")
    if isinstance(known, int) and known > 0 and not VERSION <= known <= VERSION + 9:
        await stage.person("list-replace", version=known)


def judge_list(take: Take) -> Iterator[Check]:
    """Look at every sent list and at the version after it."""
    sends = take.asked("SendLocalList")
    for send in sends:
        number = send.request.get("listVersion")
        if number == VERSION + 9:
            continue
        kind = send.request.text("updateType")
        yield must(f"A {kind} list is accepted (§5.15)", send.status == "Accepted", send.status, *send.seqs)
        reads = take.after(send).asked("GetLocalListVersion")
        if reads:
            now = reads[0].get("listVersion")
            yield must("and its version read back", now == number, f"sent {number}, read {now}", *reads[0].seqs)


@case(
    "A16-LIST-02",
    "A full local list is taken",
    "OCPP 1.6 §5.15",
    judge=judge_list,
    budget_s=90,
    idle=True,
    needs=[keeps_list],
)
async def full(stage: Stage) -> None:
    """Send a list with one tag, read its version; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION, [_entry(LISTED)])
    await stage.call("GetLocalListVersion")


@case(
    "A16-LIST-03",
    "A differential local list is taken",
    "OCPP 1.6 §5.15",
    judge=judge_list,
    budget_s=90,
    idle=True,
    needs=[keeps_list],
)
async def differential(stage: Stage) -> None:
    """Send a list, then a difference that adds one tag and removes another; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION + 1, [_entry(LISTED)])
    await stage.call("GetLocalListVersion")
    await _send(stage, "Differential", VERSION + 2, [_entry(ADDED), {"idTag": LISTED}])
    await stage.call("GetLocalListVersion")


def judge_stale(take: Take) -> Iterator[Check]:
    """Look at the status of a difference that is older than the list."""
    sends = [send for send in take.asked("SendLocalList") if send.request.get("listVersion") != VERSION + 9]
    for send in sends[:1]:
        yield must("A Full list is accepted", send.status == "Accepted", send.status, *send.seqs)
    for send in sends[1:]:
        yield must(
            "A difference with an older version is refused as VersionMismatch (§5.15)",
            send.status in ("VersionMismatch", "Failed"),
            send.status,
            *send.seqs,
        )
        yield should("by that very status", send.status == "VersionMismatch", send.status, *send.seqs)


@case(
    "A16-LIST-04",
    "A difference that is older than the list is refused",
    "OCPP 1.6 §5.15, UpdateStatus",
    judge=judge_stale,
    budget_s=90,
    idle=True,
    needs=[keeps_list],
)
async def stale(stage: Stage) -> None:
    """Send a list, then a difference with a lower version; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION + 4, [_entry(LISTED)])
    await _send(stage, "Differential", VERSION + 3, [_entry(ADDED)])


def judge_cache(take: Take) -> Iterator[Check]:
    """Look at the status."""
    for clear in take.asked("ClearCache"):
        yield must("ClearCache is answered (§5.4)", clear.is_answered, clear.status, *clear.seqs)
        yield should("with Accepted", clear.status == "Accepted", clear.status, *clear.seqs)


@case("A16-CACHE-01", "The authorisation cache can be cleared", "OCPP 1.6 §5.4", judge=judge_cache, budget_s=15)
async def cache(stage: Stage) -> None:
    """Send ClearCache."""
    await stage.call("ClearCache")


RESERVATION = 41_007


def _reservation(stage: Stage) -> dict[str, object]:
    expiry = stamp(datetime.now(UTC) + timedelta(minutes=10))
    return {
        "connectorId": stage.connector,
        "expiryDate": expiry,
        "idTag": moves.TAG,
        "reservationId": RESERVATION,
    }


async def _reserve(stage: Stage) -> Exchange:
    stage.undo("no reservation", lambda: _cancelled(stage))
    return await stage.call("ReserveNow", _reservation(stage))


async def _cancelled(stage: Stage) -> str:
    await stage.call("CancelReservation", {"reservationId": RESERVATION})
    return ""


def judge_reservation(take: Take) -> Iterator[Check]:
    """Look at the answers, and at the states after them."""
    for reserve in take.asked("ReserveNow"):
        yield must("ReserveNow is accepted (§5.13)", reserve.status == "Accepted", reserve.status, *reserve.seqs)
        told = [m for m in take.after(reserve).heard("StatusNotification") if m.text("status") == "Reserved"]
        yield must("and told as Reserved", bool(told) or reserve.status != "Accepted", "", *map(seq_of, told[:1]))
    for cancel in take.asked("CancelReservation")[:1]:
        yield must("CancelReservation is accepted (§5.1)", cancel.status == "Accepted", cancel.status, *cancel.seqs)
        told = [m for m in take.after(cancel).heard("StatusNotification") if m.text("status") != "Reserved"]
        yield must("and told", bool(told) or cancel.status != "Accepted", "", *map(seq_of, told[:1]))


@case(
    "A16-RES-01",
    "A connector is reserved and set free",
    "OCPP 1.6 §5.13, §5.1 (CancelReservation)",
    judge=judge_reservation,
    budget_s=60,
    idle=True,
    needs=[claims("Reservation")],
)
async def reservation(stage: Stage) -> None:
    """Reserve the first connector, look for its state, cancel the reservation."""
    await stage.person("unplug", until=lambda: moves.state(stage) == "Available")
    since = stage.last_seq
    if (await _reserve(stage)).status != "Accepted":
        return
    await stage.heard("StatusNotification", where=lambda m: m.text("status") == "Reserved", within_s=15, since=since)
    since = stage.last_seq
    await stage.call("CancelReservation", {"reservationId": RESERVATION})
    await stage.heard("StatusNotification", where=lambda m: m.text("status") != "Reserved", within_s=15, since=since)


def judge_strange_cancel(take: Take) -> Iterator[Check]:
    """Look at the status for a reservation that does not exist."""
    for cancel in take.asked("CancelReservation"):
        yield must(
            "A reservation nobody knows can't be cancelled: Rejected",
            cancel.status == "Rejected",
            cancel.status,
            *cancel.seqs,
        )


@case(
    "A16-RES-02",
    "A reservation nobody knows can't be cancelled",
    "OCPP 1.6 §5.1 (CancelReservation)",
    judge=judge_strange_cancel,
    budget_s=15,
    needs=[claims("Reservation")],
)
async def strange_cancel(stage: Stage) -> None:
    """Cancel a reservation that was never made."""
    await stage.call("CancelReservation", {"reservationId": 2_147_000_002})


def judge_other_tag(take: Take) -> Iterator[Check]:
    """Look whether another tag is kept out."""
    yield from (
        must("ReserveNow is accepted", reserve.status == "Accepted", reserve.status, *reserve.seqs)
        for reserve in take.asked("ReserveNow")
    )
    for command in take.asked("RemoteStartTransaction"):
        starts = take.after(command).heard("StartTransaction")
        yield must(
            "No session begins for another tag (§5.13)", not starts, command.status, *command.seqs, *map(seq_of, starts)
        )
        yield should("The start is Rejected", command.status == "Rejected", command.status, *command.seqs)


@case(
    "A16-RES-03",
    "A reserved connector starts no session for another tag",
    "OCPP 1.6 §5.13",
    judge=judge_other_tag,
    budget_s=60,
    idle=True,
    needs=[claims("Reservation")],
)
async def other_tag(stage: Stage) -> None:
    """Reserve the first connector, try to start for another tag, cancel the reservation."""
    await stage.person("unplug", until=lambda: moves.state(stage) == "Available")
    if (await _reserve(stage)).status != "Accepted":
        return
    command = await stage.call("RemoteStartTransaction", {"connectorId": stage.connector, "idTag": "REHOME-OTHER"})
    start = await stage.heard("StartTransaction", within_s=5)
    if start is not None:
        moves.opened(stage, start)
    elif command.status == "Accepted":
        await stage.pause(5)
