"""A disk that is full while a trace is written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import DiskFull
from app.model.trace import Entry
from app.trace.exporting import export, format_of
from app.trace.merging import Selection
from tests.trace.trace_kit import START, frame, loaded, write

resource = pytest.importorskip("resource", reason="this system can't limit the size of files")


def heartbeats(count: int) -> list[Entry]:
    return [frame(seq, [2, str(seq), "Heartbeat", {"pad": "x" * 400}]) for seq in range(1, count + 1)]


@contextmanager
def a_disk_of(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: what a full disk does, without one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("name", ["t.rehome-trace", "t.jsonl", "t.pcapng", "t.log"])
async def test_a_full_disk_is_told_and_nothing_half_written_remains(tmp_path: Path, name: str):
    target = tmp_path / "out" / name
    target.parent.mkdir()
    target.write_text("what was there before")
    async with loaded(write(tmp_path / "t.rehome-trace", heartbeats(1000))) as recording:
        with a_disk_of(100_000), pytest.raises(DiskFull, match="no room"):
            await export(
                target,
                format_of(target),
                Selection(),
                traffic=recording.traffic,
                evidence=recording.evidence,
                start=START,
            )
    assert [path.name for path in target.parent.iterdir()] == [name]
    assert target.read_text() == "what was there before"
