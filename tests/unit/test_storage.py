"""The database: what is acknowledged stays, what is foreign is left alone."""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.errors import DamagedFile, DiskFull, NewerFile, StoreError
from app.model.address import NetAddress, OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.edit import Edit, EditState
from app.model.job import EventKind, JobEvent, StepKind
from app.model.reading import Measurand, Reading, StateChange
from app.model.secret import MASK, Secret
from app.model.setting import Setting, Snapshot
from app.model.unit import Adoption, Claim, ClaimKind, Identity, SourceKind, Unit, UnitChange, Way
from app.storage.db import Store

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CLAIMS = (Claim(ClaimKind.SERIAL, "S123"), Claim(ClaimKind.MAC, "0123456789AB"))


def event(seq: int, job_id: str = "j1", **data: object) -> JobEvent:
    return JobEvent(job_id=job_id, seq=seq, at=NOW, kind=EventKind.EVIDENCE, step=StepKind.APPLY, data=data)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith(".lock")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "rehome.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store.open(path)
    yield opened
    opened.close()


def test_a_job_event_is_there_again_after_reopening(path: Path) -> None:
    store = Store.open(path)
    store.jobs.append(event(1, text="ä", nested={"a": [1, 2]}))
    store.jobs.append(event(2))
    store.jobs.append(event(1, "j2"))
    store.close()
    again = Store.open(path)
    assert again.jobs.events("j1") == (event(1, text="ä", nested={"a": [1, 2]}), event(2))
    assert again.jobs.ids() == ("j1", "j2")
    again.close()


def test_half_a_surrogate_pair_from_a_charger_is_stored_as_a_question_mark(store: Store) -> None:
    store.jobs.append(event(1, text="bad \ud800 text", nested=["\udfff"]))
    assert store.jobs.events("j1")[0].data == {"text": "bad ? text", "nested": ["?"]}


def test_what_was_acknowledged_survives_a_killed_program(path: Path) -> None:
    code = (
        "import sys, os, signal\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.unit.test_storage import Store, event\n"
        "store = Store.open(Path(sys.argv[1]))\n"
        "for n in range(1, 6): store.jobs.append(event(n))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(path), str(root)], check=False, timeout=20)
    store = Store.open(path)
    assert [item.seq for item in store.jobs.events("j1")] == [1, 2, 3, 4, 5]
    store.close()


def test_the_same_event_number_twice_is_refused(store: Store) -> None:
    store.jobs.append(event(1))
    with pytest.raises(StoreError, match="another program"):
        store.jobs.append(event(1))


def test_a_second_program_is_told_that_the_database_is_in_use(store: Store, path: Path) -> None:
    with pytest.raises(StoreError, match="Another Rehome"):
        Store.open(path)
    store.jobs.append(event(1))


def test_a_newer_file_is_named_and_not_touched(path: Path) -> None:
    Store.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = files(path.parent)
    with pytest.raises(NewerFile, match="9999"):
        Store.open(path)
    assert files(path.parent) == before


def test_a_newer_version_that_stands_only_in_the_log_is_seen_and_not_touched(path: Path, tmp_path: Path) -> None:
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA user_version = 777")
    copy = tmp_path / "crashed"
    shutil.copytree(path.parent, copy)
    connection.close()
    before = files(copy)
    assert any(name.endswith("-wal") and content for name, content in before.items())
    with pytest.raises(NewerFile, match="777"):
        Store.open(copy / path.name)
    assert files(copy) == before


@pytest.mark.parametrize("kind", ["noise", "cut", "page", "foreign", "log"])
def test_a_damaged_or_foreign_file_is_named_and_not_touched(path: Path, kind: str) -> None:
    store = Store.open(path)
    for number in range(1, 400):
        store.jobs.append(event(number, text="x" * 200))
    store.close()
    whole = path.read_bytes()
    if kind == "noise":
        path.write_bytes(os.urandom(5000))
    elif kind == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "page":
        path.write_bytes(whole[:8192] + os.urandom(len(whole) - 8192))
    elif kind == "foreign":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA application_id = 5")
            connection.execute("CREATE TABLE other (x)")
        connection.close()
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DELETE FROM job_events WHERE seq = 1")
        shutil.copytree(path.parent, path.parent.with_name("crashed"))
        connection.close()
        path = path.parent.with_name("crashed") / path.name
        path.write_bytes(path.read_bytes()[:8192] + b"\xff" * (len(whole) - 8192))
    before = files(path.parent)
    with pytest.raises(DamagedFile):
        Store.open(path)
    assert files(path.parent) == before


def test_an_unfinished_log_of_a_healthy_file_is_taken_over(path: Path, tmp_path: Path) -> None:
    store = Store.open(path)
    store.jobs.append(event(1))
    copy = tmp_path / "crashed"
    shutil.copytree(path.parent, copy)
    store.close()
    again = Store.open(copy / path.name)
    assert len(again.jobs.events("j1")) == 1
    again.close()


def test_a_full_disk_loses_nothing_that_was_acknowledged(path: Path) -> None:
    store = Store.open(path)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 20}")
    written = 0
    with pytest.raises(DiskFull) as caught:
        for number in range(1, 1000):
            store.jobs.append(event(number, text="x" * 1000))
            written = number
    assert "space" in caught.value.advice
    store.close()
    again = Store.open(path)
    assert [item.seq for item in again.jobs.events("j1")] == list(range(1, written + 1))
    again.jobs.append(event(written + 1))
    again.close()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a small file system needs root")
