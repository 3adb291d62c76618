"""The bridge's memory: in order, exactly once, over restarts, kills and full disks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.bridge.keeping import APPLICATION_ID, FOLDER, StateStore
from app.bridge.message import Message
from app.bridge.session import Session
from app.bridge.shelf import WINDOW
from app.errors import DamagedFile, DiskFull, NewerFile, StoreError
from app.storage.schema import latest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[StateStore]:
    store = StateStore.open(path)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site" / "state.sqlite"


def message(number: int, *, session: str = "", action: str = "MeterValues") -> Message:
    payload = {"connectorId": 1, "text": "ü€", "value": number}
    return Message(
        action=action,
        payload=payload,
        at=NOON + timedelta(seconds=number),
        is_kept=True,
        session=session,
        uid=f"u{number}",
    )


def session(number: str = "s1", *, start_wh: int = 1000) -> Session:
    return Session(identity="CP1", plug=3, began_at=NOON, start_wh=start_wh, id_tag="TAG", number=number)


def drained(store: StateStore, identity: str) -> list[int]:
    outbox, numbers = store.outbox(identity), []
    while (head := outbox.head()) is not None:
        numbers.append(head.payload["value"])
        outbox.done(head)
    return numbers


async def test_messages_come_out_in_order_before_and_after_a_restart(path: Path) -> None:
    async with opened(path) as store:
        for number in range(50):
            store.outbox(f"CP{number % 2}").put(message(number))
            if number % 7 == 0:
                await store.flush()
        first = store.outbox("CP0").head()
        assert first is not None
        assert first.payload == {"connectorId": 1, "text": "ü€", "value": 0}
        store.outbox("CP0").done(first)
    async with opened(path) as store:
        assert len(store.outbox("CP0")) == 24
        assert store.waiting == {"CP0": 24, "CP1": 25}
        again = store.outbox("CP1").head()
        assert again == message(1)
        assert drained(store, "CP0") == list(range(2, 50, 2))
        assert drained(store, "CP1") == list(range(1, 50, 2))
        assert (store.delivered("CP0"), store.delivered("CP1")) == (25, 25)
    async with opened(path) as store:
        assert store.outbox("CP0").head() is None
        assert store.waiting == {}
        assert store.delivered("CP1") == 25


async def test_reading_and_writing_take_turns_in_any_rhythm(path: Path) -> None:
    async with opened(path) as store:
        outbox, came, put = store.outbox("CP"), [], 0
        for turn in range(400):
            for _ in range(turn * 7 % 5):
                outbox.put(message(put))
                put += 1
            for _ in range(turn * 5 % 4):
                if (head := outbox.head()) is not None:
                    came.append(head.payload["value"])
                    outbox.done(head)
            if turn % 3 == 0:
                await store.flush()
        assert len(outbox) == put - len(came)
        came += drained(store, "CP")
        assert came == list(range(put))
        assert len(outbox) == 0


async def test_an_answer_that_comes_twice_takes_no_second_message(path: Path) -> None:
    async with opened(path) as store:
        outbox = store.outbox("CP")
        outbox.put(message(1))
        outbox.put(message(2))
        head = outbox.head()
        assert head is not None
        outbox.done(head)
        outbox.done(head)
        assert len(outbox) == 1
        assert outbox.head() == message(2)


async def test_attempts_are_counted_over_a_restart(path: Path) -> None:
    async with opened(path) as store:
        store.outbox("CP").put(message(1))
        head = store.outbox("CP").head()
        assert head is not None
        await store.flush()
        store.outbox("CP").attempted(head)
        store.outbox("CP").attempted(head)
        assert store.outbox("CP").head() is head
        assert head.attempts == 2
        store.memory("CP").put("something", "else")
    async with opened(path) as store:
        head = store.outbox("CP").head()
        assert head is not None
        assert head.attempts == 2


async def test_few_messages_lie_in_memory(path: Path) -> None:
    async with opened(path) as store:
        for number in range(1000):
            store.outbox("CP").put(message(number))
        await store.flush()
        shelf = store._shelf("CP")
        assert len(shelf._window) == WINDOW
        assert not shelf._tail
        assert not store.changes.puts
        assert len(shelf) == 1000


async def test_a_session_goes_on_after_a_restart_and_is_forgotten_when_told(path: Path) -> None:
    async with opened(path) as store:
        runs = session()
        store.sessions("CP").save(runs)
        store.outbox("CP").put(message(1, session="s1", action="StartTransaction"))
        assert store.sessions("CP").running() is runs
    async with opened(path) as store:
        sessions, outbox = store.sessions("CP"), store.outbox("CP")
        again = sessions.running()
        assert again == runs
        assert again is sessions.get("s1")
        assert again is not None
        start = outbox.head()
        assert start is not None
        again.transaction_id = "77"
        sessions.save(again)
        outbox.done(start)
        again.ended_at, again.stop_wh, again.reason = NOON + timedelta(hours=2), 8000, "EVDisconnected"
        sessions.save(again)
        outbox.put(message(2, session="s1", action="StopTransaction"))
        assert sessions.running() is None
        assert store.metered_wh("CP") == 7000
    async with opened(path) as store:
        sessions, outbox = store.sessions("CP"), store.outbox("CP")
        told = sessions.get("s1")
        assert told is not None
        assert told.transaction_id == "77"
        assert not told.is_open
        assert sessions.running() is None
        stop = outbox.head()
        assert stop is not None
        assert stop.session == "s1"
        outbox.done(stop)
        assert sessions.get("s1") is None
        sessions.save(told)
        assert sessions.get("s1") is None
        assert store.metered_wh("CP") == 7000
    async with opened(path) as store:
        assert store.sessions("CP").get("s1") is None


async def test_the_ids_of_many_undelivered_sessions_are_found(path: Path) -> None:
    async with opened(path) as store:
        for number in range(60):
            runs = session(f"s{number}", start_wh=number * 100)
            store.sessions("CP").save(runs)
            store.outbox("CP").put(message(2 * number, session=runs.number, action="StartTransaction"))
            runs.ended_at, runs.stop_wh = NOON, number * 100 + 50
            store.sessions("CP").save(runs)
            store.outbox("CP").put(message(2 * number + 1, session=runs.number, action="StopTransaction"))
            if number % 9 == 0:
                await store.flush()
        outbox, sessions = store.outbox("CP"), store.sessions("CP")
        for number in range(60):
            start = outbox.head()
            assert start is not None
            assert start.session == f"s{number}"
            runs_or_not = sessions.get(start.session)
            assert runs_or_not is not None
            runs_or_not.transaction_id = str(number)
            sessions.save(runs_or_not)
            outbox.done(start)
            stop = outbox.head()
            assert stop is not None
            known = sessions.get(stop.session)
            assert known is not None
            assert known.transaction_id == str(number)
            outbox.done(stop)
            if number % 4 == 0:
                await store.flush()
        assert store.metered_wh("CP") == 60 * 50
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM sessions").fetchone() == (0,)


async def test_small_values_outlive_a_restart_and_can_be_forgotten(path: Path) -> None:
    async with opened(path) as store:
        store.memory("A").put("HeartbeatInterval", "300")
        store.memory("B").put("HeartbeatInterval", "60")
        store.memory("A").put("gone", "x")
        store.memory("A").put("half", "a\ud800b")
        await store.flush()
        store.memory("A").put("gone", None)
    async with opened(path) as store:
        assert store.memory("A").get("HeartbeatInterval") == "300"
        assert store.memory("A").get("gone") is None
        assert store.memory("B").get("HeartbeatInterval") == "60"
        assert store.memory("A").get("half") == "a?b"


async def test_all_who_wait_share_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(path) as store:
        writes = 0
        begin = store._begin

        def counted() -> asyncio.Future[None]:
            nonlocal writes
            writes += 1
            return begin()

        monkeypatch.setattr(store, "_begin", counted)

        async def one(number: int) -> None:
            store.outbox(f"CP{number}").put(message(number))
            await store.flush()

        async with asyncio.timeout(20):
            await asyncio.gather(*(one(number) for number in range(200)))
        assert writes <= 3
        await store.flush()
        assert writes <= 3


async def test_a_cancelled_wait_loses_nothing(path: Path) -> None:
    async with opened(path) as store:
        store.outbox("CP").put(message(1))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await store.flush()
        store.outbox("CP").put(message(2))
        await store.flush()
        assert drained(store, "CP") == [1, 2]


async def test_run_writes_what_nobody_waits_for(path: Path) -> None:
    async with opened(path) as store:
        store.outbox("CP").put(message(1))
        running = asyncio.wait_for(store.run(), 0.3)
        with pytest.raises(TimeoutError):
            await running
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


async def test_a_full_disk_is_said_and_nothing_is_lost(path: Path, allowed_log: Callable[[str], None]) -> None:
    allowed_log("The bridge's state can't be written")
    async with opened(path) as store:
        outbox = store.outbox("CP")
        for number in range(20):
            outbox.put(message(number))
        await store.flush()
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(20, 400):
            outbox.put(message(number))
        with pytest.raises(DiskFull, match="can't take more"):
            await store.flush()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.run(), 0.2)
        assert isinstance(store.trouble, DiskFull)
        assert len(outbox) == 400
        for number in range(5):  # what is known can still be delivered
            head = outbox.head()
            assert head is not None
            assert head.payload["value"] == number
            outbox.done(head)
        outbox.put(message(400))
        with closing(sqlite3.connect(path)) as file:
            assert file.execute("SELECT count(*) FROM outbox").fetchone() == (20,)
        store._writer.execute("PRAGMA max_page_count = 100000")
        await store.flush()
        assert store.trouble is None
    async with opened(path) as store:
        assert drained(store, "CP") == list(range(5, 401))


async def test_while_the_disk_takes_nothing_meter_values_are_dropped_but_no_session(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bridge.shelf.PENDING_LIMIT", 10)
    async with opened(path) as store:
        outbox = store.outbox("CP")
        for number in range(30):
            outbox.put(message(number))
        updated = message(30, action="TransactionEvent")
        updated.payload["eventType"] = "Updated"
        outbox.put(updated)
        outbox.put(message(31, action="StopTransaction"))
        assert len(outbox) == 11
        assert store.dropped("CP") == 21
        assert drained(store, "CP") == [*range(10), 31]
    async with opened(path) as store:
        assert store.dropped("CP") == 21


def test_a_second_process_is_kept_out(path: Path) -> None:
    with closing(_Held(path)):
        code = (
            f"from pathlib import Path; from app.bridge.keeping import StateStore; StateStore.open(Path({str(path)!r}))"
        )
        other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
        assert other.returncode != 0
        assert "uses this data folder already" in other.stderr


async def test_files_of_others_newer_or_damaged_ones_are_not_touched(path: Path, tmp_path: Path) -> None:
    async with opened(path) as store:
        for number in range(2000):
            store.outbox("CP").put(message(number))
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert file.execute("PRAGMA user_version").fetchone() == (latest(FOLDER),)
        file.execute("PRAGMA user_version = 900")
    _refused(path, NewerFile)
    damaged = tmp_path / "damaged.sqlite"
    whole = path.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2])
    _refused(damaged, DamagedFile)
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as file:
        file.execute("PRAGMA application_id = 7")
        file.execute("CREATE TABLE t (x)")
    _refused(tmp_path / "other.sqlite", DamagedFile)
    (tmp_path / "text.sqlite").write_text("this is no database at all, whatever its name says" * 4)
    _refused(tmp_path / "text.sqlite", DamagedFile)


class _Held:
    """A store that is open on a loop of its own."""

    def __init__(self, path: Path) -> None:
        self._store = StateStore.open(path)

    def close(self) -> None:
        asyncio.run(self._store.close())


def _refused(path: Path, error: type[StoreError]) -> None:
    before = path.read_bytes()
    with pytest.raises(error):
        StateStore.open(path)
    assert path.read_bytes() == before


_CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from app.bridge.keeping import StateStore
from app.bridge.message import Message
from app.bridge.session import Session

async def main():
    store = StateStore.open(Path(sys.argv[1]))
    last = -1
    for identity in range(3):
        outbox = store.outbox(f"CP{identity}")
        last = max(last, int(store.memory(f"CP{identity}").get("last") or -1))
    print("open", flush=True)
    number = last
    while True:
        number += 1
        name = f"CP{number % 3}"
        store.sessions(name).save(Session(identity=name, plug=1, began_at=datetime.now(UTC), start_wh=number, id_tag="",
                                          number=name))
        store.outbox(name).put(Message(action="X", payload={"value": number}, at=datetime.now(UTC), session=name))
        store.memory(name).put("last", str(number))
        if number % 5 == 0:
            head = store.outbox("CP0").head()
            if head is not None and len(store.outbox("CP0")) > 20:
                store.outbox("CP0").done(head)
                store.memory("CP0").put("done", str(head.payload["value"]))
            await store.flush()
            print(number, flush=True)
asyncio.run(main())
"""


