"""The books of all identities, connected or not: what they told, their habits, how they are treated. Bounded."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime

from app.ocpp.events import IdToken
from app.ocpp.host import Authoriser, Habits
from app.ocpp.ledger import Ledger
from app.ocpp.manner import Manner
from app.ocpp.past import Past

MAX_REMEMBERED = 5000
"""Identities whose books are kept; more than may be connected at once (``Bounds.peers``)."""


@dataclass(slots=True)
class Books:
    """What is kept of one identity beyond its connections."""

    ledger: Ledger
    habits: Habits
    past: Past


class Shelf:
    """Books by identity, the longest unused first. ``judge`` says who judges id tokens at that moment."""

    def __init__(self, judge: Callable[[], Authoriser], connected: Container[str]) -> None:
        self.manners: dict[str, Manner] = {}
        self._judge = judge
        self._connected = connected
        self._books: OrderedDict[str, Books] = OrderedDict()
        self._transactions = itertools.count(int(datetime.now(UTC).timestamp()) & 0x3FFFFFFF)

    def manner(self, identity: str) -> Manner:
        """Return how an identity is treated, to be changed in place."""
        return self.manners.setdefault(identity, Manner())

    def opened(self, identity: str) -> Books:
        """Return the books of an identity that connects; new ones where there are none."""
        books = self._books.pop(identity, None)
        if books is None:

            def authorise(token: IdToken) -> str:
                return self._judge()(identity, token)

            ledger = Ledger(f"ocpp:{identity}", lambda: next(self._transactions), authorise=authorise)
            books = Books(ledger, Habits(), Past())
        self._books[identity] = books
        if len(self._books) > MAX_REMEMBERED:
            self._forget_one()
        books.ledger.manner = self.manner(identity)
        books.habits.forget_values()
        return books

    def _forget_one(self) -> None:
        """Forget the identity that was away longest; what is connected, or treated in a special way, is kept."""
        for identity in self._books:
            manner = self.manners.get(identity)
            if identity not in self._connected and (manner is None or manner.is_usual):
                del self._books[identity]
                self.manners.pop(identity, None)
                return
