"""What drivers see of the world: four kinds of links, made by a ``Links`` factory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """An HTTP response: status, headers (lower-case names), body bytes (at most the link's limit)."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body as JSON; raises Garbled."""
        from app.links.decoding import decode_json

        return decode_json(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """User name and password for a charger's own interface."""

    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


class HttpLink(Protocol):
    """HTTP exchanges with one charger over one kept-alive connection."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        limit: int = 1_000_000,
    ) -> HttpAnswer:
        """Send one request. Raises NotReachable, TimedOut, LinkLost, Garbled (not HTTP, or body over ``limit``)."""
        ...

    def websocket(self, path: str, *, limit: int = 1_000_000) -> AsyncIterator[str]:
        """Open a WebSocket and yield text messages until the link closes; raises like ``request``."""
        ...

    async def close(self) -> None:
        """Close the connection. Idempotent."""
        ...


class LineLink(Protocol):
    """A byte stream (serial or TCP)."""

    async def write(self, data: bytes) -> None:
        """Send bytes; raises LinkLost."""
        ...

    async def read(self, *, timeout_s: float) -> bytes:
        """Return the next bytes (1 to 64 kB); raises TimedOut or LinkLost."""
        ...

    async def close(self) -> None:
        """Close it. Idempotent."""
        ...


class DatagramLink(Protocol):
    """UDP to one peer."""

    async def send(self, data: bytes) -> None:
        """Send one datagram."""
        ...

    async def receive(self, *, timeout_s: float) -> bytes:
        """Return the next datagram; raises TimedOut or LinkLost."""
        ...

    async def close(self) -> None:
        """Close it. Idempotent."""
        ...


class OcppLink(Protocol):
    """A unit connected to our own endpoint; the verbs of ``app.ocpp.endpoint.Endpoint``."""

    @property
    def endpoint(self) -> Any:
        """Return the live Endpoint of that identity; raises LinkLost where it is not connected."""
        ...


class Links(Protocol):
    """Opens links. The real one binds to the chosen adapter and records; tests replay."""

    async def http(self, address: NetAddress, *, credentials: Credentials | None = None) -> HttpLink:
        """Prepare HTTP to an address (connects on the first request)."""
        ...

    async def serial(self, address: SerialAddress) -> LineLink:
        """Open a serial port exclusively; raises NotReachable, Busy."""
        ...

    async def tcp(self, address: NetAddress) -> LineLink:
        """Open a TCP connection."""
        ...

    async def udp(self, address: NetAddress) -> DatagramLink:
        """Open a UDP socket connected to an address."""
        ...

    def ocpp(self, address: OcppAddress) -> OcppLink:
        """Return the link to a unit on our endpoint."""
        ...

    def credentials(self, address: NetAddress) -> Credentials | None:
        """Return what the vault holds for that charger, if anything."""
        ...
