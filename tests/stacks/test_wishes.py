"""What a site wants against what a configuration says: verdicts, and the settings that would have to change."""

from __future__ import annotations

import json

import pytest

from app.diagnosis import dump, wishes
from app.diagnosis.dump import Dump
from app.diagnosis.keys import keys2, keys16
from app.diagnosis.stacks import stacks
from app.diagnosis.wishes import Answer, Verdict
from app.errors import ProfileError, ValueRejected

FITS, DIFFERS, UNKNOWN, NOT_OFFERED = Verdict.FITS, Verdict.DIFFERS, Verdict.NOT_KNOWN, Verdict.NOT_OFFERED
BASE = {
    "AuthorizeRemoteTxRequests": "true",
    "ClockAlignedDataInterval": "0",
    "ConnectionTimeOut": "60",
    "GetConfigurationMaxKeys": "50",
    "HeartbeatInterval": "86400",
    "LocalAuthorizeOffline": "true",
    "LocalPreAuthorize": "false",
    "MeterValuesAlignedData": "",
    "MeterValuesSampledData": "Voltage",
    "MeterValueSampleInterval": "0",
    "NumberOfConnectors": "1",
    "ResetRetries": "1",
    "StopTransactionOnEVSideDisconnect": "true",
    "StopTransactionOnInvalidId": "false",
    "SupportedFeatureProfiles": "Core,RemoteTrigger",
    "TransactionMessageAttempts": "0",
    "TransactionMessageRetryInterval": "60",
    "UnlockConnectorOnEVSideDisconnect": "true",
}


def told(*, without: tuple[str, ...] = (), readonly: tuple[str, ...] = (), **more: str | None) -> Dump:
    values = {key: value for key, value in {**BASE, **more}.items() if key not in without}
    keys = [{"key": key, "value": value, "readonly": key in readonly} for key, value in values.items()]
    return dump.read(json.dumps({"configurationKey": keys}))


def model(**values: str) -> Dump:
    """A 2.x model; ``__`` stands for the dot."""
    data = []
    for key, value in values.items():
        component, variable = key.split("__")
        attribute = {"value": value, "mutability": "ReadWrite"}
        data.append(
            {"component": {"name": component}, "variable": {"name": variable}, "variableAttribute": [attribute]}
        )
    return dump.read(json.dumps({"reportData": data}))


def answer(at: Dump, question: str, option: str) -> Answer:
    asked = wishes.question(question)
    return wishes.judge(at, asked, asked.option(option))


def changes(of: Answer) -> dict[str, str]:
    return {change.key: change.after for change in of.changes}


# What happens when offline?


def test_offline_everyone_is_not_offered_where_the_charger_can_not() -> None:
    found = answer(told(), "offline", "everyone")
    assert found.verdict is NOT_OFFERED
    assert found.changes == ()
    assert "AllowOfflineTxForUnknownId" in found.reasons[0].key


def test_offline_everyone_is_two_settings_away() -> None:
    found = answer(told(AllowOfflineTxForUnknownId="false", LocalAuthorizeOffline="false"), "offline", "everyone")
    assert found.verdict is DIFFERS
    assert changes(found) == {"AllowOfflineTxForUnknownId": "true", "LocalAuthorizeOffline": "true"}
    assert found.changes[0].before == "false"


def test_offline_known_cards_needs_a_place_to_know_them_from() -> None:
    assert answer(told(), "offline", "known").verdict is NOT_OFFERED
    assert answer(told(AuthorizationCacheEnabled="true"), "offline", "known").verdict is FITS
    found = answer(told(AuthorizationCacheEnabled="false", LocalAuthListEnabled="false"), "offline", "known")
    assert changes(found) == {"LocalAuthListEnabled": "true"}, "one of the two is enough"


def test_offline_nobody_switches_everything_off() -> None:
    found = answer(told(AllowOfflineTxForUnknownId="TRUE", Cst_FreeVendActive="true"), "offline", "nobody")
    assert changes(found) == {
        "LocalAuthorizeOffline": "false",
        "AllowOfflineTxForUnknownId": "false",
        "Cst_FreeVendActive": "false",
    }
    assert answer(told(LocalAuthorizeOffline="FALSE"), "offline", "nobody").verdict is FITS


