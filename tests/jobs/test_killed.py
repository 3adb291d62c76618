"""The program is killed at every event of a job; the next one finishes it, with the unit in the right state."""

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

from app.jobs.fold import fold
from app.model.job import EventKind, Job, JobState, StepKind
from app.sim.backend import NewBackend
from app.sim.openevse import OpenEvseGateway
from app.sim.station import OcppStation
from app.storage.db import Store
from tests.jobs.rigs import OLD, PASSWORD, gateway

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="killing at an exact event needs fork and SIGKILL"),
    pytest.mark.timeout(240),  # dozens of programs one after the other, beside other tests
]

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else 0


class Zygote:
    """Asks the helper process for runs, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, **request: Any) -> int:
        """Return the exit code of one run; a signal is negative."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(request, default=str).encode() + b"\n")
        async with asyncio.timeout(25):
            return int(json.loads(await process.stdout.readline())["status"])


@asynccontextmanager
async def zygote() -> AsyncIterator[Zygote]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.jobs.zygote",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        yield Zygote(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def read(home: Path) -> Job | None:
    store = Store.open(home / "rehome.db")
    try:
        ids = store.jobs.ids()
        assert len(ids) <= 1, "a resumed job is the same job"
        return fold(store.jobs.events(ids[0])) if ids else None
    finally:
        store.close()


def check_cut(unit: OpenEvseGateway, job: Job | None) -> None:
    """After the kill: whatever was changed is announced on disk, and nothing was changed without a backup."""
    changed = {key for key in OLD if unit.config[key] != OLD[key]}
    if changed:
        assert job is not None
        assert job.has_backup
        assert changed <= {write.key for write in job.writes}


async def one_kill(helper: Zygote, home: Path, port: int, kill_at: tuple[int, str]) -> None:
    """Kill one job at one place and finish it in a new process."""
    home.mkdir()
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
        request = {"home": home, "port": port, "url": new.url, "unit_port": unit.address.port}
        assert await helper.run(**request, kill_at=kill_at) == KILLED, kill_at
        cut = read(home)
        check_cut(unit, cut)
        if cut is None or cut.state is not JobState.DONE:
            assert await helper.run(**request) == 0
            assert json.loads((home / "end.json").read_text()) == {"state": "done", "note": "", "troubles": []}
        job = read(home)
        assert job is not None
        assert job.state is JobState.DONE
        assert unit.config["ocpp_server"] == new.url
        assert unit.config["ocpp_chargeBoxId"] == "NEW-1"
        assert bytes.fromhex(unit.config["ocpp_authkey"]).decode() == PASSWORD


THOROUGH = os.environ.get("REHOME_THOROUGH") == "1"
PARTS = 16 if THOROUGH else 4
"""Thorough: kill at every event, twice. The usual run leaves out evidence that follows evidence: nothing happens in between."""


async def places(helper: Zygote, home: Path, port: int) -> list[tuple[int, str]]:
    """Run one job through and list where to kill: before each event, and after each that has a deed behind it."""
    home.mkdir()
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
        assert await helper.run(home=home, port=port, url=new.url, unit_port=unit.address.port) == 0
    store = Store.open(home / "rehome.db")
    kinds = [event.kind for event in store.jobs.events(store.jobs.ids()[0])]
    store.close()
    found: list[tuple[int, str]] = []
    for number, kind in enumerate(kinds, start=1):
        is_more_evidence = kind is kinds[number - 2] is EventKind.EVIDENCE
        if THOROUGH or not is_more_evidence:
            found.append((number, "before"))
        if THOROUGH or kind in (EventKind.INTENT, EventKind.WROTE, EventKind.CREATED):
            found.append((number, "after"))
    assert {EventKind.INTENT, EventKind.WROTE, EventKind.DONE, EventKind.FINISHED} <= set(kinds)
    return found


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_job_killed_at_any_event_is_finished_by_the_next_program(
    tmp_path: Path, free_port: int, part: int
) -> None:
    """One loop in four parts, so that each stays short."""
    async with zygote() as helper:
        todo = (await places(helper, tmp_path / "whole", free_port))[part::PARTS]
        assert len(todo) >= 8
        for place in todo:
            await one_kill(helper, tmp_path / f"{place[0]}-{place[1]}", free_port, place)


