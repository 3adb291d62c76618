"""The links of the real world, recorded when asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from app.errors import LinkLost
from app.links.datagrams import SharedLink, SharedSockets
from app.links.http import RealHttp
from app.links.link import (
    USUAL,
    BleLink,
    Credentials,
    DatagramLink,
    HttpLink,
    HttpManner,
    JuiceLink,
    LineLink,
    ModbusLink,
    MqttLink,
    OcppLink,
)
from app.links.recording import RecordedDatagrams, RecordedHttp, RecordedLine, RecordedModbus, Recorder
from app.links.serial import SerialLine
from app.links.streams import TcpLine, UdpLink
from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress
from app.model.secret import Secret

if TYPE_CHECKING:
    from app.links.ble import Radio


class SecretStore(Protocol):
    """The part of the vault that links need."""

    def get(self, name: str) -> Secret | None:
        """Return the secret of that name, if there is one."""
        ...


class OcppWay:
    """A unit on our own endpoint, looked up anew on each use: it may have redialled."""

    def __init__(self, address: OcppAddress, find: Callable[[str], Any]) -> None:
        self._address = address
        self._find = find

    @property
    def endpoint(self) -> Any:
        """Return the live Endpoint; raises LinkLost."""
        endpoint = self._find(self._address.identity)
        if endpoint is None:
            raise LinkLost(
                f"“{self._address.identity}” is not connected to our endpoint.",
                "Wait until the charger dials in again.",
            )
        return endpoint


class JuiceWay:
    """A JuiceBox that sends to our peer, looked up anew on each use."""

    def __init__(self, address: JuiceAddress, find: Callable[[str], Any]) -> None:
        self._address = address
        self._find = find

    @property
    def box(self) -> Any:
        """Return the live Box; raises LinkLost."""
        box = self._find(self._address.box_id)
        if box is None:
            raise LinkLost(
                f"JuiceBox {self._address.box_id} does not send to us.",
                "Switch JuiceNet on here, and let the site's DNS answer its names with our address.",
            )
        return box


class RealLinks:
    """Opens real links: bound to the chosen adapter, recorded where a recorder is given.

    A charger's own login is read from the vault as ``charger/<host>/user`` and ``charger/<host>/password``; of one over
    Bluetooth as ``charger/ble:<device>/password``. ``radio`` is the Bluetooth used instead of the computer's own.
    """

    def __init__(
        self,
        *,
        adapter_address: str = "",
        recorder: Recorder | None = None,
        vault: SecretStore | None = None,
        ocpp: Callable[[str], Any] = lambda _identity: None,
        juicenet: Callable[[str], Any] = lambda _box_id: None,
        radio: Radio | None = None,
    ) -> None:
        self.adapter_address = adapter_address
        self._recorder = recorder
        self._vault = vault
        self._ocpp = ocpp
        self._juicenet = juicenet
        self._radio = radio
        self._sockets = SharedSockets()

    async def http(
        self, address: NetAddress, *, credentials: Credentials | None = None, manner: HttpManner = USUAL
    ) -> HttpLink:
        """Prepare HTTP to an address; without ``credentials`` those of the vault are used."""
        used = credentials or self.credentials(address)
        link = RealHttp(address, adapter_address=self.adapter_address, credentials=used, manner=manner)
        if self._recorder is None:
            return link
        if used is not None:
            self._recorder.hide(used.password)
        self._recorder.know(manner.secret_keys)
        return RecordedHttp(link, self._recorder, str(address))

    async def serial(self, address: SerialAddress, *, is_ready: bool = False) -> LineLink:
        """Open a serial port exclusively; raises NotReachable, Busy."""
        return self._line(await SerialLine.open(address, is_ready=is_ready), "serial", str(address))

    async def tcp(self, address: NetAddress) -> LineLink:
        """Open a TCP connection; raises NotReachable."""
        link = await TcpLine.open(address, adapter_address=self.adapter_address)
        return self._line(link, "tcp", str(address))

    async def udp(self, address: NetAddress, *, local_port: int = 0) -> DatagramLink:
        """Open UDP to an address; raises NotReachable, and PortInUse where another program holds ``local_port``."""
        link: DatagramLink
        if local_port:
            link = await self._sockets.link(address, local_port, adapter_address=self.adapter_address)
        else:
            link = await UdpLink.open(address, adapter_address=self.adapter_address)
        return link if self._recorder is None else RecordedDatagrams(link, self._recorder, str(address))

    async def modbus(self, address: NetAddress) -> ModbusLink:
        """Open Modbus TCP; raises NotReachable."""
        from app.links.modbus import ModbusTcp

        link = await ModbusTcp.open(address, adapter_address=self.adapter_address)
        return link if self._recorder is None else RecordedModbus(link, self._recorder, str(address))

    async def mqtt(self, address: NetAddress, *, credentials: Credentials | None = None) -> MqttLink:
        """Connect to a broker, with the vault's login unless another is given; raises NotReachable, AuthFailed."""
        from app.links.mqtt import MqttTcp

        used = credentials or self.credentials(address)
        link = await MqttTcp.open(address, credentials=used, adapter_address=self.adapter_address)
        if self._recorder is None:
            return link
        from app.links.recording_mqtt import RecordedMqtt

        if used is not None:
            self._recorder.hide(used.password)
        return RecordedMqtt(link, self._recorder, str(address))

    async def ble(self, address: BleAddress) -> BleLink:
        """Connect over Bluetooth LE; raises NotReachable, NotSupported (no Bluetooth here)."""
        from app.links.ble import OWN_RADIO, GattLink

        link = await GattLink.open(address, self._radio or OWN_RADIO)
        if self._recorder is None:
            return link
        from app.links.recording_ble import RecordedBle

        if (used := self.credentials(address)) is not None:
            self._recorder.hide(used.password)
        return RecordedBle(link, self._recorder, address.device)

    async def everybody(self, address: NetAddress, *, local_port: int) -> SharedLink:
        """Open UDP to all behind a broadcast address; raises NotReachable, PortInUse."""
        return await self._sockets.call(address, local_port, adapter_address=self.adapter_address)

    def ocpp(self, address: OcppAddress) -> OcppLink:
        """Return the link to a unit on our endpoint."""
        return OcppWay(address, self._ocpp)

    def juicenet(self, address: JuiceAddress) -> JuiceLink:
        """Return the link to a JuiceBox that sends to us."""
        return JuiceWay(address, self._juicenet)

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        """Return the login the vault holds for that charger, if any."""
        if self._vault is None:
            return None
        where = address.host if isinstance(address, NetAddress) else str(address)
        password = self._vault.get(f"charger/{where}/password")
        if password is None:
            return None
        user = self._vault.get(f"charger/{where}/user")
        return Credentials(user=user.reveal() if user else "", password=password)

    def _line(self, link: LineLink, kind: str, where: str) -> LineLink:
        return link if self._recorder is None else RecordedLine(link, self._recorder, kind, where)
