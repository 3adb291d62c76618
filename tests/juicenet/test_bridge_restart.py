"""A bridge that starts again: what the box holds then is our own word, and no limit of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.bridge.station import Start
from app.bridge.uplink import Rhythm
from app.juicenet.peer import JuicePeer
from app.service.runtime import Runtime
from app.service.site import BackendPlan, BoxPlan, SitePlan
from app.sim.juicebox import JuiceBox

PACE = 0.02


def plan(folder: Path, box: JuiceBox, identity: str = "STALL-1") -> SitePlan:
    box_plan = BoxPlan(
        identity=identity, backend="main", box_id=box.serial, circuit_a=24.0, start=Start.REMOTE, id_tag="FREE"
    )
    dead = BackendPlan(name="main", url="ws://127.0.0.1:9/", version="1.6")
    return SitePlan(name="Harbour", address="127.0.0.1", folder=folder, backends=(dead,), boxes=(box_plan,))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - box, peer and bridge move, none tells of all
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("then", ["STALL-1", "RENAMED-1"])
async def test_a_box_that_was_held_at_0_a_is_neither_locked_nor_limited_after_a_restart(tmp_path: Path, then: str):
    async with JuicePeer("127.0.0.1", (0,)) as first:
        port = first.state.ports[0]
        async with JuiceBox("jb2", target=("127.0.0.1", port), time_scale=PACE, offline_a=32) as box:
            box.plug_in()
            async with Runtime(plan(tmp_path, box), peer=first, rhythm=Rhythm(least_s=0.1)):
                await until(lambda: box.power.offline_a == 0)
                assert first.book.ceiling_a(box.serial) == 24
            await first.stop()
            async with (
                JuicePeer("127.0.0.1", (port,)) as second,
                Runtime(plan(tmp_path, box, then), peer=second, rhythm=Rhythm(least_s=0.1)) as runtime,
            ):
                await until(lambda: box.serial in second.boxes and second.boxes[box.serial].allowed_a == 0)
                assert second.book.ceiling_a(box.serial) == 24
                assert "0 A" not in runtime.status.units[0].trouble
                (adoption,) = second.book.adoptions
                assert (adoption.known_a, adoption.is_revived) == (32, False)


async def test_nothing_is_told_before_the_adoption_is_on_disk(tmp_path: Path, allowed_log: Callable[[str], None]):
    """Or a bridge that was killed just then takes its own 0 A for the former backend's."""
    allowed_log("state can't be written")
    allowed_log("STALL-1")
    async with (
        JuicePeer("127.0.0.1", (0,)) as peer,
        JuiceBox("jb2", target=("127.0.0.1", peer.state.ports[0]), time_scale=PACE, offline_a=32) as box,
        Runtime(plan(tmp_path, box), peer=peer, rhythm=Rhythm(least_s=0.1)) as runtime,
    ):
        await runtime.store.flush()
        with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await until(lambda: box.serial in peer.boxes and peer.boxes[box.serial].datagrams >= 4)
            assert not box.commands
            other.execute("ROLLBACK")
        await until(lambda: bool(box.commands))
        with closing(sqlite3.connect(tmp_path / "bridge.db")) as other:
            kept = other.execute("SELECT value FROM memory WHERE key = 'adoption'").fetchone()
        assert kept is not None
