"""Step over a message on which a unit is stuck: it is kept already, so it is refused until the unit gives it up.

OCPP has no word to empty a queue. What a central system can do is to fail: after its number of attempts at a message
that "the Central System fails to process" the unit goes on with the next (OCPP 1.6 §9.1, TransactionMessageAttempts;
P2-201 E13, MessageAttempts).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping
from time import monotonic
from types import TracebackType
from typing import Any, Self

from app.errors import Refused
from app.ocpp.endpoint import Endpoint
from app.ocpp.events import Heard
from app.ocpp.host import Replier

MAX_REFUSALS = 10
"""So often a message is refused before it counts as one that the unit never gives up [OURS]."""


class Refusals:
    """The messages of one unit that are answered with an error while this context is open."""

    def __init__(self, identity: str, repliers: MutableMapping[str, Replier]) -> None:
        self._identity = identity
        self._repliers = repliers
        self._refused: list[tuple[str, Mapping[str, Any]]] = []
        self._ours: dict[str, tuple[Replier, Replier | None]] = {}
        self._count = 0
        self._last_at = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for action, (ours, usual) in self._ours.items():
            if self._repliers.get(action) is ours:  # somebody else may have stepped before it
                del self._repliers[action]
                if usual is not None:
                    self._repliers[action] = usual
        self._refused.clear()

    @property
    def is_in_vain(self) -> bool:
        """Say whether the unit comes on with what was refused as often as any unit tries."""
        return self._count > MAX_REFUSALS

    def is_fresh(self, within_s: float) -> bool:
        """Say whether something was refused lately."""
        return monotonic() - self._last_at < within_s

    def add(self, heard: Heard) -> None:
        """Refuse this message when it comes again."""
        if (heard.action, heard.payload) not in self._refused:
            self._refused.append((heard.action, heard.payload))
        if heard.action not in self._ours:
            self._stand_before(heard.action)

    def _stand_before(self, action: str) -> None:
        usual = self._repliers.get(action)

        def reply(endpoint: Endpoint, payload: Mapping[str, Any]) -> dict[str, Any] | None:
            if endpoint.identity == self._identity and (action, payload) in self._refused:
                self._count, self._last_at = self._count + 1, monotonic()
                raise Refused("recorded before, and answered; give it up", "")
            return usual(endpoint, payload) if usual is not None else None

        self._repliers[action], self._ours[action] = reply, (reply, usual)
