"""``rehome bridge`` as a system starts it: a process, a site file, a simulated JuiceBox, and our endpoint."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from app.feed import Feed
from app.model.frame import Frame
from app.ocpp.server import OcppServer
from app.sim.juicebox import JuiceBox

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 40.0
PACE = 0.02
pytestmark = [pytest.mark.timeout(120), pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM and SIGHUP")]


async def until(is_true: Callable[[], Any], *, timeout_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_true():  # noqa: ASYNC110 - other processes tell nobody here
            await asyncio.sleep(0.02)


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as item:
        item.bind(("127.0.0.1", 0))
        return int(item.getsockname()[1])


class Program:
    """A bridge that runs, and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            line = await self.process.stdout.readline()
        told: dict[str, Any] = json.loads(line)
        return told

    async def end(self, sign: int = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        async with asyncio.timeout(8):
            await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def started(*words: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "bridge", *words,
        cwd=ROOT, env=os.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=4_000_000,
    )  # fmt: skip
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def told_by(*words: str) -> tuple[int, Any]:
    async with started(*words, "--json") as program, asyncio.timeout(LIMIT_S):
        out, _ = await program.process.communicate()
    assert program.process.returncode is not None
    return program.process.returncode, json.loads(out)


class Garage:
    """One box, one backend, one site file."""

    def __init__(self, folder: Path, box: JuiceBox, port: int, backend: str) -> None:
        self.folder = folder
        self.box = box
        self.path = folder / "site.toml"
        self.status_port = free_port(socket.SOCK_STREAM)
        self._port = port
        self._backend = backend
        self.write()

    def write(self, *, start: str = "free", identity: str = "STALL-1", more: str = "") -> None:
        part = self.path.with_suffix(".part")
        part.write_text(
            f"""
            [site]
            name = "Harbour"
            address = "127.0.0.1"
            juicenet_ports = [{self._port}]
            [status]
            port = {self.status_port}
            [backend.main]
            url = "{self._backend}"
            [[box]]
            id = "{self.box.serial}"
            identity = "{identity}"
            circuit_a = 24
            start = "{start}"
            id_tag = "FREE"
            {more}
            """,
            encoding="utf-8",
        )
        part.replace(self.path)

    def read(self, sql: str) -> list[Any]:
        """Look into the state on disk, beside the program that writes it."""
        place = (self.folder / "state" / "bridge.db").as_uri()
        with closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as state:
            return state.execute(sql).fetchall()

    @property
    def words(self) -> tuple[str, str, str]:
        return ("--config", str(self.path), "--json")


class Backend:
    """Our endpoint, with what charge points said to it."""

    def __init__(self, server: OcppServer, frames: Feed[Frame]) -> None:
        self.server = server
        self._heard = frames.subscribe(100_000)
        self._frames: list[Frame] = []

    def said(self, action: str, identity: str = "STALL-1") -> list[Any]:
        self._frames += self._heard.take()
        mine = [one for one in self._frames if one.direction.value == "in" and one.identity == identity]
        return [json.loads(one.text)[3] for one in mine if one.action == action]


@asynccontextmanager
async def garage(folder: Path, *, plugged: bool = True) -> AsyncIterator[tuple[Garage, Backend]]:
    frames: Feed[Frame] = Feed()
    port = free_port(socket.SOCK_DGRAM)
    async with OcppServer(frames=frames, samples=Feed(), sighted=lambda _: None) as server:
        await server.start("127.0.0.1", 0)
        target = ("127.0.0.1", port)
        async with JuiceBox("jb2", target=target, time_scale=PACE, rating_a=40, offline_a=40) as box:
            if plugged:
                box.plug_in()
            yield Garage(folder, box, port, server.state.url), Backend(server, frames)


async def test_it_bridges_shows_its_status_and_ends_in_order(tmp_path: Path) -> None:
    async with garage(tmp_path) as (site, backend), started(*site.words) as program:
        running = await program.event()
        assert (running["event"], running["units"]) == ("running", 1)
        await until(lambda: backend.said("StartTransaction"))
        code, status = await told_by("--status", *site.words)
        assert code == 0
        assert [(unit["identity"], unit["line"]) for unit in status["units"]] == [("STALL-1", "online")]
        code, second = await told_by(*site.words)
        assert code == 1
        assert "already" in second["error"]["message"]
        assert await program.end() == 0, "systemd would take anything else for a failure"
        code, _ = await told_by("--status", *site.words)
        assert code == 3


async def test_a_session_survives_the_death_of_the_program(tmp_path: Path) -> None:
    async with garage(tmp_path) as (site, backend):
        async with started(*site.words) as program:
            await program.event()
            await until(lambda: backend.said("StartTransaction"))
            await until(lambda: site.box.commands and site.box.commands[-1].a == 24)
            await until(
                lambda: (
                    site.read("SELECT 1 FROM memory WHERE key = 'adoption'") and not site.read("SELECT 1 FROM outbox")
                )
            )
            await program.end(signal.SIGKILL)
        told = len(site.box.commands)
        async with started(*site.words) as program:
            await program.event()
            await until(lambda: len(backend.said("BootNotification")) == 2)
            await until(lambda: len(site.box.commands) > told + 2)
            assert {command.a for command in list(site.box.commands)[told:]} == {24}, "the car is not interrupted"
            site.box.unplug()
            await until(lambda: backend.said("StopTransaction"))
            await program.end()
        (began,), (ended,) = backend.said("StartTransaction"), backend.said("StopTransaction")
        assert ended["meterStop"] == site.box.told().lifetime_wh
        assert ended["meterStop"] > began["meterStart"]
        assert ended["transactionId"] > 0


async def test_a_changed_file_is_taken_up_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    async with garage(tmp_path, plugged=False) as (site, backend), started(*site.words) as program:
        await program.event()
        await until(lambda: backend.said("BootNotification"))
        site.write(more="nonsense = 1")
        refused = await program.event()
        assert refused["event"] == "refused"
        assert refused["problems"] == ["box[1].nonsense: is not a key of this table"]
        site.write(identity="STALL-2")
        assert (await program.event())["event"] == "reloaded"
        await until(lambda: backend.said("BootNotification", "STALL-2"))
        program.process.send_signal(signal.SIGHUP)
        assert (await program.event())["event"] == "reloaded"
        assert len(backend.said("BootNotification", "STALL-2")) == 1, "what did not change keeps its line"
        assert await program.end() == 0


async def test_a_taken_status_port_is_told_in_words(tmp_path: Path) -> None:
    async with garage(tmp_path) as (site, _backend):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", site.status_port))
            taken.listen()
            code, told = await told_by(*site.words)
        assert code == 1
        assert str(site.status_port) in told["error"]["message"]


async def test_all_that_is_wrong_with_a_file_is_told_at_once(tmp_path: Path) -> None:
    async with garage(tmp_path) as (site, _backend):
        site.write(identity="ST ALL", more="watts = 3")
        code, told = await told_by("--check", *site.words)
        assert (code, len(told["problems"])) == (1, 2)
        site.write()
        assert await told_by("--check", *site.words) == (0, {"site": "Harbour", "units": 1, "problems": []})


async def test_released_boxes_hold_their_ceiling_when_the_bridge_is_gone(tmp_path: Path) -> None:
    async with garage(tmp_path, plugged=False) as (site, backend):
        site.write(start="remote")
        async with started(*site.words) as program:
            await program.event()
            await until(lambda: site.box.commands and site.box.commands[-1].a == 0)
            await until(lambda: backend.said("BootNotification"))
            code, told = await told_by("release", *site.words)
            assert code == 1
            assert "Stop the bridge first" in told["error"]["advice"]
            await program.end()
        code, told = await told_by("release", *site.words)
        assert (code, told["left"]) == (0, {})
        assert (site.box.commands[-1].a, site.box.commands[-1].m) == (24, 24)


async def test_how_the_system_starts_it_is_printed(tmp_path: Path) -> None:
    async with garage(tmp_path) as (site, _backend):
        for kind, word in (("systemd", "ExecStart="), ("launchd", "ProgramArguments"), ("windows", "")):
            code, made = await told_by("install", "--as", kind, *site.words)
            assert code == 0
            assert word in made["text"]
            assert made["commands"]
