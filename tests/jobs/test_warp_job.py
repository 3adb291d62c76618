"""The guided job on simulated WARP wallboxes: found, moved, proved; locked, replaced, interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.model.job import JobState, StepKind, StepState, Target
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.warp import WarpWallbox
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, told, wanted

OLD = {"url": "ws://127.0.0.1:1/dead", "identity": "OLD-1", "enable": True, "enable_auth": True, "pass": "old-pass"}
PASS = "ocpp/config/pass"


def wallbox(firmware: str = "2.12.1+6a4f3c2e", **options: object) -> WarpWallbox:
    return WarpWallbox(firmware, time_scale=0.01, ocpp=OLD, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("firmware", ["2.1.0+17f4001d", "2.9.0+a37f9364", "2.12.1+6a4f3c2e"])
async def test_a_wallbox_is_found_moved_and_proved_with_a_restart_where_its_firmware_needs_one(
    tmp_path: Path, firmware: str
) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, wallbox(firmware) as unit, MiniBench(tmp_path) as bench:
        found = await bench.add(unit.address)
        assert found.identity.profile_id == "warp"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})
        config = unit.objects["ocpp/config"]
        assert (config["url"], config["identity"], config["pass"]) == (new.url, "NEW-1", PASSWORD)
        assert unit.objects["evse/ocpp_enabled"]["enabled"] is True
        needs = not firmware.startswith("2.12")
        assert (job.step(StepKind.RESTART).state is StepState.DONE) == needs
        assert (unit.restarts > 0) == needs
        keys = [write.key for write in job.writes if write.target is Target.ENDPOINT]
        assert keys[0] == "evse/ocpp_enabled/enabled", "the slot first, as its own web page does"
        assert keys[-1] == "ocpp/config/url", "the address comes last"
        assert new.stations["NEW-1"].is_connected
        assert "ocpp/reset" not in unit.called


async def test_what_can_not_be_taken_back_is_announced_and_undo_brings_back_the_rest(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, wallbox() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert "ocpp-config-pass" in {door.id for door in job.doors}
        assert PASS in {limit.key for limit in job.undo_limits}
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        config = unit.objects["ocpp/config"]
        assert {key: config[key] for key in ("url", "identity", "enable", "enable_auth")} == {
            key: OLD[key] for key in ("url", "identity", "enable", "enable_auth")
        }
        assert unit.objects["evse/ocpp_enabled"]["enabled"] is False
        assert PASS in {limit.key for limit in job.undo_limits}


async def test_a_backend_without_a_password_leaves_the_old_one_stored_and_undo_is_whole(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": ""}) as new, wallbox() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        before = dict(unit.objects["ocpp/config"])
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url, password=""), skips=[StepKind.SESSION])
        assert unit.objects["ocpp/config"]["enable_auth"] is False
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert job.undo_limits == ()
        assert unit.objects["ocpp/config"] == before


async def test_a_running_charge_stops_the_job_with_the_advice_to_unplug_and_it_goes_on_after(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, wallbox() as unit, MiniBench(tmp_path) as bench:
        assert unit.point is not None
        await bench.add(unit.address)
        unit.point.free_vend_tag = "TAG"
        unit.plug_in()
        before = dict(unit.objects["ocpp/config"])
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url))
        assert job.current is StepKind.APPLY
        assert "unplug" in job.step(StepKind.APPLY).advice
        assert unit.objects["ocpp/config"] == before
        unit.unplug()
        unit.point.free_vend_tag = ""
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_another_wallbox_at_the_same_address_is_left_alone(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        async with wallbox() as unit:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            port = unit.port
        async with wallbox(uid="zZ9", port=port) as stranger:
            job = await drive(bench, job_id, wanted(new.url))
            assert job.state is JobState.ACTIVE
            assert "Another charger" in job.note
            assert stranger.called == []


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.DROPS_MID_WRITE])
async def test_a_write_that_fails_leaves_a_job_that_can_go_on(tmp_path: Path, fault: Fault) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, wallbox() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.faults.add(fault)
        job = await drive(bench, job_id, wanted(new.url))
        assert job.step(StepKind.APPLY).state is StepState.FAILED
        assert job.step(StepKind.APPLY).advice
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_a_unit_that_forgets_its_backend_with_the_restart_is_caught(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, wallbox("2.9.0") as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        unit.faults.add(Fault.REVERTS)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.state is JobState.ACTIVE
        assert job.current is not None
        assert job.step(job.current).state is StepState.FAILED
        assert job.step(job.current).advice
        assert "did not" in told(job, job.current) or "does not" in told(job, job.current)


async def test_the_first_generation_is_read_and_typed_at_by_hand_not_written(tmp_path: Path) -> None:
    first = WarpWallbox("2.8.0", kind="warp", time_scale=0.01)
    async with NewBackend({"NEW-1": PASSWORD}) as new, first as unit, MiniBench(tmp_path) as bench:
        found = await bench.add(unit.address)
        assert found.identity.profile_id == "warp1"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.state is JobState.ACTIVE
        assert job.current is StepKind.APPLY
        assert "can't be pointed elsewhere" in told(job, StepKind.APPLY)
        assert unit.called == []
