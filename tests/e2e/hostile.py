"""A neighbour who means no good: garbage for every port that Rehome listens on or talks to.

``python -m tests.e2e.hostile URL PORT…`` tells the ports of its fake chargers, attacks, tells how often each of them
was asked, and lives until its stdin closes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

MARKUP = "<img src='http://evil.example/x'><b>Boo</b>"
BIG = 10 * 2**20
DEEP = 200_000


async def raw(port: int, data: bytes) -> None:
    """Connect, send, and hang up as soon as the other side does or a moment passes."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(data)
                await writer.drain()
                writer.write_eof()
                await reader.read(4096)
            finally:
                writer.close()
                await writer.wait_closed()


def noises(seed: int) -> list[bytes]:
    """What comes to a port that faces a network."""
    dice = random.Random(seed)
    return [
        *(dice.randbytes(dice.randrange(1, 3000)) for _ in range(40)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(500),
        b"GET /ocpp/x HTTP/1.1\r\n" + b"X-A: b\r\n" * 50_000,
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"z" * 100_000,
        b"\x00" * 1_000_000,
        b"SSH-2.0-x\r\n",
        b"\r\n" * 10_000,
    ]


async def ocpp(url: str, identity: str, *texts: str) -> None:
    """Dial as a charge point and say things no charge point should."""
    with contextlib.suppress(OSError, TimeoutError, ConnectionClosed, InvalidHandshake, ValueError, AttributeError):
        async with (
            asyncio.timeout(8),
            connect(
                f"{url}{identity}", subprotocols=[Subprotocol("ocpp1.6")], max_size=None, compression=None,
                open_timeout=5, close_timeout=0.2,
            ) as link,
        ):  # fmt: skip
            for text in texts:
                await link.send(text)
            await asyncio.wait_for(link.recv(), 1)


def boot(text: str) -> str:
    """A BootNotification with a text everywhere."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[2,"{quoted[:30]}","BootNotification",{{"chargePointVendor":"{quoted}","chargePointModel":"{quoted}",'
        f'"chargePointSerialNumber":"{quoted}","firmwareVersion":"{quoted}"}}]'
    )


class FakeCharger:
    """Something that announces itself as an OpenEVSE and answers HTTP with whatever hurts."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.asked = 0
        self._server: asyncio.Server | None = None
        self._zeroconf: AsyncZeroconf | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> FakeCharger:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
        info = ServiceInfo(
            "_openevse._tcp.local.", f"{MARKUP} {self.kind}._openevse._tcp.local.",
            addresses=[socket.inet_aton("127.0.0.1")], port=self.port, server=f"fake-{self.port}.local.",
            properties={"id": MARKUP, "type": "../../etc/passwd", "version": "\x00\x1b[31m" + "9" * 150},
        )  # fmt: skip
        await (await self._zeroconf.async_register_service(info, cooperating_responders=True, strict=False))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._zeroconf is not None
        self._server.close()
        await self._zeroconf.async_close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(20):
                await reader.readuntil(b"\r\n\r\n")
                await getattr(self, self.kind)(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _send(self, writer: asyncio.StreamWriter, *parts: bytes) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    async def garbage(self, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, random.Random(7).randbytes(5000))

    async def big(self, writer: asyncio.StreamWriter) -> None:
        await self._send(
            writer, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", *[b"[" + b"1," * 2**15] * 160
        )

    async def deep(self, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b"[" * DEEP)

    async def headers(self, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, b"HTTP/1.1 200 OK\r\n", *[b"X-Endless: 1\r\n" * 1000] * 2000)

    async def endless(self, writer: asyncio.StreamWriter) -> None:
        await self._send(writer, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await self._send(writer, b"1000\r\n" + b"x" * 4096 + b"\r\n")

    async def markup(self, writer: asyncio.StreamWriter) -> None:
        text = MARKUP.replace("'", "\\u0027")
        body = (
            f'{{"firmware":"{text}","version":"{text}","buildenv":"openevse_wifi_v1","hostname":"{text}",'
            f'"wifi_serial":"{text}","ocpp_server":"{text}","ocpp_chargeBoxId":"{text}","ocpp_enabled":true,"protocol":"-",'
            f'"mode":"STA","state":1,"status":"active","evse_serial":"{text}"}}'
        ).encode()
        await self._send(
            writer, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body), body
        )


KINDS = ("garbage", "big", "deep", "headers", "endless", "markup")


async def siege(url: str, ports: list[int], *, count: int = 1000) -> None:
    """Everything at once against the endpoint and the other ports."""
    deep = "[" * DEEP
    await asyncio.gather(
        *(raw(port, noise) for port in ports for noise in noises(port)),
        ocpp(url, "..%2f..%2fetc%2fpasswd", boot("../../etc/passwd")),
        ocpp(url, "%3Cimg%20src=x%3E", boot(MARKUP)),
        ocpp(url, "con.txt%00", boot("\\u0000\\u001b[31m")),
        ocpp(url, "a" * 3000, boot("x")),
        ocpp(url, "BIG", boot("x" * BIG)),
        ocpp(url, "DEEP", deep, f'[2,"1","Heartbeat",{deep}]', '[2,"1","DataTransfer",' + '{"a":' * 50_000),
        ocpp(url, "ODD", "null", "[]", '[2]', '[2,null,null,null]', '[3,"x"]', '[4]', '"' * 1000, "[2,1e999,1,1]", "\ud7ff"),
    )  # fmt: skip
    for start in range(0, count, 50):
        await asyncio.gather(*(ocpp(url, f"MANY-{n}", boot(f"v{n}")) for n in range(start, min(count, start + 50))))


async def main(url: str, ports: list[int]) -> None:
    """Be the neighbour."""
    async with contextlib.AsyncExitStack() as stack:
        fakes = [await stack.enter_async_context(FakeCharger(kind)) for kind in KINDS]
        print(*(fake.port for fake in fakes), flush=True)  # noqa: T201
        await siege(url, ports)
        print("done", flush=True)  # noqa: T201
        await asyncio.to_thread(sys.stdin.read)
        print(*(fake.asked for fake in fakes), flush=True)  # noqa: T201
        os._exit(0)  # it hangs up on everybody


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], [int(word) for word in sys.argv[2:]]))
