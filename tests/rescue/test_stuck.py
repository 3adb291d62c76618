"""A charger that is stuck on one message of its queue: named, kept, refused until it goes on; never for ever."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection

from app.rescue.desk import Patience, RescueDesk
from app.rescue.draining import Drained
from app.scope import Scope
from app.storage.db import Store
from app.storage.vault import MemoryVault
from tests.ocpp.endpoint_kit import BOOT, site
from tests.rescue.test_rescue import dialled, start

QUIET = Patience(quiet_s=0.3, longest_s=10.0, return_s=0.3, retry_s=0.3)
POISON = "2026-10-01T08:00:00Z"


async def sends(link: ClientConnection, number: str, at: str) -> list[Any]:
    await link.send(json.dumps([2, number, "StartTransaction", start(at=at)]))
    return list(json.loads(await link.recv()))


async def queue(link: ClientConnection, answers: list[int], *, gives_up_after: int) -> None:
    """Repeat the first message whatever the answer, until it was refused so often; then send the rest."""
    number = 0
    while answers.count(4) < gives_up_after:
        number += 1
        answers.append((await sends(link, f"p{number}", POISON))[0])
        await asyncio.sleep(0)
    for day in range(2, 5):
        assert (await sends(link, f"k{day}", f"2026-10-0{day}T08:00:00Z"))[0] == 3


async def drained(tmp_path: Path, *, gives_up_after: int) -> tuple[Drained, list[int]]:
    store, answers = Store.open(tmp_path / "rehome.db"), []
    desk = RescueDesk(store=store, vault=MemoryVault(), folder=tmp_path, patience=QUIET)
    async with site() as here, dialled(here) as (link, _), Scope("unit") as scope:
        await link.send(json.dumps([2, "1", "BootNotification", BOOT]))
        await link.recv()
        task = scope.isolated("queue", queue(link, answers, gives_up_after=gives_up_after))
        usual = dict(here.server.repliers)
        found = await desk.empty(here.server, "CP1")
        assert here.server.repliers == usual
        task.cancel()
    store.close()
    return found, answers


async def test_a_message_repeated_in_spite_of_answers_is_refused_until_the_unit_goes_on(tmp_path: Path) -> None:
    found, answers = await drained(tmp_path, gives_up_after=3)
    assert (found.is_dry, found.messages) == (True, 4)
    assert found.stuck == f"StartTransaction {POISON}"
    assert answers == [3, 3, 3, 4, 4, 4]


async def test_a_unit_that_never_gives_up_is_left_with_a_word(tmp_path: Path) -> None:
    found, answers = await drained(tmp_path, gives_up_after=1_000_000)
    assert (found.is_dry, found.is_gone) == (False, False)
    assert found.stuck == f"StartTransaction {POISON}"
    assert answers.count(3) == 3
