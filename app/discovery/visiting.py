"""One visit to one address: what several drivers ask of it there is asked once, over one connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any

from app.errors import AppError
from app.links.link import (
    USUAL,
    BleLink,
    Credentials,
    DatagramLink,
    HttpAnswer,
    HttpLink,
    HttpManner,
    JuiceLink,
    LineLink,
    Links,
    Login,
    ModbusLink,
    MqttLink,
    OcppLink,
    TextChannel,
)
from app.model.address import BleAddress, JuiceAddress, NetAddress, OcppAddress, SerialAddress

ANONYMOUS = HttpManner(login=Login.NONE)

_Outcome = HttpAnswer | AppError


class Visit:
    """Links whose HTTP is shared between the drivers of one visit; ``async with`` closes what was opened.

    A plain GET that was answered, or failed, is not sent a second time: small web servers hold few connections, and a
    fingerprint has to cost them little. Everything else passes as it is.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._open: dict[tuple[NetAddress, HttpManner], SharedHttp] = {}

    async def __aenter__(self) -> Visit:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            _, shared = self._open.popitem()
            await shared.link.close()

    async def http(
        self, address: NetAddress, *, credentials: Credentials | None = None, manner: HttpManner = USUAL
    ) -> HttpLink:
        """Return the visit's link to an address; one of its own where a login or cookies make it another one."""
        if credentials is not None or manner.keeps_cookies:
            return await self._links.http(address, credentials=credentials, manner=manner)
        key = address, manner if self._links.credentials(address) else USUAL
        if key not in self._open:
            self._open[key] = SharedHttp(await self._links.http(address, manner=manner))
        return self._open[key]

    async def serial(self, address: SerialAddress, *, is_ready: bool = False) -> LineLink:
        """Open a serial port."""
        return await self._links.serial(address, is_ready=is_ready)

    async def tcp(self, address: NetAddress) -> LineLink:
        """Open a TCP connection."""
        return await self._links.tcp(address)

    async def udp(self, address: NetAddress, *, local_port: int = 0) -> DatagramLink:
        """Open UDP."""
        return await self._links.udp(address, local_port=local_port)

    async def modbus(self, address: NetAddress) -> ModbusLink:
        """Open Modbus TCP."""
        return await self._links.modbus(address)

    async def mqtt(self, address: NetAddress, *, credentials: Credentials | None = None) -> MqttLink:
        """Connect to a broker."""
        return await self._links.mqtt(address, credentials=credentials)

    async def ble(self, address: BleAddress) -> BleLink:
        """Connect over Bluetooth LE."""
        return await self._links.ble(address)

    def ocpp(self, address: OcppAddress) -> OcppLink:
        """Return the link to a unit on our endpoint."""
        return self._links.ocpp(address)

    def juicenet(self, address: JuiceAddress) -> JuiceLink:
        """Return the link to a JuiceBox that sends to us."""
        return self._links.juicenet(address)

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:
        """Return what the vault holds."""
        return self._links.credentials(address)


class Incognito(Visit):
    """The same visit without a login: a password kept for one charger is no other family's to see."""

    def __init__(self, visit: Visit) -> None:
        super().__init__(visit._links)
        self._open = visit._open

    async def http(
        self,
        address: NetAddress,
        *,
        credentials: Credentials | None = None,  # noqa: ARG002 - as the protocol has it
        manner: HttpManner = USUAL,
    ) -> HttpLink:
        """Return a link that shows nobody who we are."""
        if manner.keeps_cookies:
            return await self._links.http(address, manner=replace(manner, login=Login.NONE))
        return await super().http(address, manner=ANONYMOUS)

    async def mqtt(
        self,
        address: NetAddress,
        *,
        credentials: Credentials | None = None,  # noqa: ARG002 - as the protocol has it
    ) -> MqttLink:
        """Connect to a broker as nobody."""
        return await super().mqtt(address, credentials=Credentials())

    def credentials(self, address: NetAddress | BleAddress) -> Credentials | None:  # noqa: ARG002 - as above
        """Know nothing."""
        return None


class SharedHttp:
    """HTTP that several drivers use one after another; it stays open until the visit ends."""

    def __init__(self, link: HttpLink) -> None:
        self.link = link
        self._told: dict[tuple[str, tuple[tuple[str, str], ...], int], _Outcome] = {}

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
        """Send one request, or answer with what the same GET has brought before."""
        if method != "GET" or json is not None or body is not None:
            return await self.link.request(
                method, path, json=json, body=body, headers=headers, timeout_s=timeout_s, limit=limit
            )
        key = path, tuple(sorted((headers or {}).items())), limit
        if key not in self._told:
            self._told[key] = await self._asked(path, headers, timeout_s, limit)
        outcome = self._told[key]
        if isinstance(outcome, AppError):
            raise outcome
        return outcome

    async def _asked(self, path: str, headers: Mapping[str, str] | None, timeout_s: float, limit: int) -> _Outcome:
        try:
            return await self.link.request("GET", path, headers=headers, timeout_s=timeout_s, limit=limit)
        except AppError as error:
            return error

    def websocket(self, path: str, *, limit: int = 1_000_000) -> AsyncIterator[str]:
        """Open a WebSocket and yield its messages."""
        return self.link.websocket(path, limit=limit)

    async def channel(self, path: str, *, limit: int = 1_000_000) -> TextChannel:
        """Open a WebSocket to talk over."""
        return await self.link.channel(path, limit=limit)

    async def close(self) -> None:
        """Leave it open for the next driver: the visit closes it."""
