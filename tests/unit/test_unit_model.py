from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.discovery.roster import Roster
from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.backend import Backend, JoinRule, SecurityProfile, check, dialled_url, redact_url, split_url
from app.model.secret import Secret
from app.model.unit import (
    Adoption,
    Claim,
    ClaimKind,
    Health,
    Identity,
    LinkState,
    SourceKind,
    Unit,
    Way,
    adoption,
    authority,
    claim,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("24:0a:c4:11:a7:d4", "240AC411A7D4"),
        ("24-0A-C4-11-A7-D4", "240AC411A7D4"),
        ("sn 1234", "SN1234"),
        ("", None),
        ("000000", None),
        ("00:00:00:00:00:00", None),
        ("FF:FF:FF:FF:FF:FF", None),
        ("unknown", None),
        ("n/a", None),
        ("123", None),
    ],
)
def test_claims_are_compared_without_separators_and_say_something(value: str, expected: str | None) -> None:
    made = claim(ClaimKind.MAC, value)
    assert made == (Claim(ClaimKind.MAC, expected) if expected else None)


def test_identities_and_addresses_are_weak_and_kept_as_they_are() -> None:
    assert claim(ClaimKind.IDENTITY, "cp-1") == Claim(ClaimKind.IDENTITY, "cp-1")
    assert claim(ClaimKind.IDENTITY, "") is None
    assert {kind for kind in ClaimKind if kind.is_strong} == {ClaimKind.SERIAL, ClaimKind.MAC, ClaimKind.MCU}


BACKEND = Backend(url="ws://csms.example/ocpp", identity="CP-1")


@pytest.mark.parametrize(
    ("backend", "link", "expected"),
    [
        (None, LinkState(), Adoption.UNKNOWN),
        (BACKEND, LinkState(is_enabled=False, is_connected=True), Adoption.FREE),
        (Backend(url="", identity=""), LinkState(), Adoption.FREE),
        (Backend(url="ws://OURS.example:80/x", identity="CP-1"), LinkState(), Adoption.OURS),
        (BACKEND, LinkState(), Adoption.UNKNOWN),
        (BACKEND, LinkState(is_connected=True), Adoption.MANAGED),
        (BACKEND, LinkState(is_enabled=True, is_connected=False), Adoption.ORPHANED),
    ],
)
def test_adoption(backend: Backend | None, link: LinkState, expected: Adoption) -> None:
    assert adoption(backend, link, frozenset({"ours.example:80"})) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://Host.Example/a", "host.example:80"),
        ("wss://host.example/a", "host.example:443"),
        ("ws://[fe80::1]:8180/", "fe80::1:8180"),
        ("ws://host:99999/", "ws://host:99999/"),
    ],
)
def test_authority_fills_in_the_port(url: str, expected: str) -> None:
    assert authority(url) == expected


def test_the_title_is_the_best_name_there_is() -> None:
    way = Way(
        driver_id="d", address=NetAddress(host="fe80::1%3", port=81), source=SourceKind.MDNS, seen_at=datetime.now(UTC)
    )
    assert Unit(unit_id="u").title == "u"
    assert Unit(unit_id="u", ways=(way,)).title == "[fe80::1%3]:81"
    assert Unit(unit_id="u", ways=(way,), identity=Identity(vendor="V", serial="S1")).title == "V S1"
    assert Unit(unit_id="u", ways=(way,), identity=Identity(model="M", name="Hall")).title == "Hall"
    assert Unit(unit_id="u", ways=(way,)).is_present
    assert not Unit(unit_id="u").is_present


def test_addresses_print_as_they_are_typed() -> None:
    assert str(NetAddress(host="192.168.1.5", port=8080)) == "192.168.1.5:8080"
    assert NetAddress(host="fe80::1%3", scheme="https", port=443).url == "https://[fe80::1%3]:443"
    assert str(SerialAddress(port="COM5")) == "COM5"
    assert str(OcppAddress(identity="CP-1")) == "ocpp:CP-1"