def test_a_vendors_automatic_start_counts() -> None:
    at = told(AuthorizationCacheEnabled="true", evb_AutoStart="999999")
    assert changes(answer(at, "offline", "known")) == {"evb_AutoStart": "false"}
    free = answer(told(evb_AutoStart="false"), "without-card", "free")
    assert free.verdict is DIFFERS
    assert free.changes == ()
    assert "card number" in free.by_hand[0]


def test_the_same_question_in_the_words_of_2x() -> None:
    at = model(AuthCtrlr__LocalAuthorizeOffline="true", AuthCtrlr__OfflineTxForUnknownIdEnabled="false")
    assert changes(answer(at, "offline", "everyone")) == {"AuthCtrlr.OfflineTxForUnknownIdEnabled": "true"}
    assert answer(at, "offline", "known").verdict is UNKNOWN, "a part of a model proves no absence"


def test_what_a_part_of_a_configuration_does_not_tell_is_not_known() -> None:
    part = dump.read("HeartbeatInterval=300\nLocalAuthorizeOffline=true\n")
    assert answer(part, "offline", "everyone").verdict is UNKNOWN


def test_what_the_charger_says_it_does_not_know_is_not_offered() -> None:
    part = dump.read(
        '{"configurationKey":[{"key":"LocalAuthorizeOffline","value":"true"}],'
        '"unknownKey":["AllowOfflineTxForUnknownId","AuthCtrlr.OfflineTxForUnknownIdEnabled"]}'
    )
    assert answer(part, "offline", "everyone").verdict is NOT_OFFERED


def test_a_value_it_does_not_tell_is_not_known() -> None:
    assert answer(told(LocalPreAuthorize=None), "wait", "wait").verdict is UNKNOWN


def test_a_read_only_setting_is_no_change() -> None:
    found = answer(told(readonly=("LocalPreAuthorize",)), "wait", "at-once")
    assert found.verdict is DIFFERS
    assert found.changes == ()
    assert "nobody change it" in found.by_hand[0]


# The other questions


@pytest.mark.parametrize(
    ("question", "option", "verdict", "wanted"),
    [
        ("wait", "wait", FITS, {}),
        ("wait", "at-once", DIFFERS, {"LocalPreAuthorize": "true"}),
        ("refused-card", "stop", DIFFERS, {"StopTransactionOnInvalidId": "true"}),
        ("unplug", "ends", FITS, {}),
        ("unplug", "goes-on", DIFFERS, {"StopTransactionOnEVSideDisconnect": "false"}),
        ("cable", "held", DIFFERS, {"UnlockConnectorOnEVSideDisconnect": "false"}),
        ("remote-start", "no", DIFFERS, {"AuthorizeRemoteTxRequests": "false"}),
        ("billing", "ends", FITS, {}),
        (
            "billing",
            "live",
            DIFFERS,
            {
                "MeterValueSampleInterval": "60",
                "MeterValuesSampledData": "Voltage,Energy.Active.Import.Register",
            },
        ),
        (
            "billing",
            "quarter",
            DIFFERS,
            {"ClockAlignedDataInterval": "900", "MeterValuesAlignedData": "Energy.Active.Import.Register"},
        ),
        ("lost-line", "minute", NOT_OFFERED, {}),
        ("lost-line", "five-minutes", DIFFERS, {"HeartbeatInterval": "300"}),
        ("offline-sessions", "all", DIFFERS, {"TransactionMessageAttempts": "3"}),
        ("offline-sessions", "charging-first", NOT_OFFERED, {}),
        ("limits", "yes", NOT_OFFERED, {}),
        ("protection", "password", UNKNOWN, {}),
        ("without-card", "card", UNKNOWN, {}),
        ("plug-time", "minute", FITS, {}),
        ("plug-time", "two-minutes", DIFFERS, {"ConnectionTimeOut": "120"}),
    ],
)
def test_a_small_charger_stands_so_to_it(question: str, option: str, verdict: Verdict, wanted: dict[str, str]) -> None:
    found = answer(told(), question, option)
    assert found.verdict is verdict
    assert changes(found) == wanted
    assert found.reasons or verdict is UNKNOWN


def test_the_security_profile_is_never_set_from_here() -> None:
    found = answer(told(SecurityProfile="0"), "protection", "tls")
    assert found.verdict is DIFFERS
    assert found.changes == ()
    assert "root certificate" in found.by_hand[0]
    assert answer(told(SecurityProfile="3"), "protection", "tls").verdict is FITS


