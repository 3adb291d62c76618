"""HTTP and WebSocket to one charger: bounded, with deadlines, redirects not followed, foreign errors translated."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import orjson

from app.errors import AppError, Garbled, LinkError, LinkLost, NotReachable, TimedOut, TlsRejected
from app.links.link import USUAL, Credentials, HttpAnswer, HttpManner, Login, TextChannel
from app.model.address import NetAddress

OPEN_LIMIT_S = 5.0
CHUNK = 65_536
GOODBYE_S = 2.0
"""A peer that does not answer our goodbye (RFC 6455 §7.1.1) is not waited for any longer [OURS]."""
QUIET_LIMIT_S = 75.0
"""A charger that says nothing on its WebSocket for so long, answering no ping either, is gone."""


class RealHttp:
    """One charger's HTTP interface over kept-alive connections: one for requests, one for a WebSocket.

    ``aiohttp`` is imported on the first request: it costs a fifth of a second.
    """

    def __init__(
        self,
        address: NetAddress,
        *,
        adapter_address: str = "",
        credentials: Credentials | None = None,
        manner: HttpManner = USUAL,
    ) -> None:
        self._address = address
        self._adapter = adapter_address
        self._credentials = credentials
        self._manner = manner
        self._session: Any = None
        self._channels: set[Channel] = set()
        self._is_closed = False

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
        """Send one request; see ``app.links.link.HttpLink``."""
        sent = dict(headers or {})
        if json is not None:
            body = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        session = self._open()
        with self._translated(timeout_s):
            async with (
                asyncio.timeout(timeout_s),
                session.request(method, self._url(path), data=body, headers=sent, allow_redirects=False) as answer,
            ):
                found = {name.lower(): value for name, value in answer.headers.items()}
                return HttpAnswer(status=answer.status, headers=found, body=await self._body(answer, limit))

    async def websocket(self, path: str, *, limit: int = 1_000_000) -> AsyncIterator[str]:
        """Yield the text messages of a WebSocket; see ``app.links.link.HttpLink``."""
        from aiohttp import WSMsgType

        stream = await self._connected(path, limit)
        try:
            while True:
                with self._translated(QUIET_LIMIT_S):
                    message = await stream.receive()
                if message.type is WSMsgType.TEXT:
                    yield message.data
                elif message.type is WSMsgType.ERROR:
                    raise self._broken_stream(message.data, limit)
                elif message.type is not WSMsgType.BINARY:
                    return
        finally:
            await _goodbye(stream)

    async def channel(self, path: str, *, limit: int = 1_000_000) -> TextChannel:
        """Open a WebSocket to talk over; see ``app.links.link.HttpLink``."""
        made = Channel(self, await self._connected(path, limit), limit)
        self._channels.add(made)
        return made

    async def _connected(self, path: str, limit: int) -> Any:
        session = self._open()
        with self._translated(OPEN_LIMIT_S):
            async with asyncio.timeout(OPEN_LIMIT_S):
                return await session.ws_connect(
                    self._url(path), max_msg_size=limit, heartbeat=QUIET_LIMIT_S / 2.5, autoclose=True
                )

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        self._is_closed = True
        session, self._session = self._session, None
        try:
            for channel in tuple(self._channels):
                await channel.close()
        finally:
            if session is not None:
                await session.close()

    def _open(self) -> Any:
        if self._is_closed:
            raise LinkLost(f"The connection to {self._address} is closed.", "Open the charger again.")
        if self._session is None:
            self._session = self._new_session()
        return self._session

    def _new_session(self) -> Any:
        import aiohttp

        headers = {"User-Agent": "Rehome", "Accept-Encoding": "identity"}
        if "%" in self._address.host:
            # the scope of a link-local address means nothing to the charger (RFC 6874 §4)
            headers["Host"] = f"[{self._address.host.partition('%')[0]}]:{self._address.port}"
        login = self._credentials
        middlewares: list[Any] = [_stay]
        if login is not None and self._manner.login is Login.BASIC:
            headers["Authorization"] = basic(login)
        elif login is not None and self._manner.login is Login.DIGEST:
            middlewares.append(aiohttp.DigestAuthMiddleware(login.user, login.password.reveal()))
        single = self._manner.is_single
        keeps = self._manner.keeps_cookies
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1 if single else 2,
                local_addr=self._local(),
                keepalive_timeout=120 if single else 15,
                ssl=unverified() if self._address.scheme == "https" else True,
            ),
            cookie_jar=aiohttp.CookieJar(unsafe=True) if keeps else aiohttp.DummyCookieJar(),
            middlewares=middlewares,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=OPEN_LIMIT_S),
            headers=headers,
            auto_decompress=False,
        )

    def _local(self) -> tuple[str, int] | None:
        return local_address(self._adapter, self._address.host)

    def _url(self, path: str) -> Any:
        from yarl import URL

        return URL(self._address.url + path, encoded=True)

    def _broken_stream(self, error: object, limit: int) -> AppError:
        from aiohttp import WebSocketError

        if not isinstance(error, WebSocketError):
            return _lost(self._address)
        return Garbled(
            f"{self._address} sent what is no WebSocket message of at most {limit // 1000} kB.",
            "Restart the charger; if it stays, report it with a recording.",
        )

    async def _body(self, answer: Any, limit: int) -> bytes:
        found = bytearray()
        async for chunk in answer.content.iter_chunked(CHUNK):
            found += chunk
            if len(found) > limit:
                answer.close()
                raise Garbled(
                    f"The answer of {self._address} is longer than {limit // 1000} kB.",
                    "This is not what a charger sends: check the address.",
                )
        return bytes(found)

    @contextmanager
    def _translated(self, limit_s: float) -> Iterator[None]:
        import aiohttp

        where = self._address
        try:
            yield
        except TimeoutError as error:
            raise _silent(where, limit_s) from error
        except (
            aiohttp.ClientConnectorSSLError,
            aiohttp.ClientConnectorCertificateError,
            aiohttp.ClientSSLError,
        ) as error:
            raise TlsRejected(
                f"{where} and this computer could not agree on TLS: {error}", "Try plain http."
            ) from error
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            if isinstance(getattr(error, "os_error", None), ConnectionResetError):
                # taken, and hung up on while TLS was agreed on; who does not take it at all refuses or is silent
                raise _lost(where) from error
            raise _unreachable(where, error) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            raise _lost(where) from error
        except aiohttp.WSServerHandshakeError as error:
            raise NotReachable(
                f"{where} refused the status stream (HTTP {error.status}).", "The charger is read by asking it instead."
            ) from error
        except aiohttp.ClientError as error:
            raise Garbled(
                f"What answers at {where} does not speak HTTP.", "Check the address; another device may have it now."
            ) from error
        except ConnectionError as error:
            raise _lost(where) from error


class Channel:
    """A WebSocket in both directions."""

    def __init__(self, http: RealHttp, stream: Any, limit: int) -> None:
        self._http = http
        self._stream = stream
        self._limit = limit

    async def send(self, text: str) -> None:
        """Send one message; raises LinkLost."""
        if self._stream.closed:
            raise _lost(self._http._address)
        with self._http._translated(OPEN_LIMIT_S):
            async with asyncio.timeout(OPEN_LIMIT_S):
                await self._stream.send_str(text)

    async def receive(self, *, timeout_s: float) -> str:
        """Return the next text message; raises TimedOut, LinkLost, Garbled."""
        from aiohttp import WSMsgType

        while True:
            with self._http._translated(timeout_s):
                async with asyncio.timeout(timeout_s):
                    message = await self._stream.receive()
            if message.type is WSMsgType.TEXT:
                return str(message.data)
            if message.type is WSMsgType.ERROR:
                raise self._http._broken_stream(message.data, self._limit)
            if message.type is not WSMsgType.BINARY:
                raise _lost(self._http._address)

    async def close(self) -> None:
        """Close it. Idempotent."""
        self._http._channels.discard(self)
        await _goodbye(self._stream)


async def _stay(request: Any, ask: Any) -> Any:
    """Refuse to be sent elsewhere when opening a WebSocket: a charger has no say in which other host we talk to."""
    from aiohttp import WSServerHandshakeError

    answer = await ask(request)
    if 300 <= answer.status < 400 and "Upgrade" in request.headers:
        answer.close()
        raise WSServerHandshakeError(answer.request_info, (), status=answer.status, message="sent elsewhere")
    return answer


async def _goodbye(stream: Any) -> None:
    """Close a WebSocket. One that goes on talking instead of answering would be listened to for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await stream.close()


