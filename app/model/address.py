"""Where a charger can be reached."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NetAddress:
    """An IP address (or name) and port on the LAN. ``host`` of an IPv6 link-local address carries its ``%scope``.

    ``scheme`` says what is spoken there: ``http``, ``https``, ``udp``, ``modbus``, ``mqtt`` or ``tcp``.
    """

    host: str
    port: int = 80
    scheme: str = "http"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_web(self) -> bool:
        """Say whether HTTP is spoken there."""
        return self.scheme in ("http", "https")

    @property
    def url(self) -> str:
        """Return the base URL without a trailing slash."""
        return f"{self.scheme}://{self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialAddress:
    """A serial port of this computer (``COM5``, ``/dev/ttyUSB0``)."""

    port: str
    baud: int = 115200

    def __str__(self) -> str:
        return self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class OcppAddress:
    """A charger that dials our endpoint, under the identity it used there."""

    identity: str

    def __str__(self) -> str:
        return f"ocpp:{self.identity}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JuiceAddress:
    """A JuiceBox that sends its JuiceNet datagrams to us, under the serial it tells in them."""

    box_id: str

    def __str__(self) -> str:
        return f"juicenet:{self.box_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BleAddress:
    """A charger in Bluetooth LE range: the system's name for it (a MAC; on macOS a UUID), and what it advertises.

    The advertised name often comes later, and anybody may change it: it makes no other address.
    """

    device: str
    name: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"ble:{self.device}"


Address = NetAddress | SerialAddress | OcppAddress | JuiceAddress | BleAddress
