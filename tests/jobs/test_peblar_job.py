"""The guided job on simulated Peblars: nothing that nobody has proved is written without consent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.commands.console import Console
from app.commands.work import Answers
from app.commands.work import drive as drive_headless
from app.driver.capability import WritesSettings
from app.errors import StepBlocked
from app.jobs.editing import EditDesk
from app.model.edit import EditState
from app.model.job import JobState, StepKind, StepState
from app.model.secret import Secret
from app.model.setting import Change
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.peblar import PASSWORD, PeblarCharger
from app.storage.vault import MemoryVault
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told, wanted

DOOR = "unverified-write-SeccOcppActive-SeccOcppUri"
OLD = "ws://127.0.0.1:9/old/OLD-1"
SKIPS = [StepKind.SESSION]


@asynccontextmanager
async def on_bench(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[PeblarCharger, MiniBench, NewBackend]]:
    vault = MemoryVault()
    vault.set("charger/127.0.0.1/password", Secret(PASSWORD))
    async with (
        NewBackend({"NEW-1": ""}) as new,
        PeblarCharger(time_scale=0.01, **options) as unit,
        MiniBench(tmp_path, vault=vault) as bench,
    ):
        await bench.add(unit.address)
        yield unit, bench, new


async def planned(bench: MiniBench, url: str) -> str:
    """Bring a job to its plan."""
    job_id = bench.desk.create("u1").id
    await bench.done(job_id)
    bench.desk.choose(job_id, wanted(url, password=""))
    job = await bench.done(job_id)
    assert job.current is StepKind.PLAN, facts({job_id: job})
    return job_id


async def test_with_consent_a_charger_is_moved_and_the_endpoint_proves_what_it_dials(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=""), skips=SKIPS)
        assert DOOR in job.acknowledged
        assert unit.config["SeccOcppUri"] == f"{new.url}/NEW-1"
        assert job.step(StepKind.PROVE).state is StepState.DONE, facts({job.id: job})
        assert "NEW-1" in new.stations
        bench.desk.undo(job.id)
        undone = await bench.desk.finished(job.id)
        assert undone.state is JobState.UNDONE
        assert unit.config["SeccOcppUri"] == OLD


async def test_without_consent_nothing_is_written(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = await planned(bench, new.url)
        job = bench.desk.job(job_id)
        assert [door.id for door in job.open_doors] == [DOOR]
        assert "Nobody has published" in job.open_doors[0].text
        job = await bench.done(job_id)
        assert job.step(StepKind.PLAN).state is StepState.NEEDS_INPUT
        assert unit.patches == []


async def test_leaving_the_plan_out_is_no_consent(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        bench.desk.run(job_id, until=StepKind.CHOOSE)
        await bench.desk.finished(job_id)
        bench.desk.skip(job_id, StepKind.PLAN, "in a hurry")
        job = await bench.done(job_id)
        assert job.current is StepKind.APPLY, facts({job_id: job})
        assert "is not written before this is accepted" in job.step(StepKind.APPLY).note
        assert unit.patches == []


@pytest.mark.parametrize(("accepts", "expected"), [(False, StepKind.PLAN), (True, None)])
async def test_headless_work_needs_the_flag(tmp_path: Path, accepts: bool, expected: StepKind | None) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        answers = Answers(
            backend=wanted(new.url, password=""), accepts_doors=accepts, skips=frozenset({StepKind.SESSION})
        )
        job_id = bench.desk.create("u1").id
        job = await drive_headless(bench, job_id, answers, Console(is_json=True))  # type: ignore[arg-type]
        assert (job.current is expected) or accepts
        assert bool(unit.patches) is accepts


async def test_an_edit_by_hand_needs_consent(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, _):
        desk = EditDesk(store=bench.store, vault=bench.vault, bench=bench, jobs=bench.desk, scope=bench.scope)
        change = Change(key="SeccOcppUri", before=OLD, after="ws://127.0.0.1:9/new/CP-1")
        async with bench.open("u1", capability=WritesSettings) as session:
            with pytest.raises(StepBlocked) as caught:
                await desk.edit("u1", session, change)
            assert "without consent" in caught.value.message
            assert unit.patches == []
            assert desk.edits("u1") == ()
            result = await desk.edit("u1", session, change, has_consent=True)
            assert result.read_back == change.after
            harmless = Change(key="HmiBuzzerVolume", before="4", after="1")
            await desk.edit("u1", session, harmless)
        assert desk.edits("u1")[-1].state is EditState.DONE
        edit = desk.edits("u1")[-1]
        await desk.undo_edit(edit.id)
        assert unit.config["SeccOcppUri"] == OLD


async def test_a_charger_that_puts_its_own_identity_behind_the_address_is_seen_through(tmp_path: Path) -> None:
    async with on_bench(tmp_path, appends_serial=True) as (unit, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=""), skips=SKIPS)
        assert job.current is StepKind.PROVE, facts({job.id: job})
        assert "“NEW-1” did not dial this computer" in told(job, StepKind.PROVE)
        assert bench.server.endpoint(unit.serial) is not None, "the endpoint shows what it dials instead"
        assert new.url not in unit.config["SeccOcppUri"], "the real backend is not tried on a guess"


@pytest.mark.parametrize("options", [{"takes_ocpp": False}, {"faults": {Fault.ACCEPTS_AND_IGNORES}}])
async def test_a_charger_that_does_not_take_the_address_keeps_the_old_one(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    async with on_bench(tmp_path, **options) as (unit, bench, new):
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=""), skips=SKIPS)
        assert job.current is StepKind.APPLY
        assert job.step(StepKind.APPLY).advice
        assert unit.config["SeccOcppUri"] == OLD


async def test_a_car_that_charges_is_not_cut_off(tmp_path: Path) -> None:
    async with on_bench(tmp_path) as (unit, bench, new):
        unit.point.outlet(1).status = "Charging"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=""), skips=SKIPS)
        assert job.current is StepKind.RESTART, facts({job.id: job})
        assert "A car is charging" in job.step(StepKind.RESTART).note
        assert unit.restarts == 0
