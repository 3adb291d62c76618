"""Cards held to real connections: what chargers of each version are told, and what goes into their local lists."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.errors import NotSupported, ValueRejected
from app.model.card import Card, CardStatus, Mode
from app.ocpp.cards import Spelling
from app.ocpp.services import locallist
from tests.services.kit import Peer, bench, settings16

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
START = {"connectorId": 1, "idTag": "", "meterStart": 0, "timestamp": "2026-11-22T12:00:00Z"}


def tx2(token: str, kind: str = "ISO14443") -> dict[str, Any]:
    return {
        "eventType": "Started",
        "timestamp": "2026-11-22T12:00:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1"},
        "idToken": {"idToken": token, "type": kind},
        "evse": {"id": 1, "connectorId": 1},
    }


async def told(peer: Peer, token: str) -> list[str]:
    """Return what a card is told at the reader and at the start of a session."""
    if peer.version == "1.6":
        first = await peer.ask("Authorize", {"idTag": token})
        second = await peer.ask("StartTransaction", {**START, "idTag": token})
        return [first["idTagInfo"]["status"], second["idTagInfo"]["status"]]
    first = await peer.ask("Authorize", {"idToken": {"idToken": token, "type": "ISO14443"}})
    second = await peer.ask("TransactionEvent", tx2(token))
    return [first["idTokenInfo"]["status"], second["idTokenInfo"]["status"]]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_card_is_told_the_same_at_the_reader_and_at_the_start(tmp_path: Path, version: str) -> None:
    unknown = "Invalid" if version == "1.6" else "Unknown"
    async with bench(tmp_path) as here, here.peer(version) as peer:
        cards = here.desk.cards
        assert await told(peer, "STRANGER") == ["Accepted", "Accepted"]
        cards.put([Card(uid="04A2B3C4"), Card(uid="BAD", status=CardStatus.BLOCKED)], NOW)
        cards.choose(Mode.LIST)
        assert await told(peer, "04a2b3c4") == ["Accepted", "Accepted"]
        assert await told(peer, "C4B3A204") == ["Accepted", "Accepted"]
        assert await told(peer, "BAD") == ["Blocked", "Blocked"]
        assert await told(peer, "STRANGER") == [unknown, unknown]
        assert [decision.spelling for decision in cards.recent if decision.uid == "C4B3A204"] == [Spelling.REVERSED] * 2


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_learn_mode_enters_what_is_held(tmp_path: Path, version: str) -> None:
    async with bench(tmp_path) as here, here.peer(version) as peer:
        here.desk.cards.choose(Mode.LEARN)
        assert await told(peer, "04a2b3c4d5e6f7") == ["Accepted", "Accepted"]
        (card,) = here.desk.cards.cards
        assert (card.uid, card.learnt_from) == ("04a2b3c4d5e6f7", "CP-1")
        assert here.store.cards.all() == (card,)


# Local list


class ListOf16:
    """A charge point's local list, by the book."""

    def __init__(self, most: int = 100, per_message: int = 10) -> None:
        self.version = 0
        self.tags: dict[str, Any] = {}
        self.most, self.per_message = most, per_message

    def send(self, request: dict[str, Any]) -> dict[str, Any]:
        entries = request.get("localAuthorizationList", [])
        if len(entries) > self.per_message:
            return {"status": "Failed"}
        if request["updateType"] == "Full":
            self.tags = {}
        elif request["listVersion"] <= self.version:
            return {"status": "VersionMismatch"}
        for entry in entries:
            if "idTagInfo" in entry:
                self.tags[entry["idTag"]] = entry["idTagInfo"]
            else:
                self.tags.pop(entry["idTag"], None)
        self.version = request["listVersion"]
        return {"status": "Accepted"}

    def answers(self) -> dict[str, Any]:
        limits = settings16(
            LocalAuthListEnabled="true",
            LocalAuthListMaxLength=str(self.most),
            SendLocalListMaxLength=str(self.per_message),
        )
        return {
            "SendLocalList": self.send,
            "GetLocalListVersion": lambda _: {"listVersion": self.version},
            "GetConfiguration": limits,
        }


async def test_a_list_goes_in_full_and_then_only_what_changed(tmp_path: Path) -> None:
    unit = ListOf16()
    async with bench(tmp_path) as here, here.peer("1.6", **unit.answers()) as peer:
        cards = here.desk.cards
        cards.put([Card(uid=f"CARD{number:02}") for number in range(25)], NOW)
        first = await locallist.send_list(here.endpoint(), cards.cards, cards.shelf)
        assert (first.is_done, first.messages, first.version, first.read_back) == (True, 3, 3, 3)
        assert len(unit.tags) == 25
        cards.remove(["CARD00"])
        cards.put([Card(uid="CARD01", status=CardStatus.BLOCKED), Card(uid="NEW", expires_at=NOW)], NOW)
        second = await locallist.send_list(here.endpoint(), cards.cards, cards.shelf)
        assert (second.is_done, second.update.value, second.messages) == (True, "Differential", 1)
        assert len(peer.sent("SendLocalList")[-1]["localAuthorizationList"]) == 3
        assert set(unit.tags) == {card.uid for card in cards.cards}
        assert unit.tags["CARD01"] == {"status": "Blocked"}
        third = await locallist.send_list(here.endpoint(), cards.cards, cards.shelf)
        assert (third.is_done, third.messages) == (True, 0)


