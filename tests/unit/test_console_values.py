"""What the console hides, recognises and explains."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.jobs.overocpp import written
from app.model.exchange import Exchange, Favourite
from app.ocpp import actions, explain, forms, schema
from app.ocpp.shown import has_mask, masked
from app.storage.console import KEPT, ConsoleStore
from app.storage.db import Store
from tests.unit.test_forms import NOW, walked

SECRET = "geheim12"


def variable(component: str, name: str, value: str, **more: Any) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value, **more}


@pytest.mark.parametrize(
    "payload",
    [
        {"key": "AuthorizationKey", "value": SECRET},
        {"key": "VendorWifiPassword", "value": SECRET},
        {"configurationKey": [{"key": "authorizationkey", "readonly": False, "value": SECRET}]},
        {"setVariableData": [variable("SecurityCtrlr", "BasicAuthPassword", SECRET)]},
        {"getVariableResult": [variable("SecurityCtrlr", "BasicAuthPassword", SECRET, attributeStatus="Accepted")]},
        {"connectionData": {"apn": {"apn": "net", "apnPassword": SECRET}}},
        {"connectionData": {"vpn": {"server": "s", "user": "u", "password": SECRET, "key": SECRET}}},
        {"connectionData": {"basicAuthPassword": SECRET}},
        {"location": f"ftp://user:{SECRET}@192.0.2.1/up/"},
        {"log": {"remoteLocation": f"https://user:{SECRET}@host/"}},
        {"reportData": [{"variable": {"name": "BasicAuthPassword"}, "variableAttribute": [{"value": SECRET}]}]},
    ],
)
def test_passwords_are_hidden_wherever_the_standard_puts_them(payload: dict[str, Any]) -> None:
    before = json.dumps(payload)
    shown = masked(payload)
    assert SECRET not in json.dumps(shown)
    assert has_mask(shown)
    assert json.dumps(payload) == before


def test_keys_a_profile_names_are_hidden_too_and_all_else_is_left() -> None:
    assert masked({"key": "HisKey", "value": SECRET}, {"hiskey"})["value"] != SECRET
    plain = {"key": "HeartbeatInterval", "value": "60", "list": [1, 2.5, None, True], "url": "wss://host:9000/path"}
    assert masked(plain) == plain
    assert not has_mask(masked(plain))


@pytest.mark.parametrize(
    ("action", "payload", "setting"),
    [
        ("ChangeConfiguration", {"key": "K", "value": ""}, ("K", "")),
        ("ChangeConfiguration", {"key": "K", "value": 3}, None),
        ("ChangeConfiguration", {"key": "K", "value": "3", "more": 1}, None),
        ("SetVariables", {"setVariableData": [variable("C", "V", "1")]}, ("C.V", "1")),
        ("SetVariables", {"setVariableData": [variable("C", "V", "1", attributeType="Actual")]}, ("C.V", "1")),
        ("SetVariables", {"setVariableData": [variable("C", "V", "1", attributeType="Target")]}, None),
        ("SetVariables", {"setVariableData": [variable("C", "V", "1"), variable("C", "W", "2")]}, None),
        ("SetVariables", {"setVariableData": [{"component": 1, "variable": 2, "attributeValue": "3"}]}, None),
        ("SetVariables", {"setVariableData": [variable("C" * 60, "V", "1")]}, None),
        ("SetVariables", {"setVariableData": []}, None),
        ("Reset", {"type": "Hard"}, None),
    ],
)
def test_only_a_plain_write_of_one_setting_counts_as_an_edit(
    action: str, payload: dict[str, Any], setting: tuple[str, str] | None
) -> None:
    assert written(action, payload) == setting


def test_statuses_are_named_by_what_they_are_about() -> None:
    result = {**variable("C", "V", "1"), "attributeStatus": "UnknownVariable"}
    (status,) = explain.statuses("2.0.1", "GetVariables", {"getVariableResult": [result]})
    assert status.text == "C.V UnknownVariable: The component exists, but has no such variable."
    assert status.is_refusal
    (status,) = explain.statuses("1.6", "Reset", {"status": "Accepted"})
    assert status.is_success
    assert not status.is_refusal
    (status,) = explain.statuses("1.6", "GetInstalledCertificateIds", {"status": "NotFound"})
    assert not status.is_success
    assert not status.is_refusal
    assert explain.faults("1.6", "Reset", {"status": "Accepted"}) == []
    assert explain.faults("1.6", "Reset", {}) != []
    assert explain.breaches("1.6", "Dance", {}) == ["OCPP 1.6 has no action “Dance”."]


def test_no_status_is_both_a_success_and_a_refusal_and_all_of_them_exist() -> None:
    assert not actions.successes() & actions.refusals()
    known = {
        choice
        for version in schema.FOLDERS
        for action in actions.commands(version)
        if (answer := forms.form(version, action.name, is_request=False)) is not None
        for field in walked(answer)
        for choice in field.choices
    }
    assert actions.successes() | actions.refusals() <= known


def exchange(number: int) -> Exchange:
    return Exchange(
        identity="CP-1", version="1.6", action="Reset", request=f'{{"n": {number}}}', sent_at=NOW, took_s=0.1
    )


def test_history_is_kept_within_bounds_and_apart(tmp_path: Any) -> None:
    store = Store.open(tmp_path / "rehome.db")
    console: ConsoleStore = store.console
    for number in range(KEPT + 5):
        console.add(exchange(number))
    kept = console.of("CP-1")
    assert len(kept) == KEPT
    assert kept[-1] == exchange(KEPT + 4)
    assert console.of("CP-2") == ()
    console.forget("CP-1")
    assert console.of("CP-1") == ()
    store.close()


def test_favourites_are_replaced_by_title_and_dropped(tmp_path: Any) -> None:
    store = Store.open(tmp_path / "rehome.db")
    for request in ("{}", '{"a": 1}'):
        store.console.keep(Favourite(title="T", version="1.6", action="Reset", request=request))
    (kept,) = store.console.favourites()
    assert kept.request == '{"a": 1}'
    store.console.drop("T")
    assert store.console.favourites() == ()
    store.close()
