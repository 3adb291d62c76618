"""Ctrl-C, SIGTERM and the window's close button in the middle of a job; chargers that lose power in any step."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.commands.console import Console
from app.commands.work import Answers, drive
from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, JobState, StepKind, StepState
from app.model.profile import Timing
from app.model.secret import Secret
from app.settings import Settings
from app.sim.garage import PASSWORD
from app.workbench import Workbench
from tests.e2e.kit import fast_demo, store_says, until

ROOT = Path(__file__).resolve().parents[2]
END_S = 5.0
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals are Unix's"),
]


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that leads its own group, so that nothing it started can hide."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, cwd=ROOT, env=os.environ, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ending(process: asyncio.subprocess.Process, number: signal.Signals | None) -> tuple[int, str]:
    """End a program (or watch it end by itself); return its exit code and what it said on stderr."""
    began = time.monotonic()
    if number is not None:
        process.send_signal(number)
    _, told = await asyncio.wait_for(process.communicate(), 30)
    took_s = time.monotonic() - began
    assert took_s < END_S, f"it took {took_s:.1f} s"
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert process.returncode is not None
    return process.returncode, told.decode()


def in_order(home: Path, told: str, step: StepKind) -> None:
    """Nothing half-written, nothing crashed, and the job can be taken up again."""
    assert "Traceback" not in told, told
    assert "Error" not in told, told
    left = [path.name for path in home.rglob("*") if path.is_file()]
    assert not [name for name in left if name.endswith((".part", ".tmp", "-journal", "-wal"))], left
    assert not [path for path in home.rglob("crash*") if path.stat().st_size], "the crash file says something"
    (job,) = store_says(home).values()
    assert job.state is JobState.PAUSED
    assert job.current is step
    assert job.step(step).state is StepState.READY or job.step(step).state is StepState.RUNNING, job.step(step)
    assert job.can_undo
    assert PASSWORD.encode() not in (home / "rehome.db").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_window_ends_in_order_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    async with program("tests.e2e.window_program", str(tmp_path), "signal") as process:
        await asyncio.wait_for(process.stdout.readline(), 30)
        code, told = await ending(process, number)
    assert code == 0, told
    in_order(tmp_path, told, StepKind.PROVE)


async def test_the_window_ends_in_order_when_it_is_closed(tmp_path: Path) -> None:
    async with program("tests.e2e.window_program", str(tmp_path), "close") as process:
        await asyncio.wait_for(process.stdout.readline(), 30)
        code, told = await ending(process, None)
    assert code == 0, told
    in_order(tmp_path, told, StepKind.PROVE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_headless_program_ends_in_order_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    async with program("app", "demo", "--home", str(tmp_path)) as process:
        async with asyncio.timeout(30):
            while b"prove: running" not in (await process.stderr.readline()):
                assert process.returncode is None
        code, told = await ending(process, number)
    assert code == 130, told
    assert "Nothing is left half-written" in told
    in_order(tmp_path, told, StepKind.PROVE)


# A charger loses power

LOSABLE = (
    StepKind.IDENTIFY, StepKind.BACK_UP, StepKind.PLAN, StepKind.APPLY, StepKind.PROVE, StepKind.SWITCH,
    StepKind.SESSION, StepKind.HAND_OVER,
)  # fmt: skip
IMPATIENT = Timing(restart_s=0.5, redial_s=0.3, patience_s=8.0)
OWN = "openevse-wifi"
QUIET = Console(is_json=False, is_quiet=True)


async def lost_in(step: StepKind, home: Path) -> tuple[Job, Job]:
    """Take a charger's power away as a step begins, give it back, resume; return the job as it stood and at the end."""
    async with fast_demo(Settings(), home, timing=IMPATIENT) as (garage, bench):
        unit = await found(bench)
        backend = Backend(
            url=garage.backend.url, identity="STALL-01", security_profile=SecurityProfile.BASIC, secret=Secret(PASSWORD)
        )
        job_id = bench.desk.create(unit).id
        answers = Answers(backend=backend, accepts_doors=True)
        before = drive(bench, job_id, answers, QUIET)
        async with asyncio.TaskGroup() as group:
            working = group.create_task(before)
            await until(
                lambda: (
                    bench.desk.job(job_id).step(step).state is not StepState.WAITING and started(bench, job_id, step)
                )
            )
            await garage.gateway.power_off()
            async with asyncio.timeout(20):
                while not working.done() and bench.desk.job(job_id).state is JobState.ACTIVE:
                    await asyncio.wait({working}, timeout=3)
                    await bench.desk.pause(job_id)
                await working
        stood = bench.desk.job(job_id)
        if stood.is_final:
            return stood, stood
        await garage.gateway.power_on()
        garage.gateway.plug_in()
        await until(lambda: any(way.is_present for way in bench.finder.units[unit].ways if way.driver_id == OWN))
        ended = await drive(bench, job_id, Answers(backend=backend, accepts_doors=True), QUIET)
    return stood, ended


def started(bench: Workbench, job_id: str, step: StepKind) -> bool:
    return bench.desk.job(job_id).step(step).started_at is not None


async def found(bench: Workbench) -> str:
    """Wait for the OpenEVSE on the network; return its id."""

    def find() -> str:
        return next((u.unit_id for u in bench.finder.units.values() if u.identity.profile_id == "openevse-wifi"), "")

    return str(await until(find))


async def test_a_charger_lost_in_any_step_leaves_a_job_that_goes_on(tmp_path: Path) -> None:
    results: list[tuple[Job, Job] | BaseException] = []
    for half in (LOSABLE[::2], LOSABLE[1::2]):  # eight garages at once leave a busy machine no time to be patient in
        results += await asyncio.gather(
            *(lost_in(step, tmp_path / step.value) for step in half), return_exceptions=True
        )
    for step, result in zip((*LOSABLE[::2], *LOSABLE[1::2]), results, strict=True):
        assert not isinstance(result, BaseException), f"{step}: {result!r}"
        stood, ended = result
        assert ended.state is JobState.DONE, f"{step}: {ended.steps}"
        if stood.is_final:  # the last step only looks
            assert step is StepKind.HAND_OVER
            continue
        assert stood.state in (JobState.ACTIVE, JobState.PAUSED)
        assert stood.current is not None
        now = stood.step(stood.current)
        assert now.state in (StepState.FAILED, StepState.NEEDS_INPUT, StepState.READY), f"{step}: {now}"
        assert now.note or stood.note, f"{step}: nothing says where the job stands"
        assert now.advice or stood.state is JobState.PAUSED, f"{step}: nothing says what to do"
        assert stood.can_undo == stood.has_written, f"{step}: no way back"
