"""Local list (OCPP 2.0.1 part 2, D01, D02) and reservations (H01, H02)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import case201, has
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should
from app.ocpp.v16 import stamp

LIST = has("LocalAuthListCtrlr")
RESERVES = has("ReservationCtrlr")
LISTED, ADDED = "04ACCE97000011", "04ACCE97000012"
VERSION = 41_001
"""A version no operator uses [OURS]."""
RESERVATION = 41_007


def judge_version(take: Take) -> Iterator[Check]:
    """Look for a number."""
    for read in take.asked("GetLocalListVersion"):
        version = read.get("versionNumber")
        yield must("GetLocalListVersion is answered (D02)", read.is_answered, read.status, *read.seqs)
        yield must("with a number, 0 at least", isinstance(version, int) and version >= 0, f"{version}", *read.seqs)


@case201(
    "A201-LIST-01",
    "The local list has a version",
    "OCPP 2.0.1 D02",
    judge=judge_version,
    budget_s=15,
    needs=[LIST],
)
async def version(stage: Stage) -> None:
    """Ask for the version of the local list."""
    await stage.call("GetLocalListVersion")


def _entry(tag: str, status: str = "Accepted") -> dict[str, object]:
    return {"idToken": moves.token(tag, "ISO14443"), "idTokenInfo": {"status": status}}


async def _send(stage: Stage, kind: str, number: int, entries: Sequence[Mapping[str, object]]) -> Exchange:
    stage.undo("an empty local list", lambda: _emptied(stage))
    payload: dict[str, object] = {"versionNumber": number, "updateType": kind}
    return await stage.call("SendLocalList", payload | ({"localAuthorizationList": list(entries)} if entries else {}))


async def _emptied(stage: Stage) -> str:
    """Leave an empty list: what stood in it before can't be read over OCPP."""
    reply = await stage.call("SendLocalList", {"versionNumber": VERSION + 9, "updateType": "Full"})
    return "" if reply.status == "Accepted" else f"the unit said {reply.status}"


async def _must_be_empty(stage: Stage) -> None:
    """Touch no list of an operator: it could not be put back."""
    reply = await stage.call("GetLocalListVersion")
    known = reply.get("versionNumber")
    if isinstance(known, int) and known > 0 and not VERSION <= known <= VERSION + 9:
        await stage.person("list-replace-2", version=known)


def judge_list(take: Take) -> Iterator[Check]:
    """Look at every sent list and at the version after it."""
    for send in take.asked("SendLocalList"):
        number, kind = send.request.get("versionNumber"), send.request.text("updateType")
        yield must(f"A {kind} list is accepted (D01)", send.status == "Accepted", send.status, *send.seqs)
        reads = take.after(send).asked("GetLocalListVersion")
        if reads and send.status == "Accepted":
            now = reads[0].get("versionNumber")
            yield must("and its version read back (D02)", now == number, f"sent {number}, read {now}", *reads[0].seqs)


@case201(
    "A201-LIST-02",
    "A full local list is taken",
    "OCPP 2.0.1 D01, D02",
    judge=judge_list,
    budget_s=90,
    idle=True,
    needs=[LIST],
)
async def full(stage: Stage) -> None:
    """Send a list with one token, read its version; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION, [_entry(LISTED)])
    await stage.call("GetLocalListVersion")


@case201(
    "A201-LIST-03",
    "A differential local list is taken",
    "OCPP 2.0.1 D01, D02",
    judge=judge_list,
    budget_s=90,
    idle=True,
    needs=[LIST],
)
async def differential(stage: Stage) -> None:
    """Send a list, then a difference that adds one token and removes another; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION + 1, [_entry(LISTED)])
    await stage.call("GetLocalListVersion")
    changes: list[dict[str, object]] = [_entry(ADDED), {"idToken": moves.token(LISTED, "ISO14443")}]
    await _send(stage, "Differential", VERSION + 2, changes)
    await stage.call("GetLocalListVersion")


def judge_stale(take: Take) -> Iterator[Check]:
    """Look at the status of a difference that is older than the list."""
    sends = take.asked("SendLocalList")
    for send in sends[:1]:
        yield must("A Full list is accepted (D01)", send.status == "Accepted", send.status, *send.seqs)
    for send in sends[1:2]:
        is_refused = send.answer is not None and send.status != "Accepted"
        yield must("A difference with an older version is refused (D01)", is_refused, send.status, *send.seqs)
        yield should("as VersionMismatch", send.status == "VersionMismatch", send.status, *send.seqs)