@cache
def unverified() -> ssl.SSLContext:
    """Return a TLS context for a charger's own web page: self-signed, with old ciphers, for an address and no name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def local_address(adapter: str, host: str) -> tuple[str, int] | None:
    """Return the address to bind to, or ``None`` where the adapter can't reach the host (loopback, other family)."""
    if not adapter:
        return None
    try:
        own, peer = ipaddress.ip_address(adapter), ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return adapter, 0
    return None if peer.is_loopback or own.version != peer.version else (adapter, 0)


def basic(credentials: Credentials) -> str:
    """Return the value of an Authorization header (RFC 7617, UTF-8)."""
    pair = f"{credentials.user}:{credentials.password.reveal()}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def reason(error: Exception) -> str:
    """Return the operating system's own words for a failure to connect."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    known = os.strerror(number) if isinstance(number, int) and number > 0 else ""
    if known and not known.startswith("Unknown"):
        return known
    return getattr(cause, "strerror", "") or str(cause)


def _silent(where: NetAddress, limit_s: float) -> LinkError:
    return TimedOut(
        f"{where} did not answer within {limit_s:.0f} s.", "Check that the charger has power and is on this network."
    )


def _unreachable(where: NetAddress, error: Exception) -> LinkError:
    return NotReachable(
        f"Nothing answers at {where} ({reason(error)}).",
        "Check the address, the charger's power, and that this computer is on the same network.",
    )


def _lost(where: NetAddress) -> LinkError:
    return LinkLost(
        f"{where} closed the connection in the middle of an answer.", "The charger may be restarting: try again."
    )
