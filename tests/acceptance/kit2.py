"""What the acceptance tests of 2.x share: a simulated station that lives faster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.ocpp.server import OcppServer
from app.sim.station2 import Station2
from tests.acceptance.kit import PACE


@asynccontextmanager
async def station2(
    server: OcppServer, version: str = "2.0.1", identity: str = "CP-1", **options: Any
) -> AsyncIterator[Station2]:
    options.setdefault("time_scale", PACE)
    options.setdefault("redial_s", 10.0)
    url = server.state.url.replace("ws:", "wss:") if options.get("tls") else server.state.url
    async with Station2(url, identity, version, **options) as unit:
        await server.arrival(identity, timeout_s=10)
        await unit.until(lambda: unit.booted.is_set(), timeout_s=5)
        yield unit
