"""Recording a bridge: what is on disk afterwards, and what happens when the disk does not want to."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.feed import Feed
from app.model.frame import Direction, Frame, FrameKind
from app.service import recorder
from app.service.recorder import SUFFIX, Recorder
from app.trace.own import TraceReader

START = datetime(2026, 11, 22, 23, 59, 58, tzinfo=UTC)


def frame(number: int, at: datetime = START) -> Frame:
    text = f'[2,"{number}","Heartbeat",{{}}]'
    return Frame(
        seq=number, at=at, identity="STALL-1", connection=1, direction=Direction.OUT, text=text,
        kind=FrameKind.CALL, uid=str(number), action="Heartbeat",
    )  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


def made(folder: Path, clock: Clock, **options: int) -> Recorder:
    return Recorder(folder, Feed(), site="Here", now=clock, **{"keep_days": 3, **options})


def read(path: Path) -> tuple[list[str], TraceReader]:
    reader = TraceReader()
    lines = path.read_bytes().splitlines(keepends=True)
    entries = [entry for number, line in enumerate(lines, 1) for entry in reader.take(line.rstrip(b"\n"), number)]
    return [entry.uid for entry in entries if isinstance(entry, Frame)], reader


def test_a_day_is_one_trace_that_is_whole_and_sealed(tmp_path: Path) -> None:
    clock = Clock()
    own = made(tmp_path / "records", clock)
    own._write([frame(1), frame(2)])
    clock.at += timedelta(seconds=5)
    own._write([frame(3)])
    own._end()
    first, second = sorted((tmp_path / "records").glob(f"*{SUFFIX}"))
    assert [first.name[:10], second.name[:10]] == ["2026-11-22", "2026-11-23"]
    for path, uids in ((first, ["1", "2"]), (second, ["3"])):
        found, reader = read(path)
        assert (found, reader.is_ended, reader.unread) == (uids, True, 0)
        assert path.stat().st_mode & 0o077 == 0


def test_old_recordings_go_and_so_do_those_beyond_the_room(tmp_path: Path) -> None:
    clock = Clock()
    for day, size in ((15, 10), (20, 500), (21, 500), (22, 500)):
        (tmp_path / f"2026-11-{day}T00-00-00.000000{SUFFIX}").write_bytes(b"x" * size)
    (tmp_path / "notes.txt").write_text("mine")
    made(tmp_path, clock, size_limit=1200)._write([])
    assert sorted(path.name[:10] for path in tmp_path.iterdir()) == ["2026-11-21", "2026-11-22", "notes.txt"]


def test_a_full_disk_is_told_once_and_recording_goes_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    own = made(tmp_path, Clock())
    with monkeypatch.context() as patch, caplog.at_level("ERROR", recorder.__name__):
        patch.setattr(recorder.os, "open", full)
        own._write([frame(1)])
        own._write([frame(2)])
        assert own.trouble == "Nothing is recorded: No space left on device."
    own._write([frame(3)])
    assert own.trouble == ""
    own._end()
    assert read(next(tmp_path.glob(f"*{SUFFIX}")))[0] == ["3"]
