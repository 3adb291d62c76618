"""Limits, reservations, texts, prices and watches, asked of raw chargers; and what chargers tell unasked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.errors import NotSupported, Refused
from app.model.finding import Severity
from app.ocpp.services import limits, messages, monitoring, reservations, tariffs
from app.ocpp.services.schedule import Period, Profile
from app.standin import testimage
from tests.services.kit import Peer, bench

NOW = datetime.now(UTC)


def limit(amps: float, *, connector: int = 1, purpose: str = "TxDefaultProfile") -> Profile:
    return Profile(
        profile_id=5,
        connector=connector,
        stack_level=1,
        purpose=purpose,
        kind="Absolute",
        unit="A",
        periods=(Period(start_s=0, limit=amps),),
        start_at=NOW - timedelta(hours=1),
    )


def schedule16(amps: float) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": amps}]
    schedule = {"duration": 3600, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    return {
        "status": "Accepted",
        "connectorId": 1,
        "scheduleStart": NOW.isoformat().replace("+00:00", "Z"),
        "chargingSchedule": schedule,
    }


@pytest.mark.parametrize(("told", "obeys"), [(16.0, True), (15.95, True), (32.0, False)])
async def test_a_limit_is_set_and_the_answer_compared(tmp_path: Path, told: float, obeys: bool) -> None:
    answers = {"SetChargingProfile": {"status": "Accepted"}, "GetCompositeSchedule": schedule16(told)}
    async with bench(tmp_path) as here, here.peer("1.6", **answers):
        profile = limit(16)
        assert (await limits.set_limit(here.endpoint(), profile))[0] == "Accepted"
        here.desk.keep_profile("CP-1", profile)
        judged = await limits.judge(here.endpoint(), here.desk.profiles("CP-1"), 1)
        assert (not judged.disagreements) is obeys, judged.text


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_limits_are_cleared_by_place_and_purpose(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, here.peer(version, ClearChargingProfile={"status": "Accepted"}) as peer:
        for how in ({}, {"profile_id": 5}, {"connector": 1, "purpose": "TxDefaultProfile"}):
            assert (await limits.clear_limits(here.endpoint(), **how))[0] == "Accepted"  # type: ignore[arg-type]
        assert peer.sent("ClearChargingProfile")[0] == {}


async def test_profiles_of_a_station_are_listed_from_its_reports(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer("2.0.1") as peer:

        async def report(request: dict[str, Any]) -> dict[str, Any]:
            schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}
            profile = {"id": 9, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
                       "chargingProfileKind": "Absolute", "chargingSchedule": [schedule]}  # fmt: skip
            for evse in (1, 2):
                told = {"requestId": request["requestId"], "chargingLimitSource": "CSO", "evseId": evse}
                await peer.note("ReportChargingProfiles", {**told, "tbc": evse == 1, "chargingProfile": [profile]})
            return {"status": "Accepted"}

        peer.answers["GetChargingProfiles"] = report
        found = await limits.get_limits(here.endpoint())
        assert [(item.profile_id, item.connector, item.periods[0].limit) for item in found] == [
            (9, 1, 6.0),
            (9, 2, 6.0),
        ]
        peer.answers["GetChargingProfiles"] = {"status": "NoProfiles"}
        assert await limits.get_limits(here.endpoint()) == ()


async def test_1_6_can_not_list_limits_and_no_schedule_is_told(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer("1.6", GetCompositeSchedule={"status": "Rejected"}):
        with pytest.raises(NotSupported):
            await limits.get_limits(here.endpoint())
        with pytest.raises(Refused, match="no composite"):
            await limits.composite(here.endpoint(), 1, 60)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_reservation_is_made_ended_by_the_charger_and_cancelled(tmp_path: Path, version: str) -> None:
    answers = {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Rejected"}}
    async with bench(tmp_path) as here, here.peer(version, **answers) as peer:
        until = NOW + timedelta(hours=10)
        made = await reservations.reserve(here.endpoint(), 1, "04A2", until, group="G")
        here.desk.keep_reservation("CP-1", made)
        assert made.status == "Accepted"
        if version != "1.6":
            update = {"reservationId": made.reservation_id, "reservationUpdateStatus": "Expired"}
            assert await peer.ask("ReservationStatusUpdate", update) == {}
            assert [item.status for item in here.desk.reservations("CP-1")] == ["Expired"]
        assert (await reservations.cancel(here.endpoint(), made.reservation_id))[0] == "Rejected"


async def test_texts_go_on_the_display_and_come_off(tmp_path: Path) -> None:
    held: dict[int, Any] = {}

    def show(request: dict[str, Any]) -> dict[str, Any]:
        held[request["message"]["id"]] = request["message"]
        return {"status": "Accepted"}

    answers = {"SetDisplayMessage": show, "ClearDisplayMessage": lambda order: _cleared(held, order["id"])}
    async with bench(tmp_path) as here, here.peer("2.0.1", **answers) as peer:

        async def report(request: dict[str, Any]) -> dict[str, Any]:
            if not held:
                return {"status": "Unknown"}
            await peer.note(
                "NotifyDisplayMessages", {"requestId": request["requestId"], "messageInfo": list(held.values())}
            )
            return {"status": "Accepted"}

        peer.answers["GetDisplayMessages"] = report
        message, status, _ = await messages.show(here.endpoint(), "Bitte warten – 5 min", state="Idle")
        assert status == "Accepted"
        assert [item.text for item in await messages.shown(here.endpoint())] == ["Bitte warten – 5 min"]
        assert (await messages.clear(here.endpoint(), message.message_id))[0] == "Accepted"
        assert await messages.shown(here.endpoint()) == ()


def _cleared(held: dict[int, Any], number: int) -> dict[str, Any]:
    return {"status": "Accepted" if held.pop(number, None) else "Unknown"}


async def test_texts_and_prices_belong_to_later_versions(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer("1.6"):
        with pytest.raises(NotSupported):
            await messages.show(here.endpoint(), "x")
        with pytest.raises(NotSupported):
            await tariffs.set_default(here.endpoint(), "t", "EUR", 0.5)


async def test_a_price_is_set_listed_and_cleared_in_2_1(tmp_path: Path) -> None:
    answers = {
        "SetDefaultTariff": {"status": "Accepted"},
        "GetTariffs": {
            "status": "Accepted",
            "tariffAssignments": [{"tariffId": "flat", "tariffKind": "DefaultTariff", "evseIds": [1]}],
        },
        "ClearTariffs": {"clearTariffsResult": [{"status": "Accepted", "tariffId": "flat"}]},
    }
    async with bench(tmp_path) as here, here.peer("2.1", **answers):
        assert (await tariffs.set_default(here.endpoint(), "flat", "eur", 0.45))[0] == "Accepted"
        assert [(item.tariff_id, item.evses) for item in await tariffs.assigned(here.endpoint())] == [("flat", (1,))]
        assert (await tariffs.clear(here.endpoint(), "flat"))[0] == "Accepted"


async def test_a_variable_is_watched_listed_and_let_go(tmp_path: Path) -> None:
    def watch(request: dict[str, Any]) -> dict[str, Any]:
        (asked,) = request["setMonitoringData"]
        named = {key: asked[key] for key in ("type", "severity", "component", "variable")}
        return {"setMonitoringResult": [{**named, "id": 3, "status": "Accepted"}]}

    answers = {
        "SetVariableMonitoring": watch,
        "ClearVariableMonitoring": {"clearMonitoringResult": [{"id": 3, "status": "Accepted"}]},
    }
    async with bench(tmp_path) as here, here.peer("2.0.1", **answers) as peer:

        async def report(request: dict[str, Any]) -> dict[str, Any]:
            row = {"id": 3, "transaction": False, "value": 40, "type": "UpperThreshold", "severity": 6}
            monitor = {**peer.sent("SetVariableMonitoring")[0]["setMonitoringData"][0], "variableMonitoring": [row]}
            kept = {key: monitor[key] for key in ("component", "variable", "variableMonitoring")}
            told = {"requestId": request["requestId"], "seqNo": 0, "generatedAt": "2026-11-22T12:00:00Z"}
            await peer.note("NotifyMonitoringReport", {**told, "monitor": [kept]})
            return {"status": "Accepted"}

        peer.answers["GetMonitoringReport"] = report
        number, status, _ = await monitoring.watch(here.endpoint(), "EVSE@1.Temperature", "UpperThreshold", 40)
        assert (number, status) == (3, "Accepted")
        (monitor,) = await monitoring.watched(here.endpoint())
        assert (monitor.variable, monitor.value) == ("EVSE@1.Temperature", 40)
        assert (await monitoring.unwatch(here.endpoint(), 3))[0] == "Accepted"


# Told unasked


def event(value: str, **more: Any) -> dict[str, Any]:
    data = {
        "eventId": 1, "timestamp": "2026-11-22T12:00:00Z", "trigger": "Alerting", "actualValue": value,
        "component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"},
        "eventNotificationType": "CustomMonitor", **more,
    }  # fmt: skip
    return {"generatedAt": "2026-11-22T12:00:00Z", "seqNo": 0, "eventData": [data]}


async def tells(peer: Peer, action: str, payload: dict[str, Any]) -> None:
    assert await peer.ask(action, payload) == {}


async def test_events_are_kept_per_unit_and_answered_as_ever(tmp_path: Path) -> None:
    async with bench(tmp_path) as here, here.peer("2.1") as peer, here.peer("1.6", "CP-2") as other:
        security = {"type": "TamperDetectionActivated", "timestamp": "2026-11-22T12:00:00Z", "techInfo": "door"}
        await tells(peer, "SecurityEventNotification", security)
        await tells(peer, "NotifyEvent", event("61.5"))
        await tells(peer, "NotifyEvent", event("39", cleared=True))
        await tells(peer, "NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}})
        await tells(peer, "NotifyDERAlarm", {"controlType": "FreqDroop", "timestamp": "2026-11-22T12:00:00Z"})
        started = {"controlId": "c1", "started": True, "timestamp": "2026-11-22T12:00:00Z"}
        await tells(peer, "NotifyDERStartStop", started)
        await tells(other, "SecurityEventNotification", {"type": "OwnEvent", "timestamp": "2026-11-22T12:00:00Z"})
        told = here.desk.collected.of("CP-1")
        assert [item.subject for item in told] == [
            "TamperDetectionActivated", "EVSE@1.Temperature", "EVSE@1.Temperature", "Charging limit",
            "Grid: FreqDroop", "Grid control",
        ]  # fmt: skip
        assert [item.severity for item in told[:3]] == [Severity.WARNING, Severity.WARNING, Severity.INFO]
        assert "housing" in told[0].text
        assert [item.subject for item in here.desk.collected.of("CP-2")] == ["OwnEvent"]


async def test_a_flood_of_events_is_bounded(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        payload = event("1")
        payload["eventData"] *= 5000
        for _ in range(20):
            here.desk.collected.take("CP-1", "NotifyEvent", payload, NOW)
        assert len(here.desk.collected.of("CP-1")) == 1000
        for number in range(600):
            here.desk.collected.take(f"CP-{number}", "NotifyEvent", {"eventData": 5}, NOW)
        here.desk.collected.take("CP-1", "NotifyEvent", {"eventData": [None, {"component": 3}]}, NOW)


# The test image


def test_the_test_image_says_what_it_is_and_is_signed_by_a_stranger(tmp_path: Path) -> None:
    image = testimage.make(tmp_path, is_signed=True)
    assert image.path.read_bytes().startswith(b"REHOME TEST IMAGE")
    assert image.path.stat().st_size == testimage.SIZE
    assert len(image.signature) <= 800
    assert len(image.certificate) <= 5500
    assert not testimage.make(tmp_path).signature
