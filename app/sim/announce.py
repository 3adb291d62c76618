"""Announce a simulated unit by mDNS, on named local addresses only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf


class Announcement:
    """Service announcements of one unit: type → TXT. May be started and stopped again and again.

    ``ports`` names the port of each type that does not share ``port``.
    """

    def __init__(
        self,
        services: Mapping[str, Mapping[str, str]],
        interfaces: Sequence[str],
        *,
        name: str,
        port: int,
        ports: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._services = services
        self._interfaces = list(interfaces)
        self._name = name
        self._port = port
        self._ports = ports
        self._zeroconf: AsyncZeroconf | None = None
        self._repeats: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Announce. Names are not probed first (that takes 1.5 s each): the caller gives one that is its own."""
        if self._zeroconf is not None:
            return
        zeroconf = self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
        for kind, txt in self._services.items():
            # Not strict: a go-e's types break RFC 6763 §7, and are announced all the same.
            repeats = await zeroconf.async_register_service(
                self._info(kind, txt), cooperating_responders=True, strict=False
            )
            self._repeats.append(cast("asyncio.Future[None]", repeats))

    async def stop(self, *, says_goodbye: bool = True) -> None:
        """Withdraw the announcement; without a goodbye the unit just vanishes, as one that loses power."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is None:
            return
        repeats, self._repeats = self._repeats, []
        for future in repeats:
            future.cancel()
        if repeats:
            await asyncio.wait(repeats)
        if not says_goodbye:
            registry = zeroconf.zeroconf.registry
            registry.async_remove(registry.async_get_service_infos())
        await zeroconf.async_close()

    def _info(self, kind: str, txt: Mapping[str, str]) -> ServiceInfo:
        full = f"{kind}.local."
        return ServiceInfo(
            full,
            f"{self._name}.{full}",
            addresses=[socket.inet_aton(address) for address in self._interfaces if ":" not in address],
            port=self._ports.get(kind, self._port),
            properties=dict(txt),
            server=f"{self._name}.local.",
        )
