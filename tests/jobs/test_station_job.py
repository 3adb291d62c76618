"""The guided job on units that only dial in: everything runs over their connection to our endpoint."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import replace
from pathlib import Path

import pytest

from app.diagnosis.catalogue import explain
from app.model.address import OcppAddress
from app.model.job import JobState, StepKind, StepState, Strength
from app.model.profile import Timing
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.station import URL_KEY, Behaviour, OcppStation
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, told, wanted

QUICK = Timing(restart_s=0.5, redial_s=0.3, patience_s=5.0)


def station(behaviour: Behaviour = Behaviour.HEALTHY) -> OcppStation:
    return OcppStation("CP-7", behaviour=behaviour, time_scale=0.01)


async def begun(bench: MiniBench, unit: OcppStation) -> str:
    """Let the unit dial in as the site's DNS would, and open a job for it."""
    state = await bench.listen_somewhere()
    unit.dial(state.url)
    await bench.server.arrival("CP-7", timeout_s=5)
    await unit.booted.wait()
    await bench.add(OcppAddress(identity="CP-7"))
    return bench.desk.create("u1").id


async def test_a_dial_in_unit_is_moved_and_what_is_not_seen_is_called_open(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert "dials this computer already" in told(job, StepKind.APPLY)
        assert job.step(StepKind.SESSION).state is StepState.SKIPPED
        assert any(proof.strength is Strength.OPEN for proof in job.step(StepKind.SWITCH).proofs)
        seen = await new.arrival("CP-7", timeout_s=5)
        assert seen.is_connected


async def test_a_dial_in_unit_with_a_car_charges_on_our_endpoint_first(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        unit.plug_in()
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert job.facts["rehearsal_charge"]["energy_wh"] > 0


async def test_a_unit_that_reverts_after_its_restart_is_caught(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station(Behaviour.REVERTS) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.current is StepKind.SWITCH
        assert job.step(StepKind.SWITCH).state is StepState.FAILED
        assert "did not keep" in job.step(StepKind.SWITCH).note
        assert "NOT-APPLIED" in [finding.code for finding in job.findings]


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSES, Behaviour.LIES])
async def test_a_unit_that_does_not_take_the_address_is_not_called_moved(tmp_path: Path, behaviour: Behaviour) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station(behaviour) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        before = unit.configured_url
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.step(StepKind.SWITCH).state is StepState.FAILED, facts({job_id: job})
        assert unit.configured_url == before


async def test_a_unit_that_drops_in_the_middle_of_the_write_is_finished_when_it_returns(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        unit.faults.add(Fault.DROPS_MID_WRITE)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.current is StepKind.SWITCH
        assert job.writes[-1].is_open
        unit.faults.clear()
        await bench.server.arrival("CP-7", timeout_s=5)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        await new.arrival("CP-7", timeout_s=5)


async def test_undo_while_the_unit_is_still_on_our_endpoint(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        before = unit.configured_url
        job_id = await begun(bench, unit)
        unit.faults.add(Fault.DROPS_MID_WRITE)
        await drive(bench, job_id, wanted(new.url, "CP-7"))
        unit.faults.clear()
        await bench.server.arrival("CP-7", timeout_s=5)
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.configured_url == before


async def test_undo_after_the_move_says_who_alone_can_send_it_back(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        await drive(bench, job_id, wanted(new.url, "CP-7"))
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDOING
        assert "backend it dials now" in job.advice


async def test_a_unit_that_can_not_be_pointed_elsewhere_is_proved_and_then_typed_by_hand(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        unit.configuration[URL_KEY].readonly = True
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert "dials this computer already" in told(job, StepKind.APPLY), facts({job_id: job})
        assert job.step(StepKind.PROVE).state is StepState.DONE
        assert job.current is StepKind.SWITCH
        assert job.step(StepKind.SWITCH).state is StepState.NEEDS_INPUT
        assert job.facts["by_hand"] == {"step": "switch", "url": new.url, "identity": "CP-7"}
        assert not job.writes
        bench.desk.skip(job_id, StepKind.SWITCH, "Typed in by hand.")
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE


async def test_sessions_that_no_backend_had_got_are_archived_before_it_leaves(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        for days_ago, energy_wh in ((3.0, 7000), (2.0, 5000), (1.0, 1500)):
            unit.remember_session("04AABBCC", days_ago=days_ago, energy_wh=energy_wh)
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        rescued = job.facts["rescue"]
        assert (rescued["sessions"], rescued["energy_wh"]) == (3, 13_500)
        (table,) = (tmp_path / "rescued").glob("*.csv")
        with table.open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert [float(line["energy_wh"]) for line in lines] == [7000, 5000, 1500]
        assert all(line["repeats"] == "0" for line in lines)
        proof = next(item for item in job.step(StepKind.SWITCH).proofs if "no backend had got" in item.text)
        assert all(line["card"] in proof.detail for line in lines)
        assert "04AABBCC" not in str(facts({job_id: job})) + table.read_text()
        orders = [payload for action, payload in unit.heard if action == "ChangeAvailability"]
        assert [order["type"] for order in orders] == ["Inoperative", "Operative"]
        assert unit.queued == 0
        assert (await new.arrival("CP-7", timeout_s=5)).is_connected


async def test_a_station_that_is_stuck_on_an_old_message_is_named_and_helped_over_it(tmp_path: Path) -> None:
    start = {"connectorId": 1, "idTag": "04AABBCC", "meterStart": 10, "timestamp": "2026-10-01T08:00:00Z"}
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        bench.rescue.patience = replace(bench.rescue.patience, retry_s=2.0)
        job_id = await begun(bench, unit)

        async def stick() -> None:
            with bench.desk.progress.subscribe() as steps:
                async for step in steps:
                    if "dead backend" in step.text:
                        break
            for _ in range(5):
                unit.say("StartTransaction", start)
            unit.remember_session("04AABBCC", days_ago=2.0, energy_wh=5000)

        async with asyncio.TaskGroup() as group:
            group.create_task(stick())
            job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        switch = told(job, StepKind.SWITCH)
        assert "StartTransaction 2026-10-01T08:00:00Z again and again; it was kept, then refused" in switch
        (finding,) = (item for item in job.findings if item.code == "PAST-QUEUE")
        assert "came 3 or more times" in explain(finding).cause
        assert job.facts["rescue"]["sessions"] == 2
        assert job.facts["rescue"]["energy_wh"] == 5000
