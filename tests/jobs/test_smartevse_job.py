"""The guided job on simulated SmartEVSEs: found, switched on, moved, restarted, proved; and what gets in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.job import JobState, StepKind, StepState, Target
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.smartevse import SmartEvseUnit
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, bytes_of, drive, told, wanted

OLD = {"mode": True, "backend_url": "ws://127.0.0.1:1/dead", "cb_id": "OLD-1", "auth_key": "old-pass-77"}


def smart(firmware: str = "v3.11.1", *, ocpp: dict[str, object] | None = None, serial: int = 45316) -> SmartEvseUnit:
    return SmartEvseUnit(firmware, time_scale=0.01, ocpp=OLD if ocpp is None else ocpp, serial=serial)


@pytest.mark.parametrize("firmware", ["v3.6.3", "v3.9.3", "v3.11.1"])
@pytest.mark.parametrize("is_new", [True, False], ids=["first time", "from a dead backend"])
async def test_a_smartevse_is_found_moved_and_proved(tmp_path: Path, firmware: str, is_new: bool) -> None:
    unit = smart(firmware, ocpp={} if is_new else None)
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit, MiniBench(tmp_path) as bench:
        found = await bench.add(unit.address)
        assert found.identity.profile_id == "smartevse"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})
        assert (unit.ocpp["backend_url"], unit.ocpp["cb_id"]) == (new.url, "NEW-1")
        assert unit.ocpp["auth_key"] == PASSWORD
        keys = [write.key for write in job.writes if write.target is Target.ENDPOINT]
        assert (keys[0] == "ocpp_mode") == is_new
        assert keys[-1] == "ocpp_backend_url", "the address comes last"
        assert new.stations["NEW-1"].is_connected
        assert new.stations["NEW-1"].boot, "it was restarted, so that it introduces itself"


async def test_undo_brings_the_dead_backend_back_password_and_all(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, smart() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        before = dict(unit.ocpp)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert job.undo_limits == ()
        assert unit.ocpp == before
        content = bytes_of(tmp_path)
    for secret in (PASSWORD, "old-pass-77"):
        assert secret.encode() not in content


async def test_what_a_switched_off_unit_held_can_not_be_brought_back_and_that_is_said_before(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, smart(ocpp={}) as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        limits = {limit.key: limit.reason for limit in job.undo_limits}
        assert "only while OCPP is on" in limits["ocpp_backend_url"]
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.ocpp["mode"] is False, "off again, as it was found"


async def test_a_password_it_can_not_hold_stops_the_job_before_anything_is_written(tmp_path: Path) -> None:
    long = "a-password-of-23-bytes!"
    async with NewBackend({"NEW-1": long}) as new, smart() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=long))
        assert job.current is StepKind.PLAN
        assert "20" in job.step(StepKind.PLAN).note
        assert "at most 20" in job.step(StepKind.PLAN).advice
        assert unit.posts == []


async def test_a_car_that_charges_holds_up_the_restart_and_the_advice_is_to_unplug(tmp_path: Path) -> None:
    free = {**OLD, "auto_auth": True, "auto_auth_idtag": "TAG"}
    async with NewBackend({"NEW-1": PASSWORD}) as new, smart(ocpp=free) as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        unit.plug_in()
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.PROVE])
        assert job.state is JobState.ACTIVE, facts({job_id: job})
        assert job.current is StepKind.SWITCH, facts({job_id: job})
        assert "unplug" in told(job, StepKind.SWITCH)
        assert unit.restarts == 0
        unit.unplug()
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_another_unit_at_the_same_address_is_left_alone(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        async with smart() as unit:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            port = unit.port
        stranger = SmartEvseUnit(serial=99999, port=port, time_scale=0.01, ocpp=OLD)
        async with stranger:
            job = await drive(bench, job_id, wanted(new.url))
            assert job.state is JobState.ACTIVE
            assert "Another charger" in job.note
            assert stranger.posts == []


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.DROPS_MID_WRITE])
async def test_a_write_that_fails_leaves_a_job_that_can_go_on(tmp_path: Path, fault: Fault) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, smart() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.faults.add(fault)
        job = await drive(bench, job_id, wanted(new.url))
        assert job.step(StepKind.APPLY).state is StepState.FAILED
        assert job.step(StepKind.APPLY).advice
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_firmware_without_ocpp_over_http_is_told_so(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, smart("v3.6.1") as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.current is StepKind.APPLY
        assert "can't be pointed elsewhere" in told(job, StepKind.APPLY)
        assert unit.posts == []
