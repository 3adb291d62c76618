"""The guided job on a 2.0.1 station that only dials in: slots, order, restart, as use case B10 has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.diagnosis.catalogue import explain
from app.model.address import OcppAddress
from app.model.job import JobState, StepKind, StepState
from app.model.profile import Timing
from app.ocpp.repoint2 import PRIORITY
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.station2 import Station2
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, told, wanted

QUICK = Timing(restart_s=0.5, redial_s=0.3, patience_s=6.0)
PASSWORD = "a-long-enough-password"
OLD = "ws://old.example.invalid/ocpp"


async def begun(bench: MiniBench, unit: Station2) -> str:
    """Let the station come to us as the DNS of its dead backend would, and open a job for it."""
    state = await bench.listen_somewhere()
    unit.dial(state.url)
    await bench.server.arrival("CS-9", timeout_s=5)
    await unit.booted.wait()
    await bench.add(OcppAddress(identity="CS-9"))
    return bench.desk.create("u1").id


BACK_OFF = {
    "OCPPCommCtrlr.NetworkProfileConnectionAttempts": "2",
    "OCPPCommCtrlr.RetryBackOffWaitMinimum": "1",
    "OCPPCommCtrlr.RetryBackOffRandomRange": "0",
    "OCPPCommCtrlr.RetryBackOffRepeatTimes": "0",
}
"""It gives a slot up after two attempts: the job, which takes these at their word, watches two seconds longer."""


def station(version: str = "2.0.1", *faults: Fault) -> Station2:
    return Station2(OLD, "CS-9", version, time_scale=0.01, faults=faults, variables=BACK_OFF)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_a_station_is_moved_over_a_free_slot_and_keeps_its_old_one(tmp_path: Path, version: str) -> None:
    async with (
        NewBackend({"CS-9": PASSWORD}) as new,
        station(version) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        new.provision("CS-9", PASSWORD, version=version)
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.state is JobState.DONE, facts({job_id: job})
        seen = await new.arrival("CS-9", timeout_s=5)
        assert seen.is_connected
        assert unit.network.slots[unit.network.active]["ocppCsmsUrl"].rstrip("/") == new.url.rstrip("/")
        assert len(unit.network.slots) == 2
        assert unit.network.order[-1] == 1
        keys = [write.key for write in job.writes]
        assert keys[-1] == PRIORITY
        assert job.facts["backend_check"]["verdict"] == "accepted"
        assert not [finding.code for finding in job.findings if finding.code == "SUBPROTO-NONE"]
        assert PASSWORD not in str(facts({job_id: job}))


async def test_a_station_that_refuses_the_slot_is_told_why(tmp_path: Path) -> None:
    async with (
        NewBackend({"CS-9": PASSWORD}) as new,
        station("2.0.1", Fault.REFUSES_NETWORK_PROFILE) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.step(StepKind.SWITCH).state is StepState.FAILED
        assert "can't use this address" in told(job, StepKind.SWITCH) + job.step(StepKind.SWITCH).note
        assert unit.network.order == (1,)


async def test_sessions_that_no_backend_had_got_are_archived_before_it_leaves(tmp_path: Path) -> None:
    async with (
        NewBackend({"CS-9": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        new.provision("CS-9", PASSWORD, version="2.0.1")
        for days_ago, energy_wh in ((3.0, 7000.0), (2.0, 5000.0), (1.0, 1500.0)):
            unit.remember_session("04AABBCC", days_ago=days_ago, energy_wh=energy_wh)
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.state is JobState.DONE, facts({job_id: job})
        rescued = job.facts["rescue"]
        assert (rescued["sessions"], rescued["energy_wh"]) == (3, 13_500)
        texts = [(tmp_path / "rescued" / name).read_text() for name in rescued["files"]]
        assert len(texts) == 2
        assert "04AABBCC" not in "".join(texts)
        orders = [payload for action, payload in unit.heard if action == "ChangeAvailability"]
        assert [order["operationalStatus"] for order in orders] == ["Inoperative", "Operative"]


async def test_a_station_that_can_not_reach_the_new_backend_and_falls_back_is_named_and_tried_again(
    tmp_path: Path,
) -> None:
    async with (
        NewBackend({"CS-9": PASSWORD}) as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        new.provision("CS-9", "another-long-password", version="2.0.1")
        job_id = await begun(bench, unit)
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.current is StepKind.SWITCH, facts({job_id: job})
        step = job.step(StepKind.SWITCH)
        assert "took slot 2" in step.note
        assert "back here over slot 1" in step.note
        (finding,) = (item for item in job.findings if item.code == "OLD-PROFILE")
        assert "slot 2 up and came back over slot 1" in explain(finding).cause
        new.provision("CS-9", PASSWORD, version="2.0.1")
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert (await new.arrival("CS-9", timeout_s=5)).is_connected
        assert sorted(unit.network.slots) == [1, 2]
