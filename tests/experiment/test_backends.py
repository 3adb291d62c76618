"""A backend that knows the path is told from one that does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.experiment.lab import lab
from tests.ocpp.endpoint_kit import HOST


@asynccontextmanager
async def backend(answer: Callable[[str], str]) -> AsyncIterator[str]:
    """Answer every request with 404 and the text for its path."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = answer(request.split(" ")[1])
        writer.write(f"HTTP/1.1 404 Not Found\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield f"ws://{HOST}:{server.sockets[0].getsockname()[1]}/ocpp/CP-1"


async def test_equal_answers_prove_a_wrong_path() -> None:
    async with backend(lambda path: f"no such page {path}") as url, lab() as place:
        result = await place.ends("path", "nonsense-identity", url=url)
    assert result.finding is not None
    assert result.finding.details["url"] == url


async def test_different_answers_prove_an_unknown_identity() -> None:
    async with (
        backend(lambda path: "unknown station" if path.startswith("/ocpp/") else "no page") as url,
        lab() as place,
    ):
        await place.ends("identity", "nonsense-identity", url=url)


async def test_a_backend_that_does_not_answer_proves_nothing() -> None:
    async with lab() as place:
        result = await place.run("nonsense-identity", url=f"ws://{HOST}:1/ocpp/CP-1")
    assert result.sign == ""
    assert "did not answer" in result.why
