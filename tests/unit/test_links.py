"""Links over real sockets and ports: bounds, deadlines, and every foreign failure as one of ours."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import WSMsgType, web

from app.errors import Busy, Garbled, LinkError, LinkLost, NotReachable, TimedOut
from app.links import serial as serial_links
from app.links.http import RealHttp, local_address
from app.links.link import Credentials
from app.links.real import RealLinks
from app.links.streams import TcpLine, UdpLink
from app.model.address import NetAddress, OcppAddress, SerialAddress
from app.model.secret import Secret
from tests.conftest import TIME_UNIT_S

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
pty_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")


@asynccontextmanager
async def tcp_server(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[NetAddress]:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(closing, host, 0)
    try:
        yield NetAddress(host=host, port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def saying(*parts: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


@asynccontextmanager
async def web_server(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[NetAddress]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield NetAddress(host="127.0.0.1", port=runner.addresses[0][1])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def http(address: NetAddress, **options: object) -> AsyncIterator[RealHttp]:
    link = RealHttp(address, **options)  # type: ignore[arg-type]
    try:
        yield link
    finally:
        await link.close()


# HTTP


async def test_a_request_goes_out_as_asked_and_the_answer_comes_whole():
    async def echo(request: web.Request) -> web.Response:
        body = await request.text()
        return web.Response(
            status=202,
            text=f"{request.method} {request.path_qs} {request.headers['Authorization']} {body}",
            headers={"X-Kind": "Echo"},
        )

    login = Credentials(user="jörg", password=Secret("pass:wörd"))
    async with web_server(echo) as address, http(address, credentials=login) as link:
        answer = await link.request("PUT", "/a/b?c=%20d", json={"x": 1})
        assert answer.status == 202
        assert answer.headers["x-kind"] == "Echo"
        assert answer.body == b'PUT /a/b?c=%20d Basic asO2cmc6cGFzczp3w7ZyZA== {"x":1}'


async def test_requests_share_one_connection():
    peers = set()

    async def note(request: web.Request) -> web.Response:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text="ok")

    async with web_server(note) as address, http(address) as link:
        for _ in range(5):
            await link.request("GET", "/")
    assert len(peers) == 1


async def test_redirects_and_cookies_are_not_followed():
    async def elsewhere(request: web.Request) -> web.Response:
        assert "Cookie" not in request.headers
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:9/", "Set-Cookie": "a=b"})

    async with web_server(elsewhere) as address, http(address) as link:
        for _ in range(2):
            assert (await link.request("GET", "/")).status == 302


async def test_nobody_there_is_not_reachable(free_port: int):
    async with http(NetAddress(host="127.0.0.1", port=free_port)) as link:
        with pytest.raises(NotReachable):
            await link.request("GET", "/")
    async with http(NetAddress(host="no such host.invalid")) as link:
        with pytest.raises(LinkError):
            await link.request("GET", "/")


async def test_silence_times_out():
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(mute) as address, http(address) as link:
        with pytest.raises(TimedOut):
            await link.request("GET", "/", timeout_s=2 * TIME_UNIT_S)


async def test_a_trickle_times_out_as_a_whole():
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(TIME_UNIT_S / 5)

    async with tcp_server(trickle) as address, http(address) as link:
        with pytest.raises(TimedOut):
            await link.request("GET", "/", timeout_s=4 * TIME_UNIT_S)


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([b"SSH-2.0-OpenSSH_9\r\n"], Garbled),
        ([b"\x00\x01\x02\r\n\r\n"], Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"], Garbled),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"], Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"], LinkLost),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], LinkError | Garbled),
        ([], LinkLost),
    ],
    ids=["ssh", "bytes", "length", "long header", "cut body", "bad chunk", "nothing"],
)
async def test_what_is_no_http_is_garbled_and_what_is_cut_is_lost(parts: list[bytes], error: type[Exception]):
    async with tcp_server(saying(*parts)) as address, http(address) as link:
        with pytest.raises(error if isinstance(error, type) else (LinkError, Garbled)):
            await link.request("GET", "/")


async def test_an_endless_body_is_cut_at_the_limit():
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with tcp_server(flood) as address, http(address) as link:
        with pytest.raises(Garbled):
            await link.request("GET", "/", limit=300_000)


async def test_a_zip_bomb_is_not_unpacked():
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=b"\x1f\x8b" + b"0" * 100, headers={"Content-Encoding": "gzip"})

    async with web_server(bomb) as address, http(address) as link:
        assert (await link.request("GET", "/")).body.startswith(b"\x1f\x8b")


async def test_a_closed_link_is_lost():
    link = RealHttp(NetAddress(host="127.0.0.1", port=9))
    await link.close()
    await link.close()
    with pytest.raises(LinkLost):
        await link.request("GET", "/")
    with pytest.raises(LinkLost):
        await anext(link.websocket("/ws"))


async def test_ipv6_is_dialled(free_port: int):
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert b"Host: [::1]:" in request
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with tcp_server(hello, "::1") as address, http(address) as link:
        assert (await link.request("GET", "/")).body == b"ok"


async def stream_of(*texts: str, then: str = "close") -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        stream = web.WebSocketResponse()
        await stream.prepare(request)
        for text in texts:
            await stream.send_str(text)
        if then == "drop" and request.transport is not None:
            request.transport.abort()
        return stream

    return serve


async def test_a_websocket_gives_texts_until_it_closes():
    async with web_server(await stream_of("a", "b")) as address, http(address) as link:
        assert [text async for text in link.websocket("/ws")] == ["a", "b"]


async def test_closing_the_link_says_goodbye_over_its_open_channels() -> None:
    said: asyncio.Future[WSMsgType] = asyncio.get_running_loop().create_future()

    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoclose=True)
        await socket.prepare(request)
        said.set_result((await socket.receive()).type)
        return socket

    async with web_server(talk) as address:
        link = RealHttp(address)
        channel = await link.channel("/ws")
        await link.close()
        assert await asyncio.wait_for(said, 5) is WSMsgType.CLOSE
        with pytest.raises(LinkLost):
            await channel.send("too late")
        await link.close()


@pytest.mark.parametrize("talks_on", [False, True])
async def test_a_peer_that_ignores_a_goodbye_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, talks_on: bool) -> None:
    monkeypatch.setattr("app.links.http.GOODBYE_S", 2 * TIME_UNIT_S)
    gone = asyncio.Event()

    async def ignore(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoclose=False)
        await socket.prepare(request)
        with suppress(ConnectionError):
            while talks_on and not gone.is_set():
                await socket.send_str("still here")
                await asyncio.sleep(TIME_UNIT_S / 10)
        await gone.wait()
        return socket

    async with web_server(ignore) as address:
        link = RealHttp(address)
        await link.channel("/ws")
        try:
            async with asyncio.timeout(5):
                await link.close()
        finally:
            gone.set()


async def test_a_websocket_is_not_opened_at_another_host_than_the_charger() -> None:
    lured: list[str] = []

    async def trap(request: web.Request) -> web.WebSocketResponse:
        lured.append(request.path)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    async with web_server(trap) as elsewhere:

        async def send_away(_request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"{elsewhere.url}/ws"})

        async with web_server(send_away) as address, http(address) as link:
            with pytest.raises(NotReachable):
                await link.channel("/ws")
            with pytest.raises(NotReachable):
                await anext(link.websocket("/ws"))
            assert (await link.request("GET", "/")).status == 302
    assert lured == []


async def test_an_oversized_websocket_message_is_garbled():
    async with web_server(await stream_of("x" * 200_000)) as address, http(address) as link:
        with pytest.raises(Garbled):
            await anext(link.websocket("/ws", limit=100_000))


async def test_a_refused_websocket_is_not_reachable():
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=404)

    async with web_server(refuse) as address, http(address) as link:
        with pytest.raises(NotReachable):
            await anext(link.websocket("/ws"))


def test_the_adapter_is_bound_only_where_it_leads():
    assert local_address("", "192.168.1.5") is None
    assert local_address("192.168.1.2", "192.168.1.5") == ("192.168.1.2", 0)
    assert local_address("192.168.1.2", "charger.local") == ("192.168.1.2", 0)
    assert local_address("192.168.1.2", "127.0.0.1") is None
    assert local_address("192.168.1.2", "fe80::1%eth0") is None


# TCP and UDP


async def test_tcp_carries_bytes_and_ends_with_link_lost():
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(100)).upper())
        await writer.drain()

    async with tcp_server(echo) as address:
        link = await TcpLine.open(address)
        await link.write(b"hello")
        assert await link.read(timeout_s=1) == b"HELLO"
        with pytest.raises(LinkLost):
            await link.read(timeout_s=1)
        await link.close()
        await link.close()
        for call in (link.write(b"x"), link.read(timeout_s=1)):
            with pytest.raises(LinkLost):
                await call


async def test_tcp_to_nobody_and_to_the_silent(free_port: int):
    with pytest.raises(NotReachable):
        await TcpLine.open(NetAddress(host="127.0.0.1", port=free_port))

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with tcp_server(mute) as address:
        link = await TcpLine.open(address)
        with pytest.raises(TimedOut):
            await link.read(timeout_s=TIME_UNIT_S)
        await link.close()


class _UdpEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.transport.sendto(data.upper(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def udp_echo() -> AsyncIterator[NetAddress]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(_UdpEcho, local_addr=("127.0.0.1", 0))
    try:
        yield NetAddress(host="127.0.0.1", port=transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


async def test_udp_carries_datagrams_and_times_out():
    async with udp_echo() as address:
        link = await UdpLink.open(address)
        await link.send(b"hello")
        assert await link.receive(timeout_s=1) == b"HELLO"
        with pytest.raises(TimedOut):
            await link.receive(timeout_s=TIME_UNIT_S)
        await link.close()
        await link.close()
        with pytest.raises(LinkLost):
            await link.send(b"x")
        with pytest.raises(LinkLost):
            await link.receive(timeout_s=1)


async def test_an_ocpp_link_is_looked_up_on_each_use():
    present: dict[str, object] = {}
    link = RealLinks(ocpp=present.get).ocpp(OcppAddress(identity="CP-1"))
    with pytest.raises(LinkLost):
        _ = link.endpoint
    present["CP-1"] = "endpoint"
    assert link.endpoint == "endpoint"


async def test_the_login_comes_from_the_vault():
    class Vault:
        def get(self, name: str) -> Secret | None:
            return {"charger/h/password": Secret("pw"), "charger/h/user": Secret("admin")}.get(name)

    links = RealLinks(vault=Vault())
    found = links.credentials(NetAddress(host="h"))
    assert found is not None
    assert (found.user, found.password) == ("admin", Secret("pw"))
    assert links.credentials(NetAddress(host="other")) is None


# Serial


@asynccontextmanager
async def pty() -> AsyncIterator[tuple[int, int, str]]:
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, slave, os.ttyname(slave)
    finally:
        for end in (master, slave):
            try:
                os.close(end)
            except OSError as error:
                assert error.errno == errno.EBADF


@pty_only
async def test_serial_carries_bytes_both_ways_and_leaves_no_thread():
    async with pty() as (master, _, name):
        link = await serial_links.SerialLine.open(SerialAddress(port=name))
        await link.write(b"$GV^35\r")
        assert os.read(master, 100) == b"$GV^35\r"
        os.write(master, b"$OK")
        heard = b""
        while len(heard) < 3:
            heard += await link.read(timeout_s=1)
        assert heard == b"$OK"
        with pytest.raises(TimedOut):
            await link.read(timeout_s=TIME_UNIT_S)
        await link.close()
        await link.close()
        with pytest.raises(LinkLost):
            await link.write(b"x")
        with pytest.raises(LinkLost):
            await link.read(timeout_s=1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


@pty_only
async def test_an_unplugged_adapter_is_link_lost():
    async with pty() as (master, slave, name):
        link = await serial_links.SerialLine.open(SerialAddress(port=name))
        os.close(slave)
        os.close(master)
        with pytest.raises(LinkLost):
            async with asyncio.timeout(3):
                while True:
                    await link.read(timeout_s=3)
        await link.close()


@pty_only
async def test_a_port_in_use_is_busy_with_advice():
    async with pty() as (_, _, name):
        link = await serial_links.SerialLine.open(SerialAddress(port=name))
        with pytest.raises(Busy) as caught:
            await serial_links.SerialLine.open(SerialAddress(port=name))
        assert "another program" in caught.value.message
        await link.close()
        again = await serial_links.SerialLine.open(SerialAddress(port=name))
        await again.close()


async def test_a_port_that_is_not_there_is_not_reachable():
    with pytest.raises(NotReachable):
        await serial_links.SerialLine.open(SerialAddress(port="/dev/there-is-no-such-port"))


@pty_only
async def test_a_denied_port_names_the_group():
    async with pty() as (_, _, name):
        denied = OSError(errno.EACCES, "could not open port: [Errno 13] Permission denied")
        found = serial_links._why_not(SerialAddress(port=name), denied)
        assert isinstance(found, Busy)
        assert "usermod -aG" in found.advice


@pty_only
async def test_of_a_flood_the_newest_is_kept_while_the_program_is_busy(monkeypatch: pytest.MonkeyPatch):
    loop = asyncio.get_running_loop()
    call, calls, most = loop.call_soon_threadsafe, [], 0
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *told: (calls.append(told), call(*told))[1])
    flood = b"".join(b"%07d\n" % number for number in range(serial_links.BACKLOG_LIMIT // 4))
    async with pty() as (master, _, name):
        link = await serial_links.SerialLine.open(SerialAddress(port=name))
        calls.clear()
        sent = 0
        while sent < len(flood):  # the loop stands still all the while
            sent += os.write(master, flood[sent : sent + 2048])
            most = max(most, len(link._unread))
        assert most <= serial_links.BACKLOG_LIMIT
        assert len(calls) <= 1, "what waits for the loop is bounded too"
        heard = b""
        while not heard.endswith(flood[-8:]):  # else the line would stand still: TimedOut
            heard += await link.read(timeout_s=5)
        assert heard.endswith(flood[-serial_links.BACKLOG_LIMIT // 2 :])
        assert len(heard) < len(flood)
        await link.close()


def test_a_backlog_keeps_the_newest_bytes_in_order():
    backlog, limit = serial_links.Backlog(), serial_links.BACKLOG_LIMIT
    assert backlog.take() == b""
    assert backlog.put(b"old")
    assert not backlog.put(b"x" * (limit - 2)), "nobody has to be woken twice"
    assert not backlog.put(b"new")
    assert len(backlog) == limit
    assert backlog.take() == b"x" * serial_links.READ_SIZE
    rest = b"".join(iter(backlog.take, b""))
    assert rest.endswith(b"xnew")
    assert len(rest) == limit - serial_links.READ_SIZE
    assert backlog.put(b"again")