def test_silent_sessions_are_never_billed() -> None:
    found = answer(
        told(Cst_SilentOfflineTransactions="true", TransactionMessageAttempts="3"), "offline-sessions", "all"
    )
    assert changes(found) == {"Cst_SilentOfflineTransactions": "false"}


def test_smart_charging_makes_the_current_limitable() -> None:
    at = told(SupportedFeatureProfiles="Core,SmartCharging", MaxChargingProfilesInstalled="3")
    assert answer(at, "limits", "yes").verdict is FITS


def test_a_name_spelt_otherwise_is_written_as_the_charger_spells_it() -> None:
    at = told(without=("HeartbeatInterval",), HeartBeatInterval="60000")
    assert changes(answer(at, "lost-line", "five-minutes")) == {"HeartBeatInterval": "300"}


def test_what_it_fits_as_it_is() -> None:
    fitting = {item.id: [option.id for option in wishes.present(told(), item)] for item in wishes.questions()}
    assert fitting["wait"] == ["wait"]
    assert fitting["unplug"] == ["ends"]
    assert fitting["offline"] == []


def test_several_wishes_come_in_the_order_of_the_questions() -> None:
    found = wishes.judge_all(told(), {"unplug": "ends", "offline": "nobody"})
    assert [item.question.id for item in found] == ["offline", "unplug"]
    with pytest.raises(ValueRejected, match="weather"):
        wishes.judge_all(told(), {"weather": "sun"})
    with pytest.raises(ValueRejected, match="no answer") as refusal:
        wishes.judge_all(told(), {"offline": "robots"})
    assert "nobody" in refusal.value.advice


def test_wishes_that_contradict_each_other_are_found_out() -> None:
    at = told(Cst_FreeVendActive="false", Cst_FreeVendIdTag="A1", LocalAuthorizeOffline="false")
    both = wishes.judge_all(at, {"offline": "nobody", "without-card": "free"})
    assert wishes.contradiction(at, both) == "Cst_FreeVendActive"
    assert wishes.contradiction(at, both[:1]) == ""
    assert wishes.contradiction(at, wishes.judge_all(at, {"offline": "everyone", "unplug": "goes-on"})) == ""


def test_applying_the_changes_makes_it_fit() -> None:
    at = told(AllowOfflineTxForUnknownId="false", LocalAuthListEnabled="false", SecurityProfile="1")
    for question in wishes.questions():
        for option in question.options:
            found = wishes.judge(at, question, option)
            if found.verdict is DIFFERS and not found.by_hand:
                after = told(**{**at.values, **changes(found)})
                assert wishes.judge(after, question, option).verdict is FITS, (question.id, option.id)


def test_every_setting_a_wish_names_is_a_known_one() -> None:
    vendor = {key.key for stack in stacks() for key in stack.keys}
    known = {*keys16(), *keys2(), *(key.partition("/")[0] for key in keys2()), *vendor}
    named = {
        key for item in wishes.questions() for option in item.options for need in option.needs for key in need.keys
    }
    assert named <= known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "questions = 3",
        "[[questions]]\nid = 'a'\ntitle = 'b'\n",
        "[[questions]]\nid = 'a'\ntitle = 'b'\n[[questions.options]]\nid = 'c'\ntitle = 'd'\nneeds = []\n",
        "[[questions]]\nid = 'a'\ntitle = 'b'\n[[questions.options]]\nid = 'c'\ntitle = 'd'\n"
        "needs = [{ keys = ['K'], why = 'w' }]\n",
        "[[questions]]\nid = 'a'\ntitle = 'b'\n[[questions.options]]\nid = 'c'\ntitle = 'd'\n"
        "needs = [{ keys = ['K'], why = 'w', equals = 'x', odd = 1 }]\n",
        "[[questions]]\nid = 'a'\ntitle = 'b'\n[[questions.options]]\nid = 'c'\ntitle = 'd'\n"
        "needs = [{ keys = ['K'], why = 'w', equals = 'x', absent = 'perhaps' }]\n",
    ],
)
def test_a_file_that_breaks_the_rules_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="wishes"):
        wishes.parse(text)
