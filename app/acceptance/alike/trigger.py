"""TriggerMessage: what was asked for comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

COME_S = 15.0
"""How long a triggered message may take [OURS]."""


async def ask_trigger(stage: Stage, message: str, place: Mapping[str, Any]) -> None:
    """Ask for a message, of a place where it has one, and wait for it."""
    payload = {"requestedMessage": message, **place}
    if (await stage.call("TriggerMessage", payload)).status == "Accepted":
        await stage.heard(message, within_s=COME_S)


def judge_trigger(take: Take, message: str, clause: str) -> Iterator[Check]:
    """Look at the status, and for the message after it."""
    for trigger in take.asked("TriggerMessage")[:1]:
        is_known = trigger.status != "NotImplemented"
        yield should(f"TriggerMessage({message}) is known", is_known, trigger.status, *trigger.seqs)
        if not is_known:
            return
        yield must(f"and accepted ({clause})", trigger.status == "Accepted", trigger.status, *trigger.seqs)
        came = take.after(trigger).heard(message)
        yield must(f"{message} comes", bool(came), f"{len(came)} came", *map(seq_of, came[:3]))
        if came and trigger.answer is not None:
            is_after = came[0].seq > trigger.answer.seq
            yield should("after the answer, not before it", is_after, "", *trigger.seqs, came[0].seq)
