"""What a bridged charge point has to say, in the order in which it must be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

Payload = dict[str, Any]


def new_uid() -> str:
    """Return a message id that nobody else uses (OCPP-J 1.6 §4.1.4: at most 36 characters)."""
    return str(uuid4())


@dataclass(slots=True, kw_only=True)
class Message:
    """A CALL to the backend. The id stays the same however often it is sent, so that the other side can know it again.

    ``is_kept``: part of a transaction; survives lost lines and restarts, and goes out in order. ``session``: the
    session it belongs to; the station puts the transaction's id in when it is sent (``Station.rendered``).
    ``is_asked``: the backend asked for it by TriggerMessage, so it may go out before the unit is accepted.
    """

    action: str
    payload: Payload
    at: datetime
    is_kept: bool = False
    session: str = ""
    is_asked: bool = False
    uid: str = field(default_factory=new_uid)
    attempts: int = 0


class Outbox(Protocol):
    """The kept messages of one charge point: on disk, first in, first out."""

    def put(self, message: Message) -> None:
        """Append a message; it is on disk after the store's next ``flush``."""
        ...

    def head(self) -> Message | None:
        """Return the oldest message, which stays until it is done."""
        ...

    def attempted(self, message: Message) -> None:
        """Note that it was sent once more."""
        ...

    def done(self, message: Message) -> None:
        """Forget a message: the backend has answered it."""
        ...

    def __len__(self) -> int:
        """Return how many wait."""
        ...
