"""What the tests of services share: a server with its service desk, and a raw charger on the stock client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from app.ocpp import schema
from app.ocpp.endpoint import Endpoint
from app.ocpp.services.desk import ServiceDesk
from app.standin.files import FileBounds
from app.standin.fileservice import FileService
from app.storage.db import Store
from app.storage.vault import MemoryVault
from app.trust.authority import Authority
from tests.ocpp.endpoint_kit import HOST, Site, site

BOOTS = {
    "1.6": {"chargePointVendor": "Acme", "chargePointModel": "Wall 1"},
    "2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "Wall 2"}},
}
BOOTS["2.1"] = BOOTS["2.0.1"]
PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}

Answer = dict[str, Any] | Callable[[dict[str, Any]], Any]


class Peer:
    """A charger that answers our commands as told, and checks each of them against the standard's schema."""

    def __init__(self, link: ClientConnection, identity: str, version: str, answers: dict[str, Answer]) -> None:
        self.link = link
        self.identity = identity
        self.version = version
        self.answers = answers
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.breaches: list[str] = []
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._count = 0

    async def read(self) -> None:
        with suppress(websockets.ConnectionClosed):
            async for text in self.link:
                await self._one(json.loads(text))

    async def _one(self, message: list[Any]) -> None:
        if message[0] in (3, 4):
            self._waiting.pop(message[1]).set_result(message[2] if message[0] == 3 else message)
            return
        _, uid, action, payload = message
        self.commands.append((action, payload))
        self.breaches += schema.violations(self.version, action, payload, is_request=True)
        answer = self.answers.get(action)
        if callable(answer):
            answer = answer(payload)
            if asyncio.iscoroutine(answer):
                answer = await answer
        reply = [4, uid, "NotImplemented", "", {}] if answer is None else [3, uid, answer]
        await self.link.send(json.dumps(reply))

    async def ask(self, action: str, payload: dict[str, Any]) -> Any:
        """Send a request and return what it is answered."""
        self._count += 1
        uid = f"p{self._count}"
        future = self._waiting[uid] = asyncio.get_running_loop().create_future()
        await self.link.send(json.dumps([2, uid, action, payload]))
        async with asyncio.timeout(5):
            return await future

    async def note(self, action: str, payload: dict[str, Any]) -> None:
        """Send a request without waiting for its answer (inside an answer of ours)."""
        self._count += 1
        self._waiting[f"p{self._count}"] = asyncio.get_running_loop().create_future()
        await self.link.send(json.dumps([2, f"p{self._count}", action, payload]))

    def sent(self, action: str) -> list[dict[str, Any]]:
        """Return the commands of that name we sent it."""
        return [payload for name, payload in self.commands if name == action]


class Bench:
    """A running server with everything chargers may need."""

    def __init__(self, at: Site, store: Store, desk: ServiceDesk, files: FileService, authority: Authority) -> None:
        self.site = at
        self.store = store
        self.desk = desk
        self.files = files
        self.authority = authority

    @property
    def server(self) -> Any:
        return self.site.server

    def endpoint(self, identity: str = "CP-1") -> Endpoint:
        endpoint = self.server.endpoint(identity)
        assert endpoint is not None
        return endpoint

    @asynccontextmanager
    async def peer(
        self, version: str = "1.6", identity: str = "CP-1", *, boots: bool = True, **answers: Answer
    ) -> AsyncIterator[Peer]:
        """Dial in as a charger."""
        url = f"{self.site.url}{identity}"
        async with websockets.connect(url, subprotocols=[PROTOCOLS[version]], compression=None) as link:  # type: ignore[list-item]
            peer = Peer(link, identity, version, dict(answers))
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(peer.read())
                try:
                    if boots:
                        assert (await peer.ask("BootNotification", BOOTS[version]))["status"] == "Accepted"
                    yield peer
                finally:
                    await link.close()
                    reading.cancel()
        assert not peer.breaches, peer.breaches


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    """Run it all on loopback."""
    store = Store.open(folder / "rehome.db")
    files = FileService(folder / "files", bounds=FileBounds(spare=1, idle_s=2.0, connect_s=2.0))
    authority = Authority.open(MemoryVault(), folder / "trust")
    try:
        async with site() as at:
            desk = ServiceDesk(
                server=at.server, shelf=store.cards, files=files, issuer=lambda: authority, address=lambda: HOST
            )
            yield Bench(at, store, desk, files, authority)
            await files.close()
    finally:
        store.close()


def settings16(**values: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Answer GetConfiguration."""

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        keys = request.get("key") or list(values)
        known = [{"key": key, "readonly": False, "value": values[key]} for key in keys if key in values]
        return {"configurationKey": known, "unknownKey": [key for key in keys if key not in values]}

    return answer
