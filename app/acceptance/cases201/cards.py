"""Authorisation (OCPP 2.0.1 part 2, C01 to C13, E05): cards, refused cards, remote starts that ask, offline, cache."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.alike import lines
from app.acceptance.case import COMMISSIONING
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import case201, has, is_on
from app.acceptance.facts import can_write
from app.acceptance.stage import NotAsked, Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

PRE = "AuthCtrlr.LocalPreAuthorize"
REMOTE = "AuthCtrlr.AuthorizeRemoteStart"
UID = "04ACCE97000001"
"""A card number for remote starts that have to ask: tokens of type Central never ask (C05)."""


def _shown(take: Take) -> tuple[Message, ...]:
    """Return what shows a card: Authorize, or an event that names a token."""
    named = [told for told in moves.events(take) if told.text("idToken", "idToken")]
    return (*take.heard("Authorize"), *named)


async def ready_for_card(stage: Stage) -> None:
    """See to it that a card may begin a transaction: with the car of the last one still on it most want it anew."""
    await moves.plugged(stage)
    there = stage.connection
    had = there.transactions.values() if there else ()
    if any(item.connector == stage.connector for item in had) and moves.state(stage) in moves.FLOWS | {"Finishing"}:
        since = stage.last_seq
        await stage.person("replug", until=lambda: moves.replugged(stage, since), within_s=60)


async def _held(stage: Stage, prompt: str = "card") -> Message | None:
    """Have a card held, and wait for the transaction that it begins."""
    since = stage.last_seq
    await stage.person(prompt, until=lambda: bool(_shown(stage.take.after(since))))
    return await stage.heard(
        "TransactionEvent", where=lambda told: bool(told.text("idToken", "idToken")), within_s=20, since=since
    )


def judge_card(take: Take) -> Iterator[Check]:
    """Look at the card's way: Authorize, the transaction with the same token, the stop by card."""
    asks = take.heard("Authorize")
    yield should("Authorize comes with the card (C01)", bool(asks), f"{len(asks)} came", *map(seq_of, asks))
    tag = asks[0].text("idToken", "idToken") if asks else None
    if tag is not None:
        kind = asks[0].text("idToken", "type")
        yield must("The token has 1 to 36 characters", 0 < len(tag) <= 36, f"{len(tag)}", asks[0].seq)
        yield should("Its type tells a card (IdTokenEnum)", kind.startswith("ISO"), kind, asks[0].seq)
    yield from moves.judge_start(take, tag)
    if moves.events(take):
        yield from moves.judge_end(take, ("Local",), ("StopAuthorized",))
        yield from moves.judge_sequence(take, moves.transaction_of(take))


@case201(
    "A201-AUTH-02",
    "A card starts a transaction, and ends it",
    "OCPP 2.0.1 C01, E02, E07",
    judge=judge_card,
    budget_s=95,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
)
async def card(stage: Stage) -> None:
    """Have a car plugged in and a card held to the reader; accept it; have the same card end the transaction."""
    await ready_for_card(stage)
    start = await _held(stage)
    if start is None:
        return
    transaction = moves.opened(stage, start)
    since = stage.last_seq
    await stage.person("card-stop", until=lambda: bool(moves.events(stage.take.after(since), transaction, "Ended")))
    await moves.event(stage, "Ended", within_s=15, since=since, transaction=transaction)


def judge_refused(take: Take) -> Iterator[Check]:
    """Look that a refused card starts nothing that lasts."""
    asks = _shown(take)
    yield must("The card is asked for", bool(asks), f"{len(asks)} messages", *map(seq_of, asks))
    for ask in asks[:1]:
        answer = take.replied(ask)
        status = answer.text("idTokenInfo", "status") if answer else "no answer"
        yield must("and refused by this computer", status == "Blocked", status, ask.seq, seq_of(answer))
    if not asks:
        return
    flowing = [told for told in moves.events(take.after(asks[0])) if moves.charging_state(told) == "Charging"]
    last = moves.events(take)[-1:]
    seen = ", ".join(f"{moves.kind_of(told)} {moves.charging_state(told)}" for told in last) or "no transaction"
    # Without StopTxOnInvalidId the transaction may stay, but no energy flows in it (E05).
    is_quiet = not flowing or moves.kind_of(last[0]) == "Ended" or moves.charging_state(last[0]) != "Charging"
    yield must(
        "Nobody goes on charging on a refused card (C01, E05)", is_quiet, seen, *map(seq_of, (*flowing[:3], *last))
    )
    yield should("not even for a moment", not flowing, seen, *map(seq_of, flowing[:3]))


