"""What is remembered of an identity from one connection to the next. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

from app.model.observation import Ended, Returned

MAX_TRANSACTIONS = 500
MAX_TOLD = 200
AFTER_RESET_S = 120.0
"""A connection that ends so soon after an accepted Reset ended because of it [OURS]."""


class Past:
    """The transactions an identity was heard of with, what it told lately, and how its last connection ended."""

    __slots__ = ("_ended", "_reset_at", "_told", "_transactions")

    def __init__(self) -> None:
        self._transactions: dict[str, bool] = {}
        self._told: dict[Hashable, None] = {}
        self._ended: Ended | None = None
        self._reset_at: datetime | None = None

    def begun(self, transaction: object, *, is_ours: bool = True) -> None:
        """Learn of a transaction; ``is_ours``: it began with us."""
        self._transactions.setdefault(str(transaction), is_ours)
        _trim(self._transactions, MAX_TRANSACTIONS)

    def is_new(self, transaction: object) -> bool:
        """Say whether nothing was ever heard of a transaction."""
        return str(transaction) not in self._transactions

    def is_ours(self, transaction: object) -> bool:
        """Say whether a transaction began with us."""
        return self._transactions.get(str(transaction), False)

    def told_again(self, what: Hashable) -> bool:
        """Say whether the same was told before, and remember it."""
        if what in self._told:
            return True
        self._told[what] = None
        _trim(self._told, MAX_TOLD)
        return False

    def reset(self, at: datetime) -> None:
        """Learn that it accepted a Reset."""
        self._reset_at = at

    def ended(self, ended: Ended) -> None:
        """Learn how a connection ended."""
        self._ended = ended

    def returned(self, identity: str, at: datetime) -> Returned | None:
        """Tell of its return; ``None`` where it was not here before."""
        ended, reset_at = self._ended, self._reset_at
        self._ended, self._reset_at = None, None
        if ended is None:
            return None
        since_s = (ended.at - reset_at).total_seconds() if reset_at is not None else -1.0
        return Returned(
            identity=identity,
            gone_s=max(0.0, (at - ended.at).total_seconds()),
            is_after_reset=0.0 <= since_s <= AFTER_RESET_S,
            is_by_us=ended.is_by_us,
        )


def _trim(memory: dict[Hashable, object] | dict[str, bool] | dict[Hashable, None], limit: int) -> None:
    if len(memory) > limit:
        del memory[next(iter(memory))]  # type: ignore[arg-type]
