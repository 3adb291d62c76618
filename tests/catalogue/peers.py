"""Peers for provocations: a charger that answers by a script, one without a pong, one that says its last in TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.catalogue.kit import Rig
from tests.ocpp.endpoint_kit import BOOT, HOST, masked, raw, unit, upgrade

SILENT, DROP = "silent", "drop"
"""Instead of an answer: say nothing; cut the connection."""


@asynccontextmanager
async def scripted(
    rig: Rig, identity: str, script: Mapping[str, Any], **options: Any
) -> AsyncIterator[ClientConnection]:
    """Connect, boot, and answer our commands by their action; unknown ones with an empty payload."""
    async with unit(rig.site, identity, **options) as link:
        answering = asyncio.ensure_future(_answer(link, script))
        try:
            yield link
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await answering


async def _answer(link: ClientConnection, script: Mapping[str, Any]) -> None:
    async for text in link:
        message = json.loads(text)
        if message[0] != 2:
            continue
        answer = script.get(message[2], {})
        if answer == SILENT:
            continue
        if answer == DROP:
            link.transport.abort()
            return
        await link.send(answer if isinstance(answer, str) else json.dumps([3, message[1], answer]))


@asynccontextmanager
async def pongless(rig: Rig, identity: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a WebSocket by hand: nothing answers its pings."""
    async with raw(rig.site) as (reader, writer):
        writer.write(upgrade(f"/{identity}"))
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        yield reader, writer


def spoken(uid: str, action: str, payload: dict[str, Any]) -> bytes:
    """Write a CALL as a WebSocket frame by hand."""
    return masked(json.dumps([2, uid, action, payload]).encode())


def boot_frame(uid: str = "b1") -> bytes:
    return spoken(uid, "BootNotification", BOOT)


async def tls_last_words(rig: Rig, alert: int, *, name: str = "rehome.local") -> None:
    """Begin TLS 1.2, read our certificate, and answer with an alert in the clear (RFC 5246 §7.2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    machine = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        machine.do_handshake()
    async with raw(rig.site) as (reader, writer):
        writer.write(outgoing.read())
        assert (await reader.read(65_536))[:1] == b"\x16"
        writer.write(bytes((0x15, 3, 3, 0, 2, 2, alert)))
        async with asyncio.timeout(5):
            with suppress(OSError):
                await reader.read()


async def tls_hello(rig: Rig, context: ssl.SSLContext, *, name: str | None = "rehome.local") -> None:
    """Open and close a TLS connection as a unit with this TLS would; what it thinks of ours stays its own."""
    with suppress(ssl.SSLError, OSError):
        _, writer = await asyncio.open_connection(HOST, rig.site.port, ssl=context, server_hostname=name)
        writer.close()
        await writer.wait_closed()
