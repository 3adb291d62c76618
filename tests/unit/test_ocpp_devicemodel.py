"""The device model: names read and written, reports put together."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import ValueRejected
from app.ocpp.devicemodel import VariableName, assemble


@pytest.mark.parametrize(
    "text",
    [
        "OCPPCommCtrlr.HeartbeatInterval",
        "DeviceDataCtrlr.ItemsPerMessage/GetVariables",
        "Connector@1.2.Available",
        "EVSE@1.Power",
        "TokenReader/left@1.1.Enabled/a",
        "odd%2Ename%40x.Va%25lue",
    ],
)
def test_a_name_is_read_and_written_alike(text: str):
    assert VariableName.parse(text).text == text


def test_a_name_tells_its_parts():
    name = VariableName.parse("TokenReader/left@1.2.Enabled/a")
    assert name.selector == {
        "component": {"name": "TokenReader", "instance": "left", "evse": {"id": 1, "connectorId": 2}},
        "variable": {"name": "Enabled", "instance": "a"},
    }
    assert VariableName.parse("a%2Eb.c").component == "a.b"


@pytest.mark.parametrize("text", ["", "HeartbeatInterval", ".x", "A.", "A@x.B", "A.B.C", "A/b/c.D"])
def test_what_names_no_variable_is_refused(text: str):
    with pytest.raises(ValueRejected):
        VariableName.parse(text)


def entry(component: str, variable: str, *attributes: dict[str, Any], **traits: Any) -> dict[str, Any]:
    return {
        "component": {"name": component},
        "variable": {"name": variable},
        "variableAttribute": list(attributes),
        "variableCharacteristics": {"supportsMonitoring": False, **traits},
    }


def test_reports_become_variables_in_the_order_told():
    reports = [
        {"reportData": [entry("OCPPCommCtrlr", "HeartbeatInterval", {"value": "300"}, dataType="integer", maxLimit=9)]},
        {
            "reportData": [
                entry(
                    "SecurityCtrlr", "BasicAuthPassword", {"mutability": "WriteOnly"}, dataType="string", maxLimit=40
                ),
                entry(
                    "TxCtrlr",
                    "TxStartPoint",
                    {"value": "EVConnected"},
                    dataType="MemberList",
                    valuesList="Authorized, X",
                ),
            ]
        },
    ]
    interval, password, point = assemble(reports)
    assert (interval.name.text, interval.value, interval.max) == ("OCPPCommCtrlr.HeartbeatInterval", "300", 9)
    assert (password.mutability, password.value, password.max_length) == ("WriteOnly", None, 40)
    assert point.values_list == ("Authorized", "X")


def test_attributes_told_apart_are_put_together():
    reports = [
        {"reportData": [entry("A", "B", {"value": "1"}, dataType="integer")]},
        {"reportData": [entry("A", "B", {"type": "MaxSet", "value": "9"}, dataType="integer")]},
    ]
    (variable,) = assemble(reports)
    assert variable.value == "1"
    assert {item.type: item.value for item in variable.attributes} == {"Actual": "1", "MaxSet": "9"}


@pytest.mark.parametrize("junk", [None, 5, [], [1], [{}], [{"component": 1, "variable": {}}], [{"component": {}}], "x"])
def test_junk_in_a_report_is_left_out(junk: Any):
    assert assemble([{"reportData": junk}]) == ()
