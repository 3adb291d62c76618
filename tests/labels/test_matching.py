"""A label finds its line of the list and its charger; what is only alike is stopped."""

from __future__ import annotations

import time

import pytest

from app.labels.label import parse
from app.labels.matching import Match, Target, Verdict, match
from app.model.address import OcppAddress
from app.model.unit import Claim, ClaimKind, Identity, SourceKind, Unit, Way
from app.settings import Listed
from tests.labels.kit import NOW


def unit(key: str, *, dials: str = "", **identity: str) -> Unit:
    address = OcppAddress(identity=dials or key)
    way = Way(driver_id="ocpp-local", address=address, source=SourceKind.DIAL_IN, seen_at=NOW)
    claims = (Claim(ClaimKind.MAC, "001122AABBCC"),) if identity.pop("has_mac", "") else ()
    return Unit(unit_id=key, identity=Identity(claims=claims, **identity), ways=(way,))


LISTED = (
    Listed(serial="WB-4711-0042", identity="GARAGE-01"),
    Listed(serial="WB-4711-0043", identity="GARAGE-02"),
    Listed(identity="CP-Ost"),
)
UNITS = (unit("u1", serial="wb47110042"), unit("u2", dials="GARAGE-02"), unit("u3", has_mac="yes", serial="Q777"))


def found(text: str) -> Match:
    return match(parse(text), LISTED, UNITS)


def names(targets: tuple[Target, ...]) -> list[tuple[str, str]]:
    return [(item.row.identity if item.row else "", item.unit.unit_id if item.unit else "") for item in targets]


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("WB-4711-0042", [("GARAGE-01", "u1")]),
        ("wb 4711 0042", [("GARAGE-01", "u1")]),
        ("SN: WB47110042; PIN: 1", [("GARAGE-01", "u1")]),
        ("GARAGE-02", [("GARAGE-02", "u2")]),
        ("wss://csms.example/ocpp/CP-Ost", [("CP-Ost", "")]),
        ("00:11:22:aa:bb:cc", [("", "u3")]),
        ("001122AABBCC", [("", "u3")]),
        ("https://example.com/d/q777", [("", "u3")]),
        ("SN: Q777 MAC: 001122AABBCC", [("", "u3")]),
    ],
)
def test_a_label_finds_its_charger(text: str, targets: list[tuple[str, str]]) -> None:
    result = found(text)
    assert result.verdict is Verdict.EXACT
    assert names(result.targets) == targets


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("WB-4711-OO42", "WB-4711-0042"),
        ("GARAGE-O1", "GARAGE-01"),
        ("garage-01", "GARAGE-01"),
        ("GARAGE 01", "GARAGE-01"),
        ("CP-0st", "CP-Ost"),
        ("0777", ""),
        ("СP-Ost", "CP-Ost"),
    ],
)
def test_what_only_looks_alike_is_stopped(text: str, stands: str) -> None:
    result = found(text)
    assert result.verdict is (Verdict.ALIKE if stands else Verdict.UNKNOWN)
    if stands:
        assert (result.alike[0].scanned, result.alike[0].stands) == (text, stands)
        assert result.targets == (result.alike[0].target,)


def test_a_label_that_names_two_chargers_says_so() -> None:
    result = found("SN: WB-4711-0042; MAC: 00:11:22:AA:BB:CC")
    assert result.verdict is Verdict.TWICE
    assert names(result.targets) == [("GARAGE-01", "u1"), ("", "u3")]


def test_two_chargers_with_one_identity_are_both_named() -> None:
    result = match(parse("CP-9"), (Listed(identity="CP-9"),), (unit("u1", dials="CP-9"), unit("u2", dials="CP-9")))
    assert result.verdict is Verdict.TWICE
    assert names(result.targets) == [("CP-9", "u1"), ("CP-9", "u2")]


def test_a_charger_that_told_no_serial_number_yet_is_the_one_on_the_list() -> None:
    assert names(found("WB-4711-0043").targets) == [("GARAGE-02", "u2")]


def test_one_that_told_another_is_not() -> None:
    result = match(parse("GARAGE-02"), LISTED, (unit("u2", dials="GARAGE-02", serial="WB-0000-9999"),))
    assert result.verdict is Verdict.TWICE


def test_an_exact_find_still_names_those_it_is_mixed_up_with() -> None:
    result = match(parse("CP-18"), (Listed(identity="CP-18"), Listed(identity="CP-1B")), ())
    assert result.verdict is Verdict.EXACT
    assert [item.stands for item in result.alike] == ["CP-1B"]


def test_an_unknown_label_is_offered_by_its_surest_name() -> None:
    result = found("SN: NEW-1; ID: X")
    assert (result.verdict, result.name) == (Verdict.UNKNOWN, "NEW-1")


def test_a_label_without_a_name() -> None:
    assert match(parse("4006381333931", is_article=True), LISTED, UNITS).verdict is Verdict.NAMELESS


def test_five_thousand_lines_do_not_keep_anybody_waiting() -> None:
    listed = tuple(Listed(serial=f"WB-{number:06d}", identity=f"CP-{number:06d}") for number in range(5000))
    began = time.process_time()
    assert match(parse("WB-004711"), listed, UNITS).verdict is Verdict.EXACT
    assert time.process_time() - began < 2
