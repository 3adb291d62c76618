"""The console's history and favourites on disk. Secrets are masked before they come here."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

import orjson

from app.model.coding import decode, encode
from app.model.exchange import Exchange, Favourite
from app.storage.faults import storing

KEPT = 200
"""Exchanges kept of one charger; older ones are dropped."""
MOST_FAVOURITES = 200
TEXT_LIMIT = 100_000
"""Characters of one exchange or favourite; longer ones are not kept."""

T = TypeVar("T", Exchange, Favourite)


class ConsoleStore:
    """Exchanges by identity, and favourites by title. Every call is on disk when it returns."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange that is over. Raises StoreError, DiskFull."""
        text = _text(exchange)
        if len(text) > TEXT_LIMIT:
            return
        with storing(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT INTO exchanges (identity, exchange) VALUES (?, ?)", (exchange.identity, text)
            )
            self._connection.execute(
                "DELETE FROM exchanges WHERE identity = ?1 AND seq <= "
                "(SELECT seq FROM exchanges WHERE identity = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                (exchange.identity, KEPT),
            )

    def of(self, identity: str) -> tuple[Exchange, ...]:
        """Return what was exchanged with a charger, oldest first; unreadable ones are left out."""
        with storing():
            rows = self._connection.execute(
                "SELECT exchange FROM exchanges WHERE identity = ? ORDER BY seq", (identity,)
            ).fetchall()
        return tuple(found for (text,) in rows if (found := _read(Exchange, text)) is not None)

    def forget(self, identity: str) -> None:
        """Delete what was exchanged with a charger."""
        with storing():
            self._connection.execute("DELETE FROM exchanges WHERE identity = ?", (identity,))

    def favourites(self) -> tuple[Favourite, ...]:
        """Return the favourites in the order of their titles."""
        with storing():
            rows = self._connection.execute(
                "SELECT favourite FROM favourites ORDER BY title COLLATE NOCASE LIMIT ?", (MOST_FAVOURITES,)
            ).fetchall()
        return tuple(found for (text,) in rows if (found := _read(Favourite, text)) is not None)

    def keep(self, favourite: Favourite) -> None:
        """Keep a favourite; one of the same title is replaced. Raises StoreError, DiskFull."""
        text = _text(favourite)
        if len(text) <= TEXT_LIMIT:
            with storing():
                self._connection.execute(
                    "INSERT OR REPLACE INTO favourites (title, favourite) VALUES (?, ?)", (favourite.title, text)
                )

    def drop(self, title: str) -> None:
        """Delete a favourite."""
        with storing():
            self._connection.execute("DELETE FROM favourites WHERE title = ?", (title,))


def _text(value: Exchange | Favourite) -> str:
    return orjson.dumps(encode(value)).decode()


def _read(kind: type[T], text: str) -> T | None:
    try:
        return decode(kind, orjson.loads(text))
    except ValueError:
        return None
