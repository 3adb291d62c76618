"""What the endpoint's tests share: a server on loopback that remembers what it published, and raw peers."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from app.diagnosis.watch import Watch
from app.feed import Feed, Subscription
from app.model.finding import Finding
from app.model.frame import Frame, Knock
from app.model.reading import Sampled
from app.model.unit import Sighting
from app.ocpp.host import Times
from app.ocpp.listener import Bounds
from app.ocpp.server import OcppServer

HOST = "127.0.0.1"
QUICK = Times(command_gate_s=0.2, trigger_boot_s=None, status_s=30.0, queue_s=10.0, key_s=0.5)
BOUNDS = Bounds(first_s=0.5, closing_s=0.3)
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "Wall 1", "chargePointSerialNumber": "SN-0001"}


class Site:
    """A running server and everything it told."""

    def __init__(self, server: OcppServer, frames: Feed[Frame], samples: Feed[Sampled]) -> None:
        self.server = server
        self.frames: Subscription[Frame] = frames.subscribe(100_000)
        self.samples: Subscription[Sampled] = samples.subscribe(100_000)
        self.findings: Subscription[Finding] = server.findings.subscribe(10_000)
        self.knocks: Subscription[Knock] = server.knocks.subscribe(10_000)
        self.sightings: list[Sighting] = []

    @property
    def port(self) -> int:
        return self.server.state.port

    @property
    def url(self) -> str:
        return self.server.state.url

    async def finding(self, code: str) -> Finding:
        async with asyncio.timeout(5):
            async for finding in self.findings:
                if finding.code == code:
                    return finding
        raise AssertionError(code)

    async def knock(self, verdict: str) -> Knock:
        async with asyncio.timeout(5):
            async for knock in self.knocks:
                if knock.verdict == verdict:
                    return knock
        raise AssertionError(verdict)

    async def frame(self, **wanted: Any) -> Frame:
        async with asyncio.timeout(5):
            async for frame in self.frames:
                if all(getattr(frame, name) == value for name, value in wanted.items()):
                    return frame
        raise AssertionError(wanted)


@asynccontextmanager
async def site(*, times: Times = QUICK, bounds: Bounds = BOUNDS, **options: Any) -> AsyncIterator[Site]:
    frames: Feed[Frame] = Feed()
    samples: Feed[Sampled] = Feed()
    sightings: list[Sighting] = []
    async with OcppServer(
        frames=frames,
        samples=samples,
        sighted=sightings.append,
        judge=Watch(),
        times=times,
        bounds=bounds,
        **options,
    ) as server:
        await server.start(HOST, 0)
        built = Site(server, frames, samples)
        built.sightings = sightings
        yield built


@asynccontextmanager
async def unit(
    site: Site, identity: str = "CP-1", *, path: str | None = None, boots: bool = True, **options: Any
) -> AsyncIterator[ClientConnection]:
    """Connect as a charger does, with the stock client."""
    options.setdefault("subprotocols", ["ocpp1.6"])
    url = site.url.rstrip("/") + (path if path is not None else f"/{identity}")
    async with websockets.connect(url, compression=None, max_size=None, **options) as link:
        if boots:
            assert (await ask(link, "BootNotification", BOOT))["status"] == "Accepted"
        yield link


async def ask(link: ClientConnection, action: str, payload: dict[str, Any], uid: str = "u1") -> Any:
    """Send a CALL and return the payload of its answer, or the whole CALLERROR."""
    await link.send(json.dumps([2, uid, action, payload]))
    answer = await heard(link)
    assert answer[1] == uid
    return answer[2] if answer[0] == 3 else answer


async def heard(link: ClientConnection) -> Any:
    async with asyncio.timeout(5):
        return json.loads(await link.recv())


def upgrade(path: str = "/CP-1", *, skip: tuple[str, ...] = (), extra: str = "", newline: str = "\r\n") -> bytes:
    """Write an upgrade request by hand."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = {
        "Host": "Host: here",
        "Upgrade": "Upgrade: websocket",
        "Connection": "Connection: Upgrade",
        "Key": f"Sec-WebSocket-Key: {key}",
        "Version": "Sec-WebSocket-Version: 13",
        "Protocol": "Sec-WebSocket-Protocol: ocpp1.6",
    }
    kept = [line for name, line in lines.items() if name not in skip]
    return newline.join([f"GET {path} HTTP/1.1", *kept, *([extra] if extra else []), "", ""]).encode()


@asynccontextmanager
async def raw(site: Site) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, site.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the other side ends."""
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except OSError:
            return b""


def masked(text: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """Write a client's WebSocket frame by hand."""
    head = bytes([(0x80 if fin else 0) | opcode])
    size = len(text)
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + b"\0\0\0\0" + text
