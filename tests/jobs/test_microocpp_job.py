"""The guided job on simulated MicroOcpp chargers: found, moved at once, proved; and what gets in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.model.job import JobState, StepKind, StepState
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.microocpp import MicroOcppUnit
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, bytes_of, drive, told, wanted

OLD = {"url": "ws://127.0.0.1:1/dead", "identity": "OLD-1", "key": "old-pass-77"}
SKIPS = [StepKind.SESSION]


def unit_on(library: str = "1.2.0", **options: Any) -> MicroOcppUnit:
    return MicroOcppUnit(library, time_scale=0.01, **{**OLD, **options})


@pytest.mark.parametrize(("library", "ocpp"), [("1.0.0", "1.6"), ("1.2.0", "1.6"), ("1.2.0", "2.0.1")])
async def test_a_charger_is_found_moved_and_proved(tmp_path: Path, library: str, ocpp: str) -> None:
    new = NewBackend()
    new.provision("NEW-1", PASSWORD, version=ocpp)
    async with new, unit_on(library, ocpp=ocpp) as unit, MiniBench(tmp_path) as bench:
        found = await bench.add(unit.address)
        assert found.identity.profile_id == "microocpp"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job.id: job})
        assert (unit.held["backendUrl"], unit.held["chargeBoxId"]) == (new.url, "NEW-1")
        assert new.stations["NEW-1"].is_connected
        assert "does not say whether it is connected" in told(job, StepKind.SWITCH)


async def test_undo_brings_the_dead_backend_back_password_and_all(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        before = dict(unit.held)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url), skips=SKIPS)
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert (job.state, job.undo_limits) == (JobState.UNDONE, ()), facts({job_id: job})
        assert unit.held == before
        content = bytes_of(tmp_path)
    for secret in (PASSWORD, "old-pass-77"):
        assert secret.encode() not in content


async def test_a_library_that_cuts_the_password_ends_the_job_before_the_address_is_changed(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on("1.1.0") as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.step(StepKind.APPLY).state is StepState.FAILED, facts({job.id: job})
        assert "first character" in told(job, StepKind.APPLY)
        assert unit.held["backendUrl"] == OLD["url"]


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.TRUNCATES, Fault.DROPS_MID_WRITE])
async def test_a_write_that_fails_leaves_a_job_that_can_go_on(tmp_path: Path, fault: Fault) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.faults.add(fault)
        job = await drive(bench, job_id, wanted(new.url))
        assert job.step(StepKind.APPLY).state is StepState.FAILED, facts({job_id: job})
        assert job.step(StepKind.APPLY).advice
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job_id: job})