async def test_killed_at_any_moment_nothing_flushed_is_lost(path: Path) -> None:
    """A process is killed again and again in the middle of its writes; what it was told is on disk, is."""
    for kill_after in (1, 7, 23, 60):
        flushed = _killed(path, kill_after)
        async with opened(path) as store:
            found = {name: _all(store, name) for name in ("CP0", "CP1", "CP2")}
            done = int(store.memory("CP0").get("done") or -1)
            numbers = sorted(value for values in found.values() for value in values)
            newest = max(numbers)
            assert newest >= flushed
            assert numbers == [n for n in range(newest + 1) if n % 3 or n > done]
            assert all(values == sorted(values) for values in found.values())
            for name, values in ((name, values) for name, values in found.items() if values):
                runs = store.sessions(name).running()
                assert runs is not None
                assert runs.start_wh == values[-1]


def _killed(path: Path, after: int) -> int:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert child.stdout is not None
    with child.stdout as out:
        assert out.readline() == "open\n"
        flushed = 0
        for _ in range(after):
            flushed = int(out.readline())
        child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        flushed = max([flushed, *(int(line) for line in out if line.endswith("\n"))])
    child.wait(10)
    return flushed


def _all(store: StateStore, name: str) -> list[int]:
    """Read a queue without changing what is kept."""
    shelf = store._shelf(name)
    return [json.loads(row.payload)["value"] for row in store.rows(shelf.station, 0, 1_000_000)]