@case201(
    "A201-AUTH-01",
    "A refused card starts nothing",
    "OCPP 2.0.1 C01, E05 (TxCtrlr.StopTxOnInvalidId)",
    judge=judge_refused,
    budget_s=90,
    suites=[COMMISSIONING],
    person=True,
    idle=True,
)
async def refused(stage: Stage) -> None:
    """Have a car plugged in and a card held to the reader; refuse it; look that nobody charges."""
    await ready_for_card(stage)
    await _forget_cards(stage)
    stage.cards(lambda _: "Blocked")
    since = stage.last_seq
    await stage.person("card-refused", until=lambda: bool(_shown(stage.take.after(since))))
    start = await stage.heard(
        "TransactionEvent", where=lambda told: bool(told.text("idToken", "idToken")), within_s=8, since=since
    )
    if start is not None:
        transaction = moves.opened(stage, start)
        await stage.until(lambda: not _charges(stage.take, transaction), 20)


def _charges(take: Take, transaction: str) -> bool:
    told = moves.events(take, transaction)
    return moves.kind_of(told[-1]) != "Ended" and moves.charging_state(told[-1]) == "Charging"


async def _forget_cards(stage: Stage) -> None:
    """Empty the cache: a card that was accepted before may start from it (C12)."""
    if not has("AuthCacheCtrlr")(stage.facts):
        await stage.call("ClearCache", {})


def judge_asking_first(take: Take) -> Iterator[Check]:
    """Look for Authorize between the command and the charging."""
    for write in take.asked("SetVariables")[:1]:
        status = write.answer.text("setVariableResult", 0, "attributeStatus") if write.answer else "no answer"
        yield must("AuthorizeRemoteStart = true is accepted", status == "Accepted", status, *write.seqs)
    commands = take.asked("RequestStartTransaction")
    if not commands:
        return
    asks = [ask for ask in take.after(commands[0]).heard("Authorize") if ask.text("idToken", "idToken") == UID]
    yield must("Authorize comes for the token of the remote start (F01)", bool(asks), "", *map(seq_of, asks))
    charging = [told for told in moves.events(take) if moves.charging_state(told) == "Charging"]
    if asks and charging:
        yield must("before anybody charges", asks[0].seq < charging[0].seq, "", asks[0].seq, charging[0].seq)


@case201(
    "A201-AUTH-04",
    "A remote start asks first where it is told to",
    "OCPP 2.0.1 F01, C05 (AuthCtrlr.AuthorizeRemoteStart)",
    judge=judge_asking_first,
    budget_s=150,
    person=True,
    idle=True,
    needs=[can_write(REMOTE)],
)
async def asking_first(stage: Stage) -> None:
    """Set AuthorizeRemoteStart, start remotely with a card's number, look for Authorize, stop, put the value back."""
    await moves.plugged(stage)
    await _forget_cards(stage)
    if await stage.set(REMOTE, "true") == "Accepted":
        transaction = await moves.begun(stage, idToken=moves.token(UID, "ISO14443"))
        if transaction is not None:
            await moves.ended(stage, transaction)


def judge_refused_late(take: Take) -> Iterator[Check]:
    """Look what becomes of a transaction whose token is refused in the answer to its event."""
    named = [told for told in moves.events(take) if told.text("idToken", "idToken")]
    yield must("An event names the token", bool(named), "", *map(seq_of, named[:1]))
    if not named:
        return
    ends = moves.events(take.after(named[0]), None, "Ended")
    yield must("The transaction ends when its token is refused (E05)", bool(ends), "", named[0].seq, *map(seq_of, ends))
    for end in ends[:1]:
        reason, trigger = end.text("transactionInfo", "stoppedReason"), end.text("triggerReason")
        yield should("with the stoppedReason DeAuthorized", reason == "DeAuthorized", reason, end.seq)
        yield should("and the triggerReason Deauthorized", trigger == "Deauthorized", trigger, end.seq)


@case201(
    "A201-AUTH-05",
    "A transaction whose token is refused late is ended",
    "OCPP 2.0.1 E05 (TxCtrlr.StopTxOnInvalidId)",
    judge=judge_refused_late,
    budget_s=150,
    person=True,
    idle=True,
    needs=[is_on("TxCtrlr.StopTxOnInvalidId")],
)
async def refused_late(stage: Stage) -> None:
    """Start remotely while this computer refuses every token, and wait for the end."""
    await moves.plugged(stage)
    await _forget_cards(stage)
    stage.cards(lambda _: "Blocked")
    since = stage.last_seq
    transaction = await moves.begun(stage, idToken=moves.token(UID, "ISO14443"))
    if transaction is not None:
        await moves.event(stage, "Ended", within_s=30, since=since, transaction=transaction)


