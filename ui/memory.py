"""How the collector of cyclic garbage is to behave in a window that must not stall."""

from __future__ import annotations

import gc

FULL_EVERY = 500
"""Runs over the middle generation between two full ones (Python's own: 10).

A full run visits every living object: 25 to 70 ms with 30,000 frames in the list, and at 10,000 frames a second it came
every five seconds. Frames form no cycles, so full runs find next to nothing there.
"""


def settle() -> None:
    """Leave what is loaded by now out of the collector's runs, and make full runs rare: once the window stands."""
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_EVERY)