async def test_an_undo_killed_at_any_write_is_finished_by_the_next_program(tmp_path: Path, free_port: int) -> None:
    async with zygote() as helper:
        for number in range(1, 14, 2):
            home = tmp_path / str(number)
            home.mkdir()
            async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
                request = {"home": home, "port": free_port, "url": new.url, "unit_port": unit.address.port}
                assert await helper.run(**request) == 0
                code = await helper.run(**request, undo=True, kill_at=(number, "after"))
                cut = read(home)
                if code == KILLED and cut is not None and cut.state is not JobState.UNDONE:
                    assert await helper.run(**request, undo=True) == 0
                job = read(home)
                assert job is not None
                assert job.state is JobState.UNDONE
                assert {key: unit.config[key] for key in OLD} == OLD


async def test_every_half_written_state_of_the_unit_is_finished(tmp_path: Path, free_port: int) -> None:
    """Whatever a cut write left behind, the job reads what is there and writes only what is missing."""
    async with zygote() as helper:
        for number in range(16):
            home = tmp_path / str(number)
            home.mkdir()
            async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
                request = {"home": home, "port": free_port, "url": new.url, "unit_port": unit.address.port}
                place = await first_intent(helper, home, request)
                halves = {
                    "ocpp_authkey": PASSWORD.encode().hex(),
                    "ocpp_chargeBoxId": "NEW-1",
                    "ocpp_server": f"ws://127.0.0.1:{free_port}/",
                    "ocpp_enabled": False,
                }
                written = {key for bit, key in enumerate(halves) if number & 1 << bit}
                for key in written:
                    unit.store.put(key, halves[key])
                unit.changed(written)
                assert place > 0
                assert await helper.run(**request) == 0
                assert unit.config["ocpp_server"] == new.url
                assert unit.config["ocpp_chargeBoxId"] == "NEW-1"
                assert unit.config["ocpp_enabled"]
                job = read(home)
                assert job is not None
                assert job.state is JobState.DONE


async def first_intent(helper: Zygote, home: Path, request: dict[str, Any]) -> int:
    """Kill the job right after it announced its first write."""
    for number in (32, 31, 33, 30, 34, 35):
        if await helper.run(**request, kill_at=(number, "after")) != KILLED:
            break
        job = read(home)
        if job is not None and job.writes:
            return number
        for file in home.iterdir():
            file.unlink()
    return 0


async def test_a_dial_in_unit_is_finished_after_a_kill_anywhere_in_the_switch(tmp_path: Path, free_port: int) -> None:
    async with zygote() as helper:
        whole = tmp_path / "whole"
        await one_station(helper, whole, free_port, None)
        for number in switch_events(whole):
            await one_station(helper, tmp_path / str(number), free_port, (number, "before"))


async def one_station(helper: Zygote, home: Path, port: int, kill_at: tuple[int, str] | None) -> None:
    """Move a unit that only dials in, killed once on the way."""
    home.mkdir()
    async with NewBackend({"CP-7": PASSWORD}) as new, OcppStation("CP-7", time_scale=0.002) as unit:
        unit.dial(f"ws://127.0.0.1:{port}/")
        request = {"home": home, "port": port, "url": new.url, "identity": "CP-7"}
        if kill_at is not None:
            assert await helper.run(**request, kill_at=kill_at) == KILLED
        assert await helper.run(**request) == 0
        job = read(home)
        assert job is not None
        assert job.state is JobState.DONE, (kill_at, job.note, job.advice)
        assert unit.configured_url == new.url
        await new.arrival("CP-7", timeout_s=5)


def switch_events(home: Path) -> list[int]:
    """Number the events of the switch that a deed stands between."""
    store = Store.open(home / "rehome.db")
    events = store.jobs.events(store.jobs.ids()[0])
    store.close()
    wanted_kinds = (EventKind.STARTED, EventKind.INTENT, EventKind.WROTE, EventKind.DONE)
    found = [event.seq for event in events if event.step is StepKind.SWITCH and event.kind in wanted_kinds]
    assert len(found) >= 4
    return found
