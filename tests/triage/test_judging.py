"""Each question of the triage, asked of invented families: what is decided, on which ground, what comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from app.diagnosis import ways
from app.model.address import NetAddress, OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Evidence, Grade, Profile, Verdict
from app.model.profile_reading import parse
from app.model.secret import Secret
from app.model.triage import Answering, Case, Hand, Judgement
from app.model.unit import Identity, SourceKind, Unit, Way
from app.triage import judging

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FACT = {"source": "vendor handbook", "grade": "source"}
DOC: dict[str, Any] = {
    "id": "x",
    "family": "Example",
    "vendor": "Example",
    "driver": "d",
    "approach": "direct",
    "evidence": [FACT],
    "timing": {"restart_s": 1, "redial_s": 2, "patience_s": 3},
}
WANTED = Backend(url="ws://new.example/ocpp", identity="CP-1")
WAY = Way(driver_id="d", address=NetAddress(host="10.0.0.2"), source=SourceKind.LAN, seen_at=NOW, is_present=True)
UNIT = Unit(unit_id="u", identity=Identity(vendor="Example", firmware="2.5.0", profile_id="x"), ways=(WAY,))


def profile(**changes: Any) -> Profile:
    return parse(DOC | changes, origin="test")


def judge(found: Profile | None, left: dict[str, ways.Way] | None = None, **changes: Any) -> Judgement:
    return judging.judge(replace(Case(unit=UNIT), **changes), found, left or {}, NOW)


def test_a_driven_charger_in_reach_is_repointed_now():
    found = judge(profile(), wanted=WANTED)
    assert (found.verdict, found.hand, found.first) == (Verdict.NOW, Hand.REHOME, ())
    assert found.grade is Grade.SOURCE


def test_nothing_is_now_for_a_charger_out_of_reach():
    found = judge(profile(), unit=replace(UNIT, ways=()))
    assert found.verdict is Verdict.AFTER
    assert "reach" in found.first[0]


def test_a_locked_charger_needs_its_login_first():
    found = judge(profile(), is_locked=True)
    assert found.verdict is Verdict.AFTER
    assert "login" in found.first[0]


def test_a_running_session_is_ended_first():
    found = judge(profile(), is_charging=True)
    assert (found.verdict, found.first) == (Verdict.AFTER, (judging.CHARGING,))


@pytest.mark.parametrize(
    ("firmware", "verdict", "is_met"),
    [("2.9.9", Verdict.AFTER, False), ("v2.10.0", Verdict.NOW, True), ("2.12.1+6a4f", Verdict.NOW, True)],
)
def test_firmware_is_compared_by_number(firmware: str, verdict: Verdict, is_met: bool):
    rules = [{"needs": "takes the address at once", "minimum": "2.10", "update": "By its own page."} | FACT]
    unit = replace(UNIT, identity=replace(UNIT.identity, firmware=firmware))
    found = judge(profile(firmware=rules), unit=unit)
    assert (found.verdict, found.firmware[0].is_met) == (verdict, is_met)
    assert (found.first == ("Update its firmware. By its own page.",)) is not is_met


@pytest.mark.parametrize("firmware", ["", "local_main_abc", "2.10-beta3", "20260101123000999"])
def test_firmware_that_can_not_be_compared_is_not_known_and_no_barrier(firmware: str):
    rules = [{"needs": "OCPP", "minimum": "2.10"} | FACT]
    unit = replace(UNIT, identity=replace(UNIT.identity, firmware=firmware))
    found = judge(profile(firmware=rules), unit=unit)
    assert (found.verdict, found.firmware[0].is_met) == (Verdict.NOW, None)
    assert any("firmware" in item for item in found.unknowns)


def test_too_new_a_firmware_is_told():
    rules = [{"needs": "the old way to write", "maximum": "2.4"} | FACT]
    assert judge(profile(firmware=rules)).firmware[0].is_met is False


def test_a_charger_without_tls_needs_a_bridge_to_a_wss_backend():
    url = {"join": "append", "schemes": ["ws"]}
    found = judge(profile(url=url), wanted=replace(WANTED, url="wss://new.example/ocpp"))
    assert found.verdict is Verdict.BRIDGE
    assert "ws:// only" in found.grounds[0].text


def test_a_password_too_long_for_it_is_agreed_anew_first():
    url = {"join": "append", "secret_limit_bytes": 4}
    found = judge(profile(url=url), wanted=replace(WANTED, secret=Secret("geheim")))
    assert found.verdict is Verdict.AFTER
    assert "password" in found.first[0]
    assert "geheim" not in repr(found)


def test_the_security_ratchet_is_no_way_down():
    present = Backend(url="wss://old.example", identity="CP-1", security_profile=SecurityProfile.TLS_BASIC)
    found = judge(profile(), wanted=WANTED, present=present)
    assert found.verdict is Verdict.AFTER
    assert "only upwards" in found.grounds[0].text


def test_a_family_over_ocpp_has_to_dial_us_first():
    assert judge(profile(approach="ocpp")).verdict is Verdict.AFTER
    dialled = replace(UNIT, ways=(replace(WAY, address=OcppAddress(identity="CP-1"), source=SourceKind.DIAL_IN),))
    assert judge(profile(approach="ocpp"), unit=dialled, is_dialled_in=True).verdict is Verdict.NOW


def test_a_guided_family_is_done_by_a_person_with_the_named_tool():
    guide = {"tool": "The Example app", "place": "Settings"} | FACT
    outlook = {"verdict": "now", "reason": "The app takes any address.", "minutes": 20, "visits": 1} | FACT
    found = judge(profile(approach="guided", guide=guide, outlook=outlook))
    assert (found.verdict, found.hand, found.needs, found.minutes) == (
        Verdict.NOW,
        Hand.PERSON,
        ("The Example app",),
        20,
    )


@pytest.mark.parametrize("word", ["bridge", "board", "not-here", "sim"])
def test_what_nobody_serves_gets_its_outlook_and_the_ways_that_are_left(word: str):
    outlook = {"verdict": word, "reason": "Its maker is gone."} | FACT | {"grade": "reported"}
    tries = [{"way": "dns", "note": "Two names."} | FACT]
    evidence = Evidence(source="trade", grade=Grade.SOURCE)
    dns = ways.Way(id="dns", title="DNS", works_when="ws", fails_when="wss", risk="none", evidence=evidence)
    found = judge(profile(approach="none", outlook=outlook, tries=tries), {"dns": dns})
    assert found.verdict is Verdict(word)
    assert found.grade is Grade.REPORTED
    assert [(option.title, option.note) for option in found.options] == [("DNS", "Two names.")]


def test_a_dead_sim_wins_over_everything():
    assert judge(profile(), codes=frozenset({"SIM-APN"})).verdict is Verdict.SIM


def test_a_stranger_is_not_known_unless_it_showed_a_key():
    assert judge(None).verdict is Verdict.UNKNOWN
    assert judge(None, is_dialled_in=True).verdict is Verdict.AFTER
    assert judge(None, is_dialled_in=True, offers=frozenset({"SetsBackend"})).verdict is Verdict.NOW


def test_an_old_backend_that_lives_is_told():
    found = judge(profile(), answering=Answering.YES, present=Backend(url="ws://old.example", identity="1"))
    assert any("owner's order" in ground.text for ground in found.grounds)


def test_one_that_dials_the_new_backend_already_is_done():
    assert judge(profile(), wanted=WANTED, present=WANTED).is_done
    assert not judge(profile(), wanted=WANTED, present=replace(WANTED, url="ws://old.example")).is_done


def test_one_that_has_arrived_is_not_sent_back_to_its_new_operator():
    found = judge(profile(), wanted=WANTED, present=WANTED, answering=Answering.YES)
    assert found.is_done
    assert not any("ask its operator" in ground.text for ground in found.grounds)


def test_doors_are_shown_before_they_are_passed():
    doors = [{"id": "security-profile-up", "text": "No way down."} | FACT, {"id": "fuse", "text": "Once."} | FACT]
    raised = replace(WANTED, security_profile=SecurityProfile.BASIC, secret=Secret("x"))
    assert [door.id for door in judge(profile(one_way_doors=doors), wanted=WANTED).doors] == ["fuse"]
    assert len(judge(profile(one_way_doors=doors), wanted=raised).doors) == 2


def test_counts_name_every_verdict():
    counts = judging.summary([judge(None), judge(profile())])
    assert (counts[Verdict.UNKNOWN], counts[Verdict.NOW], counts[Verdict.SIM]) == (1, 1, 0)
