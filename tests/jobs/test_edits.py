"""Settings written by hand: backed up, on disk before they are sent, read back, and brought back."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.driver.capability import WriteResult, WritesSettings
from app.errors import JobError, LinkError, Refused, StepBlocked, ValueRejected
from app.jobs.editing import EditDesk, backup_name
from app.model.address import OcppAddress
from app.model.edit import EditState
from app.model.setting import Change, Snapshot
from app.model.unit import Claim
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.sim.station import PASSWORD_KEY, URL_KEY, Behaviour, OcppStation
from app.storage.vault import MemoryVault, Vault
from tests.jobs.minibench import MiniBench
from tests.jobs.rigs import bytes_of, gateway

URL = "ws://127.0.0.1:2/elsewhere"
HUSH = "mqtt-hush-hush"


def edits_of(bench: MiniBench) -> EditDesk:
    return EditDesk(store=bench.store, vault=bench.vault, bench=bench, jobs=bench.desk, scope=bench.scope)


@asynccontextmanager
async def at_gateway(
    home: Path, unit: OpenEvseGateway, vault: Vault | None = None
) -> AsyncIterator[tuple[MiniBench, EditDesk]]:
    async with MiniBench(home, vault=vault) as bench:
        await bench.add(unit.address)
        yield bench, edits_of(bench)


@asynccontextmanager
async def at_station(home: Path, unit: OcppStation) -> AsyncIterator[tuple[MiniBench, EditDesk]]:
    async with MiniBench(home) as bench:
        state = await bench.listen_somewhere()
        unit.dial(state.url)
        await bench.server.arrival(unit.identity, timeout_s=5)
        await unit.booted.wait()
        await bench.add(OcppAddress(identity=unit.identity))
        yield bench, edits_of(bench)


async def write(bench: MiniBench, desk: EditDesk, key: str, after: str, **marks: bool) -> WriteResult:
    async with bench.open("u1", capability=WritesSettings) as session:
        return await desk.edit("u1", session, Change(key=key, before=None, after=after, **marks))


async def test_an_edit_is_backed_up_written_read_back_and_undone(tmp_path: Path) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        with desk.changes.subscribe() as changes:
            result = await write(bench, desk, "ocpp_server", URL)
            assert [edit.state for edit in changes.take()] == [EditState.INTENDED, EditState.DONE]
        assert result.read_back == URL == unit.config["ocpp_server"]
        backup = bench.store.backups.load(backup_name("u1"))
        assert backup is not None
        (old,) = [item.value for item in backup.settings if item.key == "ocpp_server"]
        (edit,) = desk.edits("u1")
        assert (edit.before, edit.after, edit.read_back) == (old, URL, URL)
        assert edit.can_undo
        await desk.undo_edit(edit.id)
        assert unit.config["ocpp_server"] == old
        (edit,) = desk.edits("u1")
        assert edit.state is EditState.UNDONE
        assert "Read back" in edit.note
        with pytest.raises(JobError, match="undone already"):
            await desk.undo_edit(edit.id)


async def test_intent_and_backup_are_on_disk_before_the_charger_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway() as unit:
        before = unit.config["ocpp_server"]
        async with at_gateway(tmp_path, unit) as (bench, desk):  # noqa: SIM117
            async with bench.open("u1", capability=WritesSettings) as session:

                async def ended(change: Change) -> WriteResult:
                    assert bench.store.backups.load(backup_name("u1")) is not None
                    raise asyncio.CancelledError

                monkeypatch.setattr(session, "write_setting", ended)
                with pytest.raises(asyncio.CancelledError):
                    await desk.edit("u1", session, Change(key="ocpp_server", before=None, after=URL))
        async with at_gateway(tmp_path, unit) as (_, desk):
            (edit,) = desk.edits("u1")
            assert edit.state is EditState.INTENDED, "not known whether it was written"
            assert edit.can_undo
            await desk.undo_edit(edit.id)
            assert desk.edits("u1")[0].state is EditState.UNDONE
            assert unit.config["ocpp_server"] == before


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from app.driver.capability import WritesSettings
from app.model.address import NetAddress
from app.model.setting import Change
from tests.jobs.minibench import MiniBench
from tests.jobs.test_edits import URL, edits_of

async def main(home, port, when):
    async with MiniBench(Path(home)) as bench:
        await bench.add(NetAddress(host="127.0.0.1", port=int(port)))
        async with bench.open("u1", capability=WritesSettings) as session:
            real = session.write_setting

            async def cut(change):
                if when == "after":
                    await real(change)
                os.kill(os.getpid(), signal.SIGKILL)

            session.write_setting = cut
            await edits_of(bench).edit("u1", session, Change(key="ocpp_server", before=None, after=URL))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_killed_program_leaves_an_edit_that_can_be_brought_back(tmp_path: Path, when: str) -> None:
    async with gateway() as unit:
        before = unit.config["ocpp_server"]
        arguments = (str(tmp_path), str(unit.address.port), when)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED, *arguments, cwd=Path(__file__).parents[2]
        )
        async with asyncio.timeout(30):
            assert await process.wait() == -signal.SIGKILL
        assert unit.config["ocpp_server"] == (URL if when == "after" else before)
        async with at_gateway(tmp_path, unit) as (bench, desk):
            (edit,) = desk.edits("u1")
            assert (edit.state, edit.before, edit.after) == (EditState.INTENDED, before, URL)
            assert bench.store.backups.load(backup_name("u1")) is not None
            await desk.undo_edit(edit.id)
            assert desk.edits("u1")[0].state is EditState.UNDONE
        assert unit.config["ocpp_server"] == before


async def test_nothing_is_sent_where_no_backup_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        before = dict(unit.config)
        async with bench.open("u1", capability=WritesSettings) as session:

            async def nothing() -> Snapshot:
                return Snapshot(taken_at=desk._clock(), settings=())

            monkeypatch.setattr(session, "read_settings", nothing)
            with pytest.raises(StepBlocked, match="nothing to go back to"):
                await desk.edit("u1", session, Change(key="ocpp_server", before=None, after=URL))
        assert dict(unit.config) == before
        assert desk.edits("u1") == ()


async def test_another_charger_at_the_address_is_not_written(tmp_path: Path) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        known = bench.finder.units["u1"]
        claims = tuple(Claim(item.kind, "0123456789AB") for item in known.identity.claims if item.kind.is_strong)
        assert claims
        bench.finder.update(replace(known, identity=replace(known.identity, claims=claims)))
        before = dict(unit.config)
        with pytest.raises(StepBlocked, match="Another charger"):
            await write(bench, desk, "ocpp_server", URL)
        assert dict(unit.config) == before


async def test_a_refused_edit_says_so_and_has_nothing_to_undo(tmp_path: Path) -> None:
    async with OcppStation("CP-7", behaviour=Behaviour.REFUSES, time_scale=0.01) as unit:  # noqa: SIM117
        async with at_station(tmp_path, unit) as (bench, desk):
            with pytest.raises(ValueRejected):
                await write(bench, desk, URL_KEY, URL)
            (edit,) = desk.edits("u1")
            assert edit.state is EditState.REFUSED
            assert not edit.can_undo
            with pytest.raises(JobError, match="nothing was changed"):
                await desk.undo_edit(edit.id)


async def test_a_link_lost_in_the_middle_is_not_called_written_nor_unwritten(tmp_path: Path) -> None:
    async with OcppStation("CP-7", time_scale=0.01) as unit, at_station(tmp_path, unit) as (bench, desk):
        before = unit.configured_url
        unit.faults.add(Fault.DROPS_MID_WRITE)
        with pytest.raises(LinkError):
            await write(bench, desk, URL_KEY, URL)
        unit.faults.clear()
        (edit,) = desk.edits("u1")
        assert edit.state is EditState.INTENDED
        await bench.server.arrival("CP-7", timeout_s=5)
        await desk.undo_edit(edit.id)
        assert unit.configured_url == before


async def test_a_charger_that_lies_is_caught_by_reading_back(tmp_path: Path) -> None:
    async with OcppStation("CP-7", behaviour=Behaviour.LIES, time_scale=0.01) as unit:  # noqa: SIM117
        async with at_station(tmp_path, unit) as (bench, desk):
            result = await write(bench, desk, URL_KEY, URL)
            assert result.read_back == unit.configured_url != URL
            assert "holds something else" in desk.edits("u1")[0].note


async def test_a_value_that_was_never_shown_is_a_limit_and_the_older_of_two_waits(tmp_path: Path) -> None:
    async with OcppStation("CP-7", time_scale=0.01) as unit, at_station(tmp_path, unit) as (bench, desk):
        await write(bench, desk, PASSWORD_KEY, b"new-password".hex(), is_secret=True)
        await write(bench, desk, URL_KEY, URL)
        await write(bench, desk, URL_KEY, URL + "/again")
        newest, older, hidden = desk.edits("u1")
        assert "never tells" in hidden.limit
        with pytest.raises(JobError, match="can't be brought back"):
            await desk.undo_edit(hidden.id)
        with pytest.raises(JobError, match="changed again later"):
            await desk.undo_edit(older.id)
        await desk.undo_edit(newest.id)
        await desk.undo_edit(older.id)


async def test_an_undo_overwrites_nobody_elses_change(tmp_path: Path) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        await write(bench, desk, "ocpp_server", URL)
        (edit,) = desk.edits("u1")
        unit.config["ocpp_server"] = "ws://127.0.0.1:3/by-its-app"
        with pytest.raises(JobError, match="by something else"):
            await desk.undo_edit(edit.id)
        assert unit.config["ocpp_server"] == "ws://127.0.0.1:3/by-its-app"
        assert desk.edits("u1")[0].state is EditState.DONE


async def test_no_edit_while_a_job_works_on_the_charger(tmp_path: Path) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        before = unit.config["ocpp_server"]
        job_id = bench.desk.create("u1").id
        async with bench.open("u1", capability=WritesSettings) as session:
            bench.desk.run(job_id)
            with pytest.raises(JobError, match="A job works"):
                await desk.edit("u1", session, Change(key="ocpp_server", before=None, after=URL))
        await bench.desk.finished(job_id)
        assert unit.config["ocpp_server"] == before


async def test_a_one_way_edit_says_so(tmp_path: Path) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        await write(bench, desk, "ocpp_server", URL, is_one_way=True)
        (edit,) = desk.edits("u1")
        assert "only one way" in edit.limit
        with pytest.raises(JobError, match="only one way"):
            await desk.undo_edit(edit.id)


async def test_secrets_stand_neither_in_the_files_nor_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = f"ws://me:{HUSH}@127.0.0.1:1/ocpp"
    vault = MemoryVault()
    with caplog.at_level(logging.DEBUG, logger="app"):
        async with gateway(ocpp_server=old) as unit, at_gateway(tmp_path, unit, vault) as (bench, desk):
            await write(bench, desk, "ocpp_server", f"ws://me:other-{HUSH}@127.0.0.1:2/x")
            (edit,) = desk.edits("u1")
            assert edit.is_secret
            assert HUSH not in repr(edit)
            await desk.undo_edit(edit.id)
            assert unit.config["ocpp_server"] == old
        assert HUSH.encode() not in bytes_of(tmp_path)
    assert HUSH not in caplog.text


async def test_a_secret_that_is_gone_from_the_keyring_is_said(tmp_path: Path) -> None:
    async with gateway(ocpp_server=f"ws://me:{HUSH}@127.0.0.1:1/ocpp") as unit:
        async with at_gateway(tmp_path, unit) as (bench, desk):
            await write(bench, desk, "ocpp_server", URL)
        async with at_gateway(tmp_path, unit) as (_, desk):
            (edit,) = desk.edits("u1")
            assert "only until the program ends" in edit.note
            with pytest.raises(JobError, match="no keyring"):
                await desk.undo_edit(edit.id)
            assert desk.edits("u1")[0].state is EditState.DONE


async def test_a_refused_undo_leaves_the_edit_as_it_was(tmp_path: Path) -> None:
    async with OcppStation("CP-7", time_scale=0.01) as unit, at_station(tmp_path, unit) as (bench, desk):
        await write(bench, desk, URL_KEY, URL)
        (edit,) = desk.edits("u1")
        unit.faults.add(Fault.REFUSES)
        with pytest.raises(Refused):
            await desk.undo_edit(edit.id)
        (edit,) = desk.edits("u1")
        assert edit.state is EditState.DONE
        assert "Not undone" in edit.note
        assert edit.can_undo


async def test_an_edit_goes_on_when_the_page_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway() as unit, at_gateway(tmp_path, unit) as (bench, desk):
        began, go_on = asyncio.Event(), asyncio.Event()

        async def by_hand() -> None:
            async with bench.open("u1", capability=WritesSettings) as session:
                real = session.ask(WritesSettings).write_setting

                async def slow(change: Change) -> WriteResult:
                    began.set()
                    await go_on.wait()
                    return await real(change)

                monkeypatch.setattr(session, "write_setting", slow)
                await desk.edit("u1", session, Change(key="ocpp_server", before=None, after=URL))

        task = bench.scope.isolated("page", by_hand())
        await began.wait()
        assert desk.edits("u1")[0].is_running
        task.cancel()
        go_on.set()
        await asyncio.wait({task}, timeout=5)
        assert task.cancelled()
        assert desk.edits("u1")[0].state is EditState.DONE
