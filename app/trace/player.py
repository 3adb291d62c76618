"""The clock of a replay: where it is, how fast it runs. Pure; the time that passes is passed in."""

from __future__ import annotations

from datetime import datetime, timedelta

SPEEDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)


class Player:
    """A position between the start and the end of a recording.

    States::

        stopped ──play──► playing ──pause, or the end is reached──► stopped
    """

    def __init__(self, start_at: datetime, end_at: datetime) -> None:
        self.start_at = start_at
        self.end_at = max(start_at, end_at)
        self.position = start_at
        self.speed = 1.0
        self.is_playing = False

    @property
    def length_s(self) -> float:
        """Return how long the recording is."""
        return (self.end_at - self.start_at).total_seconds()

    @property
    def part(self) -> float:
        """Return the position as a part of the whole, 0 to 1."""
        length = self.length_s
        return (self.position - self.start_at).total_seconds() / length if length else 1.0

    def play(self) -> None:
        """Run; from the start again where it stands at the end."""
        if self.position >= self.end_at:
            self.position = self.start_at
        self.is_playing = True

    def pause(self) -> None:
        """Stand still."""
        self.is_playing = False

    def advance(self, passed_s: float) -> datetime:
        """Let time pass; returns the new position."""
        if self.is_playing:
            self.seek(self.position + timedelta(seconds=max(0.0, passed_s) * self.speed))
            if self.position >= self.end_at:
                self.is_playing = False
        return self.position

    def seek(self, at: datetime) -> datetime:
        """Go to a time, at most to the ends."""
        self.position = min(max(at, self.start_at), self.end_at)
        return self.position

    def seek_part(self, part: float) -> datetime:
        """Go to a part of the whole, 0 to 1."""
        return self.seek(self.start_at + timedelta(seconds=self.length_s * min(1.0, max(0.0, part))))

    def faster(self, steps: int) -> float:
        """Change the speed by steps of the scale; returns it."""
        place = min(range(len(SPEEDS)), key=lambda index: abs(SPEEDS[index] - self.speed))
        self.speed = SPEEDS[min(len(SPEEDS) - 1, max(0, place + steps))]
        return self.speed
