"""What a charge point answers to the texts of its backend: by its station, from memory, or that it is no message."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from app.bridge.station import Station
from app.ocpp import frame

MAX_REMEMBERED = 32
REMEMBERED = timedelta(seconds=120)
"""How long an answer is known: a CALL repeated by then is the same one [OURS]; some backends count ids from 1."""

After = Callable[[], None]


class Replies:
    """Answers one line. A CALL that comes twice, letter for letter, is answered from memory and not acted on again."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._known: OrderedDict[str, tuple[datetime, str]] = OrderedDict()

    def forget(self) -> None:
        """Begin a new line: ids may come again there."""
        self._known.clear()

    def to(self, message: frame.Message, text: str, now: datetime) -> tuple[str, After | None]:
        """Return the answer to a text, empty for none, and what is done once it has gone out."""
        if isinstance(message, frame.Malformed):
            return self._to_nonsense(message), None
        if not isinstance(message, frame.Call) or isinstance(message, frame.Send):
            return "", None
        known = self._known.get(text)
        if known is not None and timedelta() <= now - known[0] < REMEMBERED:
            return known[1], None
        answer = self._station.asked(message.action, message.payload, now)
        if answer.error:
            said = frame.encode_error(message.echo, answer.error, answer.text)
        else:
            said = frame.encode_result(message.echo, answer.payload or {})
        self._known[text] = (now, said)
        self._known.move_to_end(text)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return said, answer.after

    def _to_nonsense(self, message: frame.Malformed) -> str:
        """OCPP-J 1.6 has no id for an answer to what has none; 2.x answers ``-1`` (J201 §4.2.3)."""
        version = self._station.version
        is_asked = message.is_answerable or (message.is_unknown_kind and version != "1.6")
        if not is_asked or (version == "1.6" and message.echo == frame.UNKNOWN_UID):
            return ""
        return frame.encode_error(message.echo, frame.spelled_code(message.code, version), message.reason)
