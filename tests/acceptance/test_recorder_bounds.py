"""A charger that talks without end fills neither the memory nor the file of a run."""

from __future__ import annotations

from datetime import UTC, datetime

from app.acceptance.recorder import MAX_KEPT_TEXT, MAX_STORED, MAX_TEXT, Recorder
from app.model.frame import Direction, Frame, FrameKind


def test_what_is_kept_of_a_flood_is_bounded() -> None:
    recorder = Recorder("CP-1")
    text = '[2,"1","DataTransfer",{"vendorId":"' + "x" * 100_000 + '"}]'
    for seq in range(1, 401):
        recorder._take(
            Frame(
                seq=seq,
                at=datetime.now(UTC),
                identity="CP-1",
                connection=1,
                direction=Direction.IN,
                text=text,
                kind=FrameKind.CALL,
                uid="1",
                action="DataTransfer",
            )
        )
    assert recorder.dropped == 400 - MAX_TEXT // len(text)
    kept = [len(frame.text) for frame in recorder.frames]
    assert kept[0] == MAX_KEPT_TEXT
    assert sum(kept) == MAX_STORED
    recorder.restart()
    recorder._take(Frame(seq=401, at=datetime.now(UTC), identity="CP-1", connection=1, direction=Direction.IN,
                         text=text, kind=FrameKind.CALL))  # fmt: skip
    assert not recorder.dropped
