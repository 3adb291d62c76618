"""The guided job on simulated Alfen stations of every era: real HTTPS, one session at a time, real WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.model.backend import Backend
from app.model.job import Job, JobState, StepKind, StepState, Target
from app.model.secret import Secret
from app.sim.alfen import OWNER, AlfenStation
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.storage.vault import MemoryVault
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, wanted

ERAS = ["4.9.0-4156", "5.8.1-4123", "6.6.0-4252", "7.4.5-4401"]
SKIPS = [StepKind.SESSION]


def vault(password: str = OWNER) -> MemoryVault:
    made = MemoryVault()
    made.set("charger/127.0.0.1/password", Secret(password))
    return made


@asynccontextmanager
async def on_bench(
    tmp_path: Path, firmware: str = "6.6.0-4252", **options: Any
) -> AsyncIterator[tuple[AlfenStation, MiniBench, NewBackend]]:
    async with (
        NewBackend({"NEW-1": PASSWORD}) as new,
        AlfenStation(firmware, time_scale=0.01, **options) as unit,
        MiniBench(tmp_path, vault=vault()) as bench,
    ):
        await bench.add(unit.address)
        yield unit, bench, new


def plain(url: str) -> Backend:
    return wanted(url, password="")


@pytest.mark.parametrize("firmware", ERAS)
async def test_a_station_is_found_repointed_and_proved(tmp_path: Path, firmware: str) -> None:
    async with on_bench(tmp_path, firmware) as (unit, bench, new):
        has_password = "2723_0" in unit.stored
        if not has_password:
            new.provision("NEW-1")
        job = await drive(
            bench, bench.desk.create("u1").id, wanted(new.url) if has_password else plain(new.url), skips=SKIPS
        )
        assert job.state is JobState.DONE, facts({job.id: job})
        assert unit.dial_url() == f"{new.url.rstrip('/')}/NEW-1"
        urls = [write.key for write in job.writes if write.target is Target.ENDPOINT]
        assert urls[-1] in ("2071_1", "20F0_3"), "the address comes last"
        assert unit.restarts >= 2, "an address counts after a restart: once for us, once for the backend"
        assert unit.logouts
        assert unit.left_open == 0, "every session ends: by a logout, a write or a restart"


def failed(job: Job) -> Any:
    """The step at which a job stands."""
    assert job.current is not None, facts({job.id: job})
    return job.step(job.current)


async def test_undo_brings_the_old_address_back_and_names_what_it_cant(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        old = unit.stored["20F0_3"].value
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url), skips=SKIPS)
        assert unit.hidden[0] == PASSWORD.encode(), "the backend's password went in as hexadecimal digits of its bytes"
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.stored["20F0_3"].value == old
        limits = {limit.key for limit in job.undo_limits}
        assert limits == {"2723_1", "20F0_5"}, "password and security profile can't be taken back"


async def test_raising_the_security_profile_waits_for_consent(tmp_path: Path) -> None:
    async with on_bench(tmp_path, "5.8.1-4123") as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        job = await bench.done(job_id)
        assert {door.id for door in job.open_doors} >= {"key:2723_0", "authorization-key-2723_1"}
        assert unit.writes == 0
        # leaving the plan out does not open the doors
        other = bench.desk.skip(job_id, StepKind.PLAN, "I know what I do")
        assert other.current is StepKind.APPLY
        job = await bench.done(job_id)
        assert failed(job).state is StepState.NEEDS_INPUT
        assert "Plan" in failed(job).advice
        assert unit.writes == 0


async def test_a_station_on_a_higher_profile_is_not_lowered(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        unit.stored["20F0_5"].value = 2
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=SKIPS)
        assert job.current is StepKind.PLAN
        assert "security profile 2" in failed(job).note
        assert unit.writes == 0


async def test_a_wrong_password_ends_in_advice_and_touches_nothing(tmp_path: Path) -> None:
    async with AlfenStation(time_scale=0.01) as unit, MiniBench(tmp_path, vault=vault("wrong")) as bench:
        await bench.add(unit.address)
        job = await bench.done(bench.desk.create("u1").id)
        assert "refuses the login" in failed(job).note
        assert "owner's password" in failed(job).advice
        assert unit.writes == unit.logins == 0


async def test_a_car_that_charges_keeps_the_station_running(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        unit.point.outlet(1).status = "Charging"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=SKIPS)
        assert job.current is StepKind.RESTART, facts({job.id: job})
        assert "A car is charging" in failed(job).note
        assert "unplug" in failed(job).advice
        assert unit.restarts == 0
        unit.point.outlet(1).status = "Available"
        job = await drive(bench, job.id, wanted(new.url), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job.id: job})


@pytest.mark.parametrize("fault", [Fault.ACCEPTS_AND_IGNORES, Fault.TRUNCATES])
async def test_a_value_that_is_not_kept_is_found_out(tmp_path: Path, fault: Fault) -> None:
    async with on_bench(tmp_path, faults={fault}) as (_, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, plain(new.url), skips=SKIPS)
        assert failed(job).state is StepState.FAILED
        assert "holds something else" in failed(job).note
        assert [finding.code for finding in failed(job).findings] == ["NOT-APPLIED"]


async def test_a_station_that_restarts_in_the_middle_of_a_write_leaves_a_way_back(tmp_path: Path) -> None:
    async with on_bench(tmp_path, faults={Fault.DROPS_MID_WRITE}) as (unit, bench, new):
        old = unit.stored["2053_0"].value
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, plain(new.url), skips=SKIPS)
        assert failed(job).state is StepState.FAILED
        assert "may hold the old or the new value" in failed(job).advice
        unit.faults.clear()
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE
        assert unit.stored["2053_0"].value == old


async def test_another_station_at_the_address_is_not_written_to(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        unit.serial = "ACE0999999"
        unit.stored["2052_1"].value = "02:41:4C:99:99:99"
        bench.desk.choose(job_id, plain(new.url))
        job = await bench.done(job_id)
        assert "Another charger answers" in failed(job).note
        assert unit.writes == 0


async def test_a_foreign_preset_that_puts_its_address_back_is_noticed(tmp_path: Path) -> None:
    async with on_bench(tmp_path, preset="Last Mile Solutions") as (unit, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, plain(new.url), skips=SKIPS)
        assert job.state is JobState.ACTIVE
        assert unit.dial_url().startswith("ws://old-backend.example")
        assert failed(job).advice


async def test_a_stopped_job_logs_out(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, _):
        job_id = bench.desk.create("u1").id
        unit.faults.add(Fault.SLOW)
        with bench.desk.changes.subscribe() as changes:
            bench.desk.run(job_id)
            async with asyncio.timeout(10):
                while bench.desk.job(job_id).current is not StepKind.BACK_UP or not unit.logins:
                    await anext(changes)
        await bench.desk.pause(job_id)
        unit.faults.clear()
        assert unit.left_open == 0
        assert bench.desk.job(job_id).state is JobState.PAUSED