def test_a_really_full_disk_is_said_so_and_nothing_is_lost(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        store = Store.open(disk / "rehome.sqlite3")
        written = 0
        with pytest.raises(DiskFull):
            for number in range(1, 2000):
                store.jobs.append(event(number, text="x" * 1000))
                written = number
        assert written > 10
        assert len(store.jobs.events("j1")) == written
        store.close()
        again = Store.open(disk / "rehome.sqlite3")
        assert len(again.jobs.events("j1")) == written
        again.close()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_known_units_come_back_as_absent_and_without_passwords(path: Path) -> None:
    secret = "geheim-4711"
    unit = Unit(
        unit_id="u1",
        identity=Identity(vendor="OpenEVSE", claims=(Claim(ClaimKind.MAC, "240AC411A7D4"),), extra={"a": "b"}),
        ways=(
            Way(driver_id="x", address=NetAddress(host="10.0.0.2"), source=SourceKind.MDNS, seen_at=NOW),
            Way(driver_id="y", address=OcppAddress(identity="CP 1"), source=SourceKind.DIAL_IN, seen_at=NOW),
        ),
        adoption=Adoption.ORPHANED,
        backend=Backend(
            url=f"ws://me:{secret}@old.example/ocpp",
            identity="CP1",
            security_profile=SecurityProfile.BASIC,
            secret=Secret(secret),
        ),
        first_seen_at=NOW,
        last_seen_at=NOW,
    )
    store = Store.open(path)
    store.units.save(unit)
    store.close()
    assert secret.encode() not in b"".join(files(path.parent).values())
    again = Store.open(path)
    (found,) = again.units.all()
    assert found.identity == unit.identity
    assert [way.address for way in found.ways] == [way.address for way in unit.ways]
    assert not found.is_present
    assert found.backend is not None
    assert found.backend.url == "ws://old.example/ocpp"
    again.units.update([UnitChange(unit=unit, is_gone=True)])
    assert again.units.all() == ()
    again.close()


def test_a_backup_keeps_everything_but_the_secrets(store: Store, path: Path) -> None:
    snapshot = Snapshot(
        taken_at=NOW,
        settings=(
            Setting(key="ocpp_server", value="ws://old.example/ocpp", limit=100),
            Setting(key="ocpp_authkey", value="tops3cret!", is_secret=True),
            Setting(key="pass", value=None, is_secret=True, is_readable=False),
        ),
        excluded={"max_current_hard": "can be written only once"},
    )
    store.backups.save("j1", snapshot)
    loaded = store.backups.load("j1")
    assert loaded is not None
    assert [setting.value for setting in loaded.settings] == ["ws://old.example/ocpp", MASK, None]
    assert loaded.excluded == snapshot.excluded
    assert loaded.settings[0] == snapshot.settings[0]
    assert store.backups.load("j2") is None
    assert b"tops3cret!" not in b"".join(files(path.parent).values())


def test_readings_and_states_come_back_as_series(store: Store) -> None:
    readings = [
        Reading(unit_id="u1", measurand=Measurand.POWER, value=float(n), at=NOW + timedelta(seconds=n), phase="L1")
        for n in range(10)
    ]
    states = [StateChange(unit_id="u1", connector=1, state="Charging", at=NOW, error="NoError")]
    broken = Reading(unit_id="u1", measurand=Measurand.POWER, value=float("nan"), at=NOW)
    store.samples.add([*readings, broken, *states])
    store.traffic.flush()
    assert store.samples.series("u1", Measurand.POWER, NOW + timedelta(seconds=5)) == tuple(readings[5:])
    assert store.samples.readings("u1", NOW) == tuple(readings)
    assert store.samples.states("u1", NOW) == tuple(states)
    assert store.samples.series("u2", Measurand.POWER, NOW) == ()


def test_a_file_of_the_first_version_keeps_its_data_and_takes_edits(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.decompress(Path(__file__).with_name("version1.db.gz").read_bytes()))
    store = Store.open(path)
    assert [item.data for item in store.jobs.events("j1")] == [
        {"text": "from the first version"},
        {"nested": {"a": [1, 2]}},
    ]
    backup = store.backups.load("j1")
    assert backup is not None
    assert [setting.value for setting in backup.settings] == ["ws://old.example/ocpp", MASK]
    assert [unit.unit_id for unit in store.units.all()] == ["u1"]
    edit = Edit(id="e1", unit_id="u1", at=NOW, key="k", before="1", after="2", claims=frozenset(CLAIMS))
    store.edits.add(edit)
    store.close()
    again = Store.open(path)
    assert again.edits.of(["u1"]) == (edit,)
    again.close()


def test_edits_hold_no_secret_and_say_what_became_of_them(store: Store, path: Path) -> None:
    edit = Edit(id="e1", unit_id="u1", at=NOW, key="k", before="hush-1", after="hush-2", is_secret=True)
    store.edits.add(edit)
    store.edits.settle(replace(edit, state=EditState.DONE, read_back="hush-2", note="Read back."))
    stored = store.edits.get("e1")
    assert stored is not None
    assert (stored.before, stored.after, stored.read_back) == (MASK, MASK, MASK)
    assert stored.state is EditState.DONE
    assert stored.note == "Read back."
    assert store.edits.unit_ids() == {"u1"}
    assert store.edits.get("e2") is None
    assert all(b"hush" not in content for content in files(path.parent).values())
