"""The backend's clock, as a bridged OCPP 2.0.1 station follows it (part 2, B01.FR.06 and G02)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.ocpp.stamps import read, written

TOLERANCE = timedelta(seconds=60)
"""A small box without network time may be years off; a good clock is left alone [OURS]."""
EARLIEST, LATEST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What a backend says beyond these is no time."""


class BackendClock:
    """Shifts our times where they are more than a minute off the backend's."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def dated(self, now: datetime) -> datetime:
        """Return a time as the backend would tell it."""
        return now + self._ahead

    def stamp(self, now: datetime) -> str:
        """Write a time as the backend would tell it."""
        return written(self.dated(now))

    def heard(self, told: object, now: datetime) -> bool:
        """Compare with ``currentTime``; returns whether the clock was set anew."""
        try:
            at = read(str(told)).astimezone(UTC)
        except (ValueError, OverflowError):
            return False
        if not EARLIEST <= at <= LATEST or abs(at - self.dated(now)) <= TOLERANCE:
            return False
        ahead = at - now
        self._ahead = ahead if abs(ahead) > TOLERANCE else timedelta(0)
        return True
