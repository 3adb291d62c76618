"""Stored frames: pages, filters, bounds, secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import DiskFull
from app.model.frame import Direction, Frame, FrameKind
from app.model.query import TrafficQuery
from app.storage import traffic
from app.storage.db import Store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ANY = TrafficQuery()


def frame(seq: int, **fields: object) -> Frame:
    base = Frame(
        seq=seq,
        at=NOW + timedelta(milliseconds=seq),
        identity=f"CP{seq % 3}",
        connection=1,
        direction=Direction.IN if seq % 2 else Direction.OUT,
        text=f'[2,"{seq}","Heartbeat",{{}}]',
        kind=FrameKind.CALL,
        uid=str(seq),
        action="Heartbeat",
        notes=("late", "odd") if seq == 7 else (),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "rehome.sqlite3", keep_frames=10_000)
    yield opened
    opened.close()


def filled(store: Store, count: int) -> list[Frame]:
    frames = [frame(seq) for seq in range(1, count + 1)]
    store.traffic.add(frames)
    store.traffic.flush()
    return frames


def test_frames_come_back_exactly(store: Store) -> None:
    odd = frame(8, raw=b"\x16\x03\x00", text="", kind=FrameKind.BROKEN, action="")
    frames = [frame(7), odd, frame(9, text="\ud800 half a pair")]
    store.traffic.add(frames)
    store.traffic.flush()
    assert store.traffic.page(ANY)[:2] == frames[:2]
    assert store.traffic.last_seq() == 9
    assert store.traffic.count() == 3


def test_paging_back_and_forth_meets_every_frame_once(store: Store) -> None:
    frames = filled(store, 1000)
    back: list[Frame] = []
    before = None
    while page := store.traffic.page(ANY, before=before, limit=170):
        back = [*page, *back]
        before = page[0].seq
    assert back == frames
    forth: list[Frame] = []
    while page := store.traffic.page(ANY, after=forth[-1].seq if forth else 0, limit=170):
        forth += page
    assert forth == frames


@pytest.mark.parametrize(
    "query",
    [
        TrafficQuery(identity="CP1"),
        TrafficQuery(direction=Direction.OUT),
        TrafficQuery(kind=FrameKind.ERROR),
        TrafficQuery(action="Heartbeat", text='"77"'),
        TrafficQuery(text="HEARTBEAT"),
        TrafficQuery(text="100%"),
        TrafficQuery(text="a_b\\"),
        TrafficQuery(since=NOW + timedelta(milliseconds=500), until=NOW + timedelta(milliseconds=600)),
        TrafficQuery(identity="nobody"),
    ],
)
def test_a_filter_on_disk_is_the_filter_in_memory(store: Store, query: TrafficQuery) -> None:
    frames = filled(store, 999)
    more = [frame(1000, text="100% a_b\\ x", kind=FrameKind.ERROR), frame(1001, text="1000 aXb")]
    store.traffic.add(more)
    store.traffic.flush()
    assert store.traffic.page(query, limit=2000) == [item for item in [*frames, *more] if query.takes(item)]


def test_a_search_gives_back_what_it_has_when_its_time_is_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "FIRST_WINDOW", 50)
    filled(store, 1000)
    found: list[int] = []
    edge, pages, is_end = None, 0, False
    while not is_end:
        page = store.traffic.scan(TrafficQuery(text='"10'), before=edge, budget_s=0)
        found = [item.seq for item in page.frames] + found
        edge, pages, is_end = page.edge, pages + 1, page.is_end
    assert found == [10, *range(100, 110), 1000]
    assert pages == 20


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edge_and_limit_gives_the_neighbours(store: Store, data: st.DataObject) -> None:
    present = [item.seq for item in store.traffic.page(ANY, limit=2000)] or [
        item.seq for item in filled(store, 300) if item.seq
    ]
    edge = data.draw(st.integers(-5, 310))
    limit = data.draw(st.integers(1, 50))
    assert [item.seq for item in store.traffic.page(ANY, before=edge, limit=limit)] == [
        seq for seq in present if seq < edge
    ][-limit:]
    assert [item.seq for item in store.traffic.page(ANY, after=edge, limit=limit)] == [
        seq for seq in present if seq > edge
    ][:limit]


def test_only_the_newest_frames_are_kept(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "rehome.sqlite3", keep_frames=1000)
    for first in range(1, 20_001, 1000):
        store.traffic.add([frame(seq) for seq in range(first, first + 1000)])
        store.traffic.flush()
    assert store.traffic.count() <= 1100
    assert [item.seq for item in store.traffic.page(ANY, limit=3)] == [19_998, 19_999, 20_000]
    store.close()


def test_passwords_in_frames_are_masked_before_they_reach_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "rehome.sqlite3"
    store = Store.open(path, redact=lambda text: text.replace("open-sesame", "•••"))
    told = '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123456789abcdef"}]'
    store.traffic.add([frame(1, text=told), frame(2, text='[2,"2","DataTransfer",{"data":"open-sesame"}]')])
    store.traffic.flush()
    assert [item.text.count("•••") for item in store.traffic.page(ANY)] == [1, 1]
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"0123456789abcdef" not in content
    assert b"open-sesame" not in content


def test_identities_are_listed(store: Store) -> None:
    filled(store, 10)
    assert store.traffic.identities() == ("CP0", "CP1", "CP2")


def test_a_full_disk_keeps_frames_waiting_and_writes_them_later(tmp_path: Path) -> None:
    path = tmp_path / "rehome.sqlite3"
    store = Store.open(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    store.traffic.add([frame(1)])
    with pytest.raises(Exception, match="in use"):
        store.traffic.flush()
    blocker.execute("ROLLBACK")
    blocker.close()
    store.traffic.flush()
    assert store.traffic.count() == 1
    store.close()


def test_disk_full_is_told_by_flush(tmp_path: Path) -> None:
    import os
    import subprocess

    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        store = Store.open(disk / "rehome.sqlite3")
        store.traffic.add([frame(1)])
        store.traffic.flush()
        store.traffic.add([frame(seq, text="x" * 1000) for seq in range(2, 2000)])
        with pytest.raises(DiskFull):
            store.traffic.flush()
        assert store.traffic.page(ANY)[0].seq == 1
        store.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
