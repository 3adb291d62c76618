"""The guided job on a simulated OpenEVSE: real HTTP, real WebSocket, real database."""

from __future__ import annotations

import asyncio
import base64
import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from app.errors import DiskFull, JobError
from app.jobs.runner import INTERRUPTED, STOPPED, JobDesk
from app.model.backend import Backend
from app.model.job import EventKind, Job, JobState, StepKind, StepState, Strength, Target
from app.model.secret import Secret
from app.report.build import build
from app.report.text import html, json_text
from app.scope import Scope
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.storage.vault import MemoryVault
from tests.jobs.minibench import QUICK, MiniBench, facts
from tests.jobs.rigs import OLD, PASSWORD, bytes_of, drive, gateway, told, wanted


async def until(bench: MiniBench, job_id: str, step: StepKind, state: StepState = StepState.RUNNING) -> Job:
    """Wait until a step of a running job is in a state."""
    with bench.desk.changes.subscribe() as changes:
        job = bench.desk.job(job_id)
        async with asyncio.timeout(10):
            while job.step(step).state is not state:
                job = await anext(changes)
    return job


async def test_a_charger_is_moved_proved_and_charges_on_the_new_backend(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        unit.plug_in()
        job_id = bench.desk.create("u1").id
        async with Scope("driver") as scope:

            async def start_a_charge() -> None:
                await until(bench, job_id, StepKind.SESSION)
                unit.unplug()
                unit.plug_in()
                assert await new.start("NEW-1") == "Accepted"

            scope.required("person at the backend", start_a_charge())
            job = await drive(bench, job_id, wanted(new.url))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.config["ocpp_server"] == new.url
        assert unit.config["ocpp_chargeBoxId"] == "NEW-1"
        assert "started a charge on our command" in told(job, StepKind.PROVE)
        assert "meter values rise" in told(job, StepKind.PROVE)
        assert "stopped on our command" in told(job, StepKind.PROVE)
        assert job.facts["session"]["energy_wh"] > 0
        assert job.step(StepKind.RESTART).state is StepState.SKIPPED
        urls = [write.key for write in job.writes if write.target is Target.ENDPOINT]
        assert urls[-1] == "ocpp_server", "the address comes last"


async def test_every_write_stands_on_disk_before_the_unit_sees_it(tmp_path: Path) -> None:
    seen: list[tuple[str, str, str]] = []

    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:

        def tap(when: str, event) -> None:  # type: ignore[no-untyped-def]
            if event.kind in (EventKind.INTENT, EventKind.WROTE):
                seen.append((when, event.kind.value, str(unit.config[event.data["key"]])))

        async with MiniBench(tmp_path, tap=tap) as bench:
            await bench.add(unit.address)
            job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
            assert job.state is JobState.DONE
    intents = [value for when, kind, value in seen if (when, kind) == ("after", "intent")]
    assert intents[:3] == [OLD["ocpp_authkey"], OLD["ocpp_chargeBoxId"], OLD["ocpp_server"]]


async def test_undo_brings_everything_back_and_reads_it_back(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        before = dict(unit.config)
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert dict(unit.config) != before
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE, facts({job_id: job})
        assert {key: unit.config[key] for key in OLD} == {key: before[key] for key in OLD}
        assert all(proof.strength is Strength.PROVED for proof in job.undo_proofs)
        assert job.undo_limits == ()
        with pytest.raises(JobError):
            bench.desk.undo(job_id)


async def test_undo_says_what_it_cant_restore_when_the_password_is_gone(tmp_path: Path) -> None:
    vault = MemoryVault()
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path, vault=vault) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        vault.delete(f"backup/{job_id}/ocpp_authkey")
        bench.desk.undo(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.UNDONE
        assert [limit.key for limit in job.undo_limits] == ["ocpp_authkey"]
        assert unit.config["ocpp_server"] == OLD["ocpp_server"]
        assert unit.config["ocpp_authkey"] != OLD["ocpp_authkey"]


async def test_no_password_stands_in_database_events_report_or_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("app", "websockets.client", "aiohttp"):
        caplog.set_level(logging.DEBUG, logger=name)
    old = Secret(bytes.fromhex(str(OLD["ocpp_authkey"])).decode())
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
        caplog.set_level(logging.ERROR, logger="websockets.client")  # the simulated unit itself uses that one
        async with MiniBench(tmp_path) as bench:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
            bench.desk.undo(job_id)
            job = await bench.desk.finished(job_id)
            events = bench.store.jobs.events(job_id)
            report = build(job, events, store=bench.store, unit=None, registry=bench.registry, version="0")
            texts = [repr(job), repr(events), html(report), html(report, for_print=True), json_text(report)]
        content = bytes_of(tmp_path)
    texts += [record.getMessage() for record in caplog.records]
    logins = [base64.b64encode(f"NEW-1:{PASSWORD}".encode()).decode()]
    for form in [*Secret(PASSWORD).spellings(), *old.spellings(), *logins]:
        assert not any(form in text for text in texts)
        assert form.encode() not in content


async def test_a_unit_lost_in_the_middle_of_a_write_leaves_a_job_that_goes_on(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        unit.faults.add(Fault.DROPS_MID_WRITE)
        job = await drive(bench, job_id, wanted(new.url))
        assert job.current is StepKind.APPLY
        assert job.step(StepKind.APPLY).state is StepState.FAILED
        assert job.step(StepKind.APPLY).advice
        assert job.writes[-1].is_open
        assert job.can_undo
        unit.faults.clear()
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.config["ocpp_server"] == new.url


async def test_a_unit_that_refuses_is_not_worse_than_found(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        before = dict(unit.config)
        await bench.add(unit.address)
        unit.faults.add(Fault.REFUSES)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.step(StepKind.APPLY).state is StepState.FAILED
        assert dict(unit.config) == before


async def test_a_unit_that_cuts_the_address_is_caught_by_reading_back(tmp_path: Path) -> None:
    backend = NewBackend({"NEW-1": PASSWORD}, path="/a/long/path/of/a/backend")
    async with backend as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        unit.faults.add(Fault.TRUNCATES)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url))
        assert job.current is StepKind.SWITCH, "our own address is short enough"
        assert job.step(StepKind.SWITCH).state is StepState.FAILED
        assert "NOT-APPLIED" in [finding.code for finding in job.findings]


async def test_a_claim_of_being_connected_is_never_called_proved(tmp_path: Path) -> None:
    async with NewBackend({}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        unit.faults.add(Fault.LIES_CONNECTED)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE
        (claim,) = [proof for proof in job.step(StepKind.SWITCH).proofs if "connected to the new" in proof.text]
        assert claim.strength is Strength.CLAIMED
        assert "ID-UNKNOWN" in [finding.code for finding in job.findings]


async def test_the_backends_own_word_counts_as_proof(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:

        async def ask(backend: Backend, since: datetime) -> str:
            seen = new.stations[backend.identity]
            is_new = seen.connected_at is not None and seen.connected_at > since
            return f"connected: {seen.identity}" if is_new else ""

        async with MiniBench(tmp_path, confirmation=ask) as bench:
            await bench.add(unit.address)
            job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
            assert job.state is JobState.DONE
            assert job.facts["confirmed"] == "connected: NEW-1"


async def test_a_backend_that_refuses_the_identity_must_be_accepted_first(tmp_path: Path) -> None:
    async with NewBackend({}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        job = await bench.done(job_id)
        assert job.current is StepKind.PLAN
        assert [door.id for door in job.open_doors] == ["backend-check"]
        assert "404" in job.open_doors[0].text
        assert unit.config["ocpp_server"] == OLD["ocpp_server"]


async def test_a_wrong_password_is_named_before_anything_is_written(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": "another-one"}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        job = await bench.done(job_id)
        assert [finding.code for finding in job.findings] == ["SETTING-RISK", "AUTH-401"], "too short, and wrong"
        assert not job.has_written


async def test_a_malformed_backend_is_asked_again(tmp_path: Path) -> None:
    async with gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted("http://not-a-backend"))
        job = await bench.done(job_id)
        assert job.step(StepKind.CHOOSE).state is StepState.NEEDS_INPUT
        assert "ws://" in job.step(StepKind.CHOOSE).note


async def test_a_password_too_long_for_the_unit_is_said_under_plan(tmp_path: Path) -> None:
    long = "x" * 21
    async with NewBackend({"NEW-1": long}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url, password=long))
        assert job.current is StepKind.PLAN
        assert "20" in job.step(StepKind.PLAN).note
        assert not job.has_written


async def test_stopping_pauses_within_seconds_and_the_job_goes_on_later(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        bench.desk.run(job_id)
        await until(bench, job_id, StepKind.APPLY)
        await bench.desk.pause(job_id)
        job = bench.desk.job(job_id)
        assert job.state is JobState.PAUSED
        assert job.note == STOPPED
        assert job_id not in bench.desk.running
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_a_stop_in_the_middle_of_a_write_lets_the_write_finish(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        bench.desk.run(job_id)
        with bench.desk.changes.subscribe() as changes:
            async with asyncio.timeout(10):
                while not bench.desk.job(job_id).writes:
                    await anext(changes)
        await bench.desk.pause(job_id)
        job = bench.desk.job(job_id)
        assert job.state is JobState.PAUSED
        assert not job.writes[-1].is_open
        assert job.writes[-1].is_accepted


async def test_a_job_cut_off_by_the_end_of_the_program_comes_back_paused(tmp_path: Path) -> None:
    vault = MemoryVault()
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
        async with MiniBench(tmp_path, vault=vault) as bench:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
        async with MiniBench(tmp_path, vault=vault) as bench:
            job = bench.desk.job(job_id)
            assert (job.state, job.note) == (JobState.PAUSED, INTERRUPTED)
            await bench.add(unit.address)
            job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
            assert job.state is JobState.DONE


async def test_a_password_that_is_gone_is_asked_for_again(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit:
        async with MiniBench(tmp_path) as bench:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            bench.desk.choose(job_id, wanted(new.url))
        async with MiniBench(tmp_path) as bench:
            await bench.add(unit.address)
            job = await bench.done(job_id)
            assert job.step(StepKind.CHOOSE).state is StepState.NEEDS_INPUT
            assert "password" in job.step(StepKind.CHOOSE).note
            job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
            assert job.state is JobState.DONE


async def test_another_charger_at_the_same_address_is_not_written_to(tmp_path: Path) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, MiniBench(tmp_path) as bench:
        async with gateway() as unit:
            await bench.add(unit.address)
            job_id = bench.desk.create("u1").id
            await bench.done(job_id)
            port = unit.address.port
        stranger = OpenEvseGateway(serial="AABBCCDDEE01", port=port, time_scale=0.01, config=OLD)
        async with stranger:
            job = await drive(bench, job_id, wanted(new.url))
            assert job.state is JobState.ACTIVE
            assert "Another charger" in job.note
            assert stranger.config["ocpp_server"] == OLD["ocpp_server"]


async def test_a_unit_that_does_not_come_is_named_with_what_to_look_at(tmp_path: Path) -> None:
    timing = QUICK.__class__(restart_s=0.2, redial_s=0.1, patience_s=0.3)
    async with (
        NewBackend({"NEW-1": PASSWORD}) as new,
        gateway(ocpp_enabled=False) as unit,
        MiniBench(tmp_path, timing=timing) as bench,
    ):
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        bench.desk.run(job_id)
        await until(bench, job_id, StepKind.PROVE)
        await unit.point.power_off()
        job = await bench.desk.finished(job_id)
        assert job.step(StepKind.PROVE).state is StepState.FAILED
        assert "did not dial" in job.step(StepKind.PROVE).note
        assert "knock list" in job.step(StepKind.PROVE).advice


async def test_a_wrong_backend_can_be_chosen_again_after_the_move(tmp_path: Path) -> None:
    timing = QUICK.__class__(restart_s=0.3, redial_s=0.1, patience_s=0.5)
    async with (
        NewBackend({"NEW-1": PASSWORD}) as new,
        gateway() as unit,
        MiniBench(tmp_path, timing=timing) as bench,
    ):
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted("ws://127.0.0.1:1/nobody"))
        assert job.current is StepKind.SWITCH
        assert job.step(StepKind.SWITCH).state is StepState.FAILED
        assert "undo" in job.step(StepKind.SWITCH).advice
        bench.desk.back(job_id, StepKind.CHOOSE)
        bench.desk.choose(job_id, wanted(new.url))
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.config["ocpp_server"] == new.url


async def test_two_jobs_for_one_charger_are_refused(tmp_path: Path) -> None:
    async with gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        bench.desk.create("u1")
        with pytest.raises(JobError, match="open job"):
            bench.desk.create("u1")
        with pytest.raises(JobError, match="not known"):
            bench.desk.create("u2")


async def test_a_full_disk_stops_the_job_before_the_unit_is_touched(
    tmp_path: Path,
) -> None:
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        await bench.done(job_id)
        bench.desk.choose(job_id, wanted(new.url))
        bench.store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = bench.store._connection.execute("PRAGMA page_count").fetchone()
        bench.store._connection.execute(f"PRAGMA max_page_count = {pages}")
        bench.desk.run(job_id)
        job = await bench.desk.finished(job_id)
        assert job.state is JobState.PAUSED
        assert "data folder" in job.note
        assert unit.config["ocpp_server"] == OLD["ocpp_server"]
        bench.store._connection.execute("PRAGMA max_page_count = 1000000")
        job = await drive(bench, job_id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job_id: job})


async def test_a_full_disk_does_not_keep_the_program_from_starting(tmp_path: Path) -> None:
    async with gateway() as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job_id = bench.desk.create("u1").id
        bench.store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = bench.store._connection.execute("PRAGMA page_count").fetchone()
        bench.store._connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(200):
            try:
                bench.store.jobs.append(replace(bench.store.jobs.events(job_id)[0], job_id=f"filler-{number}"))
            except DiskFull:
                break
        again = JobDesk(store=bench.store, vault=bench.vault, bench=bench, scope=bench.scope)
        assert again.job(job_id).state is JobState.PAUSED


async def test_a_charger_with_a_hostile_name_changes_nothing_of_the_order(tmp_path: Path) -> None:
    name = "<b>x</b>'; DROP TABLE job_events;--\u202e\x00" + "y" * 20_000
    async with NewBackend({"NEW-1": PASSWORD}) as new, gateway(hostname=name) as unit, MiniBench(tmp_path) as bench:
        await bench.add(unit.address)
        job = await drive(bench, bench.desk.create("u1").id, wanted(new.url), skips=[StepKind.SESSION])
        assert job.state is JobState.DONE, facts({job.id: job})
        assert len(job.unit_title) <= 120
        assert max(len(str(event.data)) for event in bench.store.jobs.events(job.id)) < 50_000
