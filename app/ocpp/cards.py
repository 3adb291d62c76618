"""The authorisation list: which cards may charge, and which spelling of a card's number was meant. Pure.

Readers of one and the same RFID card disagree about its number: upper or lower case, with colons or without, lowest or
highest byte first. OCPP compares case-insensitively (1.6 §7.28 CiString20, P2-201 IdTokenType identifierString) and
says nothing of the rest, so a list made on one reader refuses the cards held to another.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from app.model.card import OWN_TAG, Card, CardStatus, Mode

MAX_CARDS = 50_000
"""Cards kept in one list [OURS]."""
MAX_LEARNT = 5_000
"""Cards that learn mode enters by itself [OURS]: a charger that makes up numbers fills no disk."""
UID_BYTES = (4, 7, 8, 10)
"""Lengths of card numbers: ISO 14443-3 single, double and triple size; ISO 15693-3 has eight."""
VALUE_LIMIT = 255
"""OCPP 2.1 IdTokenType.idToken; 2.0.1 has 36, 1.6 has 20."""
LABEL_LIMIT = 120

_SEPARATORS = re.compile(r"[\s:._-]")
_HEX = re.compile(r"[0-9A-F]+\Z")


class Spelling(Enum):
    """How the number that came differs from the number in the list."""

    SAME = "as listed"
    CASE = "other case"
    SEPARATED = "other separators"
    REVERSED = "bytes in reverse order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was answered to one card held to one charger, and why."""

    identity: str
    uid: str
    kind: str
    status: CardStatus
    at: datetime
    mode: Mode
    card: Card | None = None
    spelling: Spelling | None = None
    is_new: bool = False
    """Learn mode entered it with this decision."""

    @property
    def why(self) -> str:
        """Say why, in words."""
        if self.is_new:
            return "not in the list; entered now"
        if self.card is None and self.uid.upper() == OWN_TAG:
            return "our own remote start"
        if self.card is None:
            return "not in the list" + ("; every card is accepted" if self.status is CardStatus.ACCEPTED else "")
        how = "" if self.spelling in (None, Spelling.SAME, Spelling.CASE) else f", {self.spelling.value}"
        return f"listed as {self.card.uid}{how}"


@functools.lru_cache(maxsize=4096)
def plain(uid: str) -> str:
    """Return a card's number without case and separators."""
    return _SEPARATORS.sub("", uid.upper()) or uid.strip().upper()


@functools.lru_cache(maxsize=4096)
def reversed_bytes(uid: str) -> str:
    """Return the number with its bytes in the other order; empty where it is not the number of a card."""
    number = plain(uid)
    if not _HEX.match(number) or len(number) % 2 or len(number) // 2 not in UID_BYTES:
        return ""
    return bytes.fromhex(number)[::-1].hex().upper()


def spellings(uid: str) -> tuple[str, ...]:
    """List the ways in which readers write this card's number, the plain one first."""
    found = [plain(uid)]
    if other := reversed_bytes(uid):
        found += [number for number in (other, *map(_with_colons, (found[0], other))) if number not in found]
    return tuple(found)


def _with_colons(number: str) -> str:
    return ":".join(number[at : at + 2] for at in range(0, len(number), 2))


def respelled(uid: str, held: str, spelling: Spelling) -> str:
    """Write a card's number as a reader does that wrote another as ``held``; ``spelling`` says how that differed.

    What is not the number of a card stays as it is.
    """
    other = reversed_bytes(uid)
    if not other:
        return uid
    number = other if spelling is Spelling.REVERSED else plain(uid)
    if number != plain(uid) or ":" in held:
        return _with_colons(number) if ":" in held else number
    return uid


def pseudonym(uid: str, key: bytes) -> str:
    """Return a name for a card in reports and ledgers: the same for each of its spellings, telling nothing of it.

    ``key`` (16 bytes or more) makes it hold: a bare hash of four bytes is guessed in seconds.
    """
    number = min(plain(uid), reversed_bytes(uid) or plain(uid))
    return "card-" + hmac.new(key, number.encode(errors="replace"), hashlib.sha256).hexdigest()[:12]


class CardBook:
    """The list and its mode. ``decide`` answers and, in learn mode, enters; keeping it on disk is the desk's work."""

    def __init__(self, cards: Iterable[Card] = (), mode: Mode = Mode.ACCEPT) -> None:
        self.mode = mode
        self._cards: dict[str, Card] = {}
        self._learnt = 0
        for card in cards:
            self.put(card)

    @property
    def cards(self) -> Mapping[str, Card]:
        """Return the cards by their plain number, in the order they were entered."""
        return self._cards

    def put(self, card: Card) -> Card:
        """Enter a card, or replace the one of the same number; return it as it is kept.

        Raises ValueError without a number or when full.
        """
        uid = card.uid.strip()
        if not uid or len(uid) > VALUE_LIMIT or not uid.isprintable():
            raise ValueError(f"a card's number has 1 to {VALUE_LIMIT} printable characters")
        key = plain(uid)
        if key not in self._cards and len(self._cards) >= MAX_CARDS:
            raise ValueError(f"the list is full ({MAX_CARDS:,} cards)")
        self._cards[key] = replace(card, uid=uid, label=card.label[:LABEL_LIMIT])
        return self._cards[key]

    def remove(self, uid: str) -> bool:
        """Take a card out; say whether it was there."""
        return self._cards.pop(plain(uid), None) is not None

    def find(self, uid: str) -> tuple[Card, Spelling] | None:
        """Find the card a number means, and how its spelling differs. The number as it stands goes before all else."""
        key = plain(uid)
        if (card := self._cards.get(key)) is not None:
            return card, _difference(uid, card.uid)
        other = reversed_bytes(uid)
        if other and (card := self._cards.get(other)) is not None:
            return card, Spelling.REVERSED
        return None

    def decide(self, identity: str, uid: str, now: datetime, *, kind: str = "") -> Decision:
        """Answer a card held to a charger."""
        uid = uid[:VALUE_LIMIT]
        card, spelling = self.find(uid) or (None, None)
        if card is not None:
            status, is_new = card.status_at(now), False
        else:
            status, is_new, card = self._stranger(identity, uid, now, kind)
        return Decision(
            identity=identity,
            uid=uid,
            kind=kind,
            status=status,
            at=now,
            mode=self.mode,
            card=card,
            spelling=spelling,
            is_new=is_new,
        )

    def _stranger(self, identity: str, uid: str, now: datetime, kind: str) -> tuple[CardStatus, bool, Card | None]:
        if uid.upper() == OWN_TAG:
            return CardStatus.ACCEPTED, False, None
        if self.mode is Mode.LIST:
            return CardStatus.UNKNOWN, False, None
        if self.mode is Mode.ACCEPT or kind in _CARDLESS or self._learnt >= MAX_LEARNT:
            return CardStatus.ACCEPTED, False, None
        try:
            card = self.put(Card(uid=uid, kind=kind, learnt_from=identity, added_at=now))
        except ValueError:
            return CardStatus.INVALID, False, None
        self._learnt += 1
        return CardStatus.ACCEPTED, True, card


_CARDLESS = frozenset({"NoAuthorization", "Central", "Local", "DirectPayment"})
"""Kinds of token (P2-201 IdTokenEnumType) that no card stands behind: nothing to learn."""


def _difference(uid: str, listed: str) -> Spelling:
    if uid == listed:
        return Spelling.SAME
    return Spelling.CASE if uid.upper() == listed.upper() else Spelling.SEPARATED
