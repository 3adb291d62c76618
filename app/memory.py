"""How the collector of cyclic garbage and the interpreter's lock are to behave in a program that must not stall."""

from __future__ import annotations

import gc
import sys

YOUNG = 20_000
"""Objects made before a run over the youngest (Python's own: 700).

One meter message is a hundred objects, all gone a moment later: every seventh message started a run, and with hundreds
of messages in flight those runs took a quarter of the time.
"""

FULL_EVERY = 500
"""Runs over the middle generation between two full ones (Python's own: 10).

A full run visits every living object: 25 to 70 ms with 30,000 frames in the list, and at 10,000 frames a second it came
every five seconds. Frames form no cycles, so full runs find next to nothing there.
"""


SWITCH_S = 0.0005
"""How long the writer's thread may hold the interpreter's lock while the window's thread waits (Python's own: 5 ms).

The window's thread lets go of the lock with every message it sends; each time the writer could keep it for 5 ms.
"""


def settle() -> None:
    """Leave what is loaded by now out of the collector's runs, and make runs rare: once the program stands."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    _, middle, _ = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, FULL_EVERY)
