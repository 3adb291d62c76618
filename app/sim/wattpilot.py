"""A simulated Fronius Wattpilot: a go-e that tells its keys over a WebSocket, after a login.

Source: joscha82/wattpilot (API.md, src/wattpilot/__init__.py); the login of a Flex:
ruaan-deysel/wattpilot-api CHANGELOG.md.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import Any

from aiohttp import WSMsgType, web

from app.sim.fault import Fault
from app.sim.goe import GoEUnit
from app.sim.webunit import Answer, drop

PART = 20
"""Keys in one part of the full status."""

TELLS_S = 1.0


@lru_cache(maxsize=64)
def derived(password: str, serial: str) -> bytes:
    """Derive the key as the app does: 256 bytes, of whose Base64 the first 32 characters count."""
    return base64.b64encode(hashlib.pbkdf2_hmac("sha512", password.encode(), serial.encode(), 100_000, 256))[:32]


class WattpilotUnit(GoEUnit):
    """One charger. ``hash_kind`` is ``bcrypt`` for a Wattpilot Flex."""

    oem = "fronius"

    def __init__(
        self,
        firmware: str = "36.3",
        *,
        serial: str = "10056789",
        password: str = "wattpilot-word",
        typ: str = "wattpilot",
        hash_kind: str = "",
        is_secured: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        time_scale: float = 1.0,
        keys: Mapping[str, Any] | None = None,
        announce: Iterable[str] = (),
        label: str = "",
        faults: Iterable[Fault] = (),
    ) -> None:
        super().__init__(
            firmware,
            typ=typ,
            serial=serial,
            host=host,
            port=port,
            time_scale=time_scale,
            keys=keys,
            announce=announce,
            label=label,
            faults=faults,
        )
        self._password = password
        self._hash_kind = hash_kind
        self._is_secured = is_secured

    def services(self) -> Mapping[str, Mapping[str, str]]:
        """Return nothing: no source names a service of it."""
        return {}

    async def answer(self, request: web.Request) -> Answer:
        """Serve ``/ws``; there is no other page."""
        if request.path != "/ws" or request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=404, text="Nothing matches the given URI")
        socket = web.WebSocketResponse(max_msg_size=65_536)
        await socket.prepare(request)
        await _Visit(self, socket, request).serve()
        return socket

    def hello(self) -> dict[str, Any]:
        """Return its greeting."""
        held = self.held
        return {
            "type": "hello",
            "serial": held["sse"],
            "hostname": held["host"],
            "friendly_name": held["fna"],
            "manufacturer": "fronius",
            "devicetype": held["typ"],
            "version": self.firmware,
            "protocol": 2,
            "secured": self._is_secured,
        }

    async def key(self) -> bytes:
        """Return what messages are sealed with."""
        return await asyncio.to_thread(derived, self._password, str(self.held["sse"]))

    @property
    def hash_kind(self) -> str:
        """Return the kind of login it asks for; empty where it names none."""
        return self._hash_kind

    @property
    def is_secured(self) -> bool:
        """Say whether it takes sealed messages only."""
        return self._is_secured


class _Visit:
    """One client on the WebSocket."""

    def __init__(self, unit: WattpilotUnit, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._unit = unit
        self._socket = socket
        self._request = request
        self._tokens = secrets.token_hex(16), secrets.token_hex(16)
        self._is_in = False

    async def serve(self) -> None:
        """Greet, ask for the login, then answer until the client goes."""
        await self._send(self._unit.hello())
        wanted = {"type": "authRequired", "token1": self._tokens[0], "token2": self._tokens[1]}
        await self._send(wanted | ({"hash": self._unit.hash_kind} if self._unit.hash_kind else {}))
        teller = self._unit.scope.isolated("tell", self._tell())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._received(json.loads(message.data))
        finally:
            teller.cancel()

    async def _received(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "auth":
                await self._judge(message)
            case "securedMsg" if self._is_in:
                mac = hmac.new(await self._unit.key(), message["data"].encode(), hashlib.sha256).hexdigest()
                await self._obey(json.loads(message["data"]), is_sealed=hmac.compare_digest(mac, message["hmac"]))
            case "setValue" if self._is_in:
                await self._obey(message, is_sealed=not self._unit.is_secured)

    async def _judge(self, message: dict[str, Any]) -> None:
        inner = hashlib.sha256(self._tokens[0].encode() + await self._unit.key()).hexdigest()
        right = hashlib.sha256((message["token3"] + self._tokens[1] + inner).encode()).hexdigest()
        told = {"token3": message["token3"], "hash": message["hash"]}
        if message["hash"] != right:
            await self._send({"type": "authError", **told, "message": "Wrong password"})
            await self._socket.close()
            return
        self._is_in = True
        await self._send({"type": "authSuccess", **told})
        keys = iter(self._unit.told().items())
        while part := dict(islice(keys, PART)):
            await self._send({"type": "fullStatus", "partial": True, "status": part})
        await self._send({"type": "fullStatus", "partial": False, "status": {}})

    async def _obey(self, order: dict[str, Any], *, is_sealed: bool) -> None:
        number, key = str(order.get("requestId", "")), str(order.get("key", ""))
        said = self._unit.take(key, json.dumps(order.get("value"))) if is_sealed else "message is not secured"
        self._unit.wrote.set()
        if Fault.DROPS_MID_WRITE in self._unit.faults:
            drop(self._request)
            return
        answer: dict[str, Any] = {"type": "response", "requestId": number, "success": said is True}
        await self._send(answer if said is True else answer | {"message": said})

    async def _tell(self) -> None:
        """Tell about once a second what changes."""
        told: dict[str, Any] = {}
        while not self._socket.closed:
            await asyncio.sleep(TELLS_S * self._unit.time_scale)
            now = self._unit.told()
            news = {key: value for key, value in now.items() if told.get(key, self) != value}
            told = now
            if self._is_in and news:
                await self._send({"type": "deltaStatus", "status": news})

    async def _send(self, message: Mapping[str, Any]) -> None:
        with suppress(ConnectionError, RuntimeError):
            await self._socket.send_str(json.dumps(dict(message)))
