"""Which frames to show: conditions that combine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app.model.frame import Direction, Frame, FrameKind

KIND_WORDS = {
    FrameKind.CALL: "Request",
    FrameKind.RESULT: "Answer",
    FrameKind.ERROR: "Error",
    FrameKind.BROKEN: "Broken",
}
DIRECTION_WORDS = {Direction.IN: "From charger", Direction.OUT: "To charger"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFilter:
    """Conditions on frames: empty = no condition; values of one field are alternatives; fields and words add up.

    ``notes`` are deviation codes; ``has_notes`` asks for any of them. ``text`` is searched ignoring case, every
    blank-separated word must occur in the frame, its action or its identity.
    """

    identities: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    directions: frozenset[Direction] = frozenset()
    kinds: frozenset[FrameKind] = frozenset()
    notes: frozenset[str] = frozenset()
    has_notes: bool = False
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Say whether everything passes."""
        return self == EVERYTHING

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the free text, lower case."""
        return tuple(self.text.lower().split())

    def matches(self, frame: Frame) -> bool:
        """Say whether a frame fulfils all conditions."""
        if self.identities and frame.identity not in self.identities:
            return False
        if self.actions and frame.action not in self.actions:
            return False
        if self.directions and frame.direction not in self.directions:
            return False
        if self.kinds and frame.kind not in self.kinds:
            return False
        if self.has_notes and not frame.notes:
            return False
        if self.notes and not self.notes.intersection(frame.notes):
            return False
        return not self.text or self._has_words(frame)

    def _has_words(self, frame: Frame) -> bool:
        text = frame.text.lower()
        return all(
            word in text or word in frame.action.lower() or word in frame.identity.lower() for word in self.words
        )

    def without(self, part: str, value: object) -> FrameFilter:
        """Return the filter with one condition taken away. ``part`` is a field name."""
        present = getattr(self, part)
        left: Any = present - {value} if isinstance(present, frozenset) else type(present)()
        changes: dict[str, Any] = {part: left}
        return replace(self, **changes)

    def toggled(self, part: str, value: object) -> FrameFilter:
        """Return the filter with one alternative switched on or off. ``part`` names a set field."""
        changes: dict[str, Any] = {part: getattr(self, part) ^ {value}}
        return replace(self, **changes)

    def chips(self) -> list[tuple[str, object, str]]:
        """List the active conditions as (field, value, words on screen)."""
        found: list[tuple[str, object, str]] = []
        found += [("identities", value, value or "(no identity)") for value in sorted(self.identities)]
        found += [("directions", value, DIRECTION_WORDS[value]) for value in Direction if value in self.directions]
        found += [("kinds", value, KIND_WORDS[value]) for value in FrameKind if value in self.kinds]
        found += [("actions", value, value or "(no action)") for value in sorted(self.actions)]
        found += [("notes", value, value) for value in sorted(self.notes)]
        if self.has_notes:
            found.append(("has_notes", True, "With findings"))
        if self.text:
            found.append(("text", self.text, f"“{self.text}”"))
        return found


EVERYTHING = FrameFilter()
