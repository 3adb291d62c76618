"""The authorisation list at work: answers chargers, keeps itself on disk, tells what it decided."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from app.errors import StoreError, ValueRejected
from app.feed import Feed
from app.model.card import Card, Mode, SentList
from app.ocpp import cardfile
from app.ocpp.cardfile import CardFile
from app.ocpp.cards import CardBook, Decision, Spelling, plain, respelled, reversed_bytes

log = logging.getLogger(__name__)

MAX_DECISIONS = 500
MAX_READERS = 2_000
"""Chargers whose spelling is remembered."""
FILE_LIMIT = 10_000_000
"""Bytes of a CSV file."""


class CardShelf(Protocol):
    """Where cards are kept (``storage.cards.CardStore``)."""

    def put(self, cards: Iterable[tuple[str, Card]]) -> None:
        """Store cards with their plain numbers."""
        ...

    def remove(self, numbers: Iterable[str]) -> None:
        """Delete cards."""
        ...

    def all(self) -> tuple[Card, ...]:
        """Return every card."""
        ...

    def mode(self) -> Mode:
        """Return the mode."""
        ...

    def set_mode(self, mode: Mode) -> None:
        """Choose the mode."""
        ...

    def sent_list(self, identity: str) -> SentList | None:
        """Return the local list a charger took last."""
        ...

    def keep_list(self, sent: SentList) -> None:
        """Remember the local list a charger has now."""
        ...


class CardDesk:
    """One list for all chargers on our endpoint. ``changes`` tells that list or mode changed; ``decisions`` each card.

    Raises StoreError where the disk does not take a change; then nothing changed.
    """

    def __init__(self, shelf: CardShelf) -> None:
        self.shelf = shelf
        self.book = CardBook(shelf.all(), shelf.mode())
        self.changes: Feed[None] = Feed()
        self.decisions: Feed[Decision] = Feed()
        self._recent: deque[Decision] = deque(maxlen=MAX_DECISIONS)
        self._readers: dict[str, tuple[str, Spelling]] = {}

    @property
    def mode(self) -> Mode:
        """Return what becomes of cards that are not in the list."""
        return self.book.mode

    @property
    def cards(self) -> tuple[Card, ...]:
        """Return all cards in the order they were entered."""
        return tuple(self.book.cards.values())

    @property
    def recent(self) -> Sequence[Decision]:
        """Return the last decisions, newest last."""
        return tuple(self._recent)

    def decide(self, identity: str, uid: str, now: datetime, *, kind: str = "") -> Decision:
        """Answer a card held to a charger; never raises. What learn mode enters is kept on disk."""
        decision = self.book.decide(identity, uid, now, kind=kind)
        if decision.is_new and decision.card is not None:
            try:
                self.shelf.put([(plain(decision.card.uid), decision.card)])
            except StoreError as error:
                log.warning("a learnt card is not kept on disk: %s", error.message)
            self.changes.publish(None)
        if decision.spelling is not None and reversed_bytes(decision.uid):
            self._readers[identity] = (decision.uid, decision.spelling)
            if len(self._readers) > MAX_READERS:
                del self._readers[next(iter(self._readers))]
        self._recent.append(decision)
        self.decisions.publish(decision)
        return decision

    def spelled_for(self, identity: str, uid: str) -> str:
        """Write a card's number as this charger's reader does, as far as the last card held to it shows."""
        habit = self._readers.get(identity)
        return respelled(uid, *habit) if habit is not None else uid

    def choose(self, mode: Mode) -> None:
        """Choose what becomes of unknown cards."""
        self.shelf.set_mode(mode)
        self.book.mode = mode
        self.changes.publish(None)

    def put(self, cards: Iterable[Card], now: datetime) -> int:
        """Enter or replace cards, all or none; return how many. Raises ValueRejected for a card that is none."""
        entered = [replace(card, uid=card.uid.strip(), added_at=card.added_at or now) for card in cards]
        trial = CardBook(self.cards)
        try:
            for card in entered:
                trial.put(card)
        except ValueError as error:
            raise ValueRejected(f"This can't be entered: {error}.", "Correct the card's number.") from error
        self.shelf.put([(plain(card.uid), card) for card in entered])
        for card in entered:
            self.book.put(card)
        self.changes.publish(None)
        return len(entered)

    async def import_file(self, path: Path, now: datetime) -> CardFile:
        """Enter the cards of a CSV file; return what was read and what could not be. Raises StoreError."""
        try:
            size = (await asyncio.to_thread(path.stat)).st_size
            if size > FILE_LIMIT:
                raise StoreError(f"{path.name} is too long.", f"Take a file of at most {FILE_LIMIT // 1_000_000} MB.")
            text = await asyncio.to_thread(path.read_text, encoding="utf-8-sig", errors="replace")
        except OSError as error:
            raise StoreError(f"{path.name} can't be read: {error.strerror}.", "Choose another file.") from error
        found = cardfile.read(text)
        if found.cards:
            self.put(found.cards, now)
        return found

    async def export_file(self, path: Path) -> int:
        """Write all cards as CSV; return how many. Raises StoreError."""
        text = cardfile.write(self.cards)
        try:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8", newline="")
        except OSError as error:
            raise StoreError(f"{path.name} can't be written: {error.strerror}.", "Choose another folder.") from error
        return len(self.cards)

    def remove(self, uids: Iterable[str]) -> None:
        """Take cards out of the list."""
        numbers = [plain(uid) for uid in uids]
        self.shelf.remove(numbers)
        for number in numbers:
            self.book.remove(number)
        self.changes.publish(None)
