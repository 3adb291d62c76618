"""Configurations as programs and people save them, and as somebody hostile would."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from app.diagnosis import dump
from app.errors import Garbled
from app.model.setting import Setting, Snapshot
from ui.models.config_files import settings_csv
from ui.models.settings import export_json

ANSWER = {
    "configurationKey": [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
        {"key": "AuthorizationKey", "readonly": False},
    ],
    "unknownKey": ["Nope"],
}
SNAPSHOT = Snapshot(
    taken_at=datetime(2026, 11, 22, tzinfo=UTC),
    settings=(Setting(key="HeartbeatInterval", value="300"), Setting(key="Odd", value="=1+1", is_readonly=True)),
)
EVCC_LOG = """[ocpp  ] TRACE 2024/08/27 07:54:07 recv EU_EDR: [3,"4233371905",{
    "configurationKey": [
        {
            "key": "AllowOfflineTxForUnknownId",
            "readonly": false,
            "value": "FALSE"
        },
        {
            "key": "BootNotificationAfterConnectionLoss",
            "readonly": false,
            "value": "TRUE"
        }
    ]}]
[ocpp  ] TRACE 2024/08/27 07:54:08 send EU_EDR: [2,"1010244191","TriggerMessage",{"requestedMessage":"MeterValues"}]
[main  ] a line with {broken JSON
"""
"""The form of evcc-io/evcc#15726."""
EVCC_DUMP = """Diagnostic dump:
        Charge Point ID: EVCC01
        Configuration:
                AllowOfflineTxForUnknownId (r/w): false
                ChargeProfileMaxStackLevel (r/o): 0
                ConnectorPhaseRotation (r/o): 0.RST,1.RST
"""
"""The form of evcc-io/evcc pull request 15028."""
LIBOCPP = {
    "Internal": {"ChargePointId": "left", "CentralSystemURI": "ws://192.168.1.5:8081/x", "LogMessagesFormat": []},
    "Core": {"AuthorizeRemoteTxRequests": False, "HeartbeatInterval": 86400},
}
"""The form of EVerest/EVerest#536."""
MICROOCPP = {
    "head": {"content-type": "ocpp_config_file", "version": "2.0"},
    "configurations": [
        {"type": "string", "key": "Cst_BackendUrl", "value": "ws://old"},
        {"type": "int", "key": "Cst_StaleTimeout", "value": 300},
    ],
}
MICROOCPP2 = {"variables": [{"component": "SecurityCtrlr", "name": "CsmsUrl", "valActual": "ws://old"}]}
REPORT = {
    "requestId": 1,
    "reportData": [
        {
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 2}},
            "variable": {"name": "Available"},
            "variableAttribute": [{"type": "Target", "value": "x"}, {"value": "true", "mutability": "ReadOnly"}],
            "variableCharacteristics": {"dataType": "boolean", "supportsMonitoring": False},
        },
        {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "MessageAttempts", "instance": "TransactionEvent"},
            "variableAttribute": [{"value": "3", "mutability": "ReadWrite"}],
        },
        {
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "BasicAuthPassword"},
            "variableAttribute": [{"mutability": "WriteOnly"}],
        },
    ],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            json.dumps([3, "1", ANSWER]),
            {"HeartbeatInterval": "300", "NumberOfConnectors": "1", "AuthorizationKey": None},
        ),
        (json.dumps(ANSWER["configurationKey"]), {"HeartbeatInterval": "300", "NumberOfConnectors": "1"}),
        (json.dumps({"rsp": ANSWER}), {"HeartbeatInterval": "300"}),
        (export_json(SNAPSHOT, charger="CP"), {"HeartbeatInterval": "300", "Odd": "=1+1"}),
        (settings_csv(SNAPSHOT), {"HeartbeatInterval": "300", "Odd": "=1+1"}),
        ("Key\tValue\tRead only\nHeartbeatInterval\t300\tfalse\n", {"HeartbeatInterval": "300"}),
        ("key;value\r\nHeartbeatInterval;300\r\n", {"HeartbeatInterval": "300"}),
        ("HeartbeatInterval=300\n# a remark\nOCPPEndPoint = ws://x/y?z=1\n", {"OCPPEndPoint": "ws://x/y?z=1"}),
        (EVCC_LOG, {"AllowOfflineTxForUnknownId": "FALSE", "BootNotificationAfterConnectionLoss": "TRUE"}),
        (f"[MO] Recv {{odd}} [Sim] Send: {json.dumps([3, '1', ANSWER])}\n[MO] end", {"HeartbeatInterval": "300"}),
        (EVCC_DUMP, {"AllowOfflineTxForUnknownId": "false", "ConnectorPhaseRotation": "0.RST,1.RST"}),
        (json.dumps(LIBOCPP), {"CentralSystemURI": "ws://192.168.1.5:8081/x", "HeartbeatInterval": "86400"}),
        (json.dumps(MICROOCPP), {"Cst_BackendUrl": "ws://old", "Cst_StaleTimeout": "300"}),
        (json.dumps(MICROOCPP2), {"SecurityCtrlr.CsmsUrl": "ws://old"}),
        (json.dumps({"HeartbeatInterval": 300, "LocalPreAuthorize": True}), {"LocalPreAuthorize": "true"}),
        ("\ufeff" + json.dumps(ANSWER), {"HeartbeatInterval": "300"}),
    ],
)
def test_it_is_read_however_it_was_saved(text: str, wanted: dict[str, str | None]) -> None:
    for data in (text, text.encode(), text.encode("utf-16")):
        found = dump.read(data).values
        assert {key: found.get(key, "missing") for key in wanted} == wanted


