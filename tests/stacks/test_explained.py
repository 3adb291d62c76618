"""A configuration explained key by key: meaning, access, what is odd, what is missing, what nobody knows."""

from __future__ import annotations

import json

import pytest

from app import resources
from app.diagnosis import dump, explained
from app.diagnosis.explained import Explanation, Origin, Report
from app.diagnosis.keys import keys2, keys16
from app.driver.registry import load_profiles
from app.model.secret import MASK
from app.model.setting import SettingKind

PROFILES = load_profiles(resources.texts("profiles", ".toml"))


def report(*entries: tuple[str, str | None, bool | None], vendor: str = "") -> Report:
    keys = [{"key": key, "value": value, "readonly": flag} for key, value, flag in entries]
    return explained.explain(dump.read(json.dumps({"configurationKey": keys})), PROFILES, vendor=vendor)


def one(
    key: str, value: str | None, flag: bool | None = None, *more: tuple[str, str | None, bool | None]
) -> Explanation:
    found = report((key, value, flag), *more).get(key)
    assert found is not None
    return found


def test_every_standard_key_has_words_type_and_access() -> None:
    assert len(keys16()) == 51
    for item in keys16().values():
        assert item.label
        assert item.help
        assert item.access in ("r", "w", "rw", "any")
    assert keys2()["AuthCtrlr.LocalAuthorizeOffline"].kind is SettingKind.SWITCH
    assert keys2()["AuthCtrlr.LocalAuthorizeOffline"].is_required
    assert keys2()["SecurityCtrlr.BasicAuthPassword"].access == "w"
    assert keys2()["OCPPCommCtrlr.OfflineThreshold"].unit == "s"


def test_a_standard_key_is_told_in_plain_words() -> None:
    found = one("StopTransactionOnInvalidId", "true", flag=False)
    assert found.origin is Origin.STANDARD
    assert found.label == "Stop for a refused card"
    assert (found.granted, found.told, found.is_required) == ("rw", "rw", True)
    assert found.oddities == ()


@pytest.mark.parametrize(
    ("key", "value", "flag", "odd"),
    [
        ("LocalPreAuthorize", "maybe", False, "true or false"),
        ("LocalPreAuthorize", "TRUE", False, "small letters"),
        ("HeartbeatInterval", "5 min", False, "whole number"),
        ("HeartbeatInterval", "-1", False, "Below 0"),
        ("LightIntensity", "200", False, "Above 100"),
        ("SecurityProfile", "4", False, "Above 3"),
        ("ChargingScheduleAllowedChargingRateUnit", "W", True, "W"),
        ("MeterValuesSampledData", "Voltage.L1-N,Energy", False, "list: Energy"),
        ("HeartbeatInterval", "300", True, "this charger does not"),
        ("NumberOfConnectors", "1", False, "read-only"),
        ("HeartbeatInterval", None, False, "does not tell"),
        ("AuthorizationKey", "abcdef", False, "shows its password"),
        ("HeartBeatInterval", "60", False, "“HeartbeatInterval”"),
        ("X" * 51, "1", False, "51 characters"),
        ("Vendor", "x" * 501, False, "501 characters"),
    ],
)
def test_what_is_odd_is_said(key: str, value: str | None, flag: bool, odd: str) -> None:
    assert any(odd in text for text in one(key, value, flag).oddities)


@pytest.mark.parametrize(
    ("key", "value", "flag"),
    [
        ("MeterValuesSampledData", "Voltage.L1-N,Energy.Active.Import.Register,Current.Import.N", False),
        ("AuthorizeRemoteTxRequests", "false", True),
        ("AuthorizationKey", None, False),
        ("AuthorizationKey", MASK, False),
        ("SecurityProfile", "3", False),
    ],
)
def test_what_is_in_order_is_left_in_peace(key: str, value: str | None, flag: bool) -> None:
    assert one(key, value, flag).oddities == ()


def test_what_the_live_detectors_would_say_is_said_of_a_dump_too() -> None:
    told = report(("TransactionMessageAttempts", "0", False), ("InstallationOfflineCurrent", "0", False))
    assert all(item.oddities for item in told.settings)


def test_a_vendor_key_is_explained_by_its_stack() -> None:
    found = one("evb_AutoStart", "false", None, ("evb_ServerURL", "wss://EU.EVERON.IO/", False))
    assert found.origin is Origin.VENDOR
    assert "card" in found.meaning
    assert found.stack == "EVBox Gen4"
    assert found.evidence is not None