async def test_a_file_of_an_older_program_is_brought_up_to_date(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as store:
        store.sessions("CP").save(session())
        store.outbox("CP").put(message(5, session="s1"))
    newer = tmp_path / "migrations"
    shutil.copytree(FOLDER, newer)
    (newer / f"{latest(FOLDER) + 1:04}_more.sql").write_text("CREATE TABLE more (x INTEGER) STRICT;")
    monkeypatch.setattr("app.bridge.keeping.FOLDER", newer)
    async with opened(path) as store:
        assert store.outbox("CP").head() == message(5, session="s1")
        assert store.sessions("CP").running() == session()
    monkeypatch.undo()
    _refused(path, NewerFile)


async def test_who_comes_just_when_a_write_ends_does_not_wait_for_ever(path: Path) -> None:
    async with opened(path) as store:
        for number in range(50):
            store.outbox("CP").put(message(number))
            write = store._begin()
            while not write.done():  # noqa: ASYNC110 - between the end of the write and its callback
                await asyncio.sleep(0)
            store.outbox("CP").put(message(1000 + number))
            await store.flush()
        assert len(store.outbox("CP")) == 100
        assert len(store.changes.puts) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps rights otherwise")
async def test_nobody_else_can_read_who_charged_when(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    async with opened(path) as store:
        store.outbox("CP1").put(message(1))
        await store.flush()
        assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {
            path.name + more: 0 for more in ("", "-wal", "-shm", ".lock")
        }


async def test_a_session_begins_and_ends_while_the_disk_cannot_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("disk I/O error", "Check the disk.")

    async with opened(path) as store:
        sessions = store.sessions("CP1")
        with monkeypatch.context() as worn:
            worn.setattr(store, "session", refuse)
            running = session()
            sessions.save(running)
            store.outbox("CP1").put(message(1, session=running.number))
            running.ended_at, running.stop_wh = NOON, 1500
            sessions.save(running)
        assert sessions.running() is None
        assert store.metered_wh("CP1") == 500
