"""``rehome standin backend`` as a program of its own, with a unit that asks it for the dead name."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.sim.dialtls import DialTls
from app.sim.station import OcppStation
from tests.ports import free_port
from tests.standin.kit import HOST

DEAD = "ocpp.dead.example"


async def told(program: asyncio.subprocess.Process, event: str) -> dict[str, Any]:
    assert program.stdout is not None
    async with asyncio.timeout(20):
        while line := await program.stdout.readline():
            found: dict[str, Any] = json.loads(line)
            if found["event"] == event:
                return found
    raise AssertionError(f"it ended without “{event}”")


async def test_a_unit_lands_is_saved_and_one_that_verifies_is_told_what_else_to_try(tmp_path: Path) -> None:
    ports = (free_port(), free_port())
    words = ["standin", "backend", "--json", "--home", str(tmp_path), "--adapter", HOST, "--dns-port", "0", "--save"]
    words += ["--host", DEAD, *(word for port in ports for word in ("--port", str(port)))]
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).resolve().parents[2],
    )
    try:
        state = (await told(program, "on"))["state"]
        assert [(item["port"], item["is_open"]) for item in state["ports"]] == [(port, True) for port in ports]
        unit = OcppStation("CP-7", f"ws://{DEAD}:{ports[0]}/ocpp", time_scale=0.01)
        strict = OcppStation("CP-8", f"wss://{DEAD}:{ports[1]}/ocpp", time_scale=0.01, tls=DialTls(verifies=True))
        unit.resolver = strict.resolver = (HOST, state["dns"]["port"])
        async with unit:
            landing = (await told(program, "landed"))["landing"]
            assert (landing["identity"], landing["name"], landing["port"]) == ("CP-7", DEAD, ports[0])
            assert (await told(program, "saved"))["saved"]["settings"] > 20
        async with strict:
            finding = (await told(program, "finding"))["finding"]
            assert finding["details"]["case"] == "verifies"
    finally:
        program.kill()
        await program.wait()


def test_what_can_not_be_is_said_with_advice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["standin", "backend", "--home", str(tmp_path), "--adapter", HOST, "--dns-port", "0", "--seconds", "0.1"]
    assert main([*words, "--host", "192.168.1.9"]) == 1
    assert "is an address, not a name" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(words)
    assert main([*words, "--host", f"{DEAD}:{free_port()}"]) == 0
    assert f"stands in for {DEAD}" in capsys.readouterr().out
