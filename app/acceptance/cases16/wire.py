"""Tolerance on the wire (OCPP-J 1.6 §4): what is unknown, malformed, foreign or long must not hurt."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from app.acceptance.alike import wire
from app.acceptance.case import case
from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, must, should

CLAUSE = "J16 §4.2.3"
MALFORMED = "ChangeConfiguration"


async def _goes_on(stage: Stage) -> None:
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})


@case(
    "A16-WIRE-01",
    "An unknown action is answered, not ignored",
    "OCPP-J 1.6 §4.2.3",
    judge=partial(wire.judge_unknown, clause=CLAUSE),
    budget_s=60,
)
async def unknown_action(stage: Stage) -> None:
    """Send an action that no version of OCPP has, then an ordinary question."""
    await wire.ask_unknown(stage)
    await _goes_on(stage)


@case(
    "A16-WIRE-02",
    "A malformed request is refused, and does no harm",
    "OCPP-J 1.6 §4.2.3",
    judge=partial(wire.judge_malformed, action=MALFORMED, clause=CLAUSE),
    budget_s=60,
)
async def malformed(stage: Stage) -> None:
    """Send ChangeConfiguration without its key and value, then an ordinary question."""
    await wire.ask_malformed(stage, MALFORMED)
    await _goes_on(stage)


@case(
    "A16-WIRE-03",
    "UTF-8 text does no harm",
    "OCPP-J 1.6 §4.1",
    judge=partial(wire.judge_foreign, clause="J16 §4.1", is_offered=True),
    budget_s=60,
)
async def utf8(stage: Stage) -> None:
    """Send a DataTransfer with letters of four scripts, then an ordinary question."""
    await wire.ask_foreign(stage)
    await _goes_on(stage)


@case("A16-WIRE-04", "A long message does no harm", "OCPP-J 1.6 §4.1; failure 34", judge=wire.judge_long, budget_s=90)
async def big(stage: Stage) -> None:
    """Send a DataTransfer with 8,000 characters, then an ordinary question."""
    await wire.ask_long(stage)
    await _goes_on(stage)


def judge_vendor(take: Take) -> Iterator[Check]:
    """Look at the status for a vendor nobody knows."""
    for exchange in take.asked("DataTransfer"):
        yield must(
            "DataTransfer of an unknown vendor is answered UnknownVendorId (§4.3)",
            exchange.status in ("UnknownVendorId", "Rejected"),
            exchange.status,
            *exchange.seqs,
        )
        yield should("by that very status", exchange.status == "UnknownVendorId", exchange.status, *exchange.seqs)


@case("A16-DATA-01", "DataTransfer of an unknown vendor is refused", "OCPP 1.6 §5.6", judge=judge_vendor, budget_s=20)
async def vendor(stage: Stage) -> None:
    """Send a DataTransfer for a vendor id that does not exist."""
    await stage.call("DataTransfer", {"vendorId": "net.rehome.nobody", "messageId": "ask", "data": "?"})
