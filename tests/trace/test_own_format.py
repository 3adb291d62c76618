"""Our own trace format: nothing is lost, every change is named, a cut trace is readable up to the cut."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from base64 import b64encode
from pathlib import Path

import orjson
import pytest

from app.errors import NewerFile, StoreError
from app.model.frame import Frame, Handshake
from app.model.query import TrafficQuery
from app.model.secret import Secret
from app.model.trace import Entry, HumanStep, Record, Seal, TraceFormat
from app.trace.chain import sealed
from app.trace.merging import Selection
from tests.trace.trace_kit import BOOT, ask, charger, frame, lines_of, loaded, open_bench, read, session, write

PASSWORD = "correct-horse-battery"


async def test_a_live_visit_comes_back_whole(tmp_path: Path):
    path = tmp_path / "visit.rehome-trace"
    async with open_bench(tmp_path / "home") as bench:
        frames = bench.frames.subscribe()
        async with charger(bench, "CP 7", additional_headers={"X-Odd": "yes"}) as link:
            await ask(link, "1", "BootNotification", BOOT)
            await link.send("[2, 'broken'")
            await ask(link, "2", "Heartbeat")
        bench.traces.note(HumanStep(source="acceptance", title="card", text="Hold a card.", answer="done"))
        done = await bench.traces.export(path, TraceFormat.REHOME, Selection())
        live = frames.take()
        frames.close()
    entries, info = read(path)
    assert info.seal is Seal.WHOLE
    assert info.is_sound
    assert info.hash == done.hash
    assert "Rehome" in info.program
    assert "127.0.0.1" in info.adapter or info.adapter
    kept = [entry for entry in entries if isinstance(entry, Frame)]
    assert kept == live[: len(kept)]
    assert len(kept) >= 5
    shake = next(entry for entry in entries if isinstance(entry, Record) and isinstance(entry.evidence, Handshake))
    assert b"X-Odd: yes\r\n" in shake.evidence.raw
    assert shake.connection == kept[0].connection
    assert {"ProgramStart", "Handshake", "HumanStep", "Finding"} <= set(info.records)


async def test_a_password_is_nowhere_in_a_trace(tmp_path: Path):
    path = tmp_path / "secret.rehome-trace"
    async with open_bench(tmp_path / "home") as bench:
        bench.vault.set("identity/CP-1", Secret(PASSWORD))
        basic = b64encode(f"CP-1:{PASSWORD}".encode()).decode()
        async with charger(bench, additional_headers={"Authorization": f"Basic {basic}"}) as link:
            await ask(link, "1", "BootNotification", {**BOOT, "meterType": PASSWORD})
            await link.send(f'[2, "x", "DataTransfer", {{"data": "{PASSWORD}"}}')
            await ask(link, "2", "Heartbeat")
        await bench.traces.export(path, TraceFormat.REHOME, Selection())
    text = path.read_bytes()
    assert b"BootNotification" in text
    for spelling in (PASSWORD, PASSWORD.encode().hex(), basic):
        assert spelling.encode() not in text


def test_entries_come_back_as_they_were(tmp_path: Path):
    entries = session()
    found, info = read(write(tmp_path / "t.rehome-trace", entries))
    assert found == entries
    assert (info.frames, info.records["Finding"], info.identities) == (3, 1, ("CP-1",))


def test_bytes_that_never_became_text_are_kept(tmp_path: Path):
    raw = bytes(range(256))
    odd = frame(1, "�", raw=raw)
    found, _ = read(write(tmp_path / "t.rehome-trace", [odd]))
    assert found == [odd]


def test_packed_traces_are_read_too(tmp_path: Path):
    data = b"".join(lines_of(session()))
    packed = tmp_path / "t.rehome-trace.gz"
    packed.write_bytes(gzip.compress(data))
    zipped = tmp_path / "t.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.rehome-trace", data)
    for path in (packed, zipped):
        found, info = read(path)
        assert found == session()
        assert info.seal is Seal.WHOLE


# What was done to a file is named


def flaws_after(tmp_path: Path, lines: list[bytes]) -> list[tuple[int, str]]:
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(b"".join(lines))
    _, info = read(path)
    assert not info.is_sound
    return [(flaw.line, flaw.text) for flaw in info.flaws]


@pytest.mark.parametrize("place", range(8))
def test_a_changed_line_is_named(tmp_path: Path, place: int):
    lines = lines_of(session())
    lines[place] = lines[place].replace(b"a", b"A", 1).replace(b"e", b"E", 1)
    assert place + 1 in [line for line, _ in flaws_after(tmp_path, lines)]


def test_one_changed_character_is_named_and_only_its_line(tmp_path: Path):
    lines = lines_of(session())
    lines[2] = lines[2].replace(b"Wall 1", b"Wall 2")
    (found,) = flaws_after(tmp_path, lines)
    assert found[0] == 3
    assert "changed" in found[1]


def test_a_removed_line_is_named(tmp_path: Path):
    lines = lines_of(session())
    del lines[3]
    (found,) = flaws_after(tmp_path, lines)
    assert found == (4, "Line 4 is missing before this one.")


def test_lines_that_changed_places_are_named(tmp_path: Path):
    lines = lines_of(session())
    lines[3], lines[4] = lines[4], lines[3]
    found = flaws_after(tmp_path, lines)
    assert found[0] == (4, "Line 4 is missing before this one.")
    assert found[1] == (5, "The line that was written as line 4 stands in the wrong place.")
    assert len(found) == 2


def test_a_doubled_line_is_named(tmp_path: Path):
    lines = lines_of(session())
    lines.insert(4, lines[3])
    (found,) = flaws_after(tmp_path, lines)
    assert found == (5, "The line that was written as line 4 stands in the wrong place.")


def test_a_line_behind_the_end_is_named(tmp_path: Path):
    lines = lines_of(session())
    assert flaws_after(tmp_path, [*lines, lines[1]])


def test_a_forged_line_with_a_fresh_hash_still_breaks_the_chain(tmp_path: Path):
    lines = lines_of(session())
    body = lines[2][: -len(',"hash":"') - 64 - 3].replace(b"Wall 1", b"Wall 9")
    before = json.loads(lines[1])["hash"].encode()
    lines[2] = body + b',"hash":"' + hashlib.sha256(before + body).hexdigest().encode() + b'"}\n'
    (found,) = flaws_after(tmp_path, lines)
    assert found[0] == 4


def test_a_kind_of_line_that_is_not_known_is_left_out_but_breaks_no_chain(tmp_path: Path):
    lines = lines_of(session())
    last = json.loads(lines[-2])["hash"]
    body = orjson.dumps({"n": len(lines), "kind": "Weather", "at": "2026-07-01T08:00:00+00:00", "id": "", "conn": 0})
    odd, before = sealed(body, last)
    end, _ = sealed(orjson.dumps({"n": len(lines) + 1, "kind": "end"}), before)
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(b"".join([*lines[:-1], odd, end]))
    found, info = read(path)
    assert found == session()
    assert (info.seal, info.unread, info.is_sound) == (Seal.WHOLE, 1, True)
    assert "Weather" in info.flaws[0].text


# A trace that ends too early


@pytest.mark.parametrize("size", [2, 40, 500, 1500, 2500])
def test_a_cut_trace_is_readable_up_to_the_cut(tmp_path: Path, size: int):
    data = b"".join(lines_of(session()))
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(data[:-size])
    found, info = read(path)
    assert found == session()[: len(found)]
    assert info.seal is Seal.CUT
    assert not info.flaws
    assert "line" in info.cut


def test_a_cut_packed_trace_is_readable_up_to_the_cut(tmp_path: Path):
    entries: list[Entry] = [frame(seq, [2, str(seq * 7919), "Heartbeat", {}]) for seq in range(1, 3000)]
    packed = gzip.compress(b"".join(lines_of(entries)))
    path = tmp_path / "t.rehome-trace.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found, info = read(path)
    assert found == entries[: len(found)]
    assert len(found) > 100
    assert info.seal is Seal.CUT
    assert info.cut


def test_a_trace_of_a_newer_program_is_refused_with_a_clear_word(tmp_path: Path):
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(b"".join(lines_of(session())).replace(b'"v":1', b'"v":2'))
    with pytest.raises(NewerFile, match="newer Rehome"):
        read(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 4000, b"hello\nworld\n", b"%PDF-1.7\n", bytes(range(256)) * 50, b"[1,2]\n", b"{}\n", b"\x1f\x8b\x08"],
)
def test_what_is_no_trace_is_refused_in_words(tmp_path: Path, data: bytes):
    path = tmp_path / "t.rehome-trace"
    path.write_bytes(data)
    with pytest.raises(StoreError) as caught:
        read(path)
    assert path.name in caught.value.message


async def test_a_recording_pages_like_the_live_traffic(tmp_path: Path):
    entries: list[Entry] = [frame(seq, [2, str(seq), "Heartbeat", {}]) for seq in range(1, 1000)]
    async with loaded(write(tmp_path / "t.rehome-trace", entries)) as recording:
        assert recording.count == 999
        assert recording.traffic.last_seq() == 999
        assert recording.seq_until(entries[499].at) == 500
        assert recording.time_of(500) == entries[499].at
        assert (recording.next_seq(500), recording.previous_seq(500)) == (501, 499)


async def test_frames_whose_numbers_do_not_ascend_are_numbered_anew(tmp_path: Path):
    entries: list[Entry] = [frame(7, [2, "a", "Heartbeat", {}]), frame(7, [2, "b", "Heartbeat", {}])]
    async with loaded(write(tmp_path / "t.rehome-trace", entries)) as recording:
        page = recording.traffic.scan(TrafficQuery(), after=0)
        assert [item.seq for item in page.frames] == [7, 8]
