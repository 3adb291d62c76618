"""What else answers on a site's network and is no charger: printers, routers, storage, and things that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

PRINTER = b"<!DOCTYPE html><html><head><title>LaserWriter 4200</title></head><body>Toner: 63 %</body></html>"
STORAGE = b'{"success": false, "error": {"code": 119}, "serial": "2150PDN000001", "model": "DS220+", "version": "7.2"}'
HOUSE = b'{"info": {"serial": "SHELLY0001", "model": "SHEM-3"}, "state": "on", "version": "1.14", "type": "meter"}'

Reply = tuple[int, Mapping[str, str], bytes]

KINDS: Mapping[str, Reply | None] = {
    "printer": (200, {"Content-Type": "text/html", "Server": "Virata-EmWeb/R6_2_1"}, PRINTER),
    "router": (401, {"WWW-Authenticate": 'Basic realm="Router"'}, b"<html>Unauthorized</html>"),
    "storage": (200, {"Content-Type": "application/json"}, STORAGE),
    "house": (200, {"Content-Type": "application/json"}, HOUSE),
    "camera": (403, {"Content-Type": "text/html"}, b"Forbidden"),
    "portal": (302, {"Location": "http://192.168.4.1/"}, b""),
    "nothing": (404, {"Content-Type": "application/json"}, b'{"error": "not found"}'),
    "empty": (200, {"Content-Type": "application/json"}, b"{}"),
    "garbage": None,
    "silent": None,
}
"""What each answers to any request; ``garbage`` sends noise, ``silent`` accepts and says nothing."""


class Decoy:
    """One of them. Use it as an async context manager; ``asked`` are the request lines it heard."""

    def __init__(self, kind: str, *, host: str = "127.0.0.1", port: int = 80) -> None:
        self.kind = kind
        self.host = host
        self.port = port
        self.asked: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split(b"\r\n", 1)[0].decode("latin-1"))
        reply = KINDS[self.kind]
        if reply is None:
            if self.kind == "garbage":
                writer.write(b"\x00\xff{]" * 64 + b"\r\n\r\n")
            return self.kind == "silent"
        status, headers, body = reply
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        await writer.drain()
        return True
