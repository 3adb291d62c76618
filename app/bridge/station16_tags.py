"""What is known of id tags: the authorisation cache of a 1.6 station (OCPP 1.6 §3.5.1)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from app.bridge.session import Memory
from app.ocpp.stamps import read

MAX_TAGS = 100
_KEPT = "tags"


class Tags16:
    """IdTagInfo by id tag, the one told last at the end; kept over restarts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._known = _read(memory.get(_KEPT))

    def learn(self, tag: str, info: dict[str, Any]) -> None:
        """Keep what the backend said of a tag."""
        told = {name: info[name] for name in ("status", "expiryDate") if isinstance(info.get(name), str)}
        former = self._known.pop(tag, None)
        self._known[tag] = told
        while len(self._known) > MAX_TAGS:
            self._known.pop(next(iter(self._known)))
        if told != former:
            self._keep()

    def status(self, tag: str, at: datetime) -> str:
        """Return what a tag may, as AuthorizationStatus; empty where nothing is known."""
        info = self._known.get(tag)
        if info is None:
            return ""
        return "Expired" if _is_over(info.get("expiryDate"), at) else str(info.get("status", ""))

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._keep()

    def _keep(self) -> None:
        self._memory.put(_KEPT, json.dumps(self._known) if self._known else None)


def status_of(payload: dict[str, Any]) -> str:
    """Return the status of an answer's idTagInfo; ``Accepted`` where it has none (StopTransaction.conf)."""
    info = payload.get("idTagInfo")
    return str(info.get("status")) if isinstance(info, dict) else "Accepted"


def _is_over(text: str | None, at: datetime) -> bool:
    try:
        return text is not None and read(text) <= at
    except ValueError:
        return False


def _read(text: str | None) -> dict[str, dict[str, Any]]:
    found = json.loads(text) if text else {}
    return dict(found)
