"""A 2.x station is moved although the program is killed, or its line drops, after each thing that was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.model.backend import SecurityProfile
from app.model.job import JobState, StepKind
from app.ocpp.repoint2 import ATTEMPTS, PRIORITY
from app.ocpp.repoint2 import PASSWORD as PASSWORD_KEY
from app.sim.backend import NewBackend
from app.sim.station2 import Station2
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import drive, wanted
from tests.jobs.test_killed import KILLED, Zygote, read, switch_events, zygote
from tests.jobs.test_killed import pytestmark as killing
from tests.jobs.test_station2_job import PASSWORD, QUICK, begun, station

pytestmark = killing

WRITES = (PASSWORD_KEY, "NetworkProfile", PRIORITY, "Reset")


async def test_a_station_is_finished_after_a_kill_anywhere_in_the_switch(tmp_path: Path, free_port: int) -> None:
    async with zygote() as helper:
        whole = tmp_path / "whole"
        await one_station(helper, whole, free_port, None)
        for number in switch_events(whole):
            await one_station(helper, tmp_path / str(number), free_port, (number, "before"))


async def one_station(helper: Zygote, home: Path, port: int, kill_at: tuple[int, str] | None) -> None:
    """Move a station, with the program killed once on the way."""
    home.mkdir()
    async with NewBackend() as new, station() as unit:
        unit.model.put(*ATTEMPTS.split("."), "0")
        new.provision("CS-9", PASSWORD, version="2.0.1")
        unit.dial(f"ws://127.0.0.1:{port}/")
        request = {"home": home, "port": port, "url": new.url, "identity": "CS-9", "password": PASSWORD}
        if kill_at is not None:
            assert await helper.run(**request, kill_at=kill_at) == KILLED
        assert await helper.run(**request) == 0
        job = read(home)
        assert job is not None
        assert job.state is JobState.DONE, (kill_at, facts({job.id: job}))
        await new.arrival("CS-9", timeout_s=5)
        check_slots(unit, new.url)


def check_slots(unit: Station2, url: str) -> None:
    """The new backend first, the way back second, and no third slot."""
    first, *rest = unit.network.order
    assert unit.network.slots[first]["ocppCsmsUrl"] == url
    assert rest == [1]
    assert all(evse.is_operative for evse in unit.evses)


def dropping(unit: Station2, what: str) -> Callable[[], bool]:
    """Let the line drop once, before the answer to this write goes out; the write is kept."""
    action = what if what in unit.answers else "SetNetworkProfile" if what == "NetworkProfile" else "SetVariables"
    answer, state = unit.answers[action], {"has_dropped": False}

    def reply(payload: dict[str, Any]) -> Any:
        told = answer(payload)
        is_meant = action != "SetVariables" or what.rpartition(".")[2] in str(payload)
        if is_meant and not state["has_dropped"]:
            state["has_dropped"] = True
            unit.drop()
        return told

    unit.answers[action] = reply
    return lambda: state["has_dropped"]


@pytest.mark.parametrize("what", WRITES)
async def test_a_line_that_drops_after_a_write_does_not_stop_the_move(tmp_path: Path, what: str) -> None:
    async with (
        NewBackend() as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        new.provision("CS-9", PASSWORD, version="2.0.1")
        job_id = await begun(bench, unit)
        has_dropped = dropping(unit, what)
        for _ in range(3):
            job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
            if job.state is JobState.DONE:
                break
            assert job.current is StepKind.SWITCH, facts({job_id: job})
        assert has_dropped()
        assert job.state is JobState.DONE, facts({job_id: job})
        await new.arrival("CS-9", timeout_s=5)
        check_slots(unit, new.url)


async def test_undo_before_the_restart_puts_the_order_back_and_names_what_stays(tmp_path: Path) -> None:
    async with (
        NewBackend() as new,
        station() as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        new.provision("CS-9", PASSWORD, version="2.0.1")
        job_id = await begun(bench, unit)
        unit.answers["Reset"] = lambda _: {"status": "Rejected"}
        job = await drive(bench, job_id, wanted(new.url, "CS-9", PASSWORD))
        assert job.current is StepKind.SWITCH, facts({job_id: job})
        assert unit.model.variable("OCPPCommCtrlr", "NetworkConfigurationPriority").value == "2,1"
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert unit.model.variable("OCPPCommCtrlr", "NetworkConfigurationPriority").value == "1"
        assert {limit.key for limit in job.undo_limits} == {"NetworkProfile/2", PASSWORD_KEY}


async def test_what_can_only_be_refused_is_said_before_anything_is_written(tmp_path: Path) -> None:
    async with MiniBench(tmp_path, timing=QUICK) as bench, station() as unit:
        unit.model.put("SecurityCtrlr", "SecurityProfile", "2")
        job_id = await begun(bench, unit)
        unit.model.put("SecurityCtrlr", "SecurityProfile", "2")
        job = await drive(bench, job_id, wanted("ws://new.example.invalid/ocpp", "CS-9", PASSWORD))
        assert job.current is StepKind.PLAN, facts({job_id: job})
        assert "only goes up" in job.step(StepKind.PLAN).note
        backend = wanted("wss://new.example.invalid/ocpp", "CS-9", PASSWORD)
        bench.desk.back(job_id, StepKind.CHOOSE)
        unit.model.put("SecurityCtrlr", "SecurityProfile", "0")
        bench.desk.choose(job_id, replace(backend, security_profile=SecurityProfile.TLS_BASIC))
        job = await drive(bench, job_id, backend)
        assert job.current is StepKind.PLAN, facts({job_id: job})
        assert "no root certificate" in job.step(StepKind.PLAN).note
        assert not job.writes
        assert not [action for action, _ in unit.heard if action in ("SetVariables", "SetNetworkProfile")]
