"""The guided job on a simulated EVBox over Bluetooth: repointed and proved; or stopped unharmed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.model.job import JobState, StepKind, Target
from app.sim.backend import NewBackend
from app.sim.evbox import EvboxUnit
from app.sim.fault import Fault
from tests.drivers.rigs_evbox import evbox, vault
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told, wanted


@asynccontextmanager
async def on_bench(tmp_path: Path, **options: object) -> AsyncIterator[tuple[EvboxUnit, MiniBench]]:
    async with evbox(**options) as unit, MiniBench(tmp_path, vault=vault(unit), radio=unit.ether.radio) as bench:
        await bench.add(unit.address)
        yield unit, bench


@pytest.mark.parametrize("is_esp32", [False, True])
async def test_an_evbox_is_moved_over_bluetooth_and_proved(tmp_path: Path, is_esp32: bool) -> None:
    async with on_bench(tmp_path, is_esp32=is_esp32) as (unit, bench), NewBackend({unit.serial: ""}) as new:
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, unit.serial, password=""), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.held["evb_ServerURL"] == new.url.rstrip("/") + "/"
        assert unit.held["evb_SerialAsConnectorId"] == unit.held["evb_ConnectorList"] == "false"
        written = [write.key for write in job.writes if write.target is Target.ENDPOINT or write.key.startswith("evb")]
        assert written[-1] == "evb_ServerURL"


async def test_undo_brings_the_old_backend_back(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench), NewBackend({unit.serial: ""}) as new:
        before = dict(unit.held)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url, unit.serial, password=""), skips=[StepKind.SESSION])
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.held == before


async def test_another_identity_stops_in_the_plan(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench), NewBackend({"OTHER": ""}) as new:
        before = dict(unit.held)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, "OTHER", password=""))
        assert job.current is StepKind.PLAN
        assert unit.serial in told(job, StepKind.PLAN)
        assert unit.held == before


async def test_a_charger_that_accepts_and_forgets_is_not_believed(tmp_path: Path) -> None:
    async with (
        on_bench(tmp_path, faults={Fault.ACCEPTS_AND_IGNORES}) as (unit, bench),
        NewBackend({unit.serial: ""}) as new,
    ):
        before = dict(unit.held)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, unit.serial, password=""), skips=[StepKind.SESSION])
        assert job.state is not JobState.DONE
        assert unit.held == before


async def test_a_hang_up_after_a_write_does_not_leave_the_job_in_the_dark(tmp_path: Path) -> None:
    async with (
        on_bench(tmp_path, faults={Fault.DROPS_MID_WRITE}) as (unit, bench),
        NewBackend({unit.serial: ""}) as new,
    ):
        before = dict(unit.held)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, unit.serial, password=""), skips=[StepKind.SESSION])
        assert job.state is not JobState.DONE
        assert "Bluetooth" in told(job, StepKind.APPLY), facts({job_id: job})
        assert "nearer" in told(job, StepKind.APPLY)
        unit.faults.clear()
        bench.desk.undo(job_id)
        await bench.desk.finished(job_id)
        assert unit.held == before
