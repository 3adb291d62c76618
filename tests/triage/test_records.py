"""Records of earlier days count: a configuration that was read once, a finding that stands."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.feed import Feed
from app.model.backend import Backend, SecurityProfile
from app.model.finding import Finding, Severity
from app.model.frame import Direction, Frame, FrameKind
from app.model.mobile import MobileLink, Registration, Sim
from app.model.profile import Verdict
from app.model.triage import Ground
from app.model.unit import Unit
from app.settings import Settings
from app.triage.desk import Seen
from app.triage.records import UNITS, Hearing
from app.workbench import Workbench
from tests.triage.test_judging import UNIT, judge, profile

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
DIALS = replace(UNIT, backend=Backend(url="wss://old.example/ocpp", identity="CP-1"))


def answer(seq: int, payload: object, action: str = "GetConfiguration", identity: str = "CP-1") -> Frame:
    kind = FrameKind.CALL if action == "NotifyReport" else FrameKind.RESULT
    body = [2, str(seq), action, payload] if kind is FrameKind.CALL else [3, str(seq), payload]
    return Frame(
        seq=seq,
        at=AT + timedelta(minutes=seq),
        identity=identity,
        connection=1,
        direction=Direction.IN,
        text=json.dumps(body),
        kind=kind,
        uid=str(seq),
        action=action,
    )


def configuration(value: str) -> dict[str, object]:
    return {"configurationKey": [{"key": "SecurityProfile", "readonly": False, "value": value}], "unknownKey": []}


REPORT = {
    "requestId": 1,
    "generatedAt": "2026-11-20T08:00:00Z",
    "seqNo": 0,
    "reportData": [
        {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "SecurityProfile"},
            "variableAttribute": [{"value": "3"}],
        }
    ],
}


@pytest.mark.parametrize(
    ("frames", "profile_told"),
    [
        ([answer(1, configuration("2"))], SecurityProfile.TLS_BASIC),
        ([answer(1, configuration("2")), answer(2, configuration("1"))], SecurityProfile.BASIC),
        ([answer(1, REPORT, "NotifyReport")], SecurityProfile.TLS_CLIENT),
        ([answer(1, configuration("seven"))], SecurityProfile.NONE),
        ([answer(1, configuration("2"), identity="CP-2")], SecurityProfile.NONE),
        ([answer(1, "SecurityProfile " * 50)], SecurityProfile.NONE),
    ],
)
async def test_a_configuration_read_once_tells_the_security_profile(
    home: Path, frames: list[Frame], profile_told: SecurityProfile
):
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        bench.store.traffic.add(frames)
        bench.store.traffic.flush()
        bench.triage.look_up(DIALS)
        found = bench.triage.of(DIALS)
    assert found.present is not None
    assert found.present.security_profile is profile_told
    told = [ground for ground in found.grounds if "security profile" in ground.text]
    assert bool(told) is (profile_told is not SecurityProfile.NONE)


def test_a_profile_on_record_stands_in_the_way_of_a_lower_one():
    ground = Ground(text="Its configuration shows security profile 2.", grade=profile().grade)
    present = Backend(url="wss://old.example", identity="CP-1", security_profile=SecurityProfile.TLS_BASIC)
    found = judge(profile(), wanted=Backend(url="ws://new.example", identity="CP-1"), present=present, told=(ground,))
    assert found.verdict is Verdict.AFTER
    assert ground in found.grounds


def sim(unit_id: str, at: datetime | None = None) -> Finding:
    return Finding(code="SIM-APN", severity=Severity.FAULT, unit_id=unit_id, at=at)


def test_a_finding_counts_under_every_name_of_a_charger_until_it_is_old():
    feed: Feed[Finding] = Feed()
    hearing = Hearing(feed)
    feed.publish(sim("CP-1", datetime.now(UTC)))
    feed.publish(sim("other"))
    assert [finding.unit_id for finding in hearing.of(DIALS)] == ["CP-1"]
    feed.publish(sim("CP-1", datetime.now(UTC) - timedelta(hours=2)))
    assert hearing.of(DIALS) == ()


def test_a_flood_of_identities_does_not_fill_the_memory():
    feed: Feed[Finding] = Feed()
    hearing = Hearing(feed)
    for number in range(UNITS + 50):
        feed.publish(sim(f"flood-{number}"))
    hearing.of(UNIT)
    assert len(hearing._kept) == UNITS


async def test_a_modem_without_a_card_needs_a_new_sim(home: Path):
    unit: Unit = replace(UNIT, identity=replace(UNIT.identity, profile_id="openevse-wifi"))
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        bench.findings.publish(sim(unit.unit_id, datetime.now(UTC)))
        assert bench.triage.of(unit).verdict is Verdict.SIM


@pytest.mark.parametrize(
    ("case", "severity", "verdict"),
    [
        ("no-sim", Severity.FAULT, Verdict.SIM),
        ("denied", Severity.FAULT, Verdict.SIM),
        ("weak", Severity.WARNING, Verdict.UNKNOWN),
        ("roaming", Severity.INFO, Verdict.UNKNOWN),
    ],
)
async def test_a_weak_signal_alone_is_no_reason_for_a_new_card(
    home: Path, case: str, severity: Severity, verdict: Verdict
):
    unit = replace(UNIT, identity=replace(UNIT.identity, profile_id="modem"))
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        bench.findings.publish(replace(sim(unit.unit_id), severity=severity, details={"case": case}))
        bench.findings.publish(replace(sim(unit.unit_id), severity=Severity.INFO, details={"case": "weak"}))
        assert bench.triage.of(unit).verdict is verdict


@pytest.mark.parametrize(("card", "verdict"), [(Sim.ABSENT, Verdict.SIM), (Sim.READY, Verdict.UNKNOWN)])
async def test_what_a_modem_says_now_counts_more_than_what_it_said(home: Path, card: Sim, verdict: Verdict):
    unit = replace(UNIT, identity=replace(UNIT.identity, profile_id="modem"))
    seen = Seen(mobile=MobileLink(sim=card, registration=Registration.HOME, apn="internet"))
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        bench.findings.publish(sim(unit.unit_id))
        assert bench.triage._desk.judged(unit, None, seen).verdict is verdict
