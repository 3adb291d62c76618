"""Errors, versions, hooks, manners and observations of the endpoint: the stock client speaks for the units."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.errors import Refused, TimedOut
from app.model.finding import Finding, Severity
from app.model.frame import Direction, FrameKind
from app.model.listening import ListenPlan
from app.model.observation import Backlog, BootRepeated, Drift, Ended, Observation, Returned, SettingsSeen, Spoken
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import IdToken
from app.ocpp.host import Times
from app.scope import Scope
from tests.ocpp.endpoint_kit import BOOT, ask, heard, site, unit
from tests.ocpp.station_kit import AT, BOOT2, VERSIONS, event, judged, station

# Errors, SEND and versions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_errors_carry_the_codes_of_the_version(version: str):
    async with site() as here, station(here, version) as link:
        assert (await ask(link, "MakeCoffee", {}))[2] == "NotImplemented"
        assert (await ask(link, "Reset", {"type": "OnIdle"}))[2] == "NotSupported"
        for text, uid, code in (
            ("no json", "-1", "RpcFrameworkError"),
            ('[2,"x","Heartbeat",5]', "x", "FormatViolation"),
            ('[9,"x","Heartbeat",{}]', "x", "MessageTypeNotSupported"),
        ):
            await link.send(text)
            assert (await heard(link))[:3] == [4, uid, code]


@pytest.mark.parametrize(
    ("version", "payload", "code"),
    [
        ("1.6", {"connectorId": 1, "errorCode": "NoError"}, "OccurenceConstraintViolation"),
        ("1.6", {"connectorId": "1", "errorCode": "NoError", "status": "Available"}, "TypeConstraintViolation"),
        ("1.6", {"connectorId": 1, "errorCode": "NoError", "status": "Asleep"}, "PropertyConstraintViolation"),
        ("1.6", {"connectorId": 1, "errorCode": "NoError", "status": "Available", "x": 1}, "FormationViolation"),
        ("2.0.1", {"timestamp": AT, "evseId": 1, "connectorId": 1}, "OccurrenceConstraintViolation"),
        (
            "2.1",
            {"timestamp": AT, "evseId": 1, "connectorId": 1, "connectorStatus": "Away"},
            "PropertyConstraintViolation",
        ),
    ],
)
async def test_a_strict_listener_refuses_what_breaks_its_schema_and_a_tolerant_one_tells(
    version: str, payload: dict[str, Any], code: str
):
    for is_strict in (True, False):
        plan = ListenPlan(host="", port=0, is_strict=is_strict)
        async with site(plan=plan) as here, unit(here, boots=False, subprotocols=[f"ocpp{version}"]) as link:
            answer = await ask(link, "StatusNotification", payload)
            if is_strict:
                assert answer[:3] == [4, "u1", code]
                assert answer[3]
            else:
                assert answer == {}
            await here.finding("SCHEMA")


async def test_a_strict_listener_refuses_sessions_too_before_boot_is_accepted():
    async with site(plan=ListenPlan(host="", port=0, is_strict=True)) as here:
        here.server.manner("CS-1").boot_status = "Pending"
        async with station(here, boots=False) as link:
            assert (await ask(link, "BootNotification", BOOT2))["status"] == "Pending"
            assert (await ask(link, "TransactionEvent", event("Started", 0), uid="t"))[2] == "SecurityError"


async def test_a_send_is_taken_in_and_not_answered():
    stream = {"id": 1, "pending": 0, "basetime": AT, "data": [{"t": 0, "v": "1"}]}
    async with site() as here, station(here, "2.1") as link:
        await link.send(json.dumps([6, "s1", "NotifyPeriodicEventStream", stream]))
        assert (await ask(link, "Heartbeat", {}, uid="h")).keys() == {"currentTime"}
        frame = await here.frame(uid="s1", direction=Direction.IN)
        assert (frame.kind, frame.action, frame.notes) == (FrameKind.SEND, "NotifyPeriodicEventStream", ())
        assert not [item for item in here.frames.take() if item.uid == "s1"]
        await here.server.endpoints["CS-1"].send("NotifyPeriodicEventStream", stream)
        assert (await heard(link))[0] == 6


async def test_an_objection_to_an_answer_is_shown_with_its_action():
    async with site() as here, station(here, "2.1") as link:
        await ask(link, "Heartbeat", {}, uid="h")
        await link.send('[5,"h","FormatViolation","what?",{}]')
        frame = await here.frame(kind=FrameKind.RESULT_ERROR)
        assert (frame.action, frame.notes) == ("Heartbeat", ("RESULT-REFUSED",))


async def test_a_strict_listener_objects_to_an_answer_that_breaks_its_schema():
    plan = ListenPlan(host="", port=0, is_strict=True)
    async with site(plan=plan) as here, station(here, "2.1") as link, Scope("test") as scope:
        call = scope.required("reset", here.server.endpoints["CS-1"].reset())
        uid = (await heard(link))[1]
        await link.send(json.dumps([3, uid, {"status": "Perhaps"}]))
        assert (await heard(link))[:3] == [5, uid, "PropertyConstraintViolation"]
        assert await call == "Perhaps"


@pytest.mark.parametrize("offered", [None, ["ocpp"]])
async def test_a_unit_that_agreed_on_nothing_is_answered_in_the_version_it_speaks(offered: list[str] | None):
    async with site() as here, station(here, subprotocols=offered) as link:
        endpoint = here.server.endpoints["CS-1"]
        assert endpoint.version == "2.0.1"
        assert endpoint.boot is not None
        assert endpoint.boot.vendor == "Acme"
        assert await ask(link, "TransactionEvent", event("Started", 0), uid="t") == {}


async def test_another_version_than_the_agreed_one_is_noticed():
    async with judged() as (here, seen), station(here, subprotocols=["ocpp1.6"], boots=False) as link:
        await ask(link, "BootNotification", BOOT2)
        await ask(link, "TransactionEvent", event("Started", 0), uid="t")
        mixed = [item for item in seen if isinstance(item, Spoken)]
        assert [(item.agreed, item.spoken, item.action) for item in mixed] == [
            ("1.6", "2.0.1", "BootNotification"),
            ("1.6", "2.0.1", "TransactionEvent"),
        ]
        assert "chargingStation" in mixed[0].proof or "reason" in mixed[0].proof


async def test_a_wrong_word_is_no_other_version():
    async with judged() as (here, seen), unit(here) as link:
        await ask(link, "FirmwareStatusNotification", {"status": "DownloadScheduled"})
        assert not [item for item in seen if isinstance(item, Spoken)]


async def test_the_version_may_change_between_connections():
    async with site() as here:
        async with station(here, "2.0.1") as link:
            await ask(link, "TransactionEvent", event("Started", 0, evse={"id": 1}), uid="t")
        async with unit(here, "CS-1") as link:
            endpoint = here.server.endpoints["CS-1"]
            assert endpoint.version == "1.6"
            assert "tx-1" in endpoint.transactions
            await ask(link, "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": AT})
            assert len(endpoint.transactions) == 2


# Hooks and manners --------------------------------------------------------------------------------------------------


async def test_tokens_are_judged_by_who_knows_them():
    def authorise(identity: str, token: IdToken) -> str:
        asked.append((identity, token))
        return "Blocked" if token.value == "BAD" else "Accepted"

    asked: list[tuple[str, IdToken]] = []
    async with site() as here:
        here.server.authorise = authorise
        async with station(here) as link:
            bad = {"idToken": "BAD", "type": "ISO14443"}
            assert (await ask(link, "Authorize", {"idToken": bad}))["idTokenInfo"] == {"status": "Blocked"}
            answer = await ask(link, "TransactionEvent", event("Started", 0, idToken=bad), uid="t")
            assert answer["idTokenInfo"]["status"] == "Blocked"
        async with unit(here, "CP-16") as link:
            assert (await ask(link, "Authorize", {"idTag": "BAD"}))["idTagInfo"]["status"] == "Blocked"
            start = {"connectorId": 1, "idTag": "BAD", "meterStart": 0, "timestamp": AT}
            assert (await ask(link, "StartTransaction", start, uid="s"))["idTagInfo"]["status"] == "Blocked"
    assert asked[0] == ("CS-1", IdToken("BAD", "ISO14443"))
    assert asked[-1] == ("CP-16", IdToken("BAD"))


async def test_a_replier_answers_where_it_wants_to():
    def reply(endpoint: Endpoint, payload: Any) -> dict[str, Any] | None:
        return {"status": "Accepted"} if payload["vendorId"] == "acme" else None

    async with site() as here, station(here) as link:
        here.server.repliers["DataTransfer"] = reply
        assert (await ask(link, "DataTransfer", {"vendorId": "acme"}))["status"] == "Accepted"
        assert (await ask(link, "DataTransfer", {"vendorId": "x"}, uid="2"))["status"] == "UnknownVendorId"


async def test_a_replier_that_can_not_answer_says_so():
    def reply(endpoint: Endpoint, payload: Any) -> dict[str, Any] | None:
        raise Refused("no certificate left", "")

    async with site() as here, station(here) as link:
        here.server.repliers["SignCertificate"] = reply
        assert (await ask(link, "SignCertificate", {"csr": "x"}))[2:4] == ["InternalError", "no certificate left"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_station_that_is_kept_waiting_is_refused_all_but_boot_and_what_it_was_asked_for(version: str):
    async with site() as here:
        manner = here.server.manner("CS-1")
        manner.boot_status, manner.boot_interval_s = "Pending", 7
        async with station(here, version, boots=False) as link, Scope("test") as scope:
            answer = await ask(link, "BootNotification", BOOT2)
            assert (answer["status"], answer["interval"]) == ("Pending", 7)
            assert (await ask(link, "Heartbeat", {}, uid="h"))[2] == "SecurityError"
            assert "BEFORE-ACCEPTED" in (await here.frame(uid="h", direction=Direction.IN)).notes
            session = event("Started", 0)
            assert await ask(link, "TransactionEvent", session, uid="t") == {}, "its data are not lost"
            call = scope.required("trigger", here.server.endpoints["CS-1"].trigger("StatusNotification"))
            await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
            assert await call == "Accepted"
            status = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
            assert await ask(link, "StatusNotification", status, uid="s") == {}
            manner.boot_status = "Accepted"
            assert (await ask(link, "BootNotification", BOOT2, uid="b2"))["status"] == "Accepted"
            assert (await ask(link, "Heartbeat", {}, uid="h2")).keys() == {"currentTime"}


async def test_no_command_goes_to_a_rejected_unit():
    async with site(times=Times(command_gate_s=0.05, trigger_boot_s=None, queue_s=0.2)) as here:
        here.server.manner("CS-1").boot_status = "Rejected"
        async with station(here, boots=False) as link:
            assert (await ask(link, "BootNotification", BOOT2))["status"] == "Rejected"
            with pytest.raises(TimedOut):
                await here.server.endpoints["CS-1"].reset()
            here.server.manner("CS-1").speaks_early = True
            async with Scope("test") as scope:
                call = scope.required("reset", here.server.endpoints["CS-1"].reset())
                await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
                assert await call == "Accepted"


async def test_answers_are_withheld_delayed_and_told_in_another_time():
    async with site() as here, station(here) as link:
        manner = here.server.manner("CS-1")
        manner.withheld.add("StatusNotification")
        status = {"timestamp": AT, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await link.send(json.dumps([2, "w", "StatusNotification", status]))
        manner.clock_offset_s = -86400 * 365
        assert (await ask(link, "Heartbeat", {}, uid="h"))["currentTime"].startswith("2025")
        assert here.server.endpoints["CS-1"].statuses[1].state == "Available"
        manner.answer_delay_s = 0.05
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        await ask(link, "Heartbeat", {}, uid="h2")
        assert loop.time() - begun_s >= 0.05


async def test_a_unit_whose_boot_is_not_answered_is_sent_no_command():
    async with site(times=Times(command_gate_s=30, trigger_boot_s=None)) as here:
        manner = here.server.manner("CS-1")
        manner.withheld.add("BootNotification")
        async with station(here, boots=False) as link:
            await link.send(json.dumps([2, "b", "BootNotification", BOOT2]))
            await here.frame(uid="b")
            endpoint = here.server.endpoints["CS-1"]
            assert not endpoint.is_ready
            manner.withheld.clear()
            manner.answer_delay_s = 0.05
            async with Scope("test") as scope:
                call = scope.required("reset", endpoint.reset())
                await link.send(json.dumps([2, "b2", "BootNotification", BOOT2]))
                assert (await heard(link))[2]["status"] == "Accepted"
                await link.send(json.dumps([3, (await heard(link))[1], {"status": "Accepted"}]))
                assert await call == "Accepted"


# Observations -------------------------------------------------------------------------------------------------------


async def test_endings_returns_and_repeated_boots_are_observed():
    async with judged() as (here, seen):
        with here.server.endings.subscribe() as endings:
            async with station(here) as link:
                await ask(link, "BootNotification", BOOT2, uid="b2")
            async with asyncio.timeout(5):
                ended = await anext(endings)
        assert (ended.identity, ended.code, ended.has_booted) == ("CS-1", 1000, True)
        assert isinstance(seen[-1], Ended)
        (repeated,) = (item for item in seen if isinstance(item, BootRepeated))
        assert (repeated.count, repeated.interval_s, repeated.is_early_call) == (2, 300, False)
        async with station(here):
            (returned,) = (item for item in seen if isinstance(item, Returned))
            assert returned.gone_s >= 0


async def test_anybody_may_hand_an_observation_in():
    def judge(seen: Observation) -> list[Finding]:
        return [Finding(code="DEAD-LIMIT", severity=Severity.WARNING)] if isinstance(seen, SettingsSeen) else []

    async with site() as here:
        here.server.judge = judge
        seen = SettingsSeen(identity="CS-1", settings={}, at=datetime.now(UTC))
        assert [item.code for item in here.server.observed(seen)] == ["DEAD-LIMIT"]
        assert (await here.finding("DEAD-LIMIT")).unit_id == "ocpp:CS-1"
        async with station(here):
            here.server.observed(seen)
            assert [item.code for item in here.server.endpoints["CS-1"].findings] == ["DEAD-LIMIT"]
            assert (await here.finding("DEAD-LIMIT")).unit_id == "ocpp:CS-1"


async def test_the_same_boot_over_and_over_is_observed():
    """Failures 9: a unit that boots again and again on one connection never gets to work."""
    async with judged() as (here, seen), unit(here) as link:
        for number in range(4):
            await ask(link, "BootNotification", BOOT, uid=f"again{number}")
    assert [item.count for item in seen if isinstance(item, BootRepeated)] == [2, 3, 4, 5]


async def test_old_messages_are_a_backlog_and_new_ones_show_the_clock():
    async with judged() as (here, seen), station(here) as link:
        old = event("Ended", 9, at="2026-01-01T00:00:00Z", offline=True)
        await ask(link, "TransactionEvent", old, uid="o1")
        await ask(link, "TransactionEvent", old, uid="o2")
        first, second = (item for item in seen if isinstance(item, Backlog))
        assert (first.transaction, first.is_unknown, first.is_repeated) == ("tx-1", True, False)
        assert first.age_s > 86400
        assert second.is_repeated
        assert not [item for item in seen if isinstance(item, Drift)]
        ahead = {"timestamp": "2099-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        await ask(link, "StatusNotification", ahead, uid="s")
        (drift,) = (item for item in seen if isinstance(item, Drift))
        assert drift.drift_s > 86400
