"""Moves that several 1.6 cases make, and how they are judged: a car plugged in, a session begun, a session ended."""

from __future__ import annotations

from collections.abc import Iterator

from app.acceptance.stage import NotAsked, Stage
from app.acceptance.take import Message, Take, seq_of
from app.model.acceptance import Check, must, should

TAG = "REHOME-ACCEPT"
"""The id tag of our remote starts: at most 20 characters (OCPP 1.6 IdToken)."""
START_S = 60.0
"""How long a session may take to begin, and to end, after the command [OURS]."""
END_S = 15.0
"""How long the end of a session that is stopped for the next case is waited for [OURS]."""
ON_THE_CAR = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})


def state(stage: Stage, connector: int | None = None) -> str:
    """Return what a connector last said of itself."""
    there = stage.connection
    known = there.statuses.get(stage.connector if connector is None else connector) if there else None
    return known.state if known else ""


async def state_is(stage: Stage, states: frozenset[str], within_s: float, connector: int | None = None) -> bool:
    """Wait until a connector says that it is in one of some states."""
    return await stage.until(lambda: state(stage, connector) in states, within_s)


async def plugged(stage: Stage) -> None:
    """See to it that a car is on the connector: ask a person where there is none."""
    await stage.person("plug-in", until=lambda: state(stage) in ON_THE_CAR)


async def ready_for_card(stage: Stage) -> None:
    """See to it that a card may begin a session: with the car of the last one still on it most units want it anew."""
    await plugged(stage)
    if state(stage) == "Finishing":
        await stage.person("replug", until=lambda: state(stage) == "Preparing")


async def begun(stage: Stage, tag: str = TAG) -> int | None:
    """Start a session remotely, with a car; returns our transaction id, ``None`` where none began."""
    await plugged(stage)
    since = stage.last_seq
    payload = {"connectorId": stage.connector, "idTag": tag}
    reply = await stage.call("RemoteStartTransaction", payload)
    if reply.status != "Accepted" and state(stage) == "Finishing":
        # The same car may need to be plugged in anew for a new session (OCPP 1.6 §4.9, Finishing).
        await stage.person("replug", until=lambda: state(stage) == "Preparing", within_s=60)
        reply = await stage.call("RemoteStartTransaction", payload)
    if reply.status != "Accepted":
        return None
    start = await stage.heard("StartTransaction", within_s=START_S, since=since)
    return None if start is None else opened(stage, start)


def opened(stage: Stage, start: Message) -> int | None:
    """Return the id of a transaction that began, and see to it that it ends with the case."""
    answer = stage.take.replied(start)
    number = answer.get("transactionId") if answer else None
    if not isinstance(number, int):
        return None

    async def end() -> str:
        if any(stop.get("transactionId") == number for stop in stage.take.heard("StopTransaction")):
            return ""
        since = stage.last_seq
        reply = await stage.call("RemoteStopTransaction", {"transactionId": number})
        if reply.status != "Accepted":
            return f"RemoteStopTransaction said {reply.status}"
        await stop_of(stage, number, since, END_S)  # or it would be taken for one of the next case
        return ""

    stage.undo(f"end of session {number}", end)
    return number


async def ended(stage: Stage, number: int) -> Message | None:
    """Stop a session remotely and wait for its end."""
    since = stage.last_seq
    await stage.call("RemoteStopTransaction", {"transactionId": number})
    return await stop_of(stage, number, since)


async def stop_of(stage: Stage, number: int, since: int = 0, within_s: float = START_S) -> Message | None:
    """Wait for the StopTransaction of a session."""
    return await stage.heard(
        "StopTransaction", where=lambda stop: stop.get("transactionId") == number, within_s=within_s, since=since
    )


async def must_begin(stage: Stage) -> int:
    """Start a session that the case only needs. Raises NotAsked where none begins."""
    number = await begun(stage)
    if number is None:
        raise NotAsked("No session could be started; look at A16-SESS-01.")
    await state_is(stage, frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"}), 15)
    return number


# Judging ------------------------------------------------------------------------------------------------------------


def judge_start(take: Take, tag: str | None = None) -> Iterator[Check]:
    """Look at the StartTransaction."""
    starts = take.heard("StartTransaction")
    yield must("StartTransaction comes", bool(starts), f"{len(starts)} came", *map(seq_of, starts))
    if not starts:
        return
    start = starts[0]
    if tag is not None:
        said = start.text("idTag")
        yield must("It names the tag of the start", said.lower() == tag.lower(), f"“{said}”", start.seq)
    meter = start.get("meterStart")
    yield must("meterStart is a whole number of Wh (§6.45)", _is_register(meter), f"{meter}", start.seq)
    yield must("Its time stamp can be believed", start.stamp() is not None, start.text("timestamp")[:40], start.seq)


def judge_stop(take: Take, reasons: tuple[str, ...]) -> Iterator[Check]:
    """Look at the StopTransaction: the same session, a meter that did not fall, a fitting reason."""
    stops = take.heard("StopTransaction")
    yield must("StopTransaction comes", bool(stops), f"{len(stops)} came", *map(seq_of, stops))
    if not stops:
        return
    stop = stops[0]
    started = [start for start in take.heard("StartTransaction") if _number(take, start) == stop.get("transactionId")]
    yield must(
        "It names the session we numbered", bool(started), f"transactionId {stop.get('transactionId')}", stop.seq
    )
    meter = stop.get("meterStop")
    yield must("meterStop is a whole number of Wh (§6.49)", _is_register(meter), f"{meter}", stop.seq)
    before = started[0].get("meterStart") if started else None
    if _is_register(meter) and _is_register(before):
        yield must("The register did not fall", meter >= before, f"{before} → {meter} Wh", started[0].seq, stop.seq)
    reason = stop.text("reason") or "Local"
    yield should(f"The reason is {' or '.join(reasons)}", reason in reasons, reason, stop.seq)


def judge_after(take: Take) -> Iterator[Check]:
    """Look whether the connector tells that the session is over."""
    stops = take.heard("StopTransaction")
    if not stops:
        return
    connector = next((start.get("connectorId") for start in take.heard("StartTransaction")), None)
    told = take.heard("StatusNotification", lambda message: message.get("connectorId") == connector)
    last = told[-1] if told else None
    seen = last.text("status") if last else "nothing"
    yield should(
        "and the connector tells that it ended", seen in ("Finishing", "Available", "Preparing"), seen, seq_of(last)
    )


def _number(take: Take, start: Message) -> object:
    answer = take.replied(start)
    return answer.get("transactionId") if answer else None


def _is_register(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
