"""The clock of a simulated unit, right or wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from app.ocpp.stamps import written
from app.sim.fault import Fault

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """What the unit believes to be the time. A clock without battery counts from 1970 from when it was started."""

    def __init__(self, faults: set[Fault]) -> None:
        self._faults = faults
        self._started_s = time.monotonic()

    def now(self) -> datetime:
        """Return the unit's time, in UTC."""
        if Fault.WRONG_CLOCK in self._faults:
            return EPOCH + timedelta(seconds=time.monotonic() - self._started_s)
        return datetime.now(UTC)

    def text(self) -> str:
        """Return it as OCPP writes it: UTC, milliseconds, ``Z``."""
        return written(self.now())
