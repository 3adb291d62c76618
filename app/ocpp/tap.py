"""Publish every frame of one connection: exact, but for secrets, and bounded in length."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.model.frame import Direction, Frame, FrameKind
from app.model.secret import Secret
from app.ocpp import masking
from app.ocpp.frame import MAX_SHOWN
from app.ocpp.host import Host


class Tap:
    """The frames of one connection on their way to the feed."""

    __slots__ = ("_connection", "_forms", "_host", "_identity")

    def __init__(self, host: Host, identity: str, connection: int, secret: Secret | None) -> None:
        self._host = host
        self._identity = identity
        self._connection = connection
        self._forms = masking.spellings(secret)

    def learn_secret(self, action: str, payload: Mapping[str, Any]) -> None:
        """Remember a password that we write, to mask it wherever it comes back."""
        if action in masking.CARRIERS:
            for value in masking.secret_values(action, payload):
                self._forms += masking.spellings(Secret(value))

    def masked(self, text: str) -> str:
        """Return a text of the unit's without the passwords that are known."""
        return masking.masked_known(text, self._forms) if self._forms else text

    @property
    def is_open(self) -> bool:
        """Say whether nothing has to be looked for and masked."""
        return not self._forms

    def publish_pair(self, asked: str, answered: str, uid: str, action: str, at: datetime) -> None:
        """Publish a short request and its answer that hold nothing to mask; only while ``is_open``."""
        request = self._made(Direction.IN, asked, FrameKind.CALL, uid, action, at)
        self._host.frames.publish_all((request, self._made(Direction.OUT, answered, FrameKind.RESULT, uid, action, at)))

    def publish_in(self, asked: str, uid: str, action: str, at: datetime) -> None:
        """Publish a short request that could not be answered any more; only while ``is_open``."""
        self._host.frames.publish(self._made(Direction.IN, asked, FrameKind.CALL, uid, action, at))

    def _made(self, direction: Direction, text: str, kind: FrameKind, uid: str, action: str, at: datetime) -> Frame:
        return Frame(
            seq=self._host.next_seq(),
            at=at,
            identity=self._identity,
            connection=self._connection,
            direction=direction,
            text=text,
            kind=kind,
            uid=uid,
            action=action,
        )

    def publish(
        self,
        direction: Direction,
        text: str,
        kind: FrameKind,
        uid: str = "",
        action: str = "",
        *,
        raw: bytes | None = None,
        notes: tuple[str, ...] = (),
        at: datetime | None = None,
    ) -> Frame:
        """Publish one frame and return it; ``raw`` is kept only where nothing in it is masked."""
        if self._forms:
            shown = masking.masked_known(text, self._forms)
            raw, text = (raw if shown == text else None), shown
        if len(text) > MAX_SHOWN:
            notes = (*notes, f"CUT-{len(text)}")
            text = text[:MAX_SHOWN]
        frame = Frame(
            seq=self._host.next_seq(),
            at=at or self._host.now(),
            identity=self._identity,
            connection=self._connection,
            direction=direction,
            text=text,
            kind=kind,
            uid=uid,
            action=action,
            raw=raw if raw is None else raw[:MAX_SHOWN],
            notes=notes,
        )
        self._host.frames.publish(frame)
        return frame