@pytest.mark.parametrize(
    ("rule", "url", "expected"),
    [
        (JoinRule.APPEND, "ws://h/ocpp", "ws://h/ocpp/CP%201"),
        (JoinRule.APPEND, "ws://h/ocpp/", "ws://h/ocpp//CP%201"),
        (JoinRule.APPEND_IF_MISSING, "ws://h/ocpp/", "ws://h/ocpp/CP%201"),
        (JoinRule.AS_IS, "ws://h/ocpp/CP 1", "ws://h/ocpp/CP 1"),
    ],
)
def test_each_model_dials_by_its_own_join_rule(rule: JoinRule, url: str, expected: str) -> None:
    assert dialled_url(url, "CP 1", rule) == expected


def test_same_target_ignores_case_of_the_host_and_the_default_port() -> None:
    assert BACKEND.same_target(Backend(url="WS://CSMS.example:80/ocpp/", identity="CP-1"))
    assert not BACKEND.same_target(Backend(url="wss://csms.example/ocpp", identity="CP-1"))
    assert not BACKEND.same_target(Backend(url="ws://csms.example/ocpp", identity="cp-1"))
    assert not BACKEND.same_target(Backend(url="ws://csms.example/OCPP", identity="CP-1"))


def test_a_url_comes_apart_into_base_and_identity() -> None:
    assert split_url("ws://h/ocpp/CP%201") == ("ws://h/ocpp", "CP 1")
    assert split_url("ws://h") == ("ws://h", "")


def test_what_is_shown_has_no_secret() -> None:
    backend = Backend(url="ws://user:hidden@h/ocpp", identity="CP", secret=Secret("hidden"))
    shown = backend.without_secret()
    assert "hidden" not in repr(shown)
    assert "hidden" not in repr(backend.secret)
    assert not shown.secret
    assert redact_url("ws://[broken") == "ws://[broken"


@pytest.mark.parametrize(
    ("url", "identity", "field", "blocks"),
    [
        ("", "CP", "url", True),
        ("http://h/", "CP", "url", True),
        ("ws://", "CP", "url", True),
        ("ws://h:0/", "CP", "url", True),
        ("ws://h:99999/", "CP", "url", True),
        ("ws://h /", "CP", "url", True),
        ("ws://u:p@h/", "CP", "url", True),
        ("ws://h/" + "x" * 500, "CP", "url", True),
        ("ws://h/?a=b", "CP", "url", False),
        ("ws://h/CP", "CP", "url", False),
        ("ws://h/", "", "identity", True),
        ("ws://h/", "a/b", "identity", True),
        ("ws://h/", "a:b", "identity", True),
        ("ws://h/", "x" * 49, "identity", True),
        ("ws://h/", "Ä", "identity", False),
    ],
)
def test_each_fault_in_a_form_is_named_beside_its_field(url: str, identity: str, field: str, blocks: bool) -> None:
    problems = check(url, identity)
    assert [(problem.field, problem.blocks) for problem in problems] == [(field, blocks)]
    assert problems[0].message


def test_security_profiles_ask_for_what_they_need() -> None:
    assert check("wss://h/", "CP", profile=SecurityProfile.TLS_BASIC, secret=Secret("x" * 20)) == ()
    fields = {p.field for p in check("ws://h/", "CP", profile=SecurityProfile.TLS_BASIC)}
    assert fields == {"secret", "security_profile"}
    assert [p.blocks for p in check("ws://h/", "CP", secret=Secret("x"))] == [False]


def test_nobody_knows_how_a_charger_out_of_reach_is() -> None:
    address = NetAddress(host="10.0.0.7")
    way = Way(driver_id="any", address=address, source=SourceKind.MDNS, seen_at=datetime.now(UTC))
    unit = Unit(unit_id="u1", ways=(way,), health=Health.GOOD, state="Charging")
    roster = Roster()
    roster.replace(unit)
    assert roster.units["u1"].health is Health.GOOD
    roster.absent(address, SourceKind.MDNS)
    gone = roster.units["u1"]
    assert (gone.is_present, gone.health, gone.state) == (False, Health.UNKNOWN, "")
