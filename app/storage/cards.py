"""The authorisation list on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import orjson

from app.model.card import Card, Mode, SentList
from app.model.coding import decode, encode
from app.storage.faults import storing

_PUT = "INSERT INTO cards (number, card) VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET card = excluded.card"


class CardStore:
    """Cards by their plain number. Every call is on disk when it returns (synchronous=FULL)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, cards: Iterable[tuple[str, Card]]) -> None:
        """Store cards with their plain numbers, all of them or none. Raises StoreError, DiskFull."""
        rows = [(number, _text(card)) for number, card in cards]
        with storing(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_PUT, rows)

    def remove(self, numbers: Iterable[str]) -> None:
        """Delete cards."""
        with storing(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM cards WHERE number = ?", [(number,) for number in numbers])

    def all(self) -> tuple[Card, ...]:
        """Return every card in the order they were entered; unreadable ones are left out."""
        with storing():
            rows = self._connection.execute("SELECT card FROM cards ORDER BY seq").fetchall()
        return tuple(card for (text,) in rows if (card := _card(text)) is not None)

    def mode(self) -> Mode:
        """Return what becomes of unknown cards; ``ACCEPT`` until something else was chosen."""
        with storing():
            row = self._connection.execute("SELECT mode FROM card_mode").fetchone()
        try:
            return Mode(row[0]) if row is not None else Mode.ACCEPT
        except ValueError:
            return Mode.ACCEPT

    def set_mode(self, mode: Mode) -> None:
        """Choose what becomes of unknown cards."""
        with storing():
            self._connection.execute("INSERT OR REPLACE INTO card_mode (only_one, mode) VALUES (1, ?)", (mode.value,))

    def sent_list(self, identity: str) -> SentList | None:
        """Return the local list a charger took last."""
        with storing():
            row = self._connection.execute("SELECT list FROM local_lists WHERE identity = ?", (identity,)).fetchone()
        try:
            return decode(SentList, orjson.loads(row[0])) if row is not None else None
        except ValueError:
            return None

    def keep_list(self, sent: SentList) -> None:
        """Remember the local list a charger has now."""
        text = orjson.dumps(encode(sent)).decode()
        with storing():
            self._connection.execute(
                "INSERT OR REPLACE INTO local_lists (identity, list) VALUES (?, ?)", (sent.identity, text)
            )


def _text(card: Card) -> str:
    return orjson.dumps(encode(card)).decode()


def _card(text: str) -> Card | None:
    try:
        return decode(Card, orjson.loads(text))
    except ValueError:
        return None
