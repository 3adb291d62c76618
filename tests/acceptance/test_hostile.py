"""Judges and files bear whatever a charger, or a forger, puts into frames."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest

from app.acceptance.case import cases
from app.acceptance.take import Take
from app.acceptance.tools import Tools
from app.model.acceptance import RunResult, Verdict
from app.model.frame import Direction, Frame, FrameKind
from app.sim.station import OcppStation
from tests.acceptance.kit import central, run_cases, station
from tests.acceptance.people import helpful
from tests.acceptance.test_engine import QUICK, made

JUNK: tuple[Any, ...] = (
    None, True, -1, 10**30, 10**400, 1e308, "", "\x00", "2026-13-45T99:99:99Z", "9" * 5000, "²", [], [[]], [None, 1, "x"], {}, {"status": []},
    {"configurationKey": [None, 1, {"key": None, "value": 5}]},
)  # fmt: skip


def spoiled(value: Any, dice: random.Random) -> Any:
    if dice.random() < 0.15:
        return dice.choice(JUNK)
    if isinstance(value, dict):
        return {key: spoiled(item, dice) for key, item in value.items() if dice.random() > 0.1}
    if isinstance(value, list):
        return [spoiled(item, dice) for item in value]
    return value


def spoil(frame: Frame, dice: random.Random) -> Frame:
    if frame.direction is Direction.OUT or frame.kind is FrameKind.BROKEN:
        return frame
    message = json.loads(frame.text)
    message[-1] = spoiled(message[-1], dice)
    return replace(frame, text=json.dumps(message))


async def recorded(hands: Tools) -> RunResult:
    slow = ("A16-BOOT-02", "A16-BOOT-03", "A16-CONN-02", "A16-PING", "A16-BEAT", "A16-METER-03", "A16-QUEUE-02")
    chosen = [case for case in cases() if case.id.startswith("A16-") and not case.id.startswith(slow)]
    async with central() as server, station(server, security_profile=1, password="0123456789abcdef") as unit:
        assert isinstance(unit, OcppStation)
        return await run_cases(server, chosen, person=helpful(unit), tools=hands, tempo=QUICK)


async def test_no_judge_falls_over_spoiled_frames(hands: Tools):
    result = await recorded(hands)
    judges = {case.id: case.judge for case in cases()}
    tried = 0
    for item in result.results:
        for seed in range(60):
            dice = random.Random(f"{item.case_id}-{seed}")
            frames = [spoil(frame, dice) for frame in item.frames if dice.random() > 0.05]
            for check in judges[item.case_id](Take.of(frames, item.marks, pace=item.pace).proper):
                assert len(check.sentence) < 700
                tried += 1
    assert tried > 5_000


async def test_a_judge_that_fails_leaves_its_case_open_and_the_run_goes_on(allowed_log: Any):
    allowed_log("judge A16-TEST-01 failed")
    async with central() as server, station(server):

        async def steps(_: Any) -> None:
            return

        def judge(_: Take) -> Any:
            raise KeyError("bug")

        result = await run_cases(server, [made(steps, judge), "A16-CONF-02"])
    assert [item.verdict for item in result.results] == [Verdict.NOT_ASKED, Verdict.PASS]
    assert "KeyError" in result.results[0].reason


@pytest.mark.parametrize("text", ["", "[", "[]", "[2]", '[2,"1","Boot"]', "\x00", '{"a":1}', "[3,null,{}]"])
def test_what_is_no_message_is_read_as_an_empty_one(text: str):
    from tests.acceptance.kit import plan

    moment = plan([]).run.started_at
    frame = Frame(
        seq=1, at=moment, identity="x", connection=1, direction=Direction.IN, text=text, kind=FrameKind.BROKEN
    )
    take = Take.of([frame])
    assert take.heard() == ()
    assert take.messages[0].get("a", 0, "b") is None
    for case in cases():
        assert all(not check.seqs or 1 in check.seqs for check in case.judge(take))
