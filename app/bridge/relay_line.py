"""The relay's side towards the backend: dial until a line stands, and hang up for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection

from app.bridge.target import Target
from app.errors import AppError, Busy, Refused, TlsRejected

Dial = Callable[[Target], Awaitable[ClientConnection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTimes:
    """Seconds; all values [OURS]."""

    grace_s: float = 20.0
    """How long a request of the unit waits for the backend before the unit is sent away to keep it itself."""
    gate_s: float = 30.0
    """Longest wait of a command for the unit's Boot (as our endpoint's ``command_gate_s``)."""
    short_gate_s: float = 5.0
    """The same where the backend knows the unit: it will hardly boot."""
    pause_s: float = 0.5
    """First pause between two dials; each is twice the one before."""
    longest_pause_s: float = 60.0
    settled_s: float = 10.0
    """A line that lasted this long counts as having worked."""
    send_s: float = 20.0
    """How long one message may take into the backend's line, or into the unit's."""
    closing_s: float = 2.0
    """How long the backend may take to answer our close; also how long a stop waits for open answers."""


class Dialler:
    """Dials one backend after the other fails. ``wanted`` is set by whoever can't wait for the next try."""

    def __init__(self, dial: Dial, times: RelayTimes) -> None:
        self._dial = dial
        self._times = times
        self._short = 0
        self.wanted = asyncio.Event()

    async def line(
        self, target: Callable[[], Target], told: Callable[[AppError], None], *, is_once: bool
    ) -> ClientConnection:
        """Dial until it works; ``told`` hears of each failure, and ``target`` may change meanwhile.

        Raises AppError where trying again is of no use: the backend refuses, TLS fails, or once is enough.
        """
        pause_s = self._times.pause_s
        while True:
            self.wanted.clear()
            dialled = target()
            try:
                line = await self._dial(dialled)
            except AppError as error:
                is_final = isinstance(error, Refused | TlsRejected) and not isinstance(error, Busy)
                if is_once or is_final:
                    raise
                told(error)
                await self._rest(pause_s)
                pause_s = min(pause_s * 2, self._times.longest_pause_s)
                continue
            if dialled is target():
                return line
            await hang_up(line, 1000, "moved", limit_s=self._times.closing_s)

    async def breathe(self, lived_s: float) -> None:
        """Pause after a lost line: the longer, the more lines in a row did not last."""
        self._short = self._short + 1 if lived_s < self._times.settled_s else 0
        if self._short:
            self.wanted.clear()
            await self._rest(min(self._times.pause_s * 2 ** min(self._short - 1, 16), self._times.longest_pause_s))

    async def _rest(self, pause_s: float) -> None:
        """Wait between two dials; whoever waits for the line cuts a long wait short."""
        least_s = self._times.pause_s
        await asyncio.sleep(least_s)
        if pause_s > least_s:
            try:
                async with asyncio.timeout(pause_s - least_s):
                    await self.wanted.wait()
            except TimeoutError:
                return


async def hang_up(line: ClientConnection, code: int, reason: str, *, limit_s: float) -> None:
    """Close a line politely, and in any case."""
    try:
        async with asyncio.timeout(limit_s):
            await line.close(code, reason.encode()[:120].decode(errors="ignore"))
    except TimeoutError:
        pass
    finally:
        line.transport.abort()
