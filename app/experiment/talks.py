"""Experiments with what is said, and when: answers that come late, commands that come early, the waiting room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from app.errors import AppError, LinkError, Refused, TimedOut
from app.experiment.stage import Stage
from app.experiment.witness import Happening
from app.model.frame import Direction, Frame, FrameKind
from app.model.observation import Ended
from app.ocpp.endpoint import Endpoint

FINE, REPEATED, DROPPED, NOTHING = "fine", "repeated", "dropped", "nothing"
ANSWERED, SILENT, LOOPED = "answered", "silent", "looped"
OBEYED, HURRIED, GAVE_UP, LET_IN = "obeyed", "hurried", "gave up", "let in"
INTERVAL_S = 10.0
"""The pause told in the waiting room, and the heartbeat while answers are late [OURS]."""
SETTLE_S = 10.0
"""How long a unit that took an early command is watched for second thoughts [OURS]."""
ANSWER_S = 30.0
EARLY_FACTOR = 0.8
"""A Boot that comes before this part of the interval has passed is too early (timers of small units drift) [OURS]."""


# Late answers -----------------------------------------------------------------------------------------------------


async def answer_delay(stage: Stage) -> None:
    """Hold every answer back, longer each time."""
    tempo = stage.tempo
    with stage.manners() as change:
        change(boot_interval_s=_interval(stage))
        stage.wants_fresh_start = True
        for setting in stage.settings():
            change(answer_delay_s=tempo.exactly(float(setting)))
            limit_s = tempo.real(stage.experiment.round_s)
            there = await stage.come_back(limit_s)
            if there is None:
                stage.mark(NOTHING, "It did not dial again.")
                return
            stage.say("Listening whether it waits for our answers …", limit_s)
            found = await stage.witness.until(partial(_patience, there.connection), limit_s)
            _mark_patience(stage, found, there.connection)


def _interval(stage: Stage) -> int:
    return max(1, round(stage.tempo.exactly(INTERVAL_S)))


def _patience(connection: int, happened: Sequence[Happening]) -> str | None:
    """Say how a unit takes our late answers, once that is clear: it repeats itself, hangs up, or goes on."""
    asked: dict[str, str] = {}
    has_answer = has_booted = False
    for item in happened:
        if isinstance(item, Ended) and item.connection == connection:
            return DROPPED if not item.is_by_us else None
        if not isinstance(item, Frame) or item.connection != connection:
            continue
        if item.direction is Direction.OUT and item.kind in (FrameKind.RESULT, FrameKind.ERROR):
            has_answer = asked.pop(item.uid, None) is not None or has_answer
            has_booted = has_booted or item.action == "BootNotification"
        elif item.direction is Direction.IN and item.kind is FrameKind.CALL:
            said = _said(item)
            if said in asked.values() or (has_booted and _is_boot(item)):
                return REPEATED
            if has_answer and not asked:
                return FINE
            asked[item.uid] = said
    return None


def _said(frame: Frame) -> str:
    """Return action and payload of a request, without its id."""
    return frame.action + frame.text.partition(f'"{frame.action}"')[2]


def _mark_patience(stage: Stage, found: str | None, connection: int) -> None:
    own = [item for item in stage.witness.happened if isinstance(item, Frame) and item.connection == connection]
    answers = [item for item in own if item.direction is Direction.OUT and item.kind is FrameKind.RESULT]
    if found == REPEATED:
        stage.mark(REPEATED, f"It repeated its {own[-1].action}.")
    elif found == DROPPED:
        stage.mark(DROPPED, "It hung up.")
    elif found == FINE or answers:
        stage.mark(FINE, "It waited for our answers and went on.")
    else:
        stage.mark(NOTHING, "It said nothing that wants an answer.")


# Early commands ---------------------------------------------------------------------------------------------------


async def early_command(stage: Stage) -> None:
    """Send a harmless question soon after the unit has dialled, later each time."""
    tempo = stage.tempo
    with stage.manners() as change:
        change(speaks_early=True)
        for setting in stage.settings():
            there = await stage.come_back(tempo.real(stage.experiment.round_s))
            if there is None:
                stage.mark(NOTHING, "It did not dial again.")
                return
            stage.say("Waiting until the command is due …", tempo.exactly(float(setting)))
            await stage.pause(tempo.exactly(float(setting)))
            is_early = there.ear.boot_status != "Accepted"
            stage.say("Asking …", tempo.real(ANSWER_S))
            got = await _asked(stage, there)
            _mark_early(stage, got, is_early, await _second_thoughts(stage, there, got))


async def _asked(stage: Stage, there: Endpoint) -> str:
    action, payload = question(there.version)
    try:
        await there.call(action, payload, timeout_s=stage.tempo.real(ANSWER_S))
    except TimedOut:
        return SILENT
    except Refused:
        return ANSWERED
    except LinkError:
        return DROPPED
    return ANSWERED


def question(version: str) -> tuple[str, dict[str, Any]]:
    """Return a question that changes nothing, and that every unit should know."""
    if version == "1.6":
        return "GetConfiguration", {"key": ["HeartbeatInterval"]}
    variable = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    return "GetVariables", {"getVariableData": [variable]}


async def _second_thoughts(stage: Stage, there: Endpoint, got: str) -> str:
    """Watch the unit for a moment: does it boot again, or hang up?"""
    if got == DROPPED:
        return DROPPED
    limit_s = stage.tempo.real(SETTLE_S)
    stage.say("Watching whether it goes on as usual …", limit_s)
    return await stage.witness.until(lambda happened: _upset(happened, there.connection), limit_s) or ""


def _upset(happened: Sequence[Happening], connection: int) -> str | None:
    boots = 0
    for item in happened:
        if isinstance(item, Ended) and item.connection == connection and not item.is_by_us:
            return DROPPED
        if isinstance(item, Frame) and item.connection == connection and _is_boot(item):
            boots += 1
            if boots > 1:
                return LOOPED
    return None


def _is_boot(frame: Frame) -> bool:
    is_call = frame.direction is Direction.IN and frame.kind is FrameKind.CALL
    return is_call and frame.action == "BootNotification"


def _mark_early(stage: Stage, got: str, is_early: bool, upset: str) -> None:
    when = "before its Boot was accepted" if is_early else "after its Boot was accepted"
    mark = upset or got
    words = {
        DROPPED: f"Asked {when}, it hung up.",
        LOOPED: f"Asked {when}, it booted again.",
        SILENT: f"Asked {when}, it did not answer.",
        ANSWERED: f"Asked {when}, it answered and went on.",
    }
    stage.mark(mark, words[mark], is_early=float(is_early))


# The waiting room -------------------------------------------------------------------------------------------------


async def waiting_room(stage: Stage) -> None:
    """Answer its Boot Pending, then Rejected, then Accepted, and measure when it asks again."""
    with stage.manners() as change:
        change(boot_interval_s=_interval(stage))
        stage.wants_fresh_start = True
        asks_again = False
        for setting in stage.settings():
            change(boot_status=setting)
            boots = await _boots(stage, 1 if setting == "Accepted" else 2, is_asked=not asks_again)
            asks_again = len(boots) > 1
            _mark_wait(stage, setting, boots)
            if not boots:
                return


async def _boots(stage: Stage, wanted: int, *, is_asked: bool) -> list[datetime]:
    """Return when the next Boots came, at most ``wanted`` of them; the first may be asked for."""
    limit_s = stage.tempo.real(stage.experiment.round_s)
    if is_asked:
        await _ask_for_boot(stage)
    stage.say("Waiting for its Boot …", limit_s)
    await stage.witness.until(_boot_times(wanted), limit_s)
    return [item.at for item in stage.witness.happened if isinstance(item, Frame) and _is_boot(item)][:wanted]


def _boot_times(wanted: int) -> Callable[[Sequence[Happening]], bool | None]:
    def look(happened: Sequence[Happening]) -> bool | None:
        boots = [item for item in happened if isinstance(item, Frame) and _is_boot(item)]
        return True if len(boots) >= wanted else None

    return look


async def _ask_for_boot(stage: Stage) -> None:
    """Get a Boot out of the unit: by asking for it, by letting it dial anew, at last by a soft restart."""
    wait_s = stage.tempo.real(INTERVAL_S)
    for attempt in (_trigger, _dial, _restart):
        there = stage.endpoint
        if there is not None:
            stage.say("Asking for its Boot …", wait_s)
            await attempt(stage, there)
        if await stage.witness.until(_boot_times(1), wait_s):
            return


async def _trigger(stage: Stage, there: Endpoint) -> None:
    if not there.is_ready:
        return
    try:
        await there.call("TriggerMessage", {"requestedMessage": "BootNotification"}, timeout_s=stage.tempo.real(10))
    except AppError as error:
        stage.say(error.message)


async def _dial(stage: Stage, there: Endpoint) -> None:  # noqa: ARG001 - one of three ways
    await stage.let_go()


async def _restart(stage: Stage, there: Endpoint) -> None:
    if not there.is_ready:
        return
    try:
        await there.reset("Soft")
    except AppError as error:
        stage.say(error.message)


def _mark_wait(stage: Stage, setting: str, boots: Sequence[datetime]) -> None:
    if setting == "Accepted":
        stage.mark(LET_IN if boots else NOTHING, "It is let in again." if boots else "It did not ask to be let in.")
        return
    if not boots:
        stage.mark(NOTHING, "It sent no Boot, although it was asked for one.")
        return
    if len(boots) < 2:
        stage.mark(GAVE_UP, f"After “{setting}” it did not ask again.")
        return
    interval_s = float(_interval(stage))
    gap_s = (boots[1] - boots[0]).total_seconds()
    mark = OBEYED if gap_s >= EARLY_FACTOR * interval_s else HURRIED
    seen = f"After “{setting}” with a pause of {interval_s:.0f} s it asked again after {gap_s:.1f} s."
    stage.mark(mark, seen, gap=gap_s, interval=interval_s)
