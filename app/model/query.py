"""What to look for in the stored traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.model.frame import Direction, Frame, FrameKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficQuery:
    """A filter over frames; every unset field lets everything pass.

    ``text`` is looked for in a frame's text, action and identity, ignoring ASCII case.
    """

    identity: str = ""
    action: str = ""
    direction: Direction | None = None
    kind: FrameKind | None = None
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, frame: Frame) -> bool:
        """Say whether a frame passes (for frames that are not stored yet)."""
        return (
            (not self.identity or frame.identity == self.identity)
            and (not self.action or frame.action == self.action)
            and (self.direction is None or frame.direction is self.direction)
            and (self.kind is None or frame.kind is self.kind)
            and (self.since is None or frame.at >= self.since)
            and (self.until is None or frame.at <= self.until)
            and (not self.text or any(self.text.lower() in part.lower() for part in self._searched(frame)))
        )

    @staticmethod
    def _searched(frame: Frame) -> tuple[str, ...]:
        return frame.text, frame.action, frame.identity


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePage:
    """A stretch of stored frames, oldest first.

    ``edge`` is the sequence number to go on from (as ``before`` or ``after``); ``is_end`` = nothing lies beyond.
    A page can hold fewer frames than asked for without being the end: the search stops when its time is up.
    """

    frames: tuple[Frame, ...]
    edge: int
    is_end: bool
