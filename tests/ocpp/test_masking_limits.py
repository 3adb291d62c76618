"""No text, however odd, gets a password past the mask, or keeps the mask busy."""

from __future__ import annotations

import json
import time

import pytest

from app.model.masking import mask_secrets
from app.model.secret import MASK
from app.ocpp import masking, schema


def _report(name: str, value: object) -> tuple[str, dict[str, object]]:
    entry = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": name},
        "variableAttribute": [{"type": "Actual", "value": value}],
    }
    payload: dict[str, object] = {"requestId": 1, "reportData": [entry, {**entry, "variable": {"name": "Identity"}}]}
    return json.dumps([2, "1", "NotifyReport", payload]), payload


@pytest.mark.parametrize("value", ['quo"ted-pass', "back\\slash", "sl/ash", "grün", 12345678])
def test_a_reported_password_is_masked_however_it_is_spelled(value: object) -> None:
    text, payload = _report("BasicAuthPassword", value)
    shown = masking.masked_request(text, "NotifyReport", payload)
    entries = json.loads(shown)[3]["reportData"]
    assert entries[0]["variableAttribute"][0]["value"] == MASK
    assert entries[1]["variableAttribute"][0]["value"] == value  # the neighbour stays as sent


@pytest.mark.parametrize(
    "text",
    [
        '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","x":{},"value":"hidden-pass"}]}]',
        '[3,"1",{"configurationKey":[{"value":["hidden-pass"],"key":"AuthorizationKey"}]}]',
        '[3,"1",{"a":"broken"quote","configurationKey":[{"key":"AuthorizationKey","value":"hidden-pass"}]}]',
        '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","value":"hidden-pass',
        '[3,"1",{"getVariableResult":[{"attributeValue":"hidden-pass","variable":{"name":"BasicAuthPassword"}}]}]',
    ],
)
def test_a_password_is_masked_in_texts_of_any_shape(text: str) -> None:
    assert "hidden-pass" not in mask_secrets(text)
    assert "hidden-pass" not in masking.masked_loosely(text)


@pytest.mark.parametrize("address", ["ftp://u:hid@den@h/x", "ftp:\\/\\/u:hidden@h\\/x", "ftp://:hidden@h/x"])
def test_the_login_of_an_address_is_masked(address: str) -> None:
    payload = {"location": json.loads(f'"{address}"')}
    assert "den@" not in masking.masked_request(
        f'[2,"1","GetDiagnostics",{{"location":"{address}"}}]', "GetLog", payload
    )
    assert "den@" not in masking.masked_loosely(f'["{address}"]')


def test_the_login_of_a_backend_is_masked_where_it_is_written() -> None:
    payload = {"key": "BackendUrl", "value": "wss://cp1:hidden-pass@backend.example/ocpp"}
    text = json.dumps([2, "1", "ChangeConfiguration", payload])
    assert "hidden-pass" not in masking.masked_request(text, "ChangeConfiguration", payload)


def test_masking_takes_time_for_the_length_of_a_text_alone() -> None:
    braces = '[{"key":"AuthorizationKey","value":"x"},' + '{\\"' * 100_000 + '"{'
    entries = [{"variable": {"name": f"psk{n}"}, "variableAttribute": [{"value": f"v{n}"}]} for n in range(5_000)]
    began = time.process_time()
    masking.masked_loosely(braces)
    payload = {"reportData": entries}
    masking.masked_request(json.dumps(payload).replace("psk", "ps\\u006b"), "NotifyReport", payload)
    assert time.process_time() - began < 5  # it took minutes


@pytest.mark.parametrize("value", [1234567890, "hidden-1234567890" * 40])
def test_what_is_wrong_with_a_password_is_told_without_it(value: object) -> None:
    payload = {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": value}]}
    found = schema.findings("1.6", "GetConfiguration", payload, is_request=False)
    assert found
    assert "configurationKey.0.value" in str(found)
    assert "1234567890" not in str(found)
    assert "1234567890" not in str(schema.error_of("1.6", "GetConfiguration", payload, is_request=False))


def test_numbers_beyond_64_bits_are_no_obstacle() -> None:
    payload = {"configurationKey": [{"key": "AuthorizationKey", "value": 10**30}, {"key": "x", "value": 10**30}]}
    assert MASK in str(masking.masked_payload("GetConfiguration", payload))
