"""A card that may charge, or may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

OWN_TAG = "REHOME"
"""What our own remote starts identify with. It is always let in: no reader can read it from a card."""


class CardStatus(Enum):
    """What a card is told. ``UNKNOWN`` is an OCPP 2.x word; 1.6 says Invalid instead (§7.2)."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT = "ConcurrentTx"
    UNKNOWN = "Unknown"

    def wire(self, version: str) -> str:
        """Return the word of an OCPP version."""
        return "Invalid" if self is CardStatus.UNKNOWN and version == "1.6" else self.value


class Mode(Enum):
    """What becomes of cards that are not in the list."""

    ACCEPT = "accept"
    """Every card charges, listed or not; listed ones that are not Accepted are still refused."""
    LIST = "list"
    """Only listed cards charge."""
    LEARN = "learn"
    """Unknown cards charge and are entered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One entry. ``kind`` as in OCPP 2.x (``ISO14443``, ``eMAID`` …), empty = not known. Times UTC."""

    uid: str
    status: CardStatus = CardStatus.ACCEPTED
    kind: str = ""
    label: str = ""
    expires_at: datetime | None = None
    group: str = ""
    """The parent or group token (1.6 parentIdTag, 2.x groupIdToken)."""
    learnt_from: str = ""
    """Identity of the charger it was held to, where learn mode entered it."""
    added_at: datetime | None = None

    def status_at(self, now: datetime) -> CardStatus:
        """Return what it is told at a time."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return CardStatus.EXPIRED if is_over and self.status is CardStatus.ACCEPTED else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class SentList:
    """The local list a charger took last: its version, and the entries by card number, as they were sent."""

    identity: str
    version: int
    sent_at: datetime
    entries: Mapping[str, Mapping[str, Any]]
