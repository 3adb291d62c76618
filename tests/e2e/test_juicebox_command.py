"""``rehome juicebox``, started as a user starts it, with a simulated JuiceBox that sends to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from app.sim.juicebox import JuiceBox
from tests.e2e.test_headless import rehome, started

PACE = 0.01


def words(part: str, home: Path, port: int, *more: str) -> tuple[str, ...]:
    return ("juicebox", part, *more, "--host", "127.0.0.1", "--port", str(port), "--json", "--home", str(home))


async def done(part: str, box: JuiceBox, home: Path, port: int, *more: str) -> tuple[int, Any, str]:
    return await rehome(*words(part, home, port, box.serial, *more))


async def test_a_box_left_at_zero_is_heard_revived_limited_and_let_go(tmp_path: Path, free_port: int) -> None:
    async with JuiceBox("jb2", target=("127.0.0.1", free_port), offline_a=0, time_scale=PACE) as box:
        async with started(*words("listen", tmp_path, free_port)) as listening:
            assert listening.stdout is not None
            heard = json.loads(await listening.stdout.readline())
        assert (heard["box"]["box_id"], heard["box"]["allowed_a"]) == (box.serial, None)

        code, _, told = await done("adopt", box, tmp_path, free_port, "--circuit", "24")
        assert code == 1
        assert "--revive" in told
        assert not box.commands

        code, state, _ = await done("adopt", box, tmp_path, free_port, "--circuit", "24", "--revive", "--allow", "16")
        assert (code, state["adoption"]["circuit_a"], state["allowed_a"] or state["wanted_a"]) == (0, 24, 16)

        code, state, told = await done("allow", box, tmp_path, free_port, "80")
        assert code == 0, told
        assert max(order.a for order in box.commands) <= 24

        assert (await done("withdraw", box, tmp_path, free_port))[1]["adoption"] is None
        assert (await done("allow", box, tmp_path, free_port, "10"))[0] == 1


async def test_a_box_that_is_silent_is_not_found(tmp_path: Path, free_port: int) -> None:
    code, _, _ = await rehome(*words("allow", tmp_path, free_port, "0910042001260513", "10", "--wait", "0.2"))
    assert code == 3
