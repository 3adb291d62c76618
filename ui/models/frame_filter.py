"""Which frames to show: conditions that combine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from app.model.frame import Direction, Frame, FrameKind
from ui.i18n import worded

Test = Callable[[Frame], bool]

KIND_WORDS = {
    FrameKind.CALL: "Request",
    FrameKind.RESULT: "Answer",
    FrameKind.ERROR: "Error",
    FrameKind.BROKEN: "Broken",
    FrameKind.SEND: "Send",
    FrameKind.RESULT_ERROR: "Answer refused",
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
        return all(test(frame) for test in self.tests())

    def tests(self) -> list[Test]:
        """Return the conditions as functions: prepare them once, then ask for every frame."""
        tests: list[Test] = []
        if self.identities:
            tests.append(lambda frame: frame.identity in self.identities)
        if self.actions:
            tests.append(lambda frame: frame.action in self.actions)
        if self.directions:
            tests.append(lambda frame: frame.direction in self.directions)
        if self.kinds:
            tests.append(lambda frame: frame.kind in self.kinds)
        if self.has_notes:
            tests.append(lambda frame: bool(frame.notes))
        if self.notes:
            tests.append(lambda frame: not self.notes.isdisjoint(frame.notes))
        tests += [_holds(word) for word in self.words]
        return tests

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
        found += [("identities", value, value or worded("(no identity)")) for value in sorted(self.identities)]
        found += [
            ("directions", value, worded(DIRECTION_WORDS[value])) for value in Direction if value in self.directions
        ]
        found += [("kinds", value, worded(KIND_WORDS[value])) for value in FrameKind if value in self.kinds]
        found += [("actions", value, value or worded("(no action)")) for value in sorted(self.actions)]
        found += [("notes", value, value) for value in sorted(self.notes)]
        if self.has_notes:
            found.append(("has_notes", True, worded("With findings")))
        if self.text:
            found.append(("text", self.text, f"“{self.text}”"))
        return found


def _holds(word: str) -> Test:
    def test(frame: Frame) -> bool:
        return word in frame.text.lower() or word in frame.action.lower() or word in frame.identity.lower()

    return test


EVERYTHING = FrameFilter()
