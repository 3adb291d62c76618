"""Charging begun and ended in every way (OCPP 2.0.1 part 2, E02 to E14, F01 to F03)."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.case import REPAIR
from app.acceptance.cases201 import moves
from app.acceptance.cases201.asking import case201, is_on
from app.acceptance.facts import can_write
from app.acceptance.stage import NotAsked, Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

TIMEOUT_KEY = "TxCtrlr.EVConnectionTimeOut"
TIMEOUT_S = 15


def judge_remote(take: Take) -> Iterator[Check]:
    """Look at the commands, the transaction's begin, its number and its end."""
    commands = take.asked("RequestStartTransaction")
    for command in commands[:1]:
        yield must(
            "RequestStartTransaction is accepted (F02)",
            commands[-1].status == "Accepted",
            command.status,
            *command.seqs,
        )
    yield from moves.judge_start(take, moves.TAG)
    mine = moves.events(take, moves.transaction_of(take))
    if not commands or not mine:
        return
    number = commands[-1].request.get("remoteStartId")
    named = [told for told in mine if told.get("transactionInfo", "remoteStartId") == number]
    yield must("It tells our remoteStartId (F02)", bool(named), f"{number}", *map(seq_of, named[:1]))
    begun = [told for told in mine if told.text("triggerReason") == "RemoteStart"]
    yield should("and RemoteStart as what triggered it", bool(begun), "", *map(seq_of, begun[:1]))
    charging = [told for told in mine if moves.charging_state(told) == "Charging"]
    yield should("It tells that it charges (chargingState)", bool(charging), "", *map(seq_of, charging[:1]))
    for command in take.asked("RequestStopTransaction")[:1]:
        yield must(
            "RequestStopTransaction is accepted (F03)", command.status == "Accepted", command.status, *command.seqs
        )
        yield from moves.judge_end(take, ("Remote",), ("RemoteStop",))


@case201(
    "A201-SESS-01",
    "A transaction is started and stopped from afar",
    "OCPP 2.0.1 F02, F03, E02, E07",
    judge=judge_remote,
    budget_s=120,
    suites=[REPAIR],
    person=True,
    idle=True,
)
async def remote(stage: Stage) -> None:
    """Have a car plugged in, start a transaction, let it charge for 10 s, stop it."""
    since = stage.last_seq
    transaction = await moves.begun(stage)
    if transaction is None:
        return
    await stage.heard(
        "TransactionEvent", where=lambda told: moves.charging_state(told) == "Charging", within_s=20, since=since
    )
    await stage.pause(10)
    await moves.ended(stage, transaction)


def judge_strange_stop(take: Take) -> Iterator[Check]:
    """Look at the status for a transaction that does not exist."""
    for command in take.asked("RequestStopTransaction"):
        is_refused = command.status == "Rejected"
        yield must("A stop for a transaction nobody knows is Rejected (F03)", is_refused, command.status, *command.seqs)


@case201(
    "A201-SESS-02",
    "A stop for an unknown transaction is refused",
    "OCPP 2.0.1 F03",
    judge=judge_strange_stop,
    budget_s=15,
)
async def strange_stop(stage: Stage) -> None:
    """Send RequestStopTransaction for an id no transaction has."""
    await stage.call("RequestStopTransaction", {"transactionId": "rehome-no-such-transaction"})


def judge_unplugged(take: Take) -> Iterator[Check]:
    """Look at the end after the plug was pulled."""
    yield from moves.judge_start(take)
    yield from moves.judge_end(take, ("EVDisconnected", "EVDeparted"), ("EVCommunicationLost", "EVDeparted"))
    if moves.events(take, moves.transaction_of(take), "Ended"):
        told = [m for m in take.heard("StatusNotification") if m.text("connectorStatus") == "Available"]
        yield must("The connector is Available again (G01)", bool(told), "", *map(seq_of, told[-1:]))


@case201(
    "A201-SESS-03",
    "Pulling the plug ends the transaction",
    "OCPP 2.0.1 E09, E06 (TxCtrlr.StopTxOnEVSideDisconnect)",
    judge=judge_unplugged,
    budget_s=150,
    person=True,
    idle=True,
    needs=[is_on("TxCtrlr.StopTxOnEVSideDisconnect")],
)
async def unplugged(stage: Stage) -> None:
    """Start a transaction, have the plug pulled."""
    transaction = await moves.must_begin(stage)
    since = stage.last_seq
    await stage.person("unplug", until=lambda: bool(moves.events(stage.take.after(since), transaction, "Ended")))
    await moves.event(stage, "Ended", within_s=20, since=since, transaction=transaction)
    await moves.state_is(stage, frozenset({"Available"}), 15)


def judge_nobody(take: Take) -> Iterator[Check]:
    """Look that a start no car follows is given up, so that a late car finds it over."""
    for command in take.asked("RequestStartTransaction"):
        yield must("RequestStartTransaction is answered", command.is_answered, command.status, *command.seqs)
        if command.status != "Accepted":
            continue
        late = take.after(command)
        flowing = [told for told in moves.events(late) if moves.charging_state(told) in moves.FLOWS]
        text = f"A car that comes after the {TIMEOUT_S} s of EVConnectionTimeOut does not charge on it (E03)"
        yield must(text, not flowing, f"{len(flowing)} events", *map(seq_of, flowing[:3]))
        begun = moves.events(late, None, "Started")
        named = [told for told in begun if told.text("idToken", "idToken")]
        for start in named[:1]:
            ends = moves.events(late, moves.id_of(start), "Ended")
            yield must("The transaction that it began is ended", bool(ends), "", start.seq, *map(seq_of, ends))
            reason = ends[0].text("transactionInfo", "stoppedReason") if ends else ""
            yield should("with the reason Timeout", reason == "Timeout", reason, *map(seq_of, ends))


