"""What only the whole site shows: unseen chargers, shared names, verdicts that no longer hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.model.address import OcppAddress
from app.model.backend import Backend
from app.model.profile import Verdict
from app.model.triage import Judgement
from app.model.unit import ClaimKind, SourceKind, Unit, Way, claim
from app.settings import Listed
from app.triage.site import FRESH, missing, names, staleness, told_apart
from tests.triage.test_judging import NOW, UNIT, WANTED, judge, profile


def dialling(key: str, identity: str) -> Unit:
    return replace(UNIT, unit_id=key, backend=Backend(url="ws://old.example/ocpp", identity=identity))


def asked(unit: Unit = UNIT, **changes: object) -> Judgement:
    return judge(profile(), unit=unit, is_asked=True, **changes)


def test_a_charger_of_the_list_that_nobody_has_seen_has_a_row():
    serial = claim(ClaimKind.SERIAL, "SN-0001")
    assert serial is not None
    seen = replace(UNIT, identity=replace(UNIT.identity, claims=(serial,)))
    lines = (Listed(serial="sn 0001"), Listed(serial="SN-0002", identity="STALL-2", backend="ws://u:pw@old.example"))
    rows = list(missing(lines, [seen]))
    assert [(row.unit.title, row.headline, row.is_missing) for row in rows] == [("STALL-2", "Not seen", True)]
    assert rows[0].unit.backend is not None
    assert "pw" not in rows[0].unit.backend.url


def test_a_line_without_serial_number_means_who_dials_with_its_identity():
    way = Way(driver_id="ocpp", address=OcppAddress(identity="STALL-9"), source=SourceKind.DIAL_IN, seen_at=NOW)
    assert names(Listed(identity="STALL-9"), replace(UNIT, ways=(way,)))
    assert not names(Listed(identity="stall-9"), replace(UNIT, ways=(way,)))
    assert not names(Listed(), UNIT)


def test_chargers_that_share_an_identity_are_told_apart_first():
    one, other, third = (asked(dialling(key, name)) for key, name in (("a", "CP-1"), ("b", "CP-1"), ("c", "CP-2")))
    found = told_apart([one, other, third])
    assert [item.verdict for item in found] == [Verdict.AFTER, Verdict.AFTER, Verdict.NOW]
    assert "CP-1" in found[0].first[0]
    assert "CP-1" in found[0].grounds[0].text
    assert found[2] == third


def test_a_lost_charger_stays_lost_whoever_shares_its_name():
    outlook = {"verdict": "not-here", "reason": "Gone.", "source": "x", "grade": "source"}
    lost = judge(profile(approach="none", outlook=outlook), unit=dialling("a", "CP-1"))
    found = told_apart([lost, asked(dialling("b", "CP-1"))])
    assert (found[0].verdict, found[0].first) == (Verdict.NOT_HERE, ())
    assert len(found[0].grounds) == len(lost.grounds) + 1


@pytest.mark.parametrize(
    ("unit", "wanted", "later", "words"),
    [
        (UNIT, WANTED, timedelta(), ""),
        (replace(UNIT, identity=replace(UNIT.identity, firmware="9.9")), WANTED, timedelta(), "firmware"),
        (dialling("u", "CP-1"), WANTED, timedelta(), "another backend now"),
        (replace(UNIT, ways=()), WANTED, timedelta(), "out of reach"),
        (replace(UNIT, state="Charging"), WANTED, timedelta(), "session"),
        (UNIT, None, timedelta(), "another new backend"),
        (UNIT, WANTED, FRESH + timedelta(minutes=1), "a day ago"),
    ],
)
def test_a_verdict_says_what_has_changed_since(unit: Unit, wanted: Backend | None, later: timedelta, words: str):
    said = staleness(asked(wanted=WANTED), unit, wanted, NOW + later)
    assert (words in said) if words else not said
