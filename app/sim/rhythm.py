"""The rhythms of a simulated unit: intervals that may be changed while they run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

LOOK_S = 0.5
"""How soon a changed interval is noticed."""
LEAST_S = 0.02


async def beats(interval_s: Callable[[], float], scale: float) -> AsyncIterator[None]:
    """Yield once per scaled interval, for ever; nothing while the interval is 0."""
    last_s = time.monotonic()
    while True:
        scaled_s = max(interval_s() * scale, LEAST_S) if interval_s() else 0.0
        left_s = last_s + scaled_s - time.monotonic() if scaled_s else LOOK_S
        if scaled_s and left_s <= 0:
            last_s = time.monotonic()
            yield
        else:
            await asyncio.sleep(min(left_s, LOOK_S))


async def aligned(interval_s: Callable[[], float], scale: float, now_s: Callable[[], float]) -> AsyncIterator[None]:
    """Yield at each full multiple of the scaled interval by the unit's clock; nothing while the interval is 0."""
    done = -1
    while True:
        scaled_s = max(interval_s() * scale, LEAST_S) if interval_s() else 0.0
        if not scaled_s:
            await asyncio.sleep(LOOK_S)
            continue
        number = int(now_s() // scaled_s)
        if number != done:
            is_first, done = done < 0, number
            if not is_first:
                yield
        await asyncio.sleep(min((number + 1) * scaled_s - now_s() + 0.001, LOOK_S))