def judge_offline(take: Take) -> Iterator[Check]:
    """Look for the transaction that began offline."""
    doors = take.marked("let in")
    if not doors:
        return
    late = [told for told in moves.events(take) if told.at >= doors[0].at and moves.kind_of(told) != "Ended"]
    named = [told for told in late if told.text("idToken", "idToken")]
    text = "The transaction that began offline is told after the return (C13, E04)"
    yield must(text, bool(named), f"{len(late)} events", *map(seq_of, late[:4]))
    for told in named[:1]:
        yield must("as one that happened offline", told.get("offline") is True, f"{told.get('offline')}", told.seq)
        yield lines.judge_past(doors[0], told)


@case201(
    "A201-AUTH-03",
    "A known card starts a transaction offline",
    "OCPP 2.0.1 C13, C12, E04 (AuthCtrlr.LocalAuthorizeOffline)",
    judge=judge_offline,
    budget_s=420,
    person=True,
    idle=True,
    needs=[is_on("AuthCtrlr.LocalAuthorizeOffline"), has("AuthCacheCtrlr")],
)
async def offline(stage: Stage) -> None:
    """Accept a card, so that it is known; keep the station away, have the same card held again, let it in again."""
    await ready_for_card(stage)
    start = await _held(stage)
    if start is None:
        raise NotAsked("The card started nothing; look at A201-AUTH-02.")
    await moves.ended(stage, moves.opened(stage, start))
    await ready_for_card(stage)
    since = stage.last_seq
    if not await lines.away_while(stage, "card-offline"):
        return
    late = await stage.heard(
        "TransactionEvent", where=lambda told: bool(told.text("idToken", "idToken")), within_s=60, since=since
    )
    if late is not None:
        await moves.ended(stage, moves.opened(stage, late))


def judge_clear(take: Take) -> Iterator[Check]:
    """Look at the status."""
    for clear in take.asked("ClearCache"):
        yield must("ClearCache is answered (C11)", clear.is_answered, clear.status, *clear.seqs)
        yield should("with Accepted", clear.status == "Accepted", clear.status, *clear.seqs)


@case201(
    "A201-CACHE-01",
    "The cache is cleared",
    "OCPP 2.0.1 C11",
    judge=judge_clear,
    budget_s=20,
    needs=[has("AuthCacheCtrlr")],
)
async def clear(stage: Stage) -> None:
    """Send ClearCache."""
    await stage.offered("ClearCache")


def judge_cached(take: Take) -> Iterator[Check]:
    """Look that the cached card starts without asking, and asks again once the cache is empty."""
    writes = take.asked("SetVariables", lambda write: write.get("setVariableData", 0, "attributeValue") == "true")
    clears = [item for item in take.asked("ClearCache") if not writes or item.request.seq > writes[0].request.seq]
    if not writes or not clears:
        return
    window = take.after(writes[0]).before(clears[0])
    asks = window.heard("Authorize")
    begun = [told for told in moves.events(window) if told.text("idToken", "idToken")]
    yield must("The cached card starts a transaction (C12)", bool(begun), "", *map(seq_of, begun[:1]))
    yield must("without asking: LocalPreAuthorize", not asks, f"{len(asks)} Authorize", *map(seq_of, asks))
    yield must("ClearCache is accepted (C11)", clears[0].status == "Accepted", clears[0].status, *clears[0].seqs)
    later = take.after(clears[0]).heard("Authorize")
    yield must("Then the same card is asked for again", bool(later), "", *map(seq_of, later))


@case201(
    "A201-CACHE-02",
    "A cached card starts at once; with the cache cleared it is asked for",
    "OCPP 2.0.1 C11, C12 (AuthCtrlr.LocalPreAuthorize)",
    judge=judge_cached,
    budget_s=420,
    person=True,
    idle=True,
    needs=[has("AuthCacheCtrlr"), can_write(PRE)],
)
async def cached(stage: Stage) -> None:
    """Accept a card; set LocalPreAuthorize; hold it again; clear the cache; hold it a third time."""
    await stage.set(PRE, "false")
    for step in ("first", "cached", "cleared"):
        if step == "cached" and await stage.set(PRE, "true") != "Accepted":
            raise NotAsked("LocalPreAuthorize can't be set.")
        if step == "cleared":
            await stage.call("ClearCache", {})
        await ready_for_card(stage)
        start = await _held(stage)
        if start is None:
            return
        await moves.ended(stage, moves.opened(stage, start))
