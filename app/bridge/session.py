"""A charging session as the bridge tells it to the backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import uuid4


@dataclass(slots=True, kw_only=True)
class Session:
    """One transaction. Registers in Wh; ``plug`` is the car's stay it belongs to (``OutletState.plug``).

    ``transaction_id``: 1.6 the number the backend gave (as text, empty until it answered); 2.x our own number.
    """

    identity: str
    plug: int
    began_at: datetime
    start_wh: int
    id_tag: str
    number: str = field(default_factory=lambda: str(uuid4()))
    transaction_id: str = ""
    last_wh: int = 0
    """The last register told; meter values never go back behind it."""
    next_seq: int = 0
    """``seqNo`` of the next TransactionEvent (2.x)."""
    group: str = ""
    remote_start_id: int | None = None
    ended_at: datetime | None = None
    stop_wh: int | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Say whether it runs."""
        return self.ended_at is None


class Sessions(Protocol):
    """The sessions of one charge point, on disk."""

    def running(self) -> Session | None:
        """Return the session that runs, also one from before a restart."""
        ...

    def get(self, number: str) -> Session | None:
        """Return a session that runs or whose messages have not all been delivered."""
        ...

    def save(self, session: Session) -> None:
        """Keep a session as it is now; on disk after the store's next ``flush``."""
        ...


class Memory(Protocol):
    """Small values of one charge point that outlive restarts (configuration keys, availability, profiles)."""

    def get(self, key: str) -> str | None:
        """Return a value."""
        ...

    def put(self, key: str, value: str | None) -> None:
        """Keep a value, or forget it; on disk after the store's next ``flush``."""
        ...
