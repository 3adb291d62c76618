"""What a charge point is about to say, and the one CALL that waits for its answer. Pure but for the future."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from app.bridge.message import Message, Payload
from app.ocpp import frame
from app.ocpp.masking import masked_loosely, masked_request

MAX_SAID = 64
"""Messages that may wait to be said; of more the oldest are forgotten, as the kept ones never are [OURS]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of a CALL: its payload, or the code of a CALLERROR, or neither: silence. ``is_lost``: no line."""

    payload: Payload | None = None
    code: str = ""
    is_lost: bool = False


class Said:
    """Messages that are not kept: Authorize goes first, else in their order."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque(maxlen=MAX_SAID)

    def put(self, message: Message) -> None:
        """Queue a message."""
        if message.action == "Authorize":
            self._waiting.appendleft(message)
        else:
            self._waiting.append(message)

    def next(self) -> Message | None:
        """Take the next message."""
        return self._waiting.popleft() if self._waiting else None

    def asked(self) -> Message | None:
        """Take the next message that the backend asked for."""
        for message in self._waiting:
            if message.is_asked:
                self._waiting.remove(message)
                return message
        return None

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()


class Pending:
    """The CALL that waits for its answer."""

    def __init__(self) -> None:
        self._uid = ""
        self._waiting: asyncio.Future[Reply] | None = None

    def begin(self, uid: str) -> asyncio.Future[Reply]:
        """Wait for the answer to a CALL."""
        self._uid = uid
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def settle(self, uid: str, reply: Reply) -> None:
        """Hand over an answer; one that nobody waits for is passed over."""
        if self._waiting is not None and not self._waiting.done() and uid == self._uid:
            self._waiting.set_result(reply)

    def abandon(self) -> None:
        """Give up: the line is gone."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Reply(is_lost=True))

    def end(self) -> None:
        """Wait no more."""
        self._waiting = None


def shown(text: str, message: frame.Message) -> str:
    """Return a text of the backend as it may be recorded: cut, and without values of secret keys."""
    text = text[: frame.MAX_SHOWN]
    if isinstance(message, frame.Call):
        return masked_request(text, message.action, message.payload)
    return masked_loosely(text) if isinstance(message, frame.Malformed) else text
