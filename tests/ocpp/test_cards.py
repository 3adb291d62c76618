"""The authorisation list: which card is meant, what it is told, what comes back from disk and from a CSV."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import ValueRejected
from app.model.card import OWN_TAG, Card, CardStatus, Mode
from app.ocpp import cardfile
from app.ocpp.cards import CardBook, Spelling, plain, pseudonym, reversed_bytes, spellings
from app.ocpp.services.carddesk import CardDesk
from app.storage.db import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def book(*uids: str, mode: Mode = Mode.LIST) -> CardBook:
    return CardBook([Card(uid=uid) for uid in uids], mode)


@pytest.mark.parametrize(
    ("listed", "held", "spelling"),
    [
        ("04A2B3C4", "04A2B3C4", Spelling.SAME),
        ("04A2B3C4", "04a2b3c4", Spelling.CASE),
        ("04A2B3C4", "04:a2:b3:c4", Spelling.SEPARATED),
        ("04A2B3C4", "04-A2-B3-C4", Spelling.SEPARATED),
        ("04 A2 B3 C4", "04A2B3C4", Spelling.SEPARATED),
        ("04A2B3C4", "C4B3A204", Spelling.REVERSED),
        ("04a2b3c4", "c4:b3:a2:04", Spelling.REVERSED),
        ("04A2B3C4D5E6F7", "F7E6D5C4B3A204", Spelling.REVERSED),
        ("08112233445566778899", "99887766554433221108", Spelling.REVERSED),
        ("DE-8XX-000001", "de-8xx-000001", Spelling.CASE),
    ],
)
def test_a_card_is_known_in_every_spelling(listed: str, held: str, spelling: Spelling) -> None:
    decision = book(listed).decide("CP-1", held, NOW)
    assert decision.status is CardStatus.ACCEPTED
    assert decision.spelling is spelling


@pytest.mark.parametrize("held", ["C4B3A205", "04A2B3", "A204C4B3", "04A2B3C4D5", "", "C4B3A20"])
def test_another_card_is_not_taken_for_a_listed_one(held: str) -> None:
    assert book("04A2B3C4").decide("CP-1", held, NOW).status is CardStatus.UNKNOWN


def test_bytes_are_turned_only_in_numbers_as_long_as_a_card_has() -> None:
    assert reversed_bytes("A1B2C3") == ""
    assert reversed_bytes("ADMIN-CARD") == ""
    assert book("ABCDEF").decide("CP-1", "EFCDAB", NOW).card is None


def test_the_number_as_it_stands_goes_before_its_mirror_image() -> None:
    both = CardBook([Card(uid="04A2B3C4", label="first"), Card(uid="C4B3A204", label="second")], Mode.LIST)
    found = both.decide("CP-1", "c4b3a204", NOW).card
    assert found is not None
    assert found.label == "second"


def test_a_refused_card_says_so_in_the_words_of_the_version() -> None:
    status = book().decide("CP-1", "NOBODY", NOW).status
    assert (status.wire("1.6"), status.wire("2.0.1")) == ("Invalid", "Unknown")


def test_accept_mode_lets_strangers_charge_but_not_blocked_cards() -> None:
    cards = CardBook([Card(uid="BAD", status=CardStatus.BLOCKED)], Mode.ACCEPT)
    assert cards.decide("CP-1", "STRANGER", NOW).status is CardStatus.ACCEPTED
    assert cards.decide("CP-1", "bad", NOW).status is CardStatus.BLOCKED
    assert "STRANGER" not in cards.cards


def test_an_expired_card_is_told_so() -> None:
    cards = CardBook([Card(uid="OLD", expires_at=NOW)], Mode.LIST)
    assert cards.decide("CP-1", "OLD", NOW - timedelta(seconds=1)).status is CardStatus.ACCEPTED
    assert cards.decide("CP-1", "OLD", NOW).status is CardStatus.EXPIRED


def test_learn_mode_enters_a_card_once_and_remembers_where() -> None:
    cards = book(mode=Mode.LEARN)
    first = cards.decide("CP-7", "04a2b3c4", NOW, kind="ISO14443")
    assert (first.status, first.is_new) == (CardStatus.ACCEPTED, True)
    again = cards.decide("CP-8", "C4B3A204", NOW)
    assert (again.is_new, again.spelling) == (False, Spelling.REVERSED)
    assert [(card.uid, card.kind, card.learnt_from) for card in cards.cards.values()] == [
        ("04a2b3c4", "ISO14443", "CP-7")
    ]


@pytest.mark.parametrize("mode", list(Mode))
def test_our_own_remote_start_is_let_in_and_never_learnt(mode: Mode) -> None:
    cards = book(mode=mode)
    decision = cards.decide("CP-1", OWN_TAG, NOW)
    assert (decision.status, decision.why) == (CardStatus.ACCEPTED, "our own remote start")
    assert not cards.cards
    cards.put(Card(uid=OWN_TAG, status=CardStatus.BLOCKED))
    assert cards.decide("CP-1", OWN_TAG, NOW).status is CardStatus.BLOCKED


@pytest.mark.parametrize("kind", ["NoAuthorization", "Central"])
def test_learn_mode_enters_no_token_without_a_card(kind: str) -> None:
    cards = book(mode=Mode.LEARN)
    assert cards.decide("CP-1", "button", NOW, kind=kind).status is CardStatus.ACCEPTED
    assert not cards.cards


def test_a_unit_that_makes_up_numbers_fills_no_list() -> None:
    cards = book(mode=Mode.LEARN)
    for number in range(6000):
        cards.decide("CP-1", f"{number:08X}", NOW)
    assert len(cards.cards) == 5000
    assert cards.decide("CP-1", "\x00\n", NOW).status in (CardStatus.ACCEPTED, CardStatus.INVALID)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=7, max_size=7) | st.binary(min_size=10, max_size=10))
def test_every_spelling_finds_the_card_and_has_one_pseudonym(number: bytes) -> None:
    listed = number.hex()
    cards = book(listed)
    for held in spellings(listed):
        assert cards.find(held) is not None
        assert pseudonym(held, b"k" * 16) == pseudonym(listed, b"k" * 16)
    assert listed.upper() not in pseudonym(listed, b"k" * 16).upper()


@example(".\x85", "")
@given(st.text(max_size=400), st.text(max_size=30))
def test_nothing_a_charger_sends_breaks_the_book(uid: str, kind: str) -> None:
    for mode in Mode:
        decision = book("04A2B3C4", mode=mode).decide("CP-1", uid, NOW, kind=kind)
        assert decision.why
        assert len(decision.uid) <= 255


# The file


def test_cards_go_out_and_come_back_through_csv() -> None:
    cards = (
        Card(uid="04E12345", label="Müller; site", status=CardStatus.BLOCKED, expires_at=NOW, group="G1"),
        Card(uid="12345678", kind="ISO14443"),
        Card(uid="-=cmd", label="=1+1"),
    )
    back = cardfile.read(cardfile.write(cards))
    assert back.cards == cards
    assert not back.problems


def test_a_spreadsheet_is_kept_from_calculating() -> None:
    text = cardfile.write([Card(uid="04E12345", label="=HYPERLINK()")])
    assert "'04E12345" in text
    assert "'=HYPERLINK()" in text


@pytest.mark.parametrize(
    ("text", "uids"),
    [
        ("\ufeffidTag;parentIdTag\n04A2;G\n", ["04A2"]),
        ("ID_TAG\tnote\n04A2\tx\n", ["04A2"]),
        ("04A2B3C4\n04A2B3C5\n\n", ["04A2B3C4", "04A2B3C5"]),
        ("name,token\nMax,04A2\n", ["04A2"]),
        ("", []),
    ],
)
def test_files_of_other_programs_are_read(text: str, uids: list[str]) -> None:
    assert [card.uid for card in cardfile.read(text).cards] == uids


def test_what_can_not_be_read_is_named_by_its_line() -> None:
    back = cardfile.read("uid,status,expires\nA1,Fine,\nA2,Accepted,soon\nA3,accepted,2027-01-31\n,,\n,Blocked,\n")
    assert [card.uid for card in back.cards] == ["A3"]
    assert back.cards[0].expires_at == datetime(2027, 2, 1, tzinfo=UTC)
    assert [problem.partition(":")[0] for problem in back.problems] == ["line 2", "line 3", "line 5"]


@given(st.text(max_size=2000))
def test_any_text_is_a_list_or_has_problems(text: str) -> None:
    assert all(plain(card.uid) for card in cardfile.read(text).cards)


# On disk


def test_list_and_mode_survive_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "rehome.db")
    try:
        desk = CardDesk(store.cards)
        desk.choose(Mode.LEARN)
        desk.put([Card(uid="04A2B3C4", label="Anna", expires_at=NOW), Card(uid="GONE")], NOW)
        desk.decide("CP-1", "99887766", NOW)
        desk.remove(["gone"])
        desk.put([Card(uid="04:a2:b3:c4", label="Anna again")], NOW)
    finally:
        store.close()
    store = Store.open(tmp_path / "rehome.db")
    try:
        desk = CardDesk(store.cards)
        assert desk.mode is Mode.LEARN
        assert [(card.uid, card.label) for card in desk.cards] == [("04:a2:b3:c4", "Anna again"), ("99887766", "")]
    finally:
        store.close()


def test_a_bad_entry_leaves_the_list_as_it_was(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "rehome.db")
    try:
        desk = CardDesk(store.cards)
        with pytest.raises(ValueRejected):
            desk.put([Card(uid="GOOD"), Card(uid="  ")], NOW)
        assert desk.cards == ()
        assert store.cards.all() == ()
    finally:
        store.close()