def test_access_and_what_it_does_not_know_are_kept() -> None:
    found = dump.read(json.dumps([3, "1", ANSWER]))
    assert found.version == "1.6"
    assert found.unknown == ("Nope",)
    assert [entry.is_readonly for entry in found.entries] == [False, True, False]
    assert [entry.is_readonly for entry in dump.read(EVCC_DUMP).entries if "Phase" in entry.key] == [True]


def test_reports_of_2x_are_read_with_their_places_types_and_access() -> None:
    parts = "\n".join(f'12:00 recv [2,"{n}","NotifyReport",{json.dumps(REPORT)}]' for n in range(2))
    found = dump.read(parts)
    assert found.version == "2.x"
    by_key = {entry.key: entry for entry in found.entries}
    assert list(by_key) == [
        "Connector@1.2.Available",
        "OCPPCommCtrlr.MessageAttempts/TransactionEvent",
        "SecurityCtrlr.BasicAuthPassword",
    ]
    assert (by_key["Connector@1.2.Available"].value, by_key["Connector@1.2.Available"].is_readonly) == ("true", True)
    assert by_key["Connector@1.2.Available"].kind == "boolean"
    assert by_key["SecurityCtrlr.BasicAuthPassword"].is_write_only


def test_names_with_separators_inside_stay_apart() -> None:
    entry = {"component": {"name": "a.b"}, "variable": {"name": "c@d"}, "attributeValue": "1"}
    assert dump.read(json.dumps({"getVariableResult": [entry]})).entries[0].key == "a%2Eb.c%40d"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "17",
        "Dear colleague, please find enclosed the protocol of our visit.\nKind regards",
        "<html><body>404</body></html>",
        "[" * 100_000,
        '{"a":' * 100_000,
        '["' + "a" * 200_000,
        "\0" * 1000,
        "\t" * 200_000,
    ],
)
def test_what_holds_no_settings_is_refused_in_words(text: str) -> None:
    with pytest.raises(Garbled, match="no settings") as refusal:
        dump.read(text)
    assert "GetConfiguration" in refusal.value.advice


def test_too_long_a_file_is_refused_unread() -> None:
    with pytest.raises(Garbled, match="longer"):
        dump.read(b" " * (dump.SIZE_LIMIT + 1))


def test_a_hundred_thousand_keys_are_cut_and_said_to_be() -> None:
    entries = [{"key": f"k{number}", "value": "v"} for number in range(100_000)]
    found = dump.read(json.dumps({"configurationKey": entries}))
    assert len(found.entries) == dump.MOST_KEYS
    assert found.is_cut


def test_keys_and_values_without_end_are_cut() -> None:
    entry = dump.read(json.dumps([{"key": "k" * 10_000, "value": "v" * 100_000}])).entries[0]
    assert (len(entry.key), len(entry.value or "")) == (dump.KEY_LIMIT, dump.VALUE_LIMIT)


def test_halves_of_characters_can_be_written_out_again() -> None:
    found = dump.read('[{"key":"a\\ud800","value":"\\udfff"}]').entries[0]
    assert (found.key + (found.value or "")).encode()


@pytest.mark.parametrize(
    "node",
    [
        {"key": 1, "value": 2},
        {"key": "a", "value": {"deep": [1]}},
        {"component": 5, "variable": [], "variableAttribute": "x"},
        {"component": {"name": None}, "variable": {"name": "x"}},
        {"component": {"name": "a", "evse": {"id": "x"}}, "variable": {"name": "b"}, "variableAttribute": [1, None]},
        {"settings": [1], "variables": 3},
        {"settings": {"a": [1], "b": {"value": None}}},
    ],
)
def test_wrong_types_harm_nothing(node: dict[str, object]) -> None:
    found = dump.read(json.dumps([node, {"key": "Good", "value": "1"}]))
    assert found.values["Good"] == "1"
