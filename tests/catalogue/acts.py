"""What the provocations are made of: the table they enter, and their common parts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from websockets.asyncio.server import ServerConnection, serve

from app import resources
from app.discovery.noticing import Notices
from app.driver.registry import load_profiles
from app.errors import AppError
from app.jobs.checking import ask as dial_backend
from app.model.frame import Adapter
from app.model.secret import Secret
from app.sim.chargepoint import ConfigKey
from app.sim.station import Behaviour, OcppStation
from tests.catalogue.kit import Provocation, Rig
from tests.ocpp.endpoint_kit import BOOT, HOST, ask, unit

BASIC_WRONG = {"Authorization": "Basic U0VDUkVULTE6bm90LXRoZS1wYXNzd29yZA=="}
OLD = "2024-03-01T10:00:00Z"
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
OPENEVSE = next(item for item in load_profiles(resources.texts("profiles", ".toml")) if item.id == "openevse-wifi")
ALL: list[Provocation] = []


def provokes(code: str, **more: Any) -> Any:
    """Enter an act in the table."""

    def enter(act: Any) -> Any:
        ALL.append(Provocation(code=code, act=act, **more))
        return act

    return enter


# Parts of the acts


def noticing(rig: Rig, present: list[Adapter]) -> Notices:
    """Notices of a laptop with these adapters."""
    return Notices(
        rig.server.observed,
        adapters=lambda: present,
        address=lambda: present[0].address if present else "127.0.0.1",
        is_busy=lambda: bool(rig.server.endpoints),
        now=rig.server.now,
    )


async def check(rig: Rig, url: str) -> None:
    """Dial a backend as the guided job does, with a password it does not know."""
    answer = await dial_backend(url, identity="CP-1", secret=Secret("open:sesame/1"))
    rig.found.extend(answer.findings(url, "CP-1"))


async def told(rig: Rig, identity: str, action: str, payload: dict[str, Any], *, timeout_s: float = 5.0) -> None:
    """Send a command as the console does; how it ends is the unit's business."""
    endpoint = await rig.endpoint(identity)
    with suppress(AppError):
        await endpoint.call(action, payload, timeout_s=timeout_s)


async def vanish(rig: Rig) -> None:
    """Connect, boot, and lose power."""
    async with unit(rig.site) as link:
        link.transport.abort()
    await rig.gone("CP-1")


async def dial_secure(rig: Rig, context: ssl.SSLContext) -> None:
    """Connect over wss and boot."""
    url = f"wss://{HOST}:{rig.site.port}/CP-1"
    async with websockets.connect(
        url,
        ssl=context,
        server_hostname="rehome.local",
        subprotocols=["ocpp1.6"],
        compression=None,  # type: ignore[list-item]
    ) as link:
        await ask(link, "BootNotification", BOOT)


def certificate(rig: Rig, *, is_root: bool) -> dict[str, Any]:
    authority = rig.wardrobe.authority
    pem = authority.export("pem").decode() if is_root else authority.leaf("rsa", ("rehome.local",))[0]
    return {"certificateType": "CentralSystemRootCertificate", "certificate": pem[: pem.index("-----END") + 25]}


@asynccontextmanager
async def station(
    rig: Rig, keys: dict[str, ConfigKey] | None = None, *, behaviour: Behaviour = Behaviour.HEALTHY
) -> AsyncIterator[Any]:
    """Let a simulated station dial in."""
    async with OcppStation("SIM-1", rig.site.url, behaviour=behaviour, time_scale=0.05) as dialled:
        dialled.configuration.update(keys or {})
        yield await rig.endpoint("SIM-1")


@asynccontextmanager
async def upgrading(subprotocol: str) -> AsyncIterator[str]:
    """A backend that takes every WebSocket, but speaks another version."""

    async def take(link: ServerConnection) -> None:
        await link.wait_closed()

    async with serve(take, HOST, 0, select_subprotocol=lambda *_: None) as backend:
        assert subprotocol
        yield f"ws://{HOST}:{next(iter(backend.sockets)).getsockname()[1]}"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every request with these bytes."""

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(reply, HOST, 0)
    async with server:
        yield f"ws://{HOST}:{server.sockets[0].getsockname()[1]}"
