"""Detectors of comings and goings and of what is said; some need a memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.diagnosis import catalogue
from app.diagnosis.watch import Watch
from app.model.experiment import EXPERIMENTS
from app.model.finding import Severity
from app.model.frame import Boot, Direction, Frame, FrameKind
from app.model.observation import (
    Backlog,
    BootRepeated,
    BootSeen,
    Drift,
    Ended,
    Replaced,
    Returned,
    Spoken,
)
from tests.catalogue.seen import (
    NOW,
    codes,
    ended,
    judged,
    shake,
)

# Comings and goings


def test_drops_in_a_rhythm_are_told_from_drops_without_one() -> None:
    assert codes(ended(lasted_s=100), ended(lasted_s=104), ended(lasted_s=97)) == ["PING-MISMATCH"]
    assert codes(ended(lasted_s=40), ended(lasted_s=160), ended(lasted_s=97)) == ["WIFI"]


@pytest.mark.parametrize(
    "ends",
    [
        (ended(lasted_s=100), ended(lasted_s=100)),
        (ended(lasted_s=100), ended(1000, lasted_s=100), ended(lasted_s=100)),
        (ended(lasted_s=3), ended(lasted_s=3), ended(lasted_s=3)),
        (ended(lasted_s=9000), ended(lasted_s=9100), ended(lasted_s=9000)),
    ],
)
def test_few_polite_short_or_long_connections_make_no_rhythm(ends: tuple[Ended, ...]) -> None:
    assert codes(*ends) == []


def test_pings_that_are_never_answered_are_told_from_a_cut_cable() -> None:
    assert codes(ended(pings=4, pongs=0, silent_s=5)) == ["PING-MISMATCH"]
    assert codes(ended(1011, is_by_us=True, lasted_s=305, pings=4, pongs=0, silent_s=300)) == []


def test_two_polite_visits_point_at_another_address() -> None:
    watch = Watch()
    visit = (ended(1000, lasted_s=240), Returned(identity="CP-1", gone_s=180))
    assert codes(*visit, watch=watch) == []
    (finding,) = judged(*visit, watch=watch)
    assert finding.code == "OLD-PROFILE"
    assert catalogue.experiment_of(finding) is EXPERIMENTS["hold"]


def test_our_own_goodbyes_resets_and_quick_returns_are_no_visits() -> None:
    for end, back in (
        (ended(1000, is_by_us=True), Returned(identity="CP-1", gone_s=60, is_by_us=True)),
        (ended(1000), Returned(identity="CP-1", gone_s=60, is_after_reset=True)),
        (ended(1000), Returned(identity="CP-1", gone_s=5)),
    ):
        assert codes(end, back, end, back, end, back) == []


def test_a_slow_return_is_told_but_not_after_a_reset() -> None:
    assert codes(Returned(identity="CP-1", gone_s=900)) == ["SLOW-RETURN"]
    assert codes(Returned(identity="CP-1", gone_s=900, is_after_reset=True)) == []
    assert codes(Returned(identity="CP-1", gone_s=900, is_by_us=True)) == [], "our port was closed meanwhile"
    assert codes(Returned(identity="CP-1", gone_s=200)) == []


def test_a_connection_beside_an_open_one_is_told_mildly() -> None:
    seen = Replaced(identity="CP-1", remote="10.0.0.1:6", older_remote="10.0.0.1:5", silent_s=70)
    assert [(found.code, found.severity) for found in judged(seen)] == [("ZOMBIE-SESSION", Severity.INFO)]


def test_two_addresses_in_turn_are_a_twin_and_no_zombie() -> None:
    watch = Watch()
    for remote in ("10.0.0.1:5", "10.0.0.2:5"):
        watch(shake(remote=remote))
    assert codes(shake(remote="10.0.0.1:6"), watch=watch) == ["ID-TWIN"]
    again = Replaced(identity="CP-1", remote="10.0.0.1:6", older_remote="10.0.0.2:5", silent_s=1)
    assert codes(again, watch=watch) == []


def test_a_drop_right_after_a_question_is_told_by_the_question() -> None:
    crash = ended(last_sent="ChangeConfiguration", last_sent_s=1.0, is_answered=False)
    assert codes(crash) == ["PROBE-CRASH"]
    assert codes(replace(crash, last_sent="GetConfiguration")) == ["BIG-MESSAGE"]
    assert codes(replace(crash, code=1000)) == []
    assert codes(replace(crash, last_sent="GetConfiguration", code=1001)) == []
    for harmless in (
        replace(crash, is_answered=True),
        replace(crash, last_sent_s=60.0),
        replace(crash, last_sent="Reset"),
        replace(crash, is_by_us=True),
    ):
        assert codes(harmless) == []


def test_drops_on_early_commands_are_told_the_second_time() -> None:
    drop = ended(has_booted=False, last_sent="GetConfiguration", last_sent_s=2, is_answered=False, lasted_s=2)
    assert codes(drop) == []
    assert codes(drop, drop) == ["BOOT-LOOP-EARLYCMD"]
    assert codes(drop, ended(1000), drop) == []


def test_a_boot_loop_after_early_commands_is_told_and_one_asked_for_is_not() -> None:
    again = BootRepeated(identity="CP-1", count=3, since_last_s=30, interval_s=300, is_early_call=True)
    assert codes(again) == ["BOOT-LOOP-EARLYCMD"]
    assert codes(replace(again, count=2)) == []
    assert codes(replace(again, is_early_call=False)) == []


def test_the_waiting_room_is_told_and_haste_in_it_is_a_warning() -> None:
    waits = BootRepeated(
        identity="CP-1", count=2, since_last_s=60, interval_s=60, is_early_call=False, answer="Pending"
    )
    assert [found.severity for found in judged(waits)] == [Severity.INFO]
    assert [found.severity for found in judged(replace(waits, since_last_s=5))] == [Severity.WARNING]


def test_reserved_bits_are_compression() -> None:
    assert codes(ended(1002, fault="reserved bits must be 0")) == ["COMPRESS"]
    assert codes(ended(1002, fault="incorrect masking")) == []


# Speaking


@pytest.mark.parametrize(("drift_s", "severity"), [(3, None), (-30, Severity.INFO), (4000, Severity.WARNING)])
def test_a_clock_is_judged_by_how_far_it_is_off(drift_s: float, severity: Severity | None) -> None:
    found = judged(Drift(action="Heartbeat", stamp="x", drift_s=drift_s, at=NOW))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_the_past_is_told_by_its_age_its_session_and_its_repetition() -> None:
    old = Backlog(
        action="StopTransaction", stamp="2025-01-01T00:00:00Z", age_s=90_000, transaction="7", is_unknown=True, at=NOW
    )
    assert [found.severity for found in judged(old)] == [Severity.WARNING]
    assert [found.severity for found in judged(replace(old, age_s=10))] == [Severity.INFO]
    assert codes(replace(old, age_s=10, is_unknown=False)) == []
    again = replace(old, is_repeated=True)
    (repeated,) = judged(old, again, again)[-1:]
    assert "again and again" in catalogue.explain(repeated).title


def test_a_message_whose_answer_was_lost_with_the_line_may_come_a_second_time() -> None:
    """The first time was live, hence nothing to say; the second is what OCPP 1.6 §3.7.1 asks for."""
    fresh = Backlog(
        action="StartTransaction", stamp="x", age_s=8, transaction="", is_unknown=False, is_repeated=True, at=NOW
    )
    assert codes(fresh) == []
    (stuck,) = judged(fresh, fresh)
    assert "came 3 times" in catalogue.explain(stuck).cause


def test_a_cut_answer_is_told_as_broken_and_as_too_long() -> None:
    frame = Frame(
        seq=1, at=NOW, identity="CP-1", connection=1, direction=Direction.IN, text="[3,", kind=FrameKind.RESULT,
        action="GetConfiguration", notes=("JSON-BROKEN", "UNCLOSED"),
    )  # fmt: skip
    assert codes(frame) == ["JSON-BROKEN", "BIG-MESSAGE"]
    assert codes(replace(frame, action="Reset")) == ["JSON-BROKEN"]


def test_a_2x_boot_is_judged_by_its_own_fields() -> None:
    good = Boot(fields={"vendorName": "Acme", "model": "Wall"})
    assert codes(BootSeen(handshake=shake(), boot=good)) == []
    assert codes(BootSeen(handshake=shake(), boot=replace(good, fields={"vendorName": "", "model": "W"}))) == [
        "BOOT-SCHEMA"
    ]


def test_another_version_than_agreed_is_told_with_its_proof() -> None:
    seen = Spoken(agreed="2.0.1", spoken="1.6", action="StatusNotification", proof="it has connectorId alone", at=NOW)
    (finding,) = judged(seen)
    assert "connectorId" in catalogue.explain(finding).cause
