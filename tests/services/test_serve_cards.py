"""Cards without a window: ``rehome serve`` as a user starts it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import websockets

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(60)


async def serve(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "serve", "--json", "--host", "127.0.0.1", "--port", "0", *words,
        cwd=ROOT, env=os.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1_000_000,
    )  # fmt: skip


async def line(process: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        async for text in process.stdout:
            value: dict[str, Any] = json.loads(text)
            if value["event"] == event:
                return value
    raise AssertionError(event)


async def test_serve_answers_from_a_list_and_names_what_it_decided(tmp_path: Path) -> None:
    cards = tmp_path / "cards.csv"
    cards.write_text("uid;label\n04A2B3C4;Anna\n")
    process = await serve("--cards", "list", "--card-list", str(cards))
    try:
        port = (await line(process, "listening"))["state"]["port"]
        url = f"ws://127.0.0.1:{port}/CP-1"
        async with websockets.connect(url, subprotocols=["ocpp1.6"], compression=None) as link:  # type: ignore[list-item]
            await link.send('[2,"1","Authorize",{"idTag":"c4b3a204"}]')
            assert json.loads(await link.recv())[2]["idTagInfo"]["status"] == "Accepted"
            await link.send('[2,"2","Authorize",{"idTag":"NOBODY"}]')
            assert json.loads(await link.recv())[2]["idTagInfo"]["status"] == "Invalid"
        told = [await line(process, "card") for _ in range(2)]
        assert [item["card"]["status"] for item in told] == ["Accepted", "Unknown"]
        assert told[0]["card"]["spelling"] == "bytes in reverse order"
    finally:
        process.terminate()
        await process.communicate()


async def test_serve_names_a_list_it_can_not_use(tmp_path: Path) -> None:
    cards = tmp_path / "cards.csv"
    cards.write_text("")
    process = await serve("--card-list", str(cards))
    async with asyncio.timeout(30):
        _, told = await process.communicate()
    assert process.returncode == 1
    assert b"holds no card" in told
