"""Label texts of known shapes are taken apart; secrets are never shown."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.labels.label import TEXT_LIMIT, Kind, parse
from app.model.secret import MASK


@pytest.mark.parametrize(
    ("text", "serial", "mac", "identity", "pins"),
    [
        ("SN: ABC-123; PIN: 4567", "ABC-123", "", "", ["4567"]),
        ("S/N=ABC123|MAC=00-11-22-aa-bb-cc|ID=CP_7", "ABC123", "00:11:22:AA:BB:CC", "CP_7", []),
        ("Serial No. X99 MAC 00:11:22:aa:bb:cc PIN 1234", "X99", "00:11:22:AA:BB:CC", "", ["1234"]),
        ("Model: M1\nSerial number: 4455\nWi-Fi password: hunter22", "4455", "", "", ["hunter22"]),
        ('{"sn": "A1", "device": {"mac": "001122aabbcc"}, "auth": {"x": "k1"}}', "A1", "00:11:22:AA:BB:CC", "", ["k1"]),
        ("(01)09501101530003(21)SN12345", "SN12345", "", "", []),
        ("https://id.gs1.org/01/09501101530003/21/XYZ9", "XYZ9", "", "", []),
        ("https://example.com/setup?serial=E1234&pin=99%389", "E1234", "", "", ["9989"]),
        ("wss://csms.example/ocpp/CP01?token=abcd", "", "", "CP01", ["abcd"]),
        ("https://installer:pw12@example.com/", "", "", "", ["pw12"]),
        ("0011.22aa.bbcc", "", "00:11:22:AA:BB:CC", "", []),
        ("WIFI:S:EVSE-4711;T:WPA;P:a\\;b\\\\c;;", "", "", "", ["a;b\\c"]),
    ],
)
def test_a_known_shape_is_taken_apart(text: str, serial: str, mac: str, identity: str, pins: list[str]) -> None:
    label = parse(text)
    assert (label.serial, label.mac, label.identity) == (serial, mac, identity)
    assert [secret.reveal() for _, secret in label.secrets] == pins
    for pin in pins:
        assert pin not in label.shown
        assert MASK in label.shown


@pytest.mark.parametrize("text", ["WB-4711-0042", "SN-12345", "DE*ABC*E1234*1", "ünbekannt 7", "https://[::1", "[[[["])
def test_an_unknown_text_is_one_candidate(text: str) -> None:
    label = parse(text)
    assert label.kind is Kind.PLAIN
    assert label.names == (text,)
    assert label.shown == text


def test_what_lies_too_deep_is_not_shown_either() -> None:
    text = '{"password": "geheim77"}'
    for _ in range(9):
        text = '{"a": ' + text + "}"
    assert "geheim77" not in parse(text).shown


def test_a_slash_at_the_end_is_no_identity() -> None:
    assert parse("wss://csms.example/ocpp/CP01/").identity == "CP01"
    assert parse("wss://csms.example").identity == ""


def test_twelve_hexadecimal_digits_may_be_a_serial_number_too() -> None:
    assert parse("001122AABBCC").names == ("00:11:22:AA:BB:CC", "001122AABBCC")


def test_the_name_of_a_network_holds_the_serial_number() -> None:
    assert parse("WIFI:T:WPA;S:EVSE_4711-X;P:secret;;").names == ("EVSE_4711-X", "4711")


def test_an_article_number_names_no_charger() -> None:
    label = parse("4006381333931", is_article=True)
    assert label.kind is Kind.ARTICLE
    assert not label.names


@pytest.mark.parametrize("text", ["", " \r\n", "\0\x07\u200b"])
def test_nothing_is_nothing(text: str) -> None:
    assert parse(text).kind is Kind.EMPTY


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20)


@given(SECRETS)
def test_no_shape_shows_a_password(password: str) -> None:
    escaped = "".join(f"\\{char}" if char in '\\;,":' else char for char in password)
    quoted = urllib.parse.quote(password, safe="")
    for text in (
        f"WIFI:S:EVSE;T:WPA;P:{escaped};;",
        f"WIFI:S:EVSE;T:WPA;P:{password};;",
        f"SN: AB12 PASSWORD: {password}",
        f"Password {password}",
        f"https://example.com/x?sn=1234&password={quoted}",
        f"https://user:{quoted}@example.com/x",
        json.dumps({"password": password, "sn": "1234"}),
    ):
        label = parse(text)
        # A password with what looks like a field ("SN=…") in it ends there: only its beginning is known as one.
        if [secret.reveal() for _, secret in label.secrets] == [password]:
            assert password not in label.shown
            assert escaped not in label.shown
            assert quoted not in label.shown
            assert password not in repr(label)


@given(st.text(max_size=3000))
def test_any_text_ends_as_a_bounded_label(text: str) -> None:
    label = parse(text)
    assert len(label.shown) <= 4 * TEXT_LIMIT
    assert len(label.names) <= 30
    assert all(name.strip() for name in label.names)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=9),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_any_json_ends_as_a_label(value: object) -> None:
    parse(json.dumps(value))
