"""Ctrl-C and SIGTERM, as a call in the loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from PySide6.QtCore import QTimer

WINDOWS_POLL_MS = 200
"""Python runs its signal handlers only between bytecodes; without add_signal_handler a timer gives it the chance."""


class Interrupts:
    """Calls a function when the process is asked to end; ``close`` puts the old handlers back."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked
        self._loop = asyncio.get_running_loop()
        self._old: dict[signal.Signals, object] = {}
        self._timer: QTimer | None = None
        self._unix: list[signal.Signals] = []
        for number in _wanted():
            self._take(number)

    def _take(self, number: signal.Signals) -> None:
        try:
            self._loop.add_signal_handler(number, self._asked)
            self._unix.append(number)
        except (NotImplementedError, AttributeError):
            self._old[number] = signal.signal(number, self._called)
            if self._timer is None:
                self._timer = QTimer()
                self._timer.start(WINDOWS_POLL_MS)

    def _called(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._asked)

    def close(self) -> None:
        """Put the old handlers back."""
        for number in self._unix:
            self._loop.remove_signal_handler(number)
        for number, old in self._old.items():
            signal.signal(number, old)  # type: ignore[arg-type]  # what signal.signal returned
        if self._timer is not None:
            self._timer.stop()


def _wanted() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]
