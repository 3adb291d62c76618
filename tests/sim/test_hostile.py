"""Central systems that send nonsense: a simulated station answers with an error and lives on."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from typing import Any

import pytest

from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.sim.csms import CallRefused, csms

TEXT = (
    "evseId connectorId idToken idTag id type requestId chargingProfile csChargingProfiles chargingSchedule status key "
    "value chargingSchedulePeriod limit startPeriod setVariableData getVariableData component variable name evse log "
    "remoteLocation logType firmware location retrieveDate retrieveDateTime certificate certificateType certificateChain "
    "certificateHashData hashAlgorithm connectionData configurationSlot ocppCsmsUrl securityProfile expiryDate "
    "expiryDateTime reservationId listVersion versionNumber updateType localAuthorizationList message priority format "
    "setMonitoringData severity reportBase operationalStatus requestedMessage transactionId duration tariff currency"
)
WORDS = TEXT.split(" ")
VALUES: tuple[Any, ...] = (
    0,
    1,
    -1,
    10**20,
    1.5,
    True,
    None,
    "",
    "Accepted",
    "Full",
    "ws://x",
    "\x00",
    [],
    {},
    "9" * 3000,
)


def nonsense(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 2 or kind < 0.4:
        return chance.choice(VALUES)
    if kind < 0.6:
        return [nonsense(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {word: nonsense(chance, depth + 1) for word in chance.sample(WORDS, chance.randrange(1, 5))}


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_nonsense_is_answered_with_an_error_and_not_with_a_crash(version: str):
    chance = random.Random(7)
    async with OcppStation("S") if version == "1.6" else Station2("", "S", version) as station:
        station.registration = "Accepted"
        for action in station.answers:
            for _ in range(8):
                payload = {word: nonsense(chance) for word in chance.sample(WORDS, 6)}
                answer, after = station.reply(action, payload)
                assert answer[0] in (3, 4)
                assert len(json.dumps(answer)) < 100_000
                if after is not None and action not in ("Reset", "GetDiagnostics", "GetLog", "UpdateFirmware"):
                    after()
        assert station.reply("NoSuchAction", {})[0][1] == "NotImplemented"


LONG = 10**20
FAR = "9999-12-31T23:59:59Z"
PAST = "0001-01-01T00:00:00Z"
PERIODS = [{"startPeriod": 0, "limit": 1e300}, {"startPeriod": LONG, "limit": -5}]
SCHEDULE = {"chargingRateUnit": "W", "startSchedule": PAST, "duration": LONG, "chargingSchedulePeriod": PERIODS}
KIND = {"stackLevel": 0, "chargingProfileKind": "Recurring", "recurrencyKind": "Daily", "validTo": FAR}

EXTREMES: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "1.6": (
        ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "9" * 400}),
        ("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "9" * 400}),
        (
            "SetChargingProfile",
            {
                "connectorId": 1,
                "csChargingProfiles": KIND
                | {"chargingProfileId": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingSchedule": SCHEDULE},
            },
        ),
        ("GetCompositeSchedule", {"connectorId": 1, "duration": LONG}),
        ("GetCompositeSchedule", {"connectorId": -1, "duration": -1}),
        ("ReserveNow", {"connectorId": 1, "expiryDate": FAR, "idTag": "A", "reservationId": LONG}),
        ("ReserveNow", {"connectorId": 99, "expiryDate": "yesterday", "idTag": "A", "reservationId": 1}),
        ("UpdateFirmware", {"location": "gopher://x", "retrieveDate": FAR, "retries": LONG, "retryInterval": LONG}),
        ("GetDiagnostics", {"location": "http://[", "retries": 1, "retryInterval": 0}),
        ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": "\x00" * 5000}),
    ),
    "2.0.1": (
        ("GetCompositeSchedule", {"evseId": 1, "duration": LONG}),
        (
            "SetChargingProfile",
            {
                "evseId": 1,
                "chargingProfile": KIND
                | {"id": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingSchedule": [SCHEDULE | {"id": 1}]},
            },
        ),
        ("GetCompositeSchedule", {"evseId": 1, "duration": 86_400}),
        ("ReserveNow", {"id": 1, "expiryDateTime": PAST, "idToken": {"idToken": "A", "type": "Central"}}),
        (
            "SetVariableMonitoring",
            {
                "setMonitoringData": [
                    {
                        "value": 1e300,
                        "type": "Periodic",
                        "severity": LONG,
                        "component": {"name": "EVSE", "evse": {"id": 1}},
                        "variable": {"name": "Power"},
                    }
                ]
            },
        ),
        ("GetLog", {"logType": "DiagnosticsLog", "requestId": LONG, "log": {"remoteLocation": "http://["}}),
        ("CertificateSigned", {"certificateChain": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}),
    ),
}


@pytest.mark.parametrize("version", EXTREMES)
async def test_extremes_that_the_schema_allows_do_no_harm(version: str):
    async with csms(f"ocpp{version}") as central:
        made = OcppStation("S", central.url, time_scale=0.01) if version == "1.6" else None
        async with made or Station2(central.url, "S", version, time_scale=0.01) as station:
            await station.booted.wait()
            for action, payload in EXTREMES[version]:
                with suppress(CallRefused):
                    await central.order(action, payload, is_checked=False)
            trigger = {"requestedMessage": "Heartbeat"}
            mark = central.mark
            assert (await central.order("TriggerMessage", trigger))["status"] == "Accepted"
            await central.hears("Heartbeat", after=mark)
            assert station.dials == 1
