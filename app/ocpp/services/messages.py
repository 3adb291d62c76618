"""Texts on a charger's display (OCPP 2.x, P2-201 O01 to O06)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.errors import NotSupported, Refused
from app.ocpp import v16
from app.ocpp.endpoint import Endpoint

_ids = itertools.count(int(datetime.now(UTC).timestamp()) & 0xFFFFFF)

PRIORITIES = ("NormalCycle", "InFront", "AlwaysFront")
STATES = ("", "Charging", "Faulted", "Idle", "Unavailable")
MAX_MESSAGES = 200
WORDS = {
    "Accepted": "The charger shows the text.",
    "NotSupportedMessageFormat": "The charger can't show this kind of text.",
    "Rejected": "The charger refuses the text; it may have no display.",
    "NotSupportedPriority": "The charger does not know this priority.",
    "NotSupportedState": "The charger does not know this state.",
    "UnknownTransaction": "The session is over.",
    "LanguageNotSupported": "The charger does not know this language.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text on a display."""

    message_id: int
    text: str
    priority: str = "NormalCycle"
    state: str = ""
    language: str = ""


def _only2(endpoint: Endpoint) -> None:
    if endpoint.version == "1.6":
        raise NotSupported("OCPP 1.6 has no texts for displays.", "Some vendors offer it as DataTransfer.")


async def show(
    endpoint: Endpoint, text: str, *, priority: str = "NormalCycle", state: str = "", language: str = ""
) -> tuple[Message, str, str]:
    """Put a text on the display; return it with status and meaning. Raises NotSupported, Refused, LinkError."""
    _only2(endpoint)
    message = Message(message_id=next(_ids), text=text[:512], priority=priority, state=state, language=language)
    content = {"format": "UTF8", "content": message.text} | ({"language": language[:8]} if language else {})
    request: dict[str, Any] = {"id": message.message_id, "priority": priority, "message": content}
    if state:
        request["state"] = state
    answer = await endpoint.call("SetDisplayMessage", {"message": request})
    status = v16.text(answer.get("status"), 40)
    return message, status, WORDS.get(status, f"The charger answers {status or 'nothing'}.")


async def shown(endpoint: Endpoint) -> tuple[Message, ...]:
    """List the texts a charger holds. Raises NotSupported, Refused, LinkError."""
    _only2(endpoint)
    try:
        parts = await endpoint.gather("GetDisplayMessages", {})
    except Refused as error:
        if "Unknown" in error.message:  # GetDisplayMessagesStatusEnumType: nothing fits
            return ()
        raise
    return read(parts)


def read(parts: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Read NotifyDisplayMessages requests."""
    found = []
    for part in parts:
        items = part.get("messageInfo")
        for item in items if isinstance(items, list) else ():
            content = item.get("message") if isinstance(item, dict) else None
            if not isinstance(content, dict):
                continue
            found.append(
                Message(
                    message_id=v16.number(item.get("id")),
                    text=v16.text(content.get("content"), 512),
                    priority=v16.text(item.get("priority"), 20),
                    state=v16.text(item.get("state"), 20),
                    language=v16.text(content.get("language"), 8),
                )
            )
    return tuple(found[:MAX_MESSAGES])


async def clear(endpoint: Endpoint, message_id: int) -> tuple[str, str]:
    """Take a text off the display; return status and meaning. Raises NotSupported, Refused, LinkError."""
    _only2(endpoint)
    status = v16.text((await endpoint.call("ClearDisplayMessage", {"id": message_id})).get("status"), 30)
    words = {"Accepted": "The text is gone.", "Unknown": "The charger had no such text."}
    return status, words.get(status, f"The charger answers {status or 'nothing'}.")
