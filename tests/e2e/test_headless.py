"""The headless program, started as a user starts it, against simulated chargers in a process of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

LOOPBACK = ("--host", "127.0.0.1", "--port", "0")
ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 40.0
pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def started(*words: str, **streams: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app",
        *words,
        cwd=ROOT,
        env=os.environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=streams.get("stderr", asyncio.subprocess.DEVNULL),
        limit=4_000_000,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(10):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise


async def rehome(*words: str, stdin: str = "") -> tuple[int, Any, str]:
    """Run one command; return exit code, the JSON it printed (or ``None``), and what it said on stderr."""
    async with started(*words, stderr=asyncio.subprocess.PIPE) as process, asyncio.timeout(LIMIT_S):
        out, told = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, json.loads(out) if out.strip().startswith((b"{", b"[")) else None, told.decode()


@asynccontextmanager
async def garage(*words: str) -> AsyncIterator[dict[str, Any]]:
    async with started("demo", "--hold", "--json", "--pace", "0.2", *words) as process:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            facts = json.loads(await process.stdout.readline())
        yield facts


async def test_a_charger_is_shown_moved_reported_and_moved_back(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    async with garage() as facts:
        address = facts["openevse"].removeprefix("http://")
        code, shown, _ = await rehome("show", address, "--json", *home, *LOOPBACK)
        assert code == 0
        assert shown["identity"]["model"] == "Advanced Series"
        assert shown["backend"]["url"] == "ws://127.0.0.1:9/ocpp"

        code, job, told = await rehome(
            "apply", address, "--url", facts["backend"], "--identity", "STALL-01", "--password-stdin", "--yes",
            "--json", *home, *LOOPBACK, stdin=facts["password"] + "\n",
        )  # fmt: skip
        assert code == 0, told
        assert job["state"] == "done"
        assert facts["password"] not in json.dumps(job) + told

        code, files, told = await rehome("report", job["job"], "--out", str(tmp_path / "out"), "--json", *home)
        assert code == 0, told
        assert Path(files["pdf"]).read_bytes().startswith(b"%PDF-")
        assert "STALL-01" in Path(files["html"]).read_text(encoding="utf-8")
        assert json.loads(Path(files["json"]).read_text(encoding="utf-8"))

        code, undone, told = await rehome("undo", job["job"], "--json", *home, *LOOPBACK)
        assert code == 0, told
        assert undone["state"] == "undone"
        _, shown, _ = await rehome("show", address, "--json", *home, *LOOPBACK)
        assert shown["backend"]["url"] == "ws://127.0.0.1:9/ocpp"


async def test_finding_lists_what_is_announced_and_what_is_named(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    async with garage() as facts:
        code, units, _ = await rehome("find", "--seconds", "6", "--add", facts["serial"][0], "--json", *home, *LOOPBACK)
    assert code == 0
    found = {unit["identity"]["profile_id"]: unit for unit in units}
    assert {"openevse-wifi", "openevse-rapi"} <= set(found)
    assert {way["source"] for way in found["openevse-rapi"]["ways"]} == {"manual"}


async def test_nothing_found_has_its_own_exit_code(tmp_path: Path) -> None:
    code, units, told = await rehome(
        "find", "--no-search", "--seconds", "0.2", "--add", "127.0.0.1:1", "--json", "--home", str(tmp_path), *LOOPBACK
    )
    assert code == 3
    assert units == []
    assert "127.0.0.1" in told


async def test_a_wrong_backend_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    code, _, told = await rehome(
        "apply", "127.0.0.1:1", "--url", "http://x", "--identity", "A", "--home", str(tmp_path)
    )
    assert code == 2
    assert "ws://" in told
    assert not (tmp_path / "rehome.db").exists()


async def test_an_unreachable_charger_is_said_with_advice(tmp_path: Path) -> None:
    code, answer, told = await rehome("show", "127.0.0.1:1", "--json", "--home", str(tmp_path), *LOOPBACK)
    assert code == 1
    assert "→" in told
    assert answer["error"]["advice"]


async def test_a_damaged_database_is_named_and_not_touched(tmp_path: Path) -> None:
    database = tmp_path / "rehome.db"
    database.write_bytes(b"this is no database" * 100)
    code, _, told = await rehome("report", "--home", str(tmp_path))
    assert code == 1
    assert "rehome.db" in told
    assert database.read_bytes() == b"this is no database" * 100


async def test_serving_shows_a_foreign_client_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    async with started("serve", "--json", "--home", str(tmp_path), *LOOPBACK) as process:
        assert process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            listening = json.loads(await process.stdout.readline())
            state = listening["state"]
            url = f"ws://127.0.0.1:{state['port']}/any/path/CP-7"
            async with connect(url, subprotocols=[Subprotocol("ocpp1.6")]) as link:
                await link.send('[2,"1","Heartbeat",{}]')
                answer = json.loads(await link.recv())
            assert answer[:2] == [3, "1"]
            frames = []
            while len(frames) < 2:
                event = json.loads(await process.stdout.readline())
                if event["event"] == "frame":
                    frames.append(event["frame"])
            assert [frame["identity"] for frame in frames] == ["CP-7", "CP-7"]
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert process.returncode == 130


async def test_ctrl_c_in_mid_job_leaves_a_job_that_can_be_resumed(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    async with garage() as facts:
        address = facts["openevse"].removeprefix("http://")
        words = ("--url", facts["backend"], "--identity", "STALL-01", "--password-stdin", "--yes", "--json")
        async with (
            started("apply", address, *words, *home, *LOOPBACK, stderr=asyncio.subprocess.PIPE) as process,
            asyncio.timeout(LIMIT_S),
        ):
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(facts["password"].encode() + b"\n")
            process.stdin.close()
            while b"apply: running" not in await process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            await process.communicate()
            assert process.returncode == 130
        code, jobs, _ = await rehome("report", "--json", *home)
        assert code == 0
        assert jobs[0]["state"] == "paused"
        code, job, told = await rehome(
            "apply", "--resume", jobs[0]["job"], "--password-stdin", "--json", "--yes", *home, *LOOPBACK,
            stdin=facts["password"] + "\n",
        )  # fmt: skip
        assert code == 0, told
        assert job["state"] == "done"


async def test_the_demo_does_a_whole_job(tmp_path: Path) -> None:
    code, job, told = await rehome("demo", "--json", "--pace", "0.2", "--out", str(tmp_path))
    assert code == 0, told
    assert job["state"] == "done"
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".json", ".pdf"}
