"""Files that were made to break a reader: it ends in words, in time, in bounded memory, and shows no password."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from app.model.frame import Frame
from app.model.query import TrafficQuery
from app.trace import capture
from app.trace.recording import Recording
from app.trace.wire import Segment
from tests.trace.trace_kit import BEGIN, read

BOOT = '[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
ANSWER = '[3,"1",{"currentTime":"2024-01-15T10:00:00Z","interval":300,"status":"Accepted"}]'


@pytest.mark.parametrize("stamp", ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "0000-00-00 00:00:00"])
def test_a_log_with_impossible_times_is_read(tmp_path: Path, stamp: str) -> None:
    path = tmp_path / "odd.log"
    lines = [f"2024-01-15 02:00:00 CP1: send {ANSWER}", f"{stamp} CP1: receive message {BOOT}"]
    path.write_text("\n".join(lines * 3), encoding="utf-8")
    entries, _ = read(path)
    assert len(entries) == 6


def test_a_packed_utf16_log_that_is_cut_tells_so(tmp_path: Path) -> None:
    noise = random.Random(1)
    lines = [f"2024-01-15 02:00:00 CP1: receive message {BOOT} {noise.random()}" for _ in range(20_000)]
    packed = gzip.compress("\r\n".join(lines).encode("utf-16"))
    path = tmp_path / "cut.log.gz"
    path.write_bytes(packed[: len(packed) // 2])
    entries, info = read(path)
    assert entries
    assert "ends too early" in info.cut


async def test_no_password_of_a_foreign_log_is_kept_or_shown(tmp_path: Path) -> None:
    login = "ftp:\\/\\/cp1:hidden-pass@10.0.0.1\\/logs"
    vpn = '"vpn":{"server":"x","user":"u","password":"hidden-pass","key":"hidden-pass","type":"IPSec"}'
    network = f'{{"configurationSlot":1,"connectionData":{{"basicAuthPassword":"hidden-pass",{vpn}}}}}'
    lines = [
        f"2024-01-15 02:00:00 CP1: receive message {BOOT}",
        f'2024-01-15 02:00:01 CP1: send [2,"2","GetDiagnostics",{{"location":"{login}"}}]',
        f'2024-01-15 02:00:02 CP1: send [2,"3","SetNetworkProfile",{network}]',
        '2024-01-15 02:00:03 CP1: send [2,"4","ChangeConfiguration",{"key":"evb_APNPass","value":"hidden-pass"}]',
        "2024-01-15 02:00:04 Authorization: Basic hidden-pass",
        "2024-01-15 02:00:05 login with password=hidden-pass",
    ]
    path = tmp_path / "foreign.log"
    path.write_text("\n".join(lines), encoding="utf-8")
    recording = await Recording.load(path)
    try:
        kept = [frame.text for frame in recording.traffic.page(TrafficQuery(), limit=100)]
        assert len(kept) == 4
        assert "hidden-pass" not in "\n".join(kept)
        assert "hidden-pass" not in str(recording.info)
        assert recording.info.unread == 2
    finally:
        recording.close()


def test_a_capture_full_of_gaps_is_held_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_HELD", 1_000_000)
    reader = capture.CaptureReader()
    most = 0
    for place in range(400):
        unit = f"10.0.{place % 200}.1:50000"
        for seq in (1, 100_000 * (place + 1)):  # the second never joins the first
            payload = b"G" if seq == 1 else b"x" * 50_000
            found = list(reader._segment(Segment(BEGIN, unit, "10.9.9.9:80", seq, 16, payload)))
            assert not any(isinstance(item, Frame) for item in found)
        most = max(most, sum(stream.held for stream in reader._streams.values()))
        assert reader._held == sum(stream.held for stream in reader._streams.values())
    assert most <= 1_000_000 + 50_000
    assert reader.flaws.count
