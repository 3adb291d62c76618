"""What drivers see of the world: four kinds of links, made by a ``Links`` factory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
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


class Login(Enum):
    """How the vault's login is shown to a charger's web interface."""

    BASIC = "basic"
    """With each request (RFC 7617)."""
    DIGEST = "digest"
    """After its challenge (RFC 7616)."""
    NONE = "none"
    """Not by HTTP: the driver logs in itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpManner:
    """How a family's web interface wants to be spoken to.

    ``is_single``: everything over one connection, for a session that is bound to it. ``keeps_cookies``: cookies it
    sets are sent back. A charger's own certificate is never verified: it is self-signed and names no address.
    ``secret_keys``: JSON keys, or the ``id`` or ``key`` beside a ``value``, under which this family keeps secrets that
    their name does not betray; recordings mask them.
    """

    login: Login = Login.BASIC
    is_single: bool = False
    keeps_cookies: bool = False
    secret_keys: frozenset[str] = frozenset()


USUAL = HttpManner()


class TextChannel(Protocol):
    """A WebSocket in both directions, text messages only."""

    async def send(self, text: str) -> None:
        """Send one message; raises LinkLost."""
        ...

    async def receive(self, *, timeout_s: float) -> str:
        """Return the next message; raises TimedOut, LinkLost, Garbled."""
        ...

    async def close(self) -> None:
        """Close it. Idempotent."""
        ...


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

    async def channel(self, path: str, *, limit: int = 1_000_000) -> TextChannel:
        """Open a WebSocket to talk over; raises like ``request``. It ends with the link at the latest."""
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


class ModbusLink(Protocol):
    """Modbus TCP to one unit. Only function codes that read."""

    async def holding(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read ``count`` (1 to 125) holding registers, 0 to 65535 each.

        Raises TimedOut, LinkLost, Garbled, and NotSupported where the unit answers with an exception code.
        """
        ...

    async def inputs(self, start: int, count: int, *, unit: int = 1, timeout_s: float = 3.0) -> Sequence[int]:
        """Read input registers; like ``holding``."""
        ...

    async def close(self) -> None:
        """Close it. Idempotent."""
        ...


class MqttLink(Protocol):
    """A connection to the MQTT broker of a charger."""

    async def publish(self, topic: str, payload: str) -> None:
        """Publish with QoS 1, not retained; raises LinkLost, TimedOut."""
        ...

    async def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1; raises LinkLost, TimedOut, NotSupported where the broker refuses."""
        ...

    async def receive(self, *, timeout_s: float) -> tuple[str, str]:
        """Return topic and payload of the next message; raises TimedOut, LinkLost, Garbled (not UTF-8, too long)."""
        ...

    async def close(self) -> None:
        """Close it. Idempotent."""
        ...


class BleLink(Protocol):
    """A GATT connection to one unit."""

    @property
    def services(self) -> frozenset[str]:
        """Return the UUIDs of its services, lower case."""
        ...

    async def listen(self, characteristic: str) -> None:
        """Ask for its notifications; raises LinkLost, NotSupported where there is no such characteristic."""
        ...

    async def write(self, characteristic: str, data: bytes) -> None:
        """Write one value with response; raises LinkLost, TimedOut, NotSupported."""
        ...

    async def receive(self, *, timeout_s: float) -> tuple[str, bytes]:
        """Return characteristic and value of the next notification; raises TimedOut, LinkLost."""
        ...

    async def close(self) -> None:
        """Disconnect. Idempotent."""
        ...


class OcppLink(Protocol):
    """A unit connected to our own endpoint; the verbs of ``app.ocpp.endpoint.Endpoint``."""

    @property
    def endpoint(self) -> Any:
        """Return the live Endpoint of that identity; raises LinkLost where it is not connected."""
        ...


class JuiceLink(Protocol):
    """A JuiceBox that sends to our peer; the verbs of ``app.juicenet.box.Box``."""

    @property
    def box(self) -> Any:
        """Return the live Box of that serial; raises LinkLost where nobody listens for it."""
        ...


class Links(Protocol):
    """Opens links. The real one binds to the chosen adapter and records; tests replay."""

    async def http(
        self, address: NetAddress, *, credentials: Credentials | None = None, manner: HttpManner = USUAL
    ) -> HttpLink:
        """Prepare HTTP to an address (connects on the first request)."""
        ...

    async def serial(self, address: SerialAddress, *, is_ready: bool = False) -> LineLink:
        """Open a serial port exclusively; raises NotReachable, Busy.

        ``is_ready`` says by DTR and RTS that a terminal is there: modems may stay silent without, and Arduino-like
        controllers restart on it.
        """
        ...

    async def tcp(self, address: NetAddress) -> LineLink:
        """Open a TCP connection."""
        ...

    async def udp(self, address: NetAddress, *, local_port: int = 0) -> DatagramLink:
        """Open UDP to an address; with ``local_port`` from that port, which all links of one program share.

        Raises NotReachable, and PortInUse where another program holds the port.
        """
        ...

    async def modbus(self, address: NetAddress) -> ModbusLink:
        """Open Modbus TCP; raises NotReachable."""
        ...

    async def mqtt(self, address: NetAddress, *, credentials: Credentials | None = None) -> MqttLink:
        """Connect to a broker; raises NotReachable, AuthFailed."""
        ...

    async def ble(self, address: BleAddress) -> BleLink:
        """Connect over Bluetooth LE; raises NotReachable (out of reach, Bluetooth off), NotSupported (no adapter)."""
        ...

    def ocpp(self, address: OcppAddress) -> OcppLink:
        """Return the link to a unit on our endpoint."""
        ...

    def juicenet(self, address: JuiceAddress) -> JuiceLink:
        """Return the link to a JuiceBox that sends to us."""
        ...

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        """Return what the vault holds for that charger, if anything."""
        ...
