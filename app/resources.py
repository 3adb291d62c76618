"""Find the files that come with the program: from source, from an installed wheel, and frozen."""

from __future__ import annotations

import sys
from pathlib import Path


def path(*parts: str) -> Path:
    """Return the path of a file or folder inside ``resources/``; it need not exist.

    Raises:
        ValueError: a part is empty, absolute, or leads out of the folder.
    """
    for part in parts:
        if part in {"", ".", ".."} or any(mark in part for mark in "/\\:\0"):
            raise ValueError(f"{part!r} is not a name inside the resources folder")
    return _root().joinpath(*parts)


def texts(folder: str, suffix: str) -> dict[str, str]:
    """Read every file of a folder that ends in ``suffix``, as name (without the suffix) → text, sorted by name.

    Line ends are newlines whatever the checkout made of them; a folder that is absent gives an empty dict.
    """
    root = path(folder)
    files = [entry for entry in root.iterdir() if entry.name.endswith(suffix)] if root.is_dir() else []
    return dict(sorted((file.name.removesuffix(suffix), file.read_text(encoding="utf-8")) for file in files))


def _root() -> Path:
    """Return the folder: beside ``app`` in the tree and in a wheel, below PyInstaller's own folder when frozen."""
    frozen = getattr(sys, "_MEIPASS", None)
    base = Path(frozen) if frozen else Path(__file__).resolve().parent.parent
    return base / "resources"
