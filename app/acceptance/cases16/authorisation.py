"""Authorisation (OCPP 1.6 §4.1, §3.5): a card, a refused card, remote starts that ask first, offline."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import COMMISSIONING, case
from app.acceptance.cases16 import moves
from app.acceptance.facts import can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should


def _asks(take: Take) -> tuple[Message, ...]:
    """Return what shows a card: Authorize, or a start that asks at once."""
    return take.heard("Authorize") + take.heard("StartTransaction")


def judge_card(take: Take) -> Iterator[Check]:
    """Look at the card's way: Authorize, StartTransaction with the same tag, the stop by card."""
    asks = take.heard("Authorize")
    yield should("Authorize comes with the card (§4.1)", bool(asks), f"{len(asks)} came", *map(seq_of, asks))
    tag = asks[0].text("idTag") if asks else None
    if tag is not None:
        yield must(
            "The tag has 1 to 20 characters (IdToken)", 0 < len(tag) <= 20, f"{len(tag)} characters", asks[0].seq
        )
    yield from moves.judge_start(take, tag)
    if take.heard("StartTransaction"):
        yield from moves.judge_stop(take, ("Local",))


@case(
    "A16-AUTH-02",
    "A card starts a session, and ends it",
    "OCPP 1.6 §4.1, §4.8, §4.10",
    judge=judge_card,
    budget_s=95,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
)
async def card(stage: Stage) -> None:
    """Have a car plugged in and a card held to the reader; accept it; have the same card end the session."""
    await moves.ready_for_card(stage)
    since = stage.last_seq
    await stage.person("card", until=lambda: bool(_asks(stage.take.after(since))))
    start = await stage.heard("StartTransaction", within_s=20, since=since)
    number = moves.opened(stage, start) if start else None
    if number is None:
        return
    since = stage.last_seq
    await stage.person("card-stop", until=lambda: bool(stage.take.after(since).heard("StopTransaction")))
    await moves.stop_of(stage, number, since, 15)


def judge_refused(take: Take) -> Iterator[Check]:
    """Look that a refused card starts nothing that lasts."""
    asks = _asks(take)
    yield must("The card is asked for", bool(asks), f"{len(asks)} messages", *map(seq_of, asks))
    first = next(iter(asks), None)
    if first is None:
        return
    answer = take.replied(first)
    status = answer.text("idTagInfo", "status") if answer else "no answer"
    yield must("and refused by this computer", status == "Blocked", status, first.seq, seq_of(answer))
    starts = take.heard("StartTransaction")
    stops = take.heard("StopTransaction")
    is_quiet = not starts or bool(stops)
    seen = "no session" if not starts else f"{len(starts)} began, {len(stops)} ended"
    yield must("No session goes on with a refused card (§4.1)", is_quiet, seen, *map(seq_of, (*starts, *stops)))
    yield should("None even begins", not starts, seen, *map(seq_of, starts))


@case(
    "A16-AUTH-01",
    "A refused card starts nothing",
    "OCPP 1.6 §4.1, AuthorizationStatus; StopTransactionOnInvalidId (§9.1)",
    judge=judge_refused,
    budget_s=90,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
)
async def refused(stage: Stage) -> None:
    """Have a car plugged in and a card held to the reader; refuse it; look that no session goes on."""
    await moves.ready_for_card(stage)
    await _forget_cards(stage)
    stage.cards(lambda _: "Blocked")
    since = stage.last_seq
    await stage.person("card-refused", until=lambda: bool(_asks(stage.take.after(since))))
    start = await stage.heard("StartTransaction", within_s=8, since=since)
    if start is not None:
        moves.opened(stage, start)
        await stage.heard("StopTransaction", within_s=20, since=since)


async def _forget_cards(stage: Stage) -> None:
    """Empty the cache: a card that was accepted before may start from it (§3.5.1)."""
    if stage.facts.is_on("AuthorizationCacheEnabled"):
        await stage.call("ClearCache", {})


def judge_asking_first(take: Take) -> Iterator[Check]:
    """Look for Authorize between the command and the session."""
    writes = take.asked("ChangeConfiguration", lambda m: m.get("key") == "AuthorizeRemoteTxRequests")
    for write in writes[:1]:
        yield must(
            "AuthorizeRemoteTxRequests = true is accepted", write.status == "Accepted", write.status, *write.seqs
        )
    commands = take.asked("RemoteStartTransaction")
    if not commands:
        return
    asks = [ask for ask in take.after(commands[0]).heard("Authorize") if ask.text("idTag") == moves.TAG]
    yield must("Authorize comes for the tag of the remote start (§5.11)", bool(asks), "", *map(seq_of, asks))
    starts = take.heard("StartTransaction")
    if asks and starts:
        yield must("before StartTransaction", asks[0].seq < starts[0].seq, "", asks[0].seq, starts[0].seq)


@case(
    "A16-AUTH-04",
    "A remote start asks first where it is told to",
    "OCPP 1.6 §5.11; AuthorizeRemoteTxRequests (§9.1)",
    judge=judge_asking_first,
    budget_s=150,
    person=True,
    idle=True,
    needs=[can_write("AuthorizeRemoteTxRequests")],
)
async def asking_first(stage: Stage) -> None:
    """Set AuthorizeRemoteTxRequests, start remotely, look for Authorize, stop, and put the key back."""
    await moves.plugged(stage)
    await _forget_cards(stage)
    if await stage.set("AuthorizeRemoteTxRequests", "true") == "Accepted":
        number = await moves.begun(stage)
        if number is not None:
            await moves.ended(stage, number)


def judge_refused_start(take: Take) -> Iterator[Check]:
    """Look what becomes of a session whose tag is refused in StartTransaction.conf."""
    starts = take.heard("StartTransaction")
    yield must("StartTransaction comes", bool(starts), "", *map(seq_of, starts))
    if not starts:
        return
    stops = take.after(starts[0]).heard("StopTransaction")
    yield must("The session ends when its tag is refused (§9.1)", bool(stops), "", starts[0].seq, *map(seq_of, stops))
    for stop in stops[:1]:
        reason = stop.text("reason") or "Local"
        yield should("with the reason DeAuthorized", reason == "DeAuthorized", reason, stop.seq)


@case(
    "A16-AUTH-05",
    "A session whose tag is refused late is ended",
    "OCPP 1.6 §4.8; StopTransactionOnInvalidId (§9.1)",
    judge=judge_refused_start,
    budget_s=150,
    person=True,
    idle=True,
    needs=[lambda facts: "" if facts.is_on("StopTransactionOnInvalidId") else "StopTransactionOnInvalidId is not on."],
)
async def refused_start(stage: Stage) -> None:
    """Start remotely while this computer refuses every tag, and wait for the session's end."""
    await moves.plugged(stage)
    stage.cards(lambda _: "Blocked")
    number = await moves.begun(stage)
    if number is not None:
        await moves.stop_of(stage, number, within_s=30)
