"""Simulated wallboxes and SmartEVSEs on the bench, sessions with them, and web servers that are neither."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from app import resources
from app.driver.registry import load_profiles
from app.driver.session import Session
from app.drivers import smartevse, warp
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.sim.smartevse import SmartEvseUnit
from app.sim.warp import WarpWallbox
from tests.conftest import TIME_UNIT_S

WAIT_S = 8.0
PROFILES = {profile.id: profile for profile in load_profiles(resources.texts("profiles", ".toml"))}
WARP, SMARTEVSE = PROFILES["warp"], PROFILES["smartevse"]


@asynccontextmanager
async def wallbox(firmware: str = "2.12.1+6a4f3c2e", **options: Any) -> AsyncIterator[WarpWallbox]:
    async with WarpWallbox(firmware, time_scale=options.pop("time_scale", TIME_UNIT_S), **options) as unit:
        yield unit


def warp_session(unit: WarpWallbox, links: RealLinks | None = None, profile: str = "warp") -> Session:
    return warp.DRIVER.open(unit.address, PROFILES[profile], links or RealLinks())


@asynccontextmanager
async def smart(firmware: str = "v3.11.1", **options: Any) -> AsyncIterator[SmartEvseUnit]:
    async with SmartEvseUnit(firmware, time_scale=options.pop("time_scale", TIME_UNIT_S), **options) as unit:
        yield unit


def smart_session(unit: SmartEvseUnit, links: RealLinks | None = None) -> Session:
    return smartevse.DRIVER.open(unit.address, SMARTEVSE, links or RealLinks())


@asynccontextmanager
async def answering(body: bytes, *, status: str = "200 OK", extra: str = "") -> AsyncIterator[NetAddress]:
    """Serve one answer to every request."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    try:
        yield NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


HOSTILE = {
    "empty": b"",
    "open": b"{",
    "cut": b'{"name": "warp3-25q',
    "list": b"[1,2,3]",
    "null": b"null",
    "text": b'"warp3"',
    "bytes": b"\xff\xfe\x00",
    "html": b"<html>login</html>",
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "10 MB": b'{"a":"' + b"x" * 10_000_000 + b'"}',
}