@case201(
    "A201-SESS-04",
    "A start without a car is given up in time",
    "OCPP 2.0.1 E03, F01 (TxCtrlr.EVConnectionTimeOut)",
    judge=judge_nobody,
    budget_s=180,
    person=True,
    idle=True,
    needs=[can_write(TIMEOUT_KEY)],
)
async def nobody(stage: Stage) -> None:
    """With no car on it, set EVConnectionTimeOut to 15 s, start remotely, and plug in a car after 25 s."""
    await moves.unplugged(stage)
    if await stage.set(TIMEOUT_KEY, str(TIMEOUT_S)) not in ("Accepted", "RebootRequired"):
        raise NotAsked(f"The station does not take {TIMEOUT_S} s for {TIMEOUT_KEY}.")
    since = stage.last_seq
    payload = {"idToken": moves.token(), "remoteStartId": 41_000_002, "evseId": stage.connector}
    reply = await stage.call("RequestStartTransaction", payload)
    if reply.status != "Accepted":
        return
    await stage.pause(TIMEOUT_S + 10)
    await moves.plugged(stage)
    await stage.pause(5)
    for start in moves.events(stage.take.after(since), None, "Started"):
        moves.opened(stage, start)


def judge_status(take: Take) -> Iterator[Check]:
    """Look at what it says of a transaction that runs, and of the same one after its end."""
    yield from moves.judge_start(take)
    asks = take.asked("GetTransactionStatus")
    for ask in asks:
        yield must("GetTransactionStatus is answered (E14)", ask.is_answered, ask.status, *ask.seqs)
    for ask, is_running in zip(asks, (True, False), strict=False):
        said = ask.get("ongoingIndicator")
        words = "runs" if is_running else "is over"
        yield must(
            f"It knows that the transaction {words} (ongoingIndicator)", said is is_running, f"{said}", *ask.seqs
        )
    for ask in asks[-1:]:
        queued = ask.get("messagesInQueue")
        yield must("and that nothing of it waits any more (messagesInQueue)", queued is False, f"{queued}", *ask.seqs)


@case201(
    "A201-SESS-05",
    "It tells whether a transaction runs, and whether messages wait",
    "OCPP 2.0.1 E14",
    judge=judge_status,
    budget_s=180,
    person=True,
    idle=True,
)
async def status(stage: Stage) -> None:
    """Start a transaction, ask for its status, stop it, ask again."""
    transaction = await moves.must_begin(stage)
    await stage.call("GetTransactionStatus", {"transactionId": transaction})
    if await moves.ended(stage, transaction) is not None:
        await stage.pause(3)
        await stage.call("GetTransactionStatus", {"transactionId": transaction})


def judge_second(take: Take) -> Iterator[Check]:
    """Look that a second start on the same EVSE is refused, and the first goes on."""
    yield from moves.judge_start(take)
    commands = take.asked("RequestStartTransaction")
    for command in commands[-1:] if len(commands) > 1 else ():
        is_refused = command.status == "Rejected"
        yield must("A second start on the same EVSE is Rejected (F02)", is_refused, command.status, *command.seqs)
        stops = take.after(command).asked("RequestStopTransaction")
        window = take.after(command).before(stops[0]) if stops else take.after(command)
        odd = moves.events(window, None, "Started", "Ended")
        yield must("and the first transaction goes on", not odd, "", *map(seq_of, odd))


@case201(
    "A201-SESS-06",
    "A second start on the same EVSE is refused",
    "OCPP 2.0.1 F02",
    judge=judge_second,
    budget_s=150,
    person=True,
    idle=True,
)
async def second(stage: Stage) -> None:
    """Start a transaction, try to start another on the same EVSE, stop the first."""
    transaction = await moves.must_begin(stage)
    payload = {"idToken": moves.token("REHOME-SECOND"), "remoteStartId": 41_000_003, "evseId": stage.connector}
    await stage.call("RequestStartTransaction", payload)
    await stage.pause(3)
    await moves.ended(stage, transaction)


def judge_nowhere(take: Take) -> Iterator[Check]:
    """Look at the status of a start on an EVSE that does not exist."""
    for command in take.asked("RequestStartTransaction"):
        is_refused = command.answer is not None and command.status != "Accepted"
        yield must(
            "A start on an EVSE that does not exist is not accepted (F02)", is_refused, command.status, *command.seqs
        )
        yield should("but Rejected", command.status == "Rejected", command.status, *command.seqs)
    begun = moves.events(take, None, "Started")
    yield must("and no transaction begins", not begun, "", *map(seq_of, begun))


@case201(
    "A201-SESS-07",
    "A start on an EVSE that does not exist is refused",
    "OCPP 2.0.1 F02",
    judge=judge_nowhere,
    budget_s=30,
    idle=True,
)
async def nowhere(stage: Stage) -> None:
    """Try to start a transaction on EVSE 63."""
    payload = {"idToken": moves.token(), "remoteStartId": 41_000_004, "evseId": 63}
    if (await stage.call("RequestStartTransaction", payload)).status == "Accepted":
        await stage.pause(3)
