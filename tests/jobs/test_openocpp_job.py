"""The guided job on simulated OpenOCPP chargers: staged, restarted, tried, proved; and taken back by the charger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.model.job import JobState, StepKind, StepState
from app.model.profile import Timing
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openocpp import OpenOcppUnit
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import bytes_of, drive, told, wanted

PASSWORD = "w0rd-of-16-bytes!"
OLD_PASSWORD = "an-old-password-77"
DEAD = "ws://127.0.0.1:1/dead"
TRIAL_S = 60.0
"""Times the sim's scale of 0.01: six tenths of a second."""
SKIPS = [StepKind.SESSION]
QUICK = Timing(restart_s=0.3, redial_s=0.2, patience_s=1.5)


def unit_on(**options: Any) -> OpenOcppUnit:
    fields = {"url": DEAD, "identity": "OLD-1", "password": OLD_PASSWORD, "transition_s": TRIAL_S}
    return OpenOcppUnit(time_scale=0.01, **(fields | options))


@pytest.mark.parametrize("protocol", ["OCPP16", "OCPP20"])
async def test_a_charger_is_found_moved_and_proved_in_the_version_it_speaks(tmp_path: Path, protocol: str) -> None:
    version = {"OCPP16": "1.6", "OCPP20": "2.0.1"}[protocol]
    new = NewBackend()
    new.provision("NEW-1", PASSWORD, version=version)
    async with new, unit_on(protocol=protocol) as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        found = await bench.add(unit.address)
        assert found.identity.profile_id == "openocpp"
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job.id: job})
        assert job.facts["backend_check"]["verdict"] == "accepted", "asked in the version the charger speaks"
        assert new.stations["NEW-1"].is_connected
        assert unit.staged.pending == {}, "the trial is over, and kept"
        assert unit.configuration()["centralSystemUrl"] == new.url
        assert unit.configuration()["ocppProtocol"] == f'"{protocol}"', "it speaks the version it spoke before"
        assert {path for path, _ in unit.posts} == {"/updateOcppParameter"}
        assert PASSWORD.encode() not in bytes_of(tmp_path)


async def test_in_a_network_that_does_not_reach_us_it_goes_back_by_itself_and_that_is_named(tmp_path: Path) -> None:
    """Something else answers on our address: the charger gets no connection, and the trial ends."""
    async with unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.dials_nothing = True
        job = await drive(bench, job_id, wanted("ws://127.0.0.1:1/new", password=PASSWORD), skips=SKIPS)
        assert (job.current, job.step(StepKind.PROVE).state) == (StepKind.PROVE, StepState.FAILED), facts({job_id: job})
        assert "went back to its old address by itself" in told(job, StepKind.PROVE)
        assert "NOT-APPLIED" in {finding.code for finding in job.step(StepKind.PROVE).findings}
        assert "firewall" in job.step(StepKind.PROVE).advice
        assert unit.rollbacks == 1
        assert unit.configuration()["centralSystemUrl"] == DEAD
        assert unit.staged.current["BasicAuthPassword"] == OLD_PASSWORD, "it is as it was before"


async def test_a_backend_that_does_not_accept_it_sends_it_back_to_us_and_the_switch_fails(tmp_path: Path) -> None:
    async with unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted("ws://127.0.0.1:1/new", password=PASSWORD), skips=SKIPS)
        assert (job.current, job.step(StepKind.SWITCH).state) == (StepKind.SWITCH, StepState.FAILED), facts(
            {job_id: job}
        )
        assert "came back to this computer by itself" in told(job, StepKind.SWITCH)
        assert "NOT-APPLIED" in {finding.code for finding in job.step(StepKind.SWITCH).findings}
        assert unit.rollbacks == 1
        async with NewBackend({"NEW-1": PASSWORD}) as new:
            bench.desk.back(job_id, StepKind.CHOOSE)
            bench.desk.choose(job_id, wanted(new.url, password=PASSWORD))
            job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
            assert job.state is JobState.DONE, facts({job_id: job})
            assert "has not gone back" in told(job, StepKind.SWITCH)


async def test_what_can_not_be_read_after_the_trial_is_not_called_kept(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)

        async def goes_silent() -> None:
            await new.arrival("NEW-1", timeout_s=20.0)
            unit.faults.add(Fault.SILENT)

        job_id = bench.desk.create("u1").id
        silenced = bench.scope.isolated("silence", goes_silent())
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        await silenced
        assert "has not gone back" not in told(job, StepKind.SWITCH), facts({job_id: job})
        unit.faults.clear()


async def test_undo_brings_the_address_back_and_says_what_the_trial_may_do_to_it(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.configuration()["centralSystemUrl"] == DEAD
        assert {limit.key for limit in job.undo_limits} == {"BasicAuthPassword"}
        assert "goes back to the present address" in " ".join(proof.text for proof in job.undo_proofs)


async def test_a_password_it_can_not_hold_stops_the_job_before_anything_is_written(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": "short"}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password="short"))
        assert job.current is StepKind.PLAN
        assert "at least 16" in job.step(StepKind.PLAN).advice
        assert unit.posts == []


async def test_a_car_that_charges_holds_up_the_restart(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        unit.dialler.free_vend_tag = "TAG"
        unit.plug_in()
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        assert job.current is StepKind.RESTART, facts({job_id: job})
        assert "unplug" in told(job, StepKind.RESTART)
        assert unit.restarts == 0
        unit.unplug()
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_another_charger_at_the_same_address_is_left_alone(tmp_path: Path) -> None:
    async with MiniBench(tmp_path, timing=QUICK) as bench:
        async with unit_on() as unit:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            port = unit.port
        async with unit_on(serial="OO-STRANGER", port=port) as stranger:
            job = await drive(bench, job_id, wanted(DEAD, password=PASSWORD))
            assert job.state is JobState.ACTIVE
            assert "Another charger" in job.note
            assert stranger.posts == []


@pytest.mark.parametrize("fault", [Fault.REFUSES, Fault.DROPS_MID_WRITE, Fault.ACCEPTS_AND_IGNORES, Fault.TRUNCATES])
async def test_a_write_that_fails_leaves_a_job_that_can_go_on(tmp_path: Path, fault: Fault) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.faults.add(fault)
        job = await drive(bench, job_id, wanted(f"{new.url}", password=PASSWORD))
        assert job.step(StepKind.APPLY).state is StepState.FAILED, facts({job_id: job})
        assert job.step(StepKind.APPLY).advice
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_a_restart_in_the_middle_of_writing_ends_in_a_job_that_goes_on(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, unit_on() as unit, MiniBench(tmp_path, timing=QUICK) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.restarts_at = "ChargePointId"
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD))
        assert job.step(StepKind.APPLY).state is StepState.FAILED, facts({job_id: job})
        await unit.until_at_rest()
        job = await drive(bench, job_id, wanted(new.url, password=PASSWORD), skips=SKIPS)
        assert job.state is JobState.DONE, facts({job_id: job})
