"""Refuse what would crash later, with words, before anything else is loaded."""

from __future__ import annotations

import sys

import PySide6


class TooNewQt(RuntimeError):
    """This PySide6 aborts on this Python."""


def check_versions(pyside: tuple[int, ...] | None = None, python: tuple[int, ...] | None = None) -> None:
    """Refuse PySide6 6.12 on Python before 3.12: it loses references to ``None`` until the process aborts.

    Raises:
        TooNewQt: with the words for the user.
    """
    found = pyside or tuple(int(part) for part in PySide6.__version__.split(".")[:3])
    running = python or tuple(sys.version_info[:2])
    if found[:2] == (6, 12) and running < (3, 12):
        raise TooNewQt(
            f"PySide6 {'.'.join(map(str, found))} crashes on Python {'.'.join(map(str, running))}. "
            "Install PySide6-Essentials 6.11.3, or use Python 3.12 or newer."
        )
