"""Both directions of a relayed unit as frames: exact, but for secrets, each marked with the corrections made in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.model.frame import Direction, Frame, FrameKind
from app.model.secret import Secret
from app.ocpp import masking
from app.ocpp.frame import MAX_SHOWN, Call, decode

Heard = Callable[[Frame], None]
"""Takes each frame. ``IN`` comes from the unit and ``OUT`` goes to it, whoever wrote it; ``notes`` name corrections."""


class Recorder:
    """The frames of one connection on their way to whoever records them."""

    _connections = itertools.count(1)

    def __init__(
        self, identity: str, heard: Heard | None, now: Callable[[], datetime], next_seq: Callable[[], int]
    ) -> None:
        self._identity = identity
        self._heard = heard
        self._now = now
        self._next_seq = next_seq
        self._connection = next(Recorder._connections)
        self._forms: tuple[str, ...] = ()

    def learn(self, *secrets: Secret) -> None:
        """Mask these from now on, wherever they stand."""
        for secret in secrets:
            self._forms += masking.spellings(secret)

    def hear(
        self,
        direction: Direction,
        text: str,
        kind: FrameKind,
        uid: str,
        action: str,
        *,
        raw: bytes | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Hand one frame on."""
        if self._heard is None:
            return
        shown = self._masked(text[:MAX_SHOWN], kind, action)
        if len(text) > MAX_SHOWN:
            notes = (*notes, f"CUT-{len(text)}")
        self._heard(
            Frame(
                seq=self._next_seq(),
                at=self._now(),
                identity=self._identity,
                connection=self._connection,
                direction=direction,
                text=shown,
                kind=kind,
                uid=uid,
                action=action,
                raw=raw[:MAX_SHOWN] if raw is not None and shown == text else None,
                notes=notes,
            )
        )

    def _masked(self, text: str, kind: FrameKind, action: str) -> str:
        if kind is FrameKind.BROKEN:
            text = masking.masked_loosely(text)
        elif action in masking.CARRIERS:
            text = self._of_carrier(text, kind, action)
        return masking.masked_known(text, self._forms) if self._forms else text

    def _of_carrier(self, text: str, kind: FrameKind, action: str) -> str:
        message = decode(text)
        payload: Mapping[str, Any] = getattr(message, "payload", {})
        if kind is FrameKind.CALL and isinstance(message, Call):
            self.learn(*(Secret(value) for value in masking.secret_values(action, payload)))
            return masking.masked_request(text, action, payload)
        return masking.masked_answer(text, action, payload) if payload else masking.masked_loosely(text)
