"""Forms from the standard's schemas, and what is known about each action."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.ocpp import actions, forms, schema
from app.ocpp.forms import Field, Kind

VERSIONS = tuple(schema.FOLDERS)
NOW = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
SITUATION = actions.Situation(now=NOW, transaction=7, number=41, files="http://192.0.2.1:8081/up/")
EVERY_COMMAND = [(version, action) for version in VERSIONS for action in actions.commands(version)]


def walked(field: Field) -> list[Field]:
    inner = [*field.fields, *([field.item] if field.item is not None else [])]
    return [field, *(found for child in inner for found in walked(child))]


@pytest.mark.parametrize("version", VERSIONS)
def test_direction_of_every_action_is_known_and_no_other_is_named(version: str) -> None:
    assert set(actions.actions(version)) == schema.actions(version)


@pytest.mark.parametrize(("version", "action"), EVERY_COMMAND, ids=lambda one: getattr(one, "name", one))
def test_every_command_is_described_and_its_form_starts_within_the_standard(
    version: str, action: actions.Action
) -> None:
    form = forms.form(version, action.name)
    assert form is not None
    assert action.title
    assert action.help.endswith((".", "!"))
    assert action.clause
    assert action.group in {group.id for group in actions.groups()}
    payload = filled(form, actions.start(action, SITUATION if version == "1.6" else with_text_ids()))
    assert schema.violations(version, action.name, payload, is_request=True) == []
    assert forms.problems(form, payload) == {}


def with_text_ids() -> actions.Situation:
    return actions.Situation(now=NOW, transaction="tx-7", number=41, files="http://192.0.2.1:8081/up/")


def filled(form: Field, payload: dict[str, Any]) -> dict[str, Any]:
    """Add what a technician must type: the texts a start leaves empty."""
    result = forms.blank(form) | payload
    return {name: typed(form.field(name), value) for name, value in result.items()}


def typed(field: Field | None, value: Any) -> Any:
    assert field is not None
    if field.kind is Kind.GROUP:
        return {name: typed(field.field(name), item) for name, item in (forms.blank(field) | value).items()}
    if field.kind is Kind.LIST:
        return [typed(field.item, item) for item in value]
    return "x" if value == "" and field.is_required else value


@pytest.mark.parametrize(("version", "action"), EVERY_COMMAND, ids=lambda one: getattr(one, "name", one))
def test_statuses_an_answer_may_carry_are_explained(version: str, action: actions.Action) -> None:
    answer = forms.form(version, action.name, is_request=False)
    assert answer is not None
    for field in walked(answer):
        if field.name in ("status", "attributeStatus") and field.kind is Kind.CHOICE:
            unexplained = [choice for choice in field.choices if not actions.meaning(version, action.name, choice)]
            assert not unexplained


@pytest.mark.parametrize("version", VERSIONS)
def test_statuses_and_fields_explained_exist(version: str) -> None:
    for action in actions.commands(version):
        answer, request = forms.form(version, action.name, is_request=False), forms.form(version, action.name)
        assert answer is not None
        assert request is not None
        statuses = {choice for field in walked(answer) for choice in field.choices}
        if version != "2.0.1":  # one file explains both, and 2.1 has all that 2.0.1 has
            assert set(action.answers) <= statuses, action.name
        assert "@" not in str(actions.start(action, SITUATION))


def test_every_field_of_1_6_is_described() -> None:
    for action in actions.commands("1.6"):
        form = forms.form("1.6", action.name)
        assert form is not None
        for field in walked(form):
            assert field is form or not field.name or actions.field_help(action, field), f"{action.name}.{field.name}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_schema_becomes_a_form_that_judges_as_the_schema_does(version: str) -> None:
    for name in schema.actions(version):
        for is_request in (True, False):
            form = forms.form(version, name, is_request=is_request)
            if form is None:
                assert (name, is_request) == ("NotifyPeriodicEventStream", False)
                continue
            for payload in ({}, forms.blank(form)):
                if not forms.problems(form, payload):
                    assert schema.is_valid(version, name, payload, is_request=is_request)


def test_limits_are_said_beside_the_field() -> None:
    form = forms.form("2.0.1", "SetVariables")
    assert form is not None
    long = {"component": {"name": "c" * 51}, "variable": {}, "attributeValue": 3, "attributeType": "Nonsense"}
    found = forms.problems(form, {"setVariableData": [long]})
    assert found["setVariableData[0].component.name"] == "Holds at most 50 characters; this has 51."
    assert found["setVariableData[0].variable.name"] == "Is missing."
    assert found["setVariableData[0].attributeValue"] == "Must be a text."
    assert found["setVariableData[0].attributeType"].startswith("Must be one of Actual")
    assert forms.problems(form, {"setVariableData": []}) == {"setVariableData": "Needs at least 1."}
    assert forms.problems(form, {"setVariableData": {}}) == {"setVariableData": "Must be a list: [ … ]."}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "Must be a whole number."),
        ("1", "Must be a whole number."),
        (1.5, "Must be a whole number."),
        (10, "Must be at most 9."),
        (-1, "Must be at least 0."),
        (9, ""),
    ],
)
def test_numbers(value: Any, words: str) -> None:
    form = forms.form("2.1", "SetMonitoringLevel")
    assert form is not None
    severity = Field(name="severity", kind=Kind.INTEGER, minimum=0, maximum=9)
    assert forms.problem(severity, value) == words


def test_a_step_is_kept_to_in_spite_of_binary_fractions() -> None:
    limit = Field(name="limit", kind=Kind.NUMBER, step=0.1)
    assert forms.problem(limit, 16.3) == ""
    assert forms.problem(limit, 16.33) == "Must be a multiple of 0.1."


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("now", "2026-11-22T16:00:00Z"),
        ("now + 5 min", "2026-11-22T16:05:00Z"),
        ("Now+2h", "2026-11-22T18:00:00Z"),
        ("now - 1 d", "2026-11-21T16:00:00Z"),
        ("now + 999999 d", "4764-10-18T16:00:00Z"),
        ("tomorrow", None),
        ("now + 1 fortnight", None),
        ("now - 999999 d", None),
    ],
)
def test_moments(text: str, result: str | None) -> None:
    assert actions.moment(text, NOW) == result


def test_descriptions_are_plain_text() -> None:
    for name in schema.actions("2.0.1"):
        form = forms.form("2.0.1", name)
        assert form is not None
        for field in walked(form):
            assert "\n" not in field.help
            assert "urn:" not in field.help
            assert "&lt;" not in field.help


def test_search_finds_by_words_of_purpose_and_by_name() -> None:
    assert [action.name for action in actions.search("1.6", "reset")] == ["Reset"]
    assert "RemoteStartTransaction" in [action.name for action in actions.search("1.6", "start session")]
    assert actions.search("1.6", "GetBaseReport") == ()
    assert [action.name for action in actions.search("2.1", "B07")] == ["GetBaseReport"]


def test_what_ends_sessions_or_connections_is_asked_first() -> None:
    dangerous = {"Reset", "ClearCache", "DeleteCertificate", "UpdateFirmware", "UnlockConnector", "CertificateSigned"}
    for version in VERSIONS:
        for name in dangerous | ({"SetNetworkProfile", "SetVariables"} if version != "1.6" else set()):
            action = actions.action(version, name)
            assert action is not None
            assert action.warning.endswith(".")
