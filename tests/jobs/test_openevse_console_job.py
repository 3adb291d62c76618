"""The guided job over a way that writes and can't read: said, consented to, and proved by our endpoint alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.model.job import JobState, StepKind, StepState, Strength
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse_console import OpenEvseConsoleGateway
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told, wanted

OLD = {"ocpp_server": "ws://127.0.0.1:1/dead", "ocpp_chargeBoxId": "OLD-1", "ocpp_enabled": True}
SKIPS = [StepKind.SESSION]


@asynccontextmanager
async def on_bench(
    tmp_path: Path, *, password: str = "", **options: Any
) -> AsyncIterator[tuple[OpenEvseConsoleGateway, MiniBench, NewBackend]]:
    async with (
        NewBackend({"NEW-1": password}) as new,
        OpenEvseConsoleGateway(time_scale=0.01, config=OLD, **options) as unit,
        MiniBench(tmp_path) as bench,
    ):
        # the way over the cable is chosen by hand: found by its own driver alone, as on a port nobody else knows
        bench.registry.drivers = {"openevse-console": bench.registry.drivers["openevse-console"]}
        await bench.add(unit.address)
        yield unit, bench, new


async def test_it_is_moved_with_consent_and_proved_by_what_it_dials(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        assert bench.desk.job(job_id).step(StepKind.BACK_UP).state is StepState.DONE
        assert "Nothing could be backed up" in told(bench.desk.job(job_id), StepKind.BACK_UP)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        job = await bench.done(job_id)
        assert (job.current, [door.id for door in job.open_doors]) == (StepKind.PLAN, ["no-backup"])
        assert set(unit.lines) == {"config:{}"}, "nothing is written before somebody has read that"
        assert {limit.key for limit in job.undo_limits} >= {"ocpp_server", "ocpp_chargeBoxId"}
        job = await drive(bench, job_id, wanted(new.url, password=""), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job.id: job})
        assert new.stations["NEW-1"].is_connected
        proofs = [proof for proof in job.step(StepKind.PROVE).proofs if "dialled this computer" in proof.text]
        assert [proof.strength for proof in proofs] == [Strength.PROVED]


async def test_left_out_the_plan_still_does_not_let_anything_be_written(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        await bench.done(job_id)
        bench.desk.skip(job_id, StepKind.PLAN, "not needed")
        job = await bench.done(job_id)
        assert job.current is StepKind.APPLY, facts({job_id: job})
        assert "can be written, but not read" in told(job, StepKind.APPLY)
        assert set(unit.lines) == {"config:{}"}


async def test_undo_says_that_nothing_can_be_brought_back(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url, password=""), skips=SKIPS)
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        texts = " ".join(proof.text for proof in job.undo_proofs)
        assert "“ocpp_server” could not be brought back" in texts, facts({job_id: job})
        assert "holds its old values" not in texts
        assert unit.gateway.config["ocpp_server"] == new.url


async def test_a_password_stops_the_job_before_anything_is_written(tmp_path: Path) -> None:
    async with on_bench(tmp_path, password="secret-12") as (unit, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password="secret-12"))
        assert job.current is StepKind.PLAN
        assert "Wi-Fi" in job.step(StepKind.PLAN).advice
        assert set(unit.lines) == {"config:{}"}


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.SILENT], ids=["refuses", "restarts"])
async def test_a_write_that_fails_leaves_a_job_that_can_go_on(tmp_path: Path, fault: Fault) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        unit.on_line = lambda line: unit.faults.add(fault) if "ocpp_chargeBoxId" in line else None
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, password=""), skips=SKIPS)
        assert job.step(StepKind.APPLY).state is StepState.FAILED, facts({job_id: job})
        assert job.step(StepKind.APPLY).advice
        unit.on_line = lambda _line: None
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url, password=""), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job_id: job})
