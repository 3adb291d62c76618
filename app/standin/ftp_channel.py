"""The data connections of FTP: the charger comes to us (PASV, EPSV), or we go to it (PORT, EPRT)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from contextlib import suppress
from typing import Protocol

LOWEST_PORT = 1024
"""No data connection goes to a system port of the charger (RFC 2577 §3)."""

PASSIVE_PORTS = (*range(2122, 2138), 0)
"""Tried in this order: few, so that a firewall can be told; any free one where they are taken [OURS]."""

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Channel(Protocol):
    """One agreed data connection that is not made yet."""

    async def connected(self, timeout_s: float) -> Streams:
        """Make it, or wait for it. Raises OSError, TimeoutError."""
        ...

    def close(self) -> None:
        """Forget it."""
        ...


class Passive:
    """A port of ours for one connection from the same computer; anybody else is sent away."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._server: asyncio.Server | None = None
        self._come: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
        self.port = 0

    async def open(self, host: str) -> None:
        """Listen on the address the charger speaks to."""
        for port in PASSIVE_PORTS:
            try:
                self._server = await asyncio.start_server(self._arrived, host, port)
            except OSError:
                if not port:
                    raise
            else:
                break
        assert self._server is not None
        self.port = self._server.sockets[0].getsockname()[1]

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        remote = (writer.get_extra_info("peername") or ("",))[0]
        if self._come.done() or remote != self._peer:
            writer.close()
            return
        self._come.set_result((reader, writer))

    async def connected(self, timeout_s: float) -> Streams:
        """Wait for the charger."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._come)

    def close(self) -> None:
        """Stop listening; a connection nobody took is closed."""
        if self._server is not None:
            self._server.close()
        if self._come.done() and not self._come.cancelled():
            self._come.result()[1].close()
        self._come.cancel()


class Active:
    """A port of the charger's that we dial."""

    def __init__(self, host: str, port: int, local: str) -> None:
        self._to = (host, port)
        self._local = local

    async def connected(self, timeout_s: float) -> Streams:
        """Dial it from the address the charger speaks to."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.open_connection(*self._to, local_addr=(self._local, 0))

    def close(self) -> None:
        """Nothing is open yet."""


def port_argument(text: str) -> tuple[str, int] | None:
    """Read the argument of PORT: ``h1,h2,h3,h4,p1,p2`` (RFC 959 §4.1.2)."""
    parts = text.strip().split(",")
    if len(parts) != 6 or not all(re.fullmatch(r"\d{1,3}", part) and int(part) < 256 for part in parts):
        return None
    numbers = [int(part) for part in parts]
    return ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]


def eprt_argument(text: str) -> tuple[str, int] | None:
    """Read the argument of EPRT: ``|1|192.168.1.5|5282|`` (RFC 2428 §2)."""
    text = text.strip()
    parts = text.split(text[:1] or "|")
    if len(parts) != 5 or parts[1] not in ("1", "2") or not re.fullmatch(r"\d{1,5}", parts[3]):
        return None
    with suppress(ValueError):
        return str(ipaddress.ip_address(parts[2])), int(parts[3])
    return None


def is_allowed(target: tuple[str, int], peer: str) -> bool:
    """Say whether a data connection may go there: to the charger itself, to no system port (the bounce attack)."""
    return target[0] == peer and LOWEST_PORT <= target[1] < 65_536