def test_an_address_key_is_explained_by_the_profile() -> None:
    told = report(("BackOffice-URL-wired", "ws://old.example", False), ("Station-MaxCurrent", "32", False))
    found = told.get("BackOffice-URL-wired")
    assert found is not None
    assert (found.origin, found.holds) == (Origin.ADDRESS, "host")
    assert told.address_words.startswith("Its backend address stands in BackOffice-URL-wired.")
    limit = told.get("Station-MaxCurrent")
    assert limit is not None
    assert "breaker" in limit.danger


def test_any_value_that_starts_with_ws_is_pointed_at() -> None:
    told = report(("VendorServer", "WSS://old.example/x", False), ("HeartbeatInterval", "300", False))
    assert told.addresses == ("VendorServer",)
    assert "VendorServer" in told.address_words
    found = told.get("VendorServer")
    assert found is not None
    assert found.origin is Origin.UNKNOWN


def test_where_no_key_shows_the_address_this_is_said() -> None:
    assert "No key" in report(("HeartbeatInterval", "300", False)).address_words
    told = report(("HeartbeatInterval", "300", False), vendor="Zaptec")
    assert "not offered over OCPP" in told.address_words


def test_an_unknown_key_is_unknown_and_nothing_is_guessed() -> None:
    found = one("MaxChargeCurrentLimitAmps", "16")
    assert found.origin is Origin.UNKNOWN
    assert found.label == ""
    assert found.meaning.startswith("Unknown")
    assert found.evidence is None


def test_missing_required_keys_go_by_what_it_offers() -> None:
    core = [(key, "1", None) for key, item in keys16().items() if item.is_required and item.group == "Core"]
    plain = report(*core)
    assert plain.is_whole
    assert plain.missing == ()
    wide = report(
        *[item for item in core if item[0] != "SupportedFeatureProfiles"],
        ("SupportedFeatureProfiles", "Core,SmartCharging", True),
    )
    assert {item.key for item in wide.missing} == {
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
    }


def test_a_part_is_not_taken_for_the_whole() -> None:
    assert not report(("HeartbeatInterval", "1", None)).is_whole


def test_secrets_are_in_no_word_of_it() -> None:
    profile = "ocppVersion{OCPP16}ocppCsmsUrl{ws://x}apnPassword{geheim5}securityProfile{0}"
    slots = json.dumps([{"connectionData": {"basicAuthPassword": "geheim6", "ocppCsmsUrl": "ws://x"}}])
    told = report(
        ("AuthorizationKey", "geheim1", None),
        ("evb_APNPass", "geheim2", None),
        ("PW-SetChargerPassword", "geheim3", None),
        ("Server", "ws://user:geheim4@old.example/x", None),
        ("BackOfficeNetworkProfile1", profile, None),
        ("Slots", slots, None),
    )
    assert "geheim" not in repr(told)
    assert told.settings[0].shown == MASK


def test_variables_of_2x_are_explained_with_what_the_station_says() -> None:
    data = [
        {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"},
            "variableAttribute": [{"value": "many", "mutability": "ReadOnly"}],
            "variableCharacteristics": {"dataType": "integer"},
        },
        {
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
            "variable": {"name": "Available"},
            "variableAttribute": [{"value": "true", "mutability": "ReadOnly"}],
        },
        {"component": {"name": "AcmeCtrlr"}, "variable": {"name": "Mode"}, "variableAttribute": [{"value": "7"}]},
        {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "BasicAuthPassword"},
            "variableAttribute": [{"value": "geheim", "mutability": "WriteOnly"}],
        },
    ]
    told = explained.explain(dump.read(json.dumps({"reportData": data})), PROFILES)
    attempts, available, mode, password = told.settings
    assert set(attempts.oddities) == {
        "It should be a whole number.",
        "The standard lets it be changed; this charger does not.",
    }
    assert attempts.is_required
    assert "session message" in attempts.meaning
    assert available.origin is Origin.STANDARD
    assert mode.origin is Origin.UNKNOWN
    assert password.shown == MASK
    assert "OCPPCommCtrlr.NetworkConfigurationPriority" in {item.key for item in told.missing}
    assert not told.is_whole


def test_a_hostile_dump_is_explained_quickly() -> None:
    entries = [{"key": f"evb_{number}\x07", "value": "ws://" + "x" * 50} for number in range(20_000)]
    told = explained.explain(dump.read(json.dumps(entries)), PROFILES)
    assert len(told.settings) == 20_000
    assert len(told.address_words) < 2000
    assert len(told.recognition.candidates[0].proofs) <= 20