@case201(
    "A201-LIST-04",
    "A difference that is older than the list is refused",
    "OCPP 2.0.1 D01",
    judge=judge_stale,
    budget_s=90,
    idle=True,
    needs=[LIST],
)
async def stale(stage: Stage) -> None:
    """Send a list, then a difference with a lower version; leave an empty list."""
    await _must_be_empty(stage)
    await _send(stage, "Full", VERSION + 4, [_entry(LISTED)])
    await _send(stage, "Differential", VERSION + 3, [_entry(ADDED)])


async def _reserve(stage: Stage) -> Exchange:
    stage.undo("no reservation", lambda: _cancelled(stage))
    expiry = stamp(datetime.now(UTC) + timedelta(minutes=10))
    token = moves.token(LISTED, "ISO14443")
    payload = {"id": RESERVATION, "expiryDateTime": expiry, "idToken": token, "evseId": stage.connector}
    return await stage.call("ReserveNow", payload)


async def _cancelled(stage: Stage) -> str:
    await stage.call("CancelReservation", {"reservationId": RESERVATION})
    return ""


def judge_reservation(take: Take) -> Iterator[Check]:
    """Look at the answers, and at the states after them."""
    for reserve in take.asked("ReserveNow"):
        yield must("ReserveNow is accepted (H01)", reserve.status == "Accepted", reserve.status, *reserve.seqs)
        told = [m for m in take.after(reserve).heard("StatusNotification") if m.text("connectorStatus") == "Reserved"]
        yield must("and told as Reserved", bool(told) or reserve.status != "Accepted", "", *map(seq_of, told[:1]))
    for cancel in take.asked("CancelReservation")[:1]:
        yield must("CancelReservation is accepted (H02)", cancel.status == "Accepted", cancel.status, *cancel.seqs)
        told = [m for m in take.after(cancel).heard("StatusNotification") if m.text("connectorStatus") != "Reserved"]
        yield must("and told", bool(told) or cancel.status != "Accepted", "", *map(seq_of, told[:1]))


@case201(
    "A201-RES-01",
    "An EVSE is reserved and set free",
    "OCPP 2.0.1 H01, H02",
    judge=judge_reservation,
    budget_s=100,
    person=True,
    idle=True,
    needs=[RESERVES],
)
async def reservation(stage: Stage) -> None:
    """Reserve the first EVSE, look for its state, cancel the reservation."""
    await moves.unplugged(stage)
    since = stage.last_seq
    if (await _reserve(stage)).status != "Accepted":
        return
    await _told(stage, since, is_reserved=True)
    since = stage.last_seq
    await stage.call("CancelReservation", {"reservationId": RESERVATION})
    await _told(stage, since, is_reserved=False)


async def _told(stage: Stage, since: int, *, is_reserved: bool) -> None:
    await stage.heard(
        "StatusNotification",
        where=lambda m: (m.text("connectorStatus") == "Reserved") == is_reserved,
        within_s=15,
        since=since,
    )


def judge_strange_cancel(take: Take) -> Iterator[Check]:
    """Look at the status for a reservation that does not exist."""
    for cancel in take.asked("CancelReservation"):
        is_refused = cancel.status == "Rejected"
        yield must(
            "A reservation nobody knows can't be cancelled: Rejected (H02)", is_refused, cancel.status, *cancel.seqs
        )


@case201(
    "A201-RES-02",
    "A reservation nobody knows can't be cancelled",
    "OCPP 2.0.1 H02",
    judge=judge_strange_cancel,
    budget_s=15,
    needs=[RESERVES],
)
async def strange_cancel(stage: Stage) -> None:
    """Cancel a reservation that was never made."""
    await stage.call("CancelReservation", {"reservationId": 2_147_000_002})


def judge_other(take: Take) -> Iterator[Check]:
    """Look whether another token is kept out."""
    for reserve in take.asked("ReserveNow"):
        yield must("ReserveNow is accepted (H01)", reserve.status == "Accepted", reserve.status, *reserve.seqs)
    for command in take.asked("RequestStartTransaction"):
        begun = moves.events(take.after(command), None, "Started")
        evidence = (*command.seqs, *map(seq_of, begun))
        yield must("No transaction begins for another token (H01)", not begun, command.status, *evidence)
        yield should("The start is Rejected", command.status == "Rejected", command.status, *command.seqs)


@case201(
    "A201-RES-03",
    "A reserved EVSE starts no transaction for another token",
    "OCPP 2.0.1 H01, H03",
    judge=judge_other,
    budget_s=100,
    person=True,
    idle=True,
    needs=[RESERVES],
)
async def other(stage: Stage) -> None:
    """Reserve the first EVSE, try to start for another token, cancel the reservation."""
    await moves.unplugged(stage)
    if (await _reserve(stage)).status != "Accepted":
        return
    payload = {"idToken": moves.token("REHOME-OTHER"), "remoteStartId": 41_000_006, "evseId": stage.connector}
    await stage.call("RequestStartTransaction", payload)
    await stage.pause(5)
