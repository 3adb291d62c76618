"""Tolerance on the wire (OCPP-J 1.6 §4): what is unknown, malformed, foreign or long must not hurt."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import case
from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, must, should

ODD = "Grüße 充电 ⚡ Ωμέγα"
MALFORMED = frozenset(
    {
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
        "TypeConstraintViolation",
        "ProtocolError",
        "GenericError",
        "InternalError",
    }
)
"""CALLERROR codes that fit a malformed payload (J16 §4.2.3); the standard's own spelling lacks an r."""


def still_there(take: Take) -> Check:
    """Check that the unit answered the last question, on the connection of the first."""
    last = take.asked()[-1]
    is_same = len(take.connections) == 1
    seen = last.status if is_same else "it dialled anew"
    return must("It stays connected and answers what comes next", last.answer is not None and is_same, seen, *last.seqs)


async def _goes_on(stage: Stage) -> None:
    await stage.call("GetConfiguration", {"key": ["HeartbeatInterval"]})


def judge_action(take: Take) -> Iterator[Check]:
    """Look at the answer to an action nobody knows."""
    asked = take.asked("RehomeNoSuchAction")
    for exchange in asked:
        is_error = exchange.answer is not None and bool(exchange.answer.code)
        yield must("An unknown action is answered with a CALLERROR", is_error, exchange.status, *exchange.seqs)
        is_named = exchange.status == "NotImplemented"
        yield should("that says NotImplemented (J16 §4.2.3)", is_named, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


@case(
    "A16-WIRE-01",
    "An unknown action is answered, not ignored",
    "OCPP-J 1.6 §4.2.3",
    judge=judge_action,
    budget_s=60,
)
async def unknown_action(stage: Stage) -> None:
    """Send an action that no version of OCPP has, then an ordinary question."""
    await stage.call("RehomeNoSuchAction", {}, within_s=15)
    await _goes_on(stage)


def judge_payload(take: Take) -> Iterator[Check]:
    """Look at the answer to a payload against the schema."""
    asked = take.asked("ChangeConfiguration", lambda message: not message.payload)
    for exchange in asked:
        is_error = exchange.answer is not None and bool(exchange.answer.code)
        yield must("A malformed request is answered", exchange.answer is not None, exchange.status, *exchange.seqs)
        yield must("and not acted on", exchange.status != "Accepted", exchange.status, *exchange.seqs)
        yield should("The answer is a CALLERROR (J16 §4.2.3)", is_error, exchange.status, *exchange.seqs)
        yield should("that tells what is wrong with it", exchange.status in MALFORMED, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


@case(
    "A16-WIRE-02",
    "A malformed request is refused, and does no harm",
    "OCPP-J 1.6 §4.2.3",
    judge=judge_payload,
    budget_s=60,
)
async def malformed(stage: Stage) -> None:
    """Send ChangeConfiguration without its key and its value, then an ordinary question."""
    await stage.call("ChangeConfiguration", {}, within_s=15)
    await _goes_on(stage)


def judge_utf8(take: Take) -> Iterator[Check]:
    """Look at the answer to texts outside ASCII."""
    asked = take.asked("DataTransfer")
    for exchange in asked:
        is_heard = exchange.answer is not None
        yield must("A message with UTF-8 text is answered (J16 §4.1)", is_heard, exchange.status, *exchange.seqs)
        yield should("and not with a CALLERROR", exchange.is_answered, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


@case("A16-WIRE-03", "UTF-8 text does no harm", "OCPP-J 1.6 §4.1", judge=judge_utf8, budget_s=60)
async def utf8(stage: Stage) -> None:
    """Send a DataTransfer with letters of four scripts, then an ordinary question."""
    await stage.call("DataTransfer", {"vendorId": "net.rehome", "messageId": ODD, "data": ODD * 3}, within_s=15)
    await _goes_on(stage)


def judge_big(take: Take) -> Iterator[Check]:
    """Look whether it is still there after a long message."""
    asked = take.asked("DataTransfer")
    for exchange in asked:
        size = len(exchange.request.frame.text)
        yield should(f"A message of {size} characters is answered", exchange.answer is not None, "", *exchange.seqs)
    if asked:
        yield still_there(take)


BIG = 8_000
"""Characters of data: more than small units keep, less than any server's limit [OURS]."""


@case("A16-WIRE-04", "A long message does no harm", "OCPP-J 1.6 §4.1; failure 34", judge=judge_big, budget_s=90)
async def big(stage: Stage) -> None:
    """Send a DataTransfer with 8,000 characters, then an ordinary question."""
    await stage.call("DataTransfer", {"vendorId": "net.rehome", "data": "0123456789" * (BIG // 10)}, within_s=30)
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
