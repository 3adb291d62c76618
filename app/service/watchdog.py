"""Tell the system's service manager how the bridge is: ready, reloading, alive (sd_notify(3)). Silent elsewhere."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

LONGEST_S = 60.0
"""How often at least the status line is renewed."""


class Watchdog:
    """Speaks to the socket that systemd names in the environment."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        self._address = found.get("NOTIFY_SOCKET", "")
        is_ours = found.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = found.get("WATCHDOG_USEC", "")
        self.period_s = int(micros) / 2e6 if micros.isdigit() and int(micros) and is_ours else 0.0
        """Half of what systemd waits; 0 = it does not watch."""

    @property
    def is_there(self) -> bool:
        """Say whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Say that it runs."""
        self.tell(f"READY=1\nSTATUS={_line(status)}")

    def reloading(self) -> None:
        """Say that it reads its file again; ``ready`` ends that."""
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it ends."""
        self.tell("STOPPING=1")

    async def run(self, is_alive: Callable[[], bool], status: Callable[[], str]) -> None:
        """Tell of life until cancelled, as long as there is some: systemd restarts what falls silent."""
        if not self.is_there:
            return
        while True:
            await asyncio.sleep(min(self.period_s or LONGEST_S, LONGEST_S))
            beat = "WATCHDOG=1\n" if self.period_s and is_alive() else ""
            self.tell(f"{beat}STATUS={_line(status())}")

    def tell(self, text: str) -> None:
        """Send one notification; nobody there is no fault."""
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)
            line.sendto(text.encode(), name)


def _line(text: str) -> str:
    return text.replace("\n", " ")[:500]
