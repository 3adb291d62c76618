"""Tolerance on the wire: what is unknown, malformed, foreign or long must not hurt. After each an ordinary question."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.stage import Stage
from app.acceptance.take import Take
from app.model.acceptance import Check, must, should

UNKNOWN = "RehomeNoSuchAction"
ODD = "Grüße 充电 ⚡ Ωμέγα"
BIG = 8_000
"""Characters of data: more than small units keep, less than any server's limit [OURS]."""
MALFORMED = frozenset(
    {
        "FormatViolation",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurrenceConstraintViolation",
        "OccurenceConstraintViolation",
        "TypeConstraintViolation",
        "ProtocolError",
        "GenericError",
        "InternalError",
    }
)
"""CALLERROR codes that fit a malformed payload (J16 §4.2.3, part 4 §4.3), in both spellings that units use."""


def still_there(take: Take) -> Check:
    """Check that the unit answered the last question, on the connection of the first."""
    last = take.asked()[-1]
    is_same = len(take.connections) == 1
    seen = last.status if is_same else "it dialled anew"
    return must("It stays connected and answers what comes next", last.answer is not None and is_same, seen, *last.seqs)


async def ask_unknown(stage: Stage) -> None:
    """Send an action that no version of OCPP has."""
    await stage.call(UNKNOWN, {}, within_s=15)


def judge_unknown(take: Take, clause: str) -> Iterator[Check]:
    """Look at the answer to an action nobody knows."""
    asked = take.asked(UNKNOWN)
    for exchange in asked:
        is_error = exchange.answer is not None and bool(exchange.answer.code)
        yield must("An unknown action is answered with a CALLERROR", is_error, exchange.status, *exchange.seqs)
        is_named = exchange.status == "NotImplemented"
        yield should(f"that says NotImplemented ({clause})", is_named, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


async def ask_malformed(stage: Stage, action: str) -> None:
    """Send an action without what it has to bring; one that moves nothing where it is acted on all the same."""
    await stage.call(action, {}, within_s=15)


def judge_malformed(take: Take, action: str, clause: str) -> Iterator[Check]:
    """Look at the answer to a payload against the schema."""
    asked = take.asked(action, lambda message: not message.payload)
    for exchange in asked:
        is_error = exchange.answer is not None and bool(exchange.answer.code)
        yield must("A malformed request is answered", exchange.answer is not None, exchange.status, *exchange.seqs)
        yield must("and not acted on", exchange.status != "Accepted", exchange.status, *exchange.seqs)
        yield should(f"The answer is a CALLERROR ({clause})", is_error, exchange.status, *exchange.seqs)
        yield should("that tells what is wrong with it", exchange.status in MALFORMED, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


async def ask_foreign(stage: Stage) -> None:
    """Send a DataTransfer with letters of four scripts."""
    await stage.call("DataTransfer", {"vendorId": "net.rehome", "messageId": ODD, "data": ODD * 3}, within_s=15)


def judge_foreign(take: Take, clause: str, *, is_offered: bool) -> Iterator[Check]:
    """Look at the answer to texts outside ASCII. ``is_offered``: every unit of the version knows DataTransfer."""
    asked = take.asked("DataTransfer")
    for exchange in asked:
        is_heard = exchange.answer is not None
        yield must(f"A message with UTF-8 text is answered ({clause})", is_heard, exchange.status, *exchange.seqs)
        if is_offered:
            yield should("and not with a CALLERROR", exchange.is_answered, exchange.status, *exchange.seqs)
    if asked:
        yield still_there(take)


async def ask_long(stage: Stage) -> None:
    """Send a DataTransfer with 8,000 characters."""
    await stage.call("DataTransfer", {"vendorId": "net.rehome", "data": "0123456789" * (BIG // 10)}, within_s=30)


def judge_long(take: Take) -> Iterator[Check]:
    """Look whether it is still there after a long message."""
    asked = take.asked("DataTransfer")
    for exchange in asked:
        size = len(exchange.request.frame.text)
        yield should(f"A message of {size} characters is answered", exchange.answer is not None, "", *exchange.seqs)
    if asked:
        yield still_there(take)
