"""What the display shows and what is kept of customers (OCPP 2.0.1 part 2, O01 to O05, N09, N10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import case201, has
from app.acceptance.cases201.reports import judge_parts, parts_of
from app.acceptance.facts import Facts
from app.acceptance.stage import Stage
from app.acceptance.take import Exchange, Take, seq_of
from app.model.acceptance import Check, must, should

SHOWS = has("DisplayMessageCtrlr")
MESSAGE_ID = 41_016
REPORT = 41_400


def _format(facts: Facts) -> str:
    found = facts.settings.get("DisplayMessageCtrlr.SupportedFormats")
    items = found.items if found is not None else frozenset()
    return "ASCII" if "ASCII" in items or not items else sorted(items)[0]


def _message(stage: Stage, **more: Any) -> dict[str, Any]:
    content = {"format": _format(stage.facts), "content": "Rehome acceptance test"}
    return {"message": {"id": MESSAGE_ID, "priority": "NormalCycle", "message": content, **more}}


async def _show(stage: Stage, **more: Any) -> Exchange:
    async def back() -> str:
        reply = await stage.call("ClearDisplayMessage", {"id": MESSAGE_ID})
        return "" if reply.status in ("Accepted", "Unknown") else f"the unit said {reply.status}"

    stage.undo("no message of ours on the display", back)
    return await stage.offered("SetDisplayMessage", _message(stage, **more))


def judge_shown(take: Take) -> Iterator[Check]:
    """Look at the answers, and for our message among those that are told."""
    for show in take.asked("SetDisplayMessage"):
        yield must("SetDisplayMessage is accepted (O01)", show.status == "Accepted", show.status, *show.seqs)
    for ask in take.asked("GetDisplayMessages")[:1]:
        yield must("GetDisplayMessages is accepted (O03, O04)", ask.status == "Accepted", ask.status, *ask.seqs)
        parts = parts_of(take, ask, "NotifyDisplayMessages")
        found = [
            item
            for part in parts
            for item in part.get("messageInfo") or []
            if isinstance(item, dict) and item.get("id") == MESSAGE_ID
        ]
        yield must("NotifyDisplayMessages tells ours", len(found) == 1, f"{len(found)} times", *map(seq_of, parts))
    clears = take.asked("ClearDisplayMessage")
    for clear in clears[:1]:
        yield must("ClearDisplayMessage is accepted (O05)", clear.status == "Accepted", clear.status, *clear.seqs)
    for clear in clears[1:2]:
        yield must("A second time it is not there", clear.status != "Accepted", clear.status, *clear.seqs)
        yield should("but Unknown", clear.status == "Unknown", clear.status, *clear.seqs)


@case201(
    "A201-DISP-01",
    "A message is put on the display, told and taken off",
    "OCPP 2.0.1 O01, O04, O05",
    judge=judge_shown,
    budget_s=90,
    needs=[SHOWS],
)
async def shown(stage: Stage) -> None:
    """Show a message, ask for it, clear it, clear it again."""
    if (await _show(stage)).status != "Accepted":
        return
    since = stage.last_seq
    if (await stage.call("GetDisplayMessages", {"requestId": REPORT, "id": [MESSAGE_ID]})).status == "Accepted":
        await stage.heard("NotifyDisplayMessages", where=lambda m: m.get("tbc") is not True, within_s=20, since=since)
    for _ in range(2):
        await stage.call("ClearDisplayMessage", {"id": MESSAGE_ID})


def judge_strange(take: Take) -> Iterator[Check]:
    """Look at the status of a message for a transaction that does not exist."""
    for show in take.asked("SetDisplayMessage"):
        is_refused = show.answer is not None and show.status != "Accepted"
        yield must("A message for an unknown transaction is not accepted (O02)", is_refused, show.status, *show.seqs)
        yield should("but UnknownTransaction", show.status == "UnknownTransaction", show.status, *show.seqs)


@case201(
    "A201-DISP-02",
    "A message for an unknown transaction is refused",
    "OCPP 2.0.1 O02",
    judge=judge_strange,
    budget_s=40,
    needs=[SHOWS],
)
async def strange(stage: Stage) -> None:
    """Show a message for the time of a transaction that does not exist."""
    await _show(stage, transactionId="rehome-no-such-transaction")


def judge_customer(take: Take) -> Iterator[Check]:
    """Look at the status, and at the parts of the report."""
    for ask in take.asked("CustomerInformation")[:1]:
        yield must("CustomerInformation is accepted (N09)", ask.status == "Accepted", ask.status, *ask.seqs)
        if ask.status == "Accepted":
            yield from judge_parts(parts_of(take, ask, "NotifyCustomerInformation"), "NotifyCustomerInformation")


async def _customer(stage: Stage, number: int, *, is_cleared: bool) -> None:
    payload = {
        "requestId": number,
        "report": True,
        "clear": is_cleared,
        "idToken": moves.token("04ACCE97000021", "ISO14443"),
    }
    if (await stage.offered("CustomerInformation", payload)).status == "Accepted":
        await stage.heard("NotifyCustomerInformation", where=lambda m: m.get("tbc") is not True, within_s=30)


@case201(
    "A201-CUST-01",
    "It tells what it keeps of a customer",
    "OCPP 2.0.1 N09",
    judge=judge_customer,
    budget_s=60,
)
async def customer(stage: Stage) -> None:
    """Ask what it knows of a token that nobody has."""
    await _customer(stage, REPORT + 1, is_cleared=False)


@case201(
    "A201-CUST-02",
    "It forgets what it keeps of a customer",
    "OCPP 2.0.1 N10",
    judge=judge_customer,
    budget_s=60,
)
async def forgotten(stage: Stage) -> None:
    """Have it report and clear what it knows of a token that nobody has."""
    await _customer(stage, REPORT + 2, is_cleared=True)
