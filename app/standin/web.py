"""Web answers on one adapter: internet checks are passed, the JuiceBox directory is refused, chargers are let in.

::

    first bytes ── GET + upgrade, POST, TLS ──► the OCPP endpoint (the same connection, untouched)
        ├── a known internet check ──► its answer (over TLS: reset)
        ├── the directory's name, in Host or in TLS ──► reset, or 404 as chosen
        └── anything else ──► 404
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import cast

from app.errors import Garbled
from app.model.garage import Asked, Stand
from app.ocpp.hello import HelloReader
from app.ocpp.request import Request, end_of_head, parse_request
from app.standin.bounds import Rates
from app.standin.captive import Checks

PORT, SECURE_PORT = 80, 443
CLIENTS = 64
HEAD_LIMIT = 8192
FIRST_S = 10.0
"""How long a client may take for its request."""
RATE, TOTAL_RATE = 20.0, 400.0
LINGER = "hh" if sys.platform == "win32" else "ii"
"""struct linger (winsock2.h has shorts)."""
TLS = 0x16
"""The first byte of a TLS handshake (RFC 8446 §5.1)."""
NAME_LIMIT, KIND_LIMIT = 200, 20
"""How much of an address and of a method the log keeps."""


class Directory(Enum):
    """How the JuiceBox directory is refused."""

    RESET = "reset"
    NOT_FOUND = "404"


class WebStand:
    """The answers on one adapter's address, plain and TLS. ``visitor`` gives what takes in a charger's connection."""

    def __init__(
        self,
        *,
        checks: Checks,
        directory: Directory,
        is_refused: Callable[[str], bool],
        visitor: Callable[[], asyncio.Protocol | None],
        is_near: Callable[[str], bool],
        tell: Callable[[Asked], None],
        knows: Callable[[str], str],
        now: Callable[[], datetime],
    ) -> None:
        self.checks = checks
        self.directory = directory
        self.is_refused = is_refused
        self.visitor = visitor
        self.is_near = is_near
        self.rates = Rates(per_s=RATE, total_per_s=TOTAL_RATE)
        self.host = ""
        self.port = 0
        self.secure_port = 0
        self.tried = 0
        self._tell = tell
        self._knows = knows
        self._now = now
        self._servers: list[asyncio.Server] = []
        self._clients: set[_Client] = set()

    async def open(self, host: str, port: int = PORT, secure_port: int = SECURE_PORT) -> None:
        """Listen on both ports. Raises OSError."""
        self.host = host
        self.port = await self._listen(host, port)
        self.secure_port = await self._listen(host, secure_port)

    async def _listen(self, host: str, port: int) -> int:
        self.tried = port
        server = await asyncio.get_running_loop().create_server(lambda: _Client(self), host, port)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop; connections that were handed to the endpoint stay. Idempotent."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for client in tuple(self._clients):
            client.abort()
        await asyncio.sleep(0)  # the sockets are closed in the loop's next turn

    # For the clients

    def joined(self, client: _Client, address: str) -> bool:
        """Count a client in; false for strangers and where there are too many."""
        if len(self._clients) >= CLIENTS or not self.is_near(address):
            return False
        if not self.rates.allows(address, asyncio.get_running_loop().time()):
            return False
        self._clients.add(client)
        return True

    def left(self, client: _Client) -> None:
        """Count a client out."""
        self._clients.discard(client)

    def told(self, client: str, host: str, name: str, kind: str, answer: str) -> None:
        """Tell what was asked and answered."""
        self._tell(
            Asked(
                at=self._now(),
                stand=Stand.WEB,
                client=client,
                name=name[:NAME_LIMIT],
                kind=kind[:KIND_LIMIT],
                answer=answer,
                knows=self._knows(host),
            )
        )


class _Client(asyncio.Protocol):
    """One connection until it is answered or handed on."""

    def __init__(self, stand: WebStand) -> None:
        self._stand = stand
        self._head = bytearray()
        self._hello = HelloReader()
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""
        self._is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        if self._stand.joined(self, self._address):
            self._timer = asyncio.get_running_loop().call_later(FIRST_S, self.abort)
        else:
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._is_done:
            return
        seen = len(self._head)
        self._head += data
        if self._head[0] == TLS:
            self._secure(data)
            return
        end = end_of_head(self._head, seen)
        request = parse_request(bytes(self._head[:end])) if end > 0 else None
        if request is not None:
            self._plain(request)
        elif end > 0 or len(self._head) > HEAD_LIMIT:
            self.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._over()

    def abort(self) -> None:
        """Hang up with a reset, so that nobody takes it for an empty answer."""
        self._over()
        raw: socket.socket | None = self._transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(LINGER, 1, 0))
        self._transport.abort()

    def _over(self) -> None:
        self._is_done = True
        if self._timer is not None:
            self._timer.cancel()
        self._stand.left(self)

    def _secure(self, data: bytes) -> None:
        try:
            hello = self._hello.feed(data)
        except Garbled:
            self.abort()
            return
        if hello is None:
            return
        name = hello.server_name.lower()
        if self._stand.is_refused(name) or name in self._stand.checks.hosts:
            # No certificate of ours would do for them; a phone's attempt is no charger's either.
            self._stand.told(self._address, name, f"https://{name}", "TLS", "reset")
            self.abort()
        else:
            self._let_in(name, f"https://{name}", "TLS")

    def _plain(self, request: Request) -> None:
        host = request.get("host").rpartition("@")[2].partition(":")[0].lower().rstrip(".")
        path = request.target.partition("?")[0]
        url = f"http://{host}{path}"
        if request.get("upgrade").strip().lower() == "websocket":
            self._let_in(host, url, "WebSocket")
            return
        if self._stand.is_refused(host):
            self._refuse(host, url, request.method)
            return
        check = self._stand.checks.find(host, path)
        if check is None and request.method == "POST":  # OCPP over SOAP: the endpoint tells what it is
            self._let_in(host, url, request.method)
        elif check is None:
            self._answer(host, url, request.method, 404)
        elif request.method not in ("GET", "HEAD"):
            self._answer(host, url, request.method, 405)
        else:
            self._answer(host, url, request.method, check.status, check.body, check.type)

    def _let_in(self, host: str, name: str, kind: str) -> None:
        """Hand the connection with all it said to the endpoint, which sees the charger's own address."""
        visitor = self._stand.visitor()
        if visitor is None:
            self._stand.told(self._address, host, name, kind, "hung up: the endpoint does not listen")
            self.abort()
            return
        self._stand.told(self._address, host, name, kind, "handed to the endpoint")
        self._over()
        self._transport.set_protocol(visitor)
        visitor.connection_made(self._transport)
        visitor.data_received(bytes(self._head))

    def _refuse(self, host: str, url: str, method: str) -> None:
        if self._stand.directory is Directory.NOT_FOUND:
            self._answer(host, url, method, 404)
            return
        self._stand.told(self._address, host, url, method, "reset")
        self.abort()

    def _answer(self, host: str, url: str, method: str, status: int, body: str = "", kind: str = "") -> None:
        phrase = HTTPStatus(status).phrase
        content = body.encode()
        head = [f"HTTP/1.1 {status} {phrase}", "Connection: close", "Cache-Control: no-store"]
        head += [f"Content-Type: {kind}"] if kind else []
        head += [f"Content-Length: {len(content)}"] if status != HTTPStatus.NO_CONTENT else []
        self._transport.write("\r\n".join([*head, "", ""]).encode() + (content if method != "HEAD" else b""))
        self._over()
        self._transport.close()
        self._stand.told(self._address, host, url, method, f"{status} {phrase}")
