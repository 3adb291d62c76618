"""Traces in the workbench and on the command line: what is kept, how files are written, what happens when they fail."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.errors import StoreError
from app.model.frame import Handshake
from app.model.observation import Ended
from app.model.query import TrafficQuery
from app.model.trace import Entry, Record, TraceFormat
from app.storage.db import Store
from app.trace.exporting import export, format_of
from app.trace.merging import Selection
from app.trace.recording import Recording
from tests.trace.trace_kit import (
    BEGIN,
    BOOT,
    START,
    ask,
    charger,
    frame,
    handshake,
    loaded,
    open_bench,
    read,
    session,
    write,
)


def heartbeats(count: int) -> list[Entry]:
    return [frame(seq, [2, str(seq), "Heartbeat", {"pad": "x" * 400}]) for seq in range(1, count + 1)]


# What is kept


async def test_evidence_survives_a_restart_and_stands_beside_its_frames(tmp_path: Path):
    home = tmp_path / "home"
    async with open_bench(home) as bench, charger(bench) as link:
        await ask(link, "1", "BootNotification", BOOT)
    async with open_bench(home) as bench:
        records = list(bench.store.evidence.between())
        frames = bench.traffic(TrafficQuery())
        shakes = [record for record in records if isinstance(record.evidence, Handshake)]
        assert [shake.connection for shake in shakes] == [frames[0].connection]
        assert shakes[0].at <= frames[0].at
        kinds = [type(record.evidence).__name__ for record in records]
        assert kinds.count("ProgramStart") >= 1
        assert "Ended" in kinds


async def test_evidence_goes_with_the_frames_of_its_time_but_open_handshakes_stay(tmp_path: Path):
    store = Store.open(tmp_path / "t.db", keep_frames=1000)
    try:
        old, lasting = handshake("GONE", 1), handshake("CP-1", 1)
        late = handshake("CP-9", 9, at=frame(4900, "x").at)
        store.evidence.add([old, lasting, late])
        store.traffic.flush()
        for start in range(0, 5000, 1000):
            store.traffic.add([frame(seq, [2, str(seq), "Heartbeat", {}]) for seq in range(start + 1, start + 1001)])
            store.traffic.flush()
        assert store.traffic.count() < 5000
        kept = [record.identity for record in store.evidence.between()]
        assert kept == ["CP-1", "CP-9"]
    finally:
        store.close()


async def test_a_part_of_the_time_begins_with_what_was_in_force(tmp_path: Path):
    path, target = tmp_path / "t.rehome-trace", tmp_path / "part.rehome-trace"
    gone = handshake("GONE", 2)
    assert isinstance(gone.evidence, Handshake)
    end = Ended(
        identity="GONE", connection=2, at=BEGIN, code=1000, reason="", is_by_us=False, lasted_s=0.0, silent_s=0.0
    )
    entries: list[Entry] = [
        Record(at=BEGIN - timedelta(seconds=1), evidence=START),
        gone,
        Record(at=BEGIN, evidence=end, identity="GONE", connection=2),
        *session(),
    ]
    async with loaded(write(path, entries)) as recording:
        await export(
            target,
            TraceFormat.REHOME,
            Selection(since=BEGIN + timedelta(seconds=4)),
            traffic=recording.traffic,
            evidence=recording.evidence,
            start=START,
        )
    found, _ = read(target)
    kinds = [type(item.evidence).__name__ if isinstance(item, Record) else item.action for item in found]
    assert kinds == ["ProgramStart", "Handshake", "Heartbeat", "Ended"]
    assert found[1].identity == "CP-1"


# Writing


async def written(recording: Recording, target: Path, **options: Any) -> Any:
    return await export(
        target,
        format_of(target),
        Selection(),
        traffic=recording.traffic,
        evidence=recording.evidence,
        start=START,
        **options,
    )


async def test_a_cancelled_export_leaves_no_file(tmp_path: Path):
    target = tmp_path / "out.rehome-trace"
    async with loaded(write(tmp_path / "t.rehome-trace", heartbeats(3000))) as recording:
        begun = asyncio.Event()
        work = asyncio.gather(written(recording, target, told=lambda _count, _part: begun.set()))
        await asyncio.wait_for(begun.wait(), 5)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert [path.name for path in tmp_path.iterdir()] == ["t.rehome-trace"]


async def test_a_cancelled_reading_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    path = write(tmp_path / "t.rehome-trace", heartbeats(3000))
    begun = asyncio.Event()
    work = asyncio.gather(Recording.load(path, lambda _count, _part: begun.set()))
    await asyncio.wait_for(begun.wait(), 5)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert list(folder.iterdir()) == []


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path):
    async with loaded(write(tmp_path / "t.rehome-trace", session())) as recording:
        with pytest.raises(StoreError, match="can't be written"):
            await written(recording, tmp_path / "nowhere" / "t.jsonl")


@pytest.mark.parametrize("kind", ["folder", "missing", *(["pipe"] if hasattr(os, "mkfifo") else [])])
async def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str):
    path = tmp_path / "t.rehome-trace"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(StoreError, match=r"t\.rehome-trace"):
        await Recording.load(path)


# The command line


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    code = main([str(word) for word in words])
    return code, capsys.readouterr().out


def test_export_verify_info_import_and_diagnose(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    home = tmp_path / "home"

    async def visit() -> None:
        async with open_bench(home) as bench, charger(bench) as link:
            await ask(link, "1", "BootNotification", {"chargePointVendor": "Acme"})

    asyncio.run(visit())
    trace, flat = tmp_path / "t.rehome-trace", tmp_path / "t.jsonl"
    code, out = run(capsys, "trace", "export", trace, "--home", home, "--json", "--quiet")
    exported = json.loads(out)
    assert code == 0
    assert exported["frames"] >= 2
    code, out = run(capsys, "trace", "verify", trace, "--hash", exported["hash"], "--quiet")
    assert code == 0
    assert "whole and unchanged" in out
    assert run(capsys, "trace", "verify", trace, "--hash", "0" * 64, "--quiet")[0] == 5
    code, out = run(capsys, "trace", "info", trace, "--json", "--quiet")
    assert json.loads(out)["identities"] == ["CP-1"]
    assert run(capsys, "trace", "import", trace, "--to", flat, "--quiet")[0] == 0
    assert len(flat.read_text().splitlines()) == exported["frames"]
    live = json.loads(run(capsys, "diagnose", trace, "--json", "--quiet")[1])["codes"]
    assert "BOOT-SCHEMA" in live
    code, out = run(capsys, "diagnose", flat, "--quiet")
    assert code == 5
    assert "BOOT-SCHEMA" in out
    assert run(capsys, "diagnose", trace, "--identity", "NOBODY", "--quiet")[0] == 0


def test_a_changed_trace_fails_the_check_and_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write(tmp_path / "t.rehome-trace", session())
    path.write_bytes(path.read_bytes().replace(b"Wall 1", b"Wall 7"))
    code, out = run(capsys, "trace", "verify", path, "--quiet")
    assert code == 5
    assert "line 3" in out
    log = tmp_path / "x.log"
    log.write_text('CP: receive message [2,"1","Heartbeat",{}]\n')
    assert run(capsys, "trace", "verify", log, "--quiet")[0] == 1
