"""A time responder: this computer's clock for chargers without the internet (RFC 5905, server mode only)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from app.model.garage import Asked, Stand
from app.standin.bounds import Rates

PORT = 123
SIZE = 48
"""The header (RFC 5905 §7.3); what a client appends (extensions, a MAC) is not answered, so no answer is longer."""
CLIENT, SERVER = 3, 4
STRATUM = 10
"""A local clock behind everything that has a real source (as ntpd's and chrony's local drivers by default)."""
PRECISION = -20
"""2^-20 s: one microsecond, what the clock is read with."""
DISPERSION_S = 1.0
"""How wrong we say the laptop's clock may be; we do not know it better."""
REFERENCE = b"LOCL"
EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""This program is not older: a clock before that is wrong."""
RATE, TOTAL_RATE = 8.0, 1000.0
"""Answers a second, to one client and to all."""


def answer(request: bytes, received_at: datetime, sent_at: datetime) -> bytes | None:
    """Return the answer to a client's datagram, ``None`` for all that is not a client's question. Pure."""
    if len(request) < SIZE:
        return None
    version, mode = request[0] >> 3 & 7, request[0] & 7
    if mode != CLIENT or not 1 <= version <= 4:
        return None
    known = is_plausible(received_at)
    return struct.pack(
        "!BBBbII4s8s8s8s8s",
        (0 if known else 3) << 6 | version << 3 | SERVER,
        STRATUM if known else 0,
        request[2],
        PRECISION,
        0,
        round(DISPERSION_S * 65_536),
        REFERENCE if known else bytes(4),
        stamp(received_at),
        request[40:48],
        stamp(received_at),
        stamp(sent_at),
    )


def is_plausible(at: datetime) -> bool:
    """Say whether a clock can be right at all."""
    return at >= BUILT


def stamp(at: datetime) -> bytes:
    """Write a time as NTP does: seconds since 1900 and their 2^32th parts, in the era it falls into."""
    elapsed = at - EPOCH
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return struct.pack("!II", seconds & 0xFFFFFFFF, (elapsed.microseconds << 32) // 1_000_000)


class NtpStand(asyncio.DatagramProtocol):
    """The responder on one adapter's address."""

    def __init__(
        self, *, is_near: Callable[[str], bool], tell: Callable[[Asked], None], now: Callable[[], datetime]
    ) -> None:
        self.rates = Rates(per_s=RATE, total_per_s=TOTAL_RATE)
        self.host = ""
        self.port = 0
        self.tried = 0
        self._is_near = is_near
        self._tell = tell
        self._now = now
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, host: str, port: int = PORT) -> None:
        """Listen. Raises OSError."""
        self.host, self.tried = host, port
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(host, port))
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # no isinstance: before Python 3.12 the selector loop's transport is no DatagramTransport
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, peer: tuple[str | int, ...]) -> None:
        """Answer a client of our network."""
        received_at = self._now()
        client = str(peer[0])
        if self._transport is None or not self._is_near(client):
            return
        if not self.rates.allows(client, asyncio.get_running_loop().time()):
            return
        reply = answer(data, received_at, self._now())
        if reply is None:
            return
        self._transport.sendto(reply, peer)
        told = f"{received_at:%Y-%m-%d %H:%M:%S} UTC" if is_plausible(received_at) else "not synchronised"
        kind = f"NTP v{data[0] >> 3 & 7}"
        self._tell(Asked(at=received_at, stand=Stand.NTP, client=client, kind=kind, answer=told))

    def error_received(self, _error: Exception) -> None:
        """Ignore it: a client that is gone tells us so by ICMP."""

    async def close(self) -> None:
        """Stop. Idempotent."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)  # the socket is closed in the loop's next turn
