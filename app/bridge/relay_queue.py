"""What a unit has said and its backend has not got yet: in order, and bounded. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from app.bridge.relay_talk import ANSWERS
from app.model.frame import FrameKind
from app.ocpp.channel import Text

MOST = 64
"""Messages that may wait; then the unit is not read any more (it may have one request open, OCPP-J 1.6 §4.1.1)."""
MOST_CHARS = 2_000_000


class Said(NamedTuple):
    """A message of the unit on its way."""

    text: Text
    kind: FrameKind
    uid: str
    action: str


class Waiting:
    """First in, first out."""

    def __init__(self) -> None:
        self._said: deque[Said] = deque()
        self._chars = 0

    def __len__(self) -> int:
        return len(self._said)

    @property
    def first(self) -> Said:
        """Return the next one, which stays."""
        return self._said[0]

    @property
    def is_full(self) -> bool:
        """Say whether nothing more should be taken in."""
        return len(self._said) >= MOST or self._chars >= MOST_CHARS

    def put(self, said: Said) -> None:
        """Append one."""
        self._said.append(said)
        self._chars += len(said.text.text)

    def put_ahead(self, said: Said) -> None:
        """Put an answer before the requests, behind other answers: it must not wait for what they wait for."""
        place = next((at for at, one in enumerate(self._said) if one.kind not in ANSWERS), len(self._said))
        self._said.insert(place, said)
        self._chars += len(said.text.text)

    def take(self) -> Said:
        """Take the next one out."""
        said = self._said.popleft()
        self._chars -= len(said.text.text)
        return said

    def clear(self) -> None:
        """Forget everything."""
        self._said.clear()
        self._chars = 0

    def drop_answers(self) -> None:
        """Forget answers: who asked is gone. Requests keep their order."""
        self._said = deque(said for said in self._said if said.kind not in ANSWERS)
        self._chars = sum(len(said.text.text) for said in self._said)
