"""Every 2.x case can fail: a station that is sick in just that point is told so, with frames as evidence."""

from __future__ import annotations

import pytest

from app.acceptance.case import cases
from app.acceptance.tempo import Tempo
from app.acceptance.tools import Tools
from app.sim import calls
from tests.acceptance.faults201 import SICK
from tests.acceptance.kit import central, run_one, told
from tests.acceptance.kit2 import station2
from tests.acceptance.people import helpful

PACE = 0.01
TEMPO = Tempo(pace=PACE, least_s=0.35, returns_s=30.0, restores_s=30.0)


def test_every_case_has_a_station_that_fails_it():
    assert {case.id for case in cases() if case.versions & {"2.0.1", "2.1"}} == set(SICK)


@pytest.mark.parametrize("case_id", SICK)
async def test_a_sick_station_does_not_pass(case_id: str, hands: Tools, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "CALL_LIMIT_S", 0.3)
    sick = SICK[case_id]
    version = "2.1" if sum(map(ord, case_id)) % 2 else "2.0.1"
    async with (
        central() as server,
        station2(server, version, security_profile=1, password="0123456789abcdef", time_scale=PACE) as unit,
    ):
        sick.sicken(unit)
        person = (sick.person or helpful)(unit)
        result = await run_one(server, case_id, person=person, tools=hands, tempo=TEMPO, version=version)
        assert result.verdict is sick.verdict, told(result)
        unmet = [check.sentence for check in result.checks if not check.is_met]
        assert any(sick.seen in sentence for sentence in unmet), told(result)
