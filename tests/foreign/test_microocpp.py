"""MicroOcppSimulator itself, the C++ program: found, moved and proved over its own interface.

Skipped where ``MO_SIMULATOR`` names no built program (matth-x/MicroOcppSimulator, see docs/foreign-programs.md).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.driver.capability import Identifies, ReportsStatus, SetsBackend, WritesSettings
from app.drivers import microocpp
from app.errors import AuthFailed, ValueRejected
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.job import JobState, StepKind
from app.model.profile import Timing
from app.model.setting import Change
from app.sim.backend import NewBackend
from tests.drivers.openevse_kit import OneLogin
from tests.drivers.warp_kit import PROFILES
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, wanted

PROGRAM = os.environ.get("MO_SIMULATOR", "")
PROFILE = PROFILES["microocpp"]
START_S = 8.0
REAL = Timing(restart_s=1, redial_s=2, patience_s=20)

pytestmark = pytest.mark.skipif(not shutil.which(PROGRAM), reason="MO_SIMULATOR names no built MicroOcppSimulator")


@asynccontextmanager
async def simulator(
    folder: Path, *, ocpp: str = "1.6", user: str = "", password: str = ""
) -> AsyncIterator[NetAddress]:
    """Run the program in a folder of its own, on a free port of the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = folder / "mo_store"
    store.mkdir(parents=True)
    head = {"content-type": "ocpp_config_file", "version": "2.0"}
    version = {"head": head, "configurations": [{"type": "string", "key": "OcppVersion", "value": ocpp}]}
    (store / "simulator.jsn").write_text(json.dumps(version))
    nowhere = {"type": "string", "key": "Cst_BackendUrl", "value": "ws://127.0.0.1:9/old"}
    often = {"type": "int", "key": "Cst_ReconnectInterval", "value": 1}
    (store / "ws-conn.jsn").write_text(json.dumps({"head": head, "configurations": [nowhere, often]}))
    (store / "api.jsn").write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "user": user, "pass": password}))
    process = await asyncio.create_subprocess_exec(
        PROGRAM, cwd=folder, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _answers(port)
        yield NetAddress(host="127.0.0.1", port=port)
    finally:
        process.kill()
        await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(START_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return


async def test_it_is_known_shows_its_meter_and_keeps_a_password_as_text(tmp_path: Path):
    async with simulator(tmp_path) as address:
        assert (await microocpp.DRIVER.probe(address, PROFILE, RealLinks())) is not None
        async with microocpp.DRIVER.open(address, PROFILE, RealLinks()) as session:
            assert (await session.ask(Identifies).identify()).vendor == "MicroOcpp"
            assert {item.connector for item in (await session.ask(ReportsStatus).status()).readings} == {1, 2}
            writes = session.ask(WritesSettings)
            result = await writes.write_setting(Change(key="authorizationKey", before="", after="pass wörd-1"))
            assert result.read_back == "pass wörd-1"
            with pytest.raises(ValueRejected):
                await writes.write_setting(Change(key="authorizationKey", before="", after="x" * 41))
            assert (await session.ask(SetsBackend).read_backend()).secret.reveal() == "pass wörd-1"


async def test_its_login_is_asked_for(tmp_path: Path):
    async with simulator(tmp_path, user="me", password="right-pass") as address:
        with pytest.raises(AuthFailed):
            await microocpp.DRIVER.probe(address, PROFILE, RealLinks())
        assert await microocpp.DRIVER.probe(address, PROFILE, OneLogin("me", "right-pass")) is not None


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
async def test_a_whole_job_moves_it(tmp_path: Path, ocpp: str):
    new = NewBackend()
    new.provision("NEW-1", PASSWORD, version=ocpp)
    async with (
        new,
        simulator(tmp_path / "unit", ocpp=ocpp) as address,
        MiniBench(tmp_path / "bench", timing=REAL) as bench,
    ):
        await bench.add(address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})
        async with asyncio.timeout(REAL.patience_s):
            while not new.stations["NEW-1"].is_connected:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