@pytest.mark.parametrize(
    ("held", "sent"),
    [("C4B3A204", "F7E6D5C4B3A204"), ("c4:b3:a2:04", "F7:E6:D5:C4:B3:A2:04"), ("04A2B3C4", "04A2B3C4D5E6F7")],
)
async def test_the_list_goes_out_as_this_charger_reads_cards(tmp_path: Path, held: str, sent: str) -> None:
    unit = ListOf16()
    async with bench(tmp_path) as here, here.peer("1.6", **unit.answers()) as peer:
        cards = here.desk.cards
        cards.put([Card(uid="04A2B3C4"), Card(uid="04A2B3C4D5E6F7"), Card(uid="DE-8XX-000001")], NOW)
        await peer.ask("Authorize", {"idTag": held})
        spell = partial(cards.spelled_for, "CP-1")
        await locallist.send_list(here.endpoint(), cards.cards, cards.shelf, spell=spell)
        assert sent in unit.tags
        assert "DE-8XX-000001" in unit.tags
        assert len(unit.tags) == 3


async def test_a_unit_that_lost_its_list_gets_all_of_it(tmp_path: Path) -> None:
    unit = ListOf16()
    async with bench(tmp_path) as here, here.peer("1.6", **unit.answers()):
        here.desk.cards.put([Card(uid="A"), Card(uid="B")], NOW)
        await locallist.send_list(here.endpoint(), here.desk.cards.cards, here.store.cards)
        unit.version, unit.tags = 0, {}
        again = await locallist.send_list(here.endpoint(), here.desk.cards.cards, here.store.cards)
        assert (again.update.value, again.is_done) == ("Full", True)
        assert set(unit.tags) == {"A", "B"}


async def test_a_list_longer_than_the_unit_takes_is_not_sent(tmp_path: Path) -> None:
    unit = ListOf16(most=3)
    async with bench(tmp_path) as here, here.peer("1.6", **unit.answers()) as peer:
        here.desk.cards.put([Card(uid=f"C{number}") for number in range(4)], NOW)
        with pytest.raises(ValueRejected, match="takes 3"):
            await locallist.send_list(here.endpoint(), here.desk.cards.cards, here.store.cards)
        assert not peer.sent("SendLocalList")


async def test_a_unit_that_says_accepted_and_keeps_its_version_is_caught(tmp_path: Path) -> None:
    answers = {"SendLocalList": {"status": "Accepted"}, "GetLocalListVersion": {"listVersion": 7}}
    async with bench(tmp_path) as here, here.peer("1.6", **answers):
        here.desk.cards.put([Card(uid="A"), Card(uid="X" * 30)], NOW)
        result = await locallist.send_list(here.endpoint(), here.desk.cards.cards, here.store.cards)
        assert not result.is_done
        assert "names version 7, not 8" in result.text
        assert result.left_out == ("X" * 30,)


async def test_a_station_of_2_0_1_is_sent_tokens_with_their_kind(tmp_path: Path) -> None:
    version = [0]

    def send(request: dict[str, Any]) -> dict[str, Any]:
        version[0] = request["versionNumber"]
        return {"status": "Accepted"}

    answers = {"SendLocalList": send, "GetLocalListVersion": lambda _: {"versionNumber": version[0]}}
    async with bench(tmp_path) as here, here.peer("2.0.1", **answers) as peer:
        here.desk.cards.put([Card(uid="04A2", kind="ISO15693", group="G1")], NOW)
        result = await locallist.send_list(here.endpoint(), here.desk.cards.cards, here.store.cards)
        assert result.is_done
        (entry,) = peer.sent("SendLocalList")[0]["localAuthorizationList"]
        assert entry["idToken"] == {"idToken": "04A2", "type": "ISO15693"}


async def test_versions_and_cache_are_explained(tmp_path: Path) -> None:
    answers = {"GetLocalListVersion": {"listVersion": -1}, "ClearCache": {"status": "Rejected"}}
    async with bench(tmp_path) as here, here.peer("1.6", **answers) as peer:
        assert "no local list" in locallist.version_words(await locallist.list_version(here.endpoint()))
        assert (await locallist.clear_cache(here.endpoint()))[0] == "Rejected"
        del peer.answers["ClearCache"]
        with pytest.raises(NotSupported):
            await locallist.clear_cache(here.endpoint())
