"""Hold a backend's commands until the unit has booted: some units start again and again otherwise (failures 9)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MOST = 32
"""Commands held; one more opens the gate."""


class Gate:
    """Shut at first; opened by the unit's Boot, by anything else it says, or by time. Order is kept."""

    def __init__(self, deliver: Callable[[str, str, str], None], limit_s: float) -> None:
        self._deliver = deliver
        self._limit_s = limit_s
        self._held: deque[tuple[str, str, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self.is_open = False
        self._is_ended = False

    @property
    def is_empty(self) -> bool:
        """Say whether nothing is held."""
        return not self._held

    def hold(self, text: str, uid: str, action: str) -> None:
        """Keep a command; the first one starts the clock."""
        self._held.append((text, uid, action))
        if len(self._held) > MOST:
            self.open()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._limit_s, self.open)

    def shut(self) -> None:
        """Hold what comes from now on."""
        self.is_open = self._is_ended

    def open(self) -> None:
        """Let everything through, from now on too. Idempotent."""
        self.is_open = True
        self._stop()
        while self._held:
            self._deliver(*self._held.popleft())

    def forget(self) -> None:
        """Drop what is held: the line over which it came is gone."""
        self._held.clear()
        self._stop()

    def close(self) -> None:
        """End for good."""
        self.forget()
        self.is_open = self._is_ended = True

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
