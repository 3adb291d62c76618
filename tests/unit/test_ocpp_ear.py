"""One connection, heard: by the live endpoint and by a replay, with the same findings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.model.finding import Finding
from app.model.frame import Direction, FrameKind
from app.model.observation import (
    Answered,
    Backlog,
    BootRepeated,
    BootSeen,
    Drift,
    Ended,
    Observation,
    Returned,
    Spoken,
    Stateless,
    Unanswered,
    Unbooted,
    UnsetClock,
)
from app.model.secret import MASK
from app.ocpp.ear import Ear, Hearing
from app.ocpp.past import Past
from app.ocpp.times import Times
from tests.ocpp.endpoint_kit import BOOT, ask, heard, site, unit

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)


class Talk:
    """A conversation written down: each line one second after the one before."""

    def __init__(self, version: str = "1.6", **options: Any) -> None:
        self.at = NOW
        self.ear = Ear("CP-1", version, opened_at=NOW, **options)
        self.uid = 0

    def unit(self, action: str, payload: dict[str, Any], *, uid: str = "", after_s: float = 1) -> Hearing:
        self.at += timedelta(seconds=after_s)
        self.uid += 1
        return self.ear.heard(json.dumps([2, uid or str(self.uid), action, payload]), self.at)

    def answers(self, uid: str, payload: dict[str, Any]) -> Hearing:
        self.at += timedelta(seconds=1)
        return self.ear.heard(json.dumps([3, uid, payload]), self.at)

    def ours(self, *message: Any) -> None:
        self.ear.said(json.dumps(message), self.at)

    def boot(self, status: str = "Accepted") -> Hearing:
        hearing = self.unit("BootNotification", BOOT)
        self.ours(3, hearing.uid, {"status": status, "interval": 60, "currentTime": NOW.isoformat()})
        return hearing


def of(kind: type[Observation], hearing: Hearing) -> Any:
    return next((item for item in hearing.observations if isinstance(item, kind)), None)


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def test_a_boot_is_seen_and_a_second_one_is_a_repetition():
    talk = Talk()
    assert of(BootSeen, talk.boot()).boot.vendor == "Acme"
    again = of(BootRepeated, talk.boot())
    assert (again.count, again.since_last_s, again.interval_s, again.answer) == (2, 1.0, 60, "Accepted")
    assert not again.is_early_call


def test_a_command_before_boot_is_an_early_call():
    talk = Talk()
    talk.ours(2, "c", "GetConfiguration", {})
    talk.boot()
    assert of(BootRepeated, talk.boot()).is_early_call


def test_silence_is_told_once_when_its_time_has_come():
    talk = Talk(patience=Times(trigger_boot_s=30, status_s=20))
    assert talk.ear.due_at == NOW + timedelta(seconds=30)
    assert talk.ear.tick(NOW + timedelta(seconds=29)) == []
    assert talk.ear.tick(NOW + timedelta(seconds=30)) == [Unbooted(waited_s=30, heard=())]
    talk.boot()
    assert talk.ear.due_at == talk.at + timedelta(seconds=20)
    assert talk.ear.tick(talk.at + timedelta(seconds=21)) == [Stateless(waited_s=20)]
    assert talk.ear.tick(talk.at + timedelta(seconds=99)) == []
    assert talk.ear.due_at is None


def test_an_answer_is_seen_with_its_request_and_without_its_secrets():
    talk = Talk()
    talk.ours(2, "c", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "hunter22"})
    hearing = talk.answers("c", {"status": "Accepted"})
    seen = of(Answered, hearing)
    assert (seen.action, seen.answer, seen.took_s, seen.size) == ("ChangeConfiguration", {"status": "Accepted"}, 1, 32)
    assert seen.request == {"key": "AuthorizationKey", "value": MASK}
    assert hearing.kind is FrameKind.RESULT


def test_an_answer_that_never_comes_is_told_by_the_clock():
    talk = Talk(patience=Times(trigger_boot_s=None))
    talk.ours(2, "c", "GetConfiguration", {})
    assert talk.ear.tick(NOW + timedelta(seconds=29)) == []
    (missing,) = talk.ear.tick(NOW + timedelta(seconds=30))
    assert isinstance(missing, Unanswered)
    assert (missing.action, missing.waited_s) == ("GetConfiguration", 30)
    assert talk.answers("c", {}).notes == ("LATE",)


def test_a_clock_that_was_never_set_and_one_that_drifts():
    talk = Talk()
    talk.boot()
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    assert of(UnsetClock, talk.unit("StatusNotification", {**status, "timestamp": "1970-01-01T00:00:09Z"}))
    ahead = stamp(talk.at + timedelta(seconds=301))
    drift = of(Drift, talk.unit("StatusNotification", {**status, "timestamp": ahead}))
    assert drift.drift_s == 300
    same = stamp(talk.at + timedelta(seconds=303))
    assert of(Drift, talk.unit("StatusNotification", {**status, "timestamp": same})) is None, "it is known already"


def test_an_old_state_is_no_slow_clock_but_a_change_in_the_past_is():
    talk = Talk()
    talk.boot()
    old = stamp(NOW - timedelta(hours=2))
    status = {"connectorId": 1, "errorCode": "NoError", "timestamp": old}
    assert of(Drift, talk.unit("StatusNotification", {**status, "status": "Available"})) is None
    assert of(Drift, talk.unit("StatusNotification", {**status, "status": "Preparing"})).drift_s < -7000


def test_a_unit_in_another_time_zone_has_a_slow_clock_and_no_queue():
    talk = Talk()
    talk.boot()
    status = {"connectorId": 1, "errorCode": "NoError"}
    for state in ("Available", "Preparing"):
        there = stamp(talk.at - timedelta(hours=5))
        hearing = talk.unit("StatusNotification", {**status, "status": state, "timestamp": there})
    assert of(Drift, hearing).drift_s == pytest.approx(-5 * 3600, abs=2)
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": stamp(talk.at - timedelta(hours=5))}
    assert of(Backlog, talk.unit("StartTransaction", start)) is None
    old = {**start, "timestamp": stamp(talk.at - timedelta(days=3))}
    assert of(Backlog, talk.unit("StartTransaction", old)) is not None


def test_a_queue_of_the_past_is_told_message_by_message():
    talk = Talk()
    talk.boot()
    old = stamp(NOW - timedelta(days=9))
    stop = {"transactionId": 77, "meterStop": 5, "timestamp": old}
    first = of(Backlog, talk.unit("StopTransaction", stop))
    assert (first.transaction, first.is_unknown, first.is_repeated) == ("77", True, False)
    assert first.age_s == pytest.approx(9 * 86400 + 2)
    assert of(Backlog, talk.unit("StopTransaction", stop)).is_repeated
    meter = {"connectorId": 1, "transactionId": 88, "meterValue": [{"timestamp": stamp(talk.at), "sampledValue": []}]}
    assert of(Backlog, talk.unit("MeterValues", meter)).is_unknown
    assert of(Backlog, talk.unit("MeterValues", meter)) is None, "one word about a strange session is enough"


def test_a_session_that_began_here_is_no_backlog():
    talk = Talk()
    talk.boot()
    start = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": stamp(NOW)}
    hearing = talk.unit("StartTransaction", start)
    talk.ours(3, hearing.uid, {"transactionId": 5, "idTagInfo": {"status": "Accepted"}})
    stop = {"transactionId": 5, "meterStop": 5, "timestamp": stamp(talk.at)}
    assert of(Backlog, talk.unit("StopTransaction", stop)) is None


def test_the_version_that_is_spoken_is_taken_where_none_was_agreed():
    talk = Talk(is_agreed=False)
    boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "DC"}}
    hearing = talk.unit("BootNotification", boot)
    assert hearing.is_valid
    assert hearing.findings == ()
    assert of(Spoken, hearing) is None
    assert talk.ear.version == "2.0.1"
    wrong = talk.unit("StartTransaction", {})
    assert of(Spoken, wrong).spoken == "1.6"


def test_a_connection_that_ends_leaves_its_story():
    past = Past()
    talk = Talk(past=past)
    talk.boot()
    talk.ours(2, "r", "Reset", {"type": "Hard"})
    talk.answers("r", {"status": "Accepted"})
    talk.ours(2, "c", "GetConfiguration", {})
    ended = talk.ear.ended(talk.at + timedelta(seconds=3), 1006, "", is_by_us=False)
    assert isinstance(ended, Ended)
    assert (ended.last_sent, ended.last_sent_s, ended.is_answered) == ("GetConfiguration", 3, False)
    assert past.returned("CP-1", ended.at + timedelta(seconds=40)) == Returned(
        identity="CP-1", gone_s=40, is_after_reset=True
    )
    assert past.returned("CP-1", ended.at) is None


async def test_a_replay_finds_what_the_live_endpoint_found():
    """Everything but times: the trace of a connection, heard again."""
    live: list[Observation] = []
    async with site() as here:

        def judge(seen: Observation) -> tuple[Finding, ...]:
            live.append(seen)
            return ()

        here.server.judge = judge
        async with unit(here, boots=False) as link:
            await ask(link, "BootNotification", {**BOOT, "chargePointModel": "M" * 21})
            await ask(link, "BootNotification", BOOT, uid="b2")
            await ask(link, "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": "1970"})
            await ask(
                link, "StopTransaction", {"transactionId": 4, "meterStop": 5, "timestamp": "2025-01-01T00:00:00Z"}
            )
            await ask(link, "TransactionEvent", {}, uid="t")
            await link.send("[2,")
            await heard(link)
            handshake = here.server.endpoints["CP-1"].handshake
        frames = here.frames.take()
    ear = Ear("CP-1", handshake.version, opened_at=frames[0].at, handshake=handshake)
    again: list[Observation] = []
    for frame in frames:
        if frame.direction is Direction.IN:
            hearing = ear.heard(frame.text, frame.at)
            assert (hearing.kind, hearing.uid, hearing.action) == (frame.kind, frame.uid, frame.action)
            assert hearing.notes == frame.notes
            again += hearing.observations
        else:
            assert ear.said(frame.text, frame.at) == (frame.kind, frame.uid, frame.action)
    told = [item for item in live if type(item).__name__ in {type(other).__name__ for other in again}]
    assert len(again) > 4
    assert [timeless(item) for item in again] == [timeless(item) for item in told]


def timeless(seen: Any) -> Any:
    names = {"at", "age_s", "drift_s", "since_last_s"} & set(type(seen).__dataclass_fields__)
    bare = replace(seen, **{name: NOW if name == "at" else 0 for name in names})
    return replace(bare, boot=replace(bare.boot, at=NOW)) if isinstance(bare, BootSeen) else bare
