"""The guided job on simulated go-e chargers and Wattpilots: found, repointed, proved; or stopped unharmed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.driver.capability import ReadsSettings, WritesSettings
from app.errors import StepBlocked
from app.jobs.editing import EditDesk
from app.model.job import Job, JobState, StepKind, StepState, Target
from app.model.secret import Secret
from app.model.setting import Change
from app.scope import Scope
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.goe import GoEUnit
from app.sim.wattpilot import WattpilotUnit
from app.storage.vault import MemoryVault
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told, wanted

SCALE = 0.01
OLD = {"ocppe": True, "ocppu": "ws://127.0.0.1:1/dead/OLD-1", "acs": 1}
PASSWORD = "wattpilot-word"


def goe(firmware: str = "59.4", **keys: Any) -> GoEUnit:
    return GoEUnit(firmware, time_scale=SCALE, keys=OLD | keys)


def pilot(**keys: Any) -> WattpilotUnit:
    return WattpilotUnit(time_scale=SCALE, keys=OLD | keys, password=PASSWORD)


def vault() -> MemoryVault:
    held = MemoryVault()
    held.set("charger/127.0.0.1/password", Secret(PASSWORD))
    return held


async def session_step(bench: MiniBench, job_id: str) -> None:
    """Wait until the job waits for a charge on the new backend."""
    with bench.desk.changes.subscribe() as changes:
        job = bench.desk.job(job_id)
        while job.step(StepKind.SESSION).state is not StepState.RUNNING:
            job = await anext(changes)


async def moved(bench: MiniBench, unit: GoEUnit, new: NewBackend, identity: str) -> Job:
    """Drive a whole job, with a person who starts a charge at the new backend."""
    await bench.add(unit.address)
    unit.plug_in()
    job_id = bench.desk.create("u1").id
    async with Scope("driver") as scope:

        async def start_a_charge() -> None:
            await session_step(bench, job_id)
            unit.unplug()
            unit.plug_in()
            assert await new.start(identity) == "Accepted"

        scope.required("person at the backend", start_a_charge())
        return await drive(bench, job_id, wanted(new.url, identity, password=""))


@pytest.mark.parametrize("firmware", ["054.7", "59.4", "60.4"])
async def test_a_go_e_is_moved_proved_and_charges_on_the_new_backend(tmp_path: Path, firmware: str) -> None:
    async with NewBackend({"NEW-1": ""}) as new, goe(firmware) as unit, MiniBench(tmp_path) as bench:
        job = await moved(bench, unit, new, "NEW-1")
        assert job.state is JobState.DONE, facts({job.id: job})
        assert unit.held["ocppu"] == f"{new.url.rstrip('/')}/NEW-1"
        assert "HTTP 404" not in told(job, StepKind.CHOOSE), "asked with the address the charger dials"
        assert "started a charge on our command" in told(job, StepKind.PROVE)
        assert job.facts["session"]["energy_wh"] > 0
        assert [write.key for write in job.writes if write.target is Target.ENDPOINT] == ["ocppu"]


async def test_a_wattpilot_is_moved_once_the_unproved_write_is_accepted(tmp_path: Path) -> None:
    bench = MiniBench(tmp_path, vault=vault())
    async with NewBackend({"NEW-1": ""}) as new, pilot() as unit, bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        job = await bench.done(job_id)
        assert job.current is StepKind.PLAN
        assert [door.id for door in job.open_doors] == ["ocppu-unverified-write"]
        assert "consent" in job.open_doors[0].text
        assert unit.sets == []
        job = await drive(bench, job_id, wanted(new.url, password=""), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.held["ocppu"] == f"{new.url.rstrip('/')}/NEW-1"


async def test_a_wattpilots_address_is_not_edited_by_hand_without_consent(tmp_path: Path) -> None:
    bench = MiniBench(tmp_path, vault=vault())
    async with pilot() as unit, bench:
        await bench.add(unit.address)
        desk = EditDesk(store=bench.store, vault=bench.vault, bench=bench, jobs=bench.desk, scope=bench.scope)
        change = Change(key="ocppu", before=unit.held["ocppu"], after="ws://127.0.0.1:9/new/CP-1")
        async with bench.open("u1", capability=WritesSettings) as session:
            shown = (await session.ask(ReadsSettings).read_settings()).get("ocppu")
            assert shown is not None
            assert "real Wattpilot" in shown.caution
            with pytest.raises(StepBlocked, match="without consent"):
                await desk.edit("u1", session, change)
            assert unit.sets == []
            assert (await desk.edit("u1", session, change, has_consent=True)).read_back == change.after


async def test_undo_brings_address_and_switch_back(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": ""}) as new, goe(ocppe=False) as unit, MiniBench(tmp_path) as bench:
        before = dict(unit.held)
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url, password=""), skips=[StepKind.SESSION])
        assert unit.held["ocppe"] is True
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.held == before
        assert job.undo_limits == ()


async def stopped(bench: MiniBench, unit: GoEUnit, **backend: Any) -> Job:
    """Drive a job as far as it goes."""
    await bench.add(unit.address)
    job_id = bench.desk.create("u1").id
    return await drive(bench, job_id, wanted(backend.pop("url", "ws://127.0.0.1:9/x"), **backend))


async def test_a_password_is_refused_in_the_plan_with_what_to_do(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": "w0rd-for-9!"}) as new, goe() as unit, MiniBench(tmp_path) as bench:
        before = dict(unit.held)
        job = await stopped(bench, unit, url=new.url, password="w0rd-for-9!")
        assert job.current is StepKind.PLAN
        assert "no place for a backend password" in told(job, StepKind.PLAN)
        assert "without a password" in told(job, StepKind.PLAN)
        assert not job.has_written
        assert unit.held == before


async def test_firmware_without_ocpp_is_told_in_the_plan(tmp_path: Path) -> None:
    unit = GoEUnit("053.1", time_scale=SCALE)
    async with NewBackend({"NEW-1": ""}) as new, unit, MiniBench(tmp_path) as bench:
        job = await stopped(bench, unit, url=new.url, password="")
        assert job.current is StepKind.PLAN
        assert "054" in told(job, StepKind.PLAN)
        assert unit.sets == []


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.TRUNCATES, Fault.DROPS_MID_WRITE])
async def test_a_write_that_fails_stops_the_job_with_advice_and_an_undo(tmp_path: Path, fault: Fault) -> None:
    async with NewBackend({"NEW-1": ""}, path="/a/long/path") as new, goe() as unit, MiniBench(tmp_path) as bench:
        before = dict(unit.held)
        unit.faults.add(fault)
        job = await stopped(bench, unit, url=new.url, password="")
        assert job.current in (StepKind.APPLY, StepKind.SWITCH)
        assert job.step(job.current).state is StepState.FAILED
        assert job.step(job.current).advice
        assert job.can_undo
        if fault is not Fault.REFUSES:
            await settled(unit, before)
        unit.faults.clear()
        bench.desk.undo(job.id)
        job = await bench.desk.finished(job.id)
        assert job.state is JobState.UNDONE, facts({job.id: job})
        assert unit.held == before


async def settled(unit: GoEUnit, before: dict[str, Any]) -> None:
    """Wait for a write whose answer was lost: it takes effect up to a second later, and nobody undoes faster."""
    async with asyncio.timeout(5):
        while unit.held == before:  # noqa: ASYNC110 - the charger tells nobody
            await asyncio.sleep(SCALE)


async def test_an_interface_that_vanishes_leaves_a_job_that_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": ""}) as new, goe("60.1") as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        unit.lose_api()
        job = await bench.done(job_id)
        assert job.current is StepKind.PLAN
        assert job.step(StepKind.PLAN).state is StepState.FAILED
        assert "local HTTP API v2" in told(job, StepKind.PLAN)
        await unit.power_cycle(0)
        job = await drive(bench, job_id, wanted(new.url, password=""), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_another_charger_at_the_address_is_left_alone(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": ""}) as new, goe() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url, password=""))
        port = unit.address.port
        await unit.power_off()
        async with GoEUnit(serial="999999", port=port, time_scale=SCALE, keys=OLD) as other:
            job = await bench.done(job_id)
            assert "999999 instead of 237512" in told(job, StepKind.PLAN)
            assert other.sets == []
        await unit.power_on()


async def test_a_transaction_with_the_old_backend_waits_for_the_car(tmp_path: Path) -> None:
    async with (
        NewBackend({"OLD-1": ""}) as old,
        NewBackend({"NEW-1": ""}) as new,
        MiniBench(tmp_path) as bench,
        goe(ocppu=f"{old.url.rstrip('/')}/OLD-1", acs=0) as unit,
    ):
        assert unit.point is not None
        point = unit.point
        await asyncio.wait_for(point.booted.wait(), 5)
        unit.plug_in()
        await point.until(lambda: unit.live()["ocppti"] is not None)
        job = await stopped(bench, unit, url=new.url, password="")
        assert job.current is StepKind.APPLY
        assert "unplug the car" in told(job, StepKind.APPLY)
        assert unit.sets == []
        unit.unplug()
        job = await drive(bench, job.id, wanted(new.url, password=""), skips=[StepKind.PROVE, StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})


async def test_a_wrong_password_of_a_wattpilot_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    bad = MemoryVault()
    bad.set("charger/127.0.0.1/password", Secret("not-this-one"))
    async with NewBackend({"NEW-1": ""}) as new, pilot() as unit, MiniBench(tmp_path, vault=bad) as bench:
        job = await stopped(bench, unit, url=new.url, password="")
        assert job.current is StepKind.IDENTIFY
        assert "Wrong password" in told(job, StepKind.IDENTIFY)
        assert "Solar.wattpilot app" in told(job, StepKind.IDENTIFY)
        assert unit.sets == []
        bench.vault.set("charger/127.0.0.1/password", Secret(PASSWORD))
        job = await drive(bench, job.id, wanted(new.url, password=""), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})
