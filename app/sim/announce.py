"""Announce a simulated unit by mDNS, on named local addresses only."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf


class Announcement:
    """Service announcements of one unit: type → TXT. May be started and stopped again and again."""

    def __init__(
        self, services: Mapping[str, Mapping[str, str]], interfaces: Sequence[str], *, name: str, port: int
    ) -> None:
        self._services = services
        self._interfaces = list(interfaces)
        self._name = name
        self._port = port
        self._zeroconf: AsyncZeroconf | None = None

    async def start(self) -> None:
        """Announce."""
        if self._zeroconf is not None:
            return
        self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
        for kind, txt in self._services.items():
            await (await self._zeroconf.async_register_service(self._info(kind, txt), allow_name_change=True))

    async def stop(self) -> None:
        """Withdraw the announcement with a goodbye. Idempotent."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            await zeroconf.async_close()

    def _info(self, kind: str, txt: Mapping[str, str]) -> ServiceInfo:
        full = f"{kind}.local."
        return ServiceInfo(
            full,
            f"{self._name}.{full}",
            addresses=[socket.inet_aton(address) for address in self._interfaces if ":" not in address],
            port=self._port,
            properties=dict(txt),
            server=f"{self._name}.local.",
        )
