"""Write the filtered frames to a file, one JSON object a line, secrets masked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QIODevice, QSaveFile

from app.errors import StoreError
from app.model.frame import Frame
from app.model.masking import mask_secrets
from ui.pages.traffic_pages import StoredFrames

Told = Callable[[int, float], None]
"""Takes the number of frames written and the part of the traffic that was searched, 0 to 1."""


def line(frame: Frame, secret_keys: frozenset[str]) -> bytes:
    """Return one frame as a line of JSON."""
    document: dict[str, Any] = {
        "seq": frame.seq,
        "at": frame.at.isoformat(),
        "identity": frame.identity,
        "connection": frame.connection,
        "direction": frame.direction.value,
        "kind": frame.kind.value,
        "action": frame.action,
        "id": frame.uid,
        "text": mask_secrets(frame.text, secret_keys),
    }
    if frame.raw is not None:
        document["bytes"] = frame.raw.hex()
    if frame.notes:
        document["findings"] = list(frame.notes)
    return json.dumps(document, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


async def export(frames: StoredFrames, path: Path, told: Told, *, secret_keys: frozenset[str], after: int = 0) -> int:
    """Write every stored frame that passes; the file appears whole at the end, or not at all. Raises StoreError."""
    until = max(frames.last_seq, 1)
    file = QSaveFile(str(path))
    if not file.open(QIODevice.OpenModeFlag.WriteOnly):
        raise _failed(path, file.errorString())
    count = 0
    is_whole = False
    try:
        async for page in frames.pages(after):
            wanted = [frame for frame in page.frames if frame.seq <= until]
            data = b"".join(line(frame, secret_keys) for frame in wanted)
            if data and file.write(data) != len(data):
                raise _failed(path, file.errorString())
            count += len(wanted)
            told(count, min(page.edge / until, 1.0))
            if page.edge >= until:
                break
        is_whole = True
    finally:
        if not is_whole:
            file.cancelWriting()
    if not file.commit():
        raise _failed(path, file.errorString())
    return count


def _failed(path: Path, why: str) -> StoreError:
    return StoreError(f"The file can't be written: {why}.", f"Check room and rights of {path.parent}.")
