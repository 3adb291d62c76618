"""Heartbeat (OCPP 1.6 §4.6): it comes, and in the rhythm that was set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from app.acceptance.case import case
from app.acceptance.facts import can_write
from app.acceptance.stage import Stage
from app.acceptance.take import Take, seq_of
from app.model.acceptance import Check, must, should

RHYTHM_S = 10
BEATS = 3


def judge_beats(take: Take) -> Iterator[Check]:
    """Measure the pauses between heartbeats after the rhythm was set."""
    writes = take.asked("ChangeConfiguration", lambda message: message.get("key") == "HeartbeatInterval")
    if not writes:
        return
    write = writes[0]
    yield must(f"HeartbeatInterval = {RHYTHM_S} is accepted", write.status == "Accepted", write.status, *write.seqs)
    end = writes[1] if len(writes) > 1 else None
    window = take.after(write)
    beats = (window.before(end) if end else window).heard("Heartbeat")
    yield must("Heartbeats come", len(beats) >= 2, f"{len(beats)} came", *map(seq_of, beats))
    pauses = [take.seconds(a.at, b.at) for a, b in pairwise(beats)]
    if not pauses:
        return
    seen = ", ".join(f"{pause:.1f} s" for pause in pauses)
    yield must(
        f"no further apart than twice the {RHYTHM_S} s",
        max(pauses) <= 2 * RHYTHM_S + take.slack_s,
        seen,
        *map(seq_of, beats),
    )
    yield should(f"about every {RHYTHM_S} s", min(pauses) >= RHYTHM_S / 2 - take.slack_s, seen, *map(seq_of, beats))
    answers = [take.replied(beat) for beat in beats]
    yield must("and are answered with the time", all(answers), "", *map(seq_of, answers))


@case(
    "A16-BEAT-01",
    "Heartbeats come in the rhythm that was set",
    "OCPP 1.6 §4.6, §9.1",
    judge=judge_beats,
    budget_s=60,
    needs=[can_write("HeartbeatInterval")],
)
async def beats(stage: Stage) -> None:
    """Set HeartbeatInterval to 10 s, wait for three heartbeats, put the old value back."""
    since = stage.last_seq
    await stage.set("HeartbeatInterval", str(RHYTHM_S))
    for _ in range(BEATS):
        beat = await stage.heard("Heartbeat", within_s=RHYTHM_S * 1.6, since=since)
        if beat is None:
            return
        since = beat.seq
