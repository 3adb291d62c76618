"""A loop whose clock runs ahead: a test of a deadline waits for a fraction of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

TIMES = 5.0
JITTER_S = 1.0
"""How late a busy machine may be."""


def quicken() -> None:
    """Let the running loop's clock go ``TIMES`` as fast until the loop ends; its deadlines come as much earlier."""
    loop: Any = asyncio.get_running_loop()
    selector = getattr(loop, "_selector", None)
    if selector is None:  # the loop of Windows waits elsewhere; there the tests take their time
        return
    clock, began, select = loop.time, loop.time(), selector.select
    loop.time = lambda: began + TIMES * (clock() - began)
    selector.select = lambda timeout=None: select(timeout and timeout / TIMES)


class Stopwatch:
    """Measures what a quickened loop takes."""

    def __init__(self) -> None:
        quicken()
        self._is_quick = hasattr(asyncio.get_running_loop(), "_selector")
        self._began_at = time.monotonic()

    def is_within(self, limit_s: float) -> bool:
        """Say whether no more than so many seconds of the loop's clock went by."""
        quick_s = limit_s / TIMES if self._is_quick else limit_s
        return time.monotonic() - self._began_at < quick_s + JITTER_S
