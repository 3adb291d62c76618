"""What systemd hears of the bridge, on its own kind of socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.service.watchdog import Watchdog

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        yield line


def environment(manager: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": manager.getsockname(), **more}


async def test_it_says_ready_reloading_and_stopping(manager: socket.socket) -> None:
    dog = Watchdog(environment(manager))
    dog.ready("2 units\nonline")
    dog.reloading()
    dog.stopping()
    assert manager.recv(500) == b"READY=1\nSTATUS=2 units online"
    assert manager.recv(500).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert manager.recv(500) == b"STOPPING=1"


async def test_it_beats_twice_in_a_period_and_only_while_the_bridge_lives(manager: socket.socket) -> None:
    dog = Watchdog(environment(manager, WATCHDOG_USEC="40000", WATCHDOG_PID=str(os.getpid())))
    assert dog.period_s == 0.02
    is_alive = True
    task = asyncio.ensure_future(dog.run(lambda: is_alive, lambda: "fine"))
    try:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            assert await loop.sock_recv(manager, 500) == b"WATCHDOG=1\nSTATUS=fine"
            is_alive = False
            while (told := await loop.sock_recv(manager, 500)) != b"STATUS=fine":
                assert told == b"WATCHDOG=1\nSTATUS=fine"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "given", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"}]
)
async def test_nobody_who_watches_is_no_fault(given: dict[str, str], tmp_path: Path) -> None:
    assert Watchdog(given).period_s == 0.0
    Watchdog({"NOTIFY_SOCKET": str(tmp_path / "nobody"), **given}).ready("fine")
    await Watchdog(given).run(lambda: True, lambda: "fine")
