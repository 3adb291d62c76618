"""While a job waits for its unit, what comes from that unit's address in another shape is named in the job."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from app.jobs.strays import watching
from app.model.address import NetAddress
from app.model.finding import Finding
from app.scope import Scope
from tests.ocpp.endpoint_kit import HOST, Site, site, upgrade

HERE = "127.0.0.2"
"""Where the unit lives; 127.0.0.1 is everybody's."""


class Step:
    """What the watch needs of a running step."""

    def __init__(self, place: Site, scope: Scope) -> None:
        self.bench = SimpleNamespace(server=place.server)
        self.unit = SimpleNamespace(ways=(SimpleNamespace(address=NetAddress(host=HERE, port=80)),))
        self.scope = scope
        self.told: list[str] = []
        self.codes: asyncio.Queue[str] = asyncio.Queue()

    def progress(self, text: str) -> None:
        self.told.append(text)

    def found(self, finding: Finding) -> None:
        self.codes.put_nowait(finding.code)

    def report(self, code: str, *_: Any, **__: Any) -> None:
        self.codes.put_nowait(code)


async def knock(place: Site, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, place.port, local_addr=(HERE, 0))
    writer.write(data)
    async with asyncio.timeout(5):
        await reader.read(100)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (
            b"POST /ocpp HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: 0\r\n\r\n",
            "SOAP-LEGACY",
        ),
        (b"\x00\x01\x02\x03", "SCHEME-PORT"),
        (upgrade("/OTHER-1"), "URL-COMPOSE"),
    ],
)
async def test_what_the_unit_sends_instead_is_named(data: bytes, code: str) -> None:
    async with site() as place, Scope("step") as scope:
        step = Step(place, scope)
        with watching(step, "WANTED-1"):  # type: ignore[arg-type]
            await asyncio.sleep(0)  # it listens from here on
            await knock(place, data)
            async with asyncio.timeout(5):
                assert await step.codes.get() == code
        assert "still waiting for “WANTED-1”" in step.told[0]
