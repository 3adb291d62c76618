"""Every request a station may send, of every version, gets an answer that obeys its schema."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.ocpp import schema
from app.ocpp.ear import Ear
from app.ocpp.frame import encode_call
from app.ocpp.ledger import Ledger
from app.ocpp.manner import Manner

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)

FROM_US = {
    "1.6": """CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile
        DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics
        GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction
        RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage
        UnlockConnector UpdateFirmware""",
    "2.0.1": """CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile
        ClearDisplayMessage ClearVariableMonitoring CostUpdated CustomerInformation DeleteCertificate GetBaseReport
        GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion
        GetLog GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware
        RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile
        SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables
        TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware""",
}
FROM_US["2.1"] = (
    FROM_US["2.0.1"]
    + """ AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl
        GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer RequestBatterySwap SetDERControl SetDefaultTariff
        UpdateDynamicSchedule UsePriorityCharging"""
)
"""What only the central system sends (OCPP 1.6 §5, P2-201 §1, P2 2.1 §1)."""

REQUESTS = [
    (version, action)
    for version in schema.FOLDERS
    for action in sorted(schema.actions(version) - set(FROM_US[version].split()))
]


def least(node: dict[str, Any], definitions: dict[str, Any], *, full: bool = False) -> Any:
    """Write the least that a schema allows, or all of it."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    if "enum" in node:
        return node["enum"][0]
    match node.get("type"):
        case "object":
            names = [name for name in node.get("properties", {}) if full or name in node.get("required", ())]
            return {name: least(node["properties"][name], definitions, full=full) for name in names}
        case "array":
            return [least(node["items"], definitions, full=full)] * max(1, node.get("minItems", 1))
        case "integer" | "number":
            return min(max(1, node.get("minimum", 1)), node.get("maximum", 1))
        case "boolean":
            return True
        case "string":
            return NOW.isoformat() if node.get("format") == "date-time" else "x" * max(1, node.get("minLength", 1))
    return "x"


def written(version: str, action: str, *, full: bool) -> dict[str, Any]:
    found = schema.document(version, action, True)
    assert found is not None
    payload: dict[str, Any] = least(found, found.get("definitions", {}), full=full)
    assert not schema.violations(version, action, payload, is_request=True)
    return payload


@pytest.mark.parametrize(("version", "action"), REQUESTS)
@pytest.mark.parametrize("full", [False, True])
def test_the_answer_obeys_its_schema(version: str, action: str, full: bool):
    ledger = Ledger("ocpp:x", lambda: 7)
    answer, _ = ledger.take(action, written(version, action, full=full), NOW, version=version)
    assert answer is not None
    if action != "NotifyPeriodicEventStream":  # a SEND, which is not answered
        assert not schema.violations(version, action, answer, is_request=False)


@pytest.mark.parametrize("version", schema.FOLDERS)
def test_what_only_we_send_is_not_answered(version: str):
    ledger = Ledger("ocpp:x", lambda: 7)
    for action in FROM_US[version].split():
        assert action in schema.actions(version)
        assert ledger.take(action, {}, NOW, version=version)[0] is None


@pytest.mark.parametrize(("version", "action"), REQUESTS)
def test_junk_in_every_field_is_survived(version: str, action: str):
    ledger = Ledger("ocpp:x", lambda: 7, manner=Manner())
    ear = Ear("x", version, opened_at=NOW)
    good = written(version, action, full=True)
    for junk in (None, 5, "x", [], [1], {}, [{}], [[]], {"a": {}}, True, 1e300, "\x00" * 50):
        for name in good:
            payload = {**good, name: junk}
            answer, events = ledger.take(action, payload, NOW, version=version)
            for event in events:
                tuple(getattr(event, "readings", ()))
            ear.heard(encode_call(f"{name}", action, payload), NOW)
            assert answer is None or isinstance(answer, dict)
    tuple(ledger.latest.values())
