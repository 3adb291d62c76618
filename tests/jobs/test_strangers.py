"""Another charger takes the address or the identity of a job's unit: it is noticed before anything is written to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.model.address import OcppAddress
from app.model.job import Job, JobState, StepKind, StepState
from app.sim.backend import NewBackend
from app.sim.openevse import OpenEvseGateway
from app.sim.station import OcppStation
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import OLD, PASSWORD, drive, gateway, wanted

STRANGER = "AABBCCDDEE01"


def stranger(port: int) -> OpenEvseGateway:
    return OpenEvseGateway(serial=STRANGER, port=port, time_scale=0.01, config=OLD)


def is_untouched(unit: OpenEvseGateway) -> bool:
    return {key: unit.config[key] for key in OLD} == OLD


def assert_noticed(job: Job, step: StepKind) -> None:
    assert job.current is step, facts({job.id: job})
    assert job.step(step).state is StepState.NEEDS_INPUT
    assert "Another charger" in job.note
    assert STRANGER in job.note


async def test_before_the_job_has_asked_anything(tmp_path: Path) -> None:
    async with MiniBench(tmp_path) as bench:
        async with gateway() as unit:
            await bench.add(unit.address)
            port = unit.address.port
        async with stranger(port) as other:
            job = await bench.done(bench.desk.create("u1").id)
            assert_noticed(job, StepKind.IDENTIFY)
            assert is_untouched(other)


@pytest.mark.parametrize("step", [StepKind.APPLY, StepKind.PROVE, StepKind.SWITCH])
async def test_between_two_steps(tmp_path: Path, step: StepKind) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        async with gateway() as unit:
            await bench.add(unit.address)
            port, job_id = unit.address.port, bench.desk.create("u1").id
            await bench.done(job_id)
            bench.desk.choose(job_id, wanted(new.url))
            before = list(StepKind)[list(StepKind).index(step) - 1]
            bench.desk.run(job_id, until=before)
            await bench.desk.finished(job_id)
        async with stranger(port) as other:
            job = await bench.done(job_id)
            assert_noticed(job, step)
            assert is_untouched(other)


async def test_before_the_undo(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        async with gateway() as unit:
            await bench.add(unit.address)
            port, job_id = unit.address.port, bench.desk.create("u1").id
            await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        async with stranger(port) as other:
            bench.desk.undo(job_id)
            job = await bench.desk.finished(job_id)
            assert job.state is not JobState.UNDONE
            assert "Another charger" in job.note
            assert is_untouched(other)
            assert job.can_undo, "the right one may come back"


async def test_a_stranger_under_the_units_name_proves_nothing_and_is_not_made_to_charge(tmp_path: Path) -> None:
    async with (
        NewBackend({"NEW-1": PASSWORD}) as new,
        gateway() as unit,
        OcppStation("NEW-1", serial=STRANGER, time_scale=0.01) as other,
        MiniBench(tmp_path) as bench,
    ):
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        bench.desk.run(job_id, until=StepKind.RESTART)
        await bench.desk.finished(job_id)
        await unit.point.power_off()
        other.plug_in()
        other.dial(bench.server.state.url)
        async with asyncio.timeout(5):
            await other.booted.wait()
        job = await bench.done(job_id)
        assert_noticed(job, StepKind.PROVE)
        assert not bench.server.endpoints["NEW-1"].transactions


async def test_a_unit_that_dials_in_is_told_from_one_with_its_identity(tmp_path: Path) -> None:
    async with NewBackend({"CP-7": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        state = await bench.listen_somewhere()
        async with OcppStation("CP-7", serial="RIGHT-0001", time_scale=0.01) as unit:
            unit.dial(state.url)
            await unit.booted.wait()
            await bench.add(OcppAddress(identity="CP-7"))
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            bench.desk.choose(job_id, wanted(new.url, "CP-7"))
            job = await bench.done(job_id)
            assert job.current is StepKind.PLAN, "its one-way doors are shown first"
        async with OcppStation("CP-7", serial=STRANGER, time_scale=0.01) as other:
            other.dial(state.url)
            await other.booted.wait()
            held = dict(other.configuration)
            bench.desk.acknowledge(job_id, [door.id for door in job.open_doors])
            assert_noticed(await bench.done(job_id), StepKind.PLAN)
            assert dict(other.configuration) == held
