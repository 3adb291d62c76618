"""The guided job on a simulated EVerest over MQTT: repointed, restarted by a person, proved; or stopped unharmed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.model.backend import Backend, SecurityProfile
from app.model.job import Job, JobState, StepKind
from app.model.secret import Secret
from app.sim.backend import NewBackend
from app.sim.everest import PROFILES, EverestUnit
from app.sim.fault import Fault
from tests.drivers.rigs_everest import everest
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told

SECRET = "new-password-0815"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("app.drivers.everest.talk.STATE_S", 0.2)


@asynccontextmanager
async def on_bench(tmp_path: Path, **options: object) -> AsyncIterator[tuple[EverestUnit, MiniBench]]:
    async with everest(**options) as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        yield unit, bench


def wanted(new: NewBackend) -> Backend:
    url = new.url.rstrip("/")
    return Backend(url=url, identity="NEW-1", security_profile=SecurityProfile.BASIC, secret=Secret(SECRET))


async def driven(bench: MiniBench, unit: EverestUnit, backend: Backend) -> Job:
    """Drive a job, restarting the charger whenever the job asks a person to."""
    job_id = bench.desk.create("u1").id
    skips = [StepKind.SESSION]
    for _ in range(4):
        job = await drive(bench, job_id, backend, skips=skips)
        if job.state is not JobState.ACTIVE or job.current not in (StepKind.RESTART, StepKind.SWITCH, StepKind.APPLY):
            return job
        if "restart" not in told(job, job.current):
            return job
        unit.restart()
        bench.desk.skip(job_id, job.current, "switched off and on")
    return job


async def test_an_everest_is_moved_and_proved_after_a_restart_by_hand(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": SECRET}) as new, on_bench(tmp_path) as (unit, bench):
        job = await driven(bench, unit, wanted(new))
        assert unit.restarts >= 1, facts({job.id: job})
        assert "NEW-1" in new.url or json.loads(unit.held[PROFILES])[1]["connectionData"]["ocppCsmsUrl"]
        assert job.state is JobState.DONE, facts({job.id: job})


async def test_one_that_forgets_is_not_believed_and_undone(tmp_path: Path) -> None:
    faults = {Fault.ACCEPTS_AND_IGNORES}
    async with NewBackend({"NEW-1": SECRET}) as new, on_bench(tmp_path, faults=faults) as (unit, bench):
        before = dict(unit.held)
        job = await driven(bench, unit, wanted(new))
        assert job.state is not JobState.DONE
        assert unit.held == before
