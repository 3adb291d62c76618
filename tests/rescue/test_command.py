"""``rehome rescue``, started as a user starts it, with simulated chargers that kept what a dead backend never took."""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.e2e.test_headless import LIMIT_S, rehome

pytestmark = pytest.mark.timeout(120)
OLD = "ws://old.example.invalid/ocpp"
SESSIONS = (("04AABBCC", 9.0, 7000), ("04DDEEFF", 5.0, 5200), ("04AABBCC", 1.0, 1337))


@asynccontextmanager
async def charger(version: str, port: int) -> AsyncIterator[OcppStation | Station2]:
    """A charger with three old sessions that dials until the program listens."""
    made: OcppStation | Station2 = (
        OcppStation("CP-7", time_scale=0.01)
        if version == "1.6"
        else Station2(OLD, "CP-7", version, time_scale=0.01, redial_s=10.0)
    )
    for tag, days_ago, energy_wh in SESSIONS:
        made.remember_session(tag, days_ago=days_ago, energy_wh=energy_wh)
    async with made:
        made.dial(f"ws://127.0.0.1:{port}/")
        yield made


async def rescue(home: Path, port: int, *words: str) -> tuple[int, Any, str]:
    where = ("--json", "--home", str(home), "--host", "127.0.0.1", "--port", str(port))
    async with asyncio.timeout(LIMIT_S):
        return await rehome("rescue", "CP-7", "--quiet-for", "1", *words, *where)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_every_kept_session_is_saved_once_in_order_and_without_a_card(
    tmp_path: Path, free_port: int, version: str
) -> None:
    out = tmp_path / "out"
    async with charger(version, free_port) as unit:
        code, told, _ = await rescue(tmp_path / "home", free_port, "--out", str(out))
        assert unit.queued == 0
    assert (code, told["is_dry"], told["stuck"]) == (0, True, "")
    assert [row["energy_wh"] for row in told["sessions"]] == [energy for _, _, energy in SESSIONS]
    assert told["kept_wh"] == sum(energy for _, _, energy in SESSIONS)
    begun = [row["started_at"] for row in told["sessions"]]
    assert all(before < after for before, after in itertools.pairwise(begun))
    cards = [row["card"] for row in told["sessions"]]
    assert (cards[0] == cards[2], cards[0] == cards[1]) == (True, False)
    table, document = (Path(name) for name in told["files"])
    with table.open(newline="") as file:
        assert [line["transaction"] for line in csv.DictReader(file)] == [
            row["transaction"] for row in json.loads(document.read_text())["sessions"]
        ]
    for tag, _, _ in SESSIONS:
        assert tag not in table.read_text() + document.read_text() + str(told)


async def test_what_was_recorded_can_be_saved_again_and_nobody_is_nothing(tmp_path: Path, free_port: int) -> None:
    code, _, told = await rescue(tmp_path, free_port, "--wait", "0.2")
    assert (code, "did not dial" in told) == (3, True)
    async with charger("1.6", free_port):
        code, first, _ = await rescue(tmp_path, free_port)
    assert code == 0
    code, again, _ = await rescue(tmp_path, free_port, "--stored")
    assert code == 0
    # Without a keyring each run of the program makes its own pseudonyms.
    assert [{**row, "card": ""} for row in again["sessions"]] == [{**row, "card": ""} for row in first["sessions"]]
    assert Path(first["files"][0]).parent == tmp_path / "rescued"


async def test_a_line_that_drops_in_the_middle_loses_nothing(tmp_path: Path, free_port: int) -> None:
    async with charger("1.6", free_port) as unit:

        async def drop() -> None:
            await unit.until(lambda: any(action == "StopTransaction" for action, _ in unit.said), timeout_s=30)
            unit.drop()

        async with asyncio.TaskGroup() as group:
            group.create_task(drop())
            code, told, _ = await rescue(tmp_path, free_port)
    assert code == 0
    assert [row["energy_wh"] for row in told["sessions"]] == [energy for _, _, energy in SESSIONS]
