"""Have a photo decoded by the desktop program in a process of its own: the core knows no Qt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app import programs
from app.errors import UnreadablePhoto
from app.labels.reading import read_pgm

if TYPE_CHECKING:
    from app.labels.reading import Grey

LIMIT_S = 30.0
"""The longest the decoding may take; 12 megapixels take 0.5 s with the start of the process (measured)."""


async def load(path: Path) -> Grey:
    """Return a photo's brightness. Raises UnreadablePhoto."""
    try:
        ended = await programs.run(*_decoder(), str(path), timeout_s=LIMIT_S)
    except TimeoutError as error:
        raise _failed(path, f"took longer than {LIMIT_S:.0f} s") from error
    except OSError as error:
        raise _failed(path, error.strerror or str(error)) from error
    if ended.code != 0:
        said = ended.errors.decode(errors="replace").strip().splitlines()
        if ended.code == 1 and len(said) >= 2:
            raise UnreadablePhoto(f"{path.name}: {said[-2]}", said[-1])
        raise _failed(path, f"exit code {ended.code}")
    return read_pgm(ended.output)


def _decoder() -> list[str]:
    if getattr(sys, "frozen", False):
        return [str(Path(sys.executable).with_name("rehome-photo" + Path(sys.executable).suffix))]
    return [sys.executable, "-m", "ui.photo"]


def _failed(path: Path, why: str) -> UnreadablePhoto:
    return UnreadablePhoto(f"{path.name}: the decoder failed ({why}).", "Save the photo as JPEG or PNG and try again.")
