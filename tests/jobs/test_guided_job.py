"""A charger that only a person can repoint: proved here, typed by hand what the guidance says, arrived at the backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs.stepping import backend_entry
from app.jobs.writing import typing_advice
from app.model.address import OcppAddress
from app.model.job import JobState, StepKind, StepState
from app.model.profile import Timing
from app.model.secret import Secret
from app.model.typed import guidance_for
from app.report.library import registry_of_the_program
from app.sim.backend import NewBackend
from app.sim.station import PASSWORD_KEY, URL_KEY, OcppStation
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, told, wanted

QUICK = Timing(restart_s=0.5, redial_s=0.3, patience_s=5.0)


@pytest.mark.parametrize("profile_id", ["wallbox", "abl-emh"])
async def test_what_the_guidance_says_typed_at_the_charger_brings_it_to_the_backend(
    tmp_path: Path, profile_id: str
) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        OcppStation("CP-7", time_scale=0.01) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
    ):
        unit.configuration[URL_KEY].readonly = True
        state = await bench.listen_somewhere()
        unit.dial(state.url)
        await bench.server.arrival("CP-7", timeout_s=5)
        await unit.booted.wait()
        await bench.add(OcppAddress(identity="CP-7"))
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.step(StepKind.PROVE).state is StepState.DONE, facts({job_id: job})
        assert job.current is StepKind.SWITCH
        assert "Type this" in told(job, StepKind.SWITCH)
        typed = job.facts["by_hand"]
        secret = bench.desk._vault.get(backend_entry(job_id)) or Secret("")
        backend = replace(wanted(typed["url"], typed["identity"]), secret=secret)
        guidance = guidance_for(bench.registry.profiles[profile_id], backend)
        lines = {line.holds: line.text for line in guidance.lines}
        unit.configuration[PASSWORD_KEY].value = lines.get("secret", PASSWORD).encode().hex()
        unit.configuration[URL_KEY].value = lines["url"]
        await unit.power_cycle()
        seen = await new.arrival("CP-7", timeout_s=5)
        assert seen.is_connected
        bench.desk.skip(job_id, StepKind.SWITCH, "Typed in by hand.")
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert not job.writes


def test_headless_too_the_vendors_own_fields_are_named_and_no_password() -> None:
    registry = registry_of_the_program()
    advice = typing_advice(registry.profiles["wallbox"], wanted("ws://csms.example/ocpp", "CP-7"))
    for text in ("myWallbox app", "URL: ws://csms.example/ocpp/", "Charge Point Identity: CP-7"):
        assert text in advice
    assert PASSWORD not in advice
    advice = typing_advice(registry.profiles["openevse-wifi"], wanted("ws://csms.example/ocpp", "CP-7"))
    assert "address ws://csms.example/ocpp · identity CP-7" in advice
