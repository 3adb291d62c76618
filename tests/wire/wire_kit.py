"""What the tests of the wire share: a server with TLS that remembers what it observed, and foreign clients."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from app.model.listening import ListenPlan
from app.model.observation import Observation
from app.trust.authority import Authority
from app.trust.wardrobe import Wardrobe
from tests.ocpp.endpoint_kit import BOUNDS, HOST, Site, site

T = TypeVar("T")


class TlsSite:
    """A site whose observations are kept."""

    def __init__(self, inner: Site, wardrobe: Wardrobe) -> None:
        self.inner = inner
        self.server = inner.server
        self.wardrobe = wardrobe
        self.seen: list[Observation] = []
        self._arrived = asyncio.Event()
        judge = self.server.judge

        def judged(observation: Observation) -> Any:
            self.seen.append(observation)
            self._arrived.set()
            return judge(observation)

        self.server.judge = judged

    @property
    def port(self) -> int:
        return self.server.state.port

    @property
    def url(self) -> str:
        return self.server.state.secure_url

    async def knock(self, verdict: str) -> Any:
        return await self.inner.knock(verdict)

    async def observed(self, kind: type[T]) -> T:
        async with asyncio.timeout(5):
            while True:
                for seen in self.seen:
                    if isinstance(seen, kind):
                        return seen
                self._arrived.clear()
                await self._arrived.wait()

    async def plan(self, **changes: Any) -> None:
        await self.server.adopt(replace(self.server.plan, **changes))


@asynccontextmanager
async def tls_site(wardrobe: Wardrobe, *, bounds: Any = BOUNDS, **plan: Any) -> AsyncIterator[TlsSite]:
    wanted = ListenPlan(host=HOST, port=0, **plan)
    async with site(bounds=replace(bounds, tls_s=2.0, first_s=2.0), plan=wanted, wardrobe=lambda: wardrobe) as inner:
        yield TlsSite(inner, wardrobe)


def trusting(authority: Authority) -> ssl.SSLContext:
    """A client that knows our root, as a charger that was given it."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.export("pem").decode())
    return context


async def program(*command: str, feed: bytes = b"", timeout_s: float = 10) -> str:
    """Run a foreign client and return everything it said."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(timeout_s):
        said, _ = await process.communicate(feed)
    return said.decode(errors="replace")
