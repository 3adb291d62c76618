"""Ports for tests that must know one before anybody listens there.

What the system hands out for port 0 may go to another process between two of our calls. These lie below its range
(from 32768 on Linux, from 49152 elsewhere) and each test process has its own, so nobody else is given them.
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack, suppress

LOWEST, PROCESSES, EACH = 20_000, 12, 1_000
_worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
_block = int(_worker) % PROCESSES if _worker.isdecimal() else random.randrange(PROCESSES)
_next = random.randrange(EACH)


def free_port(*, in_a_row: int = 1) -> int:
    """Return a port that is free for TCP and UDP on all addresses, and so are the ones after it."""
    global _next
    for _ in range(EACH):
        _next = (_next + in_a_row) % (EACH - in_a_row)
        port = LOWEST + _block * EACH + _next
        if all(_is_free(port + place) for place in range(in_a_row)):
            return port
    raise AssertionError("no port is free")


def _is_free(port: int) -> bool:
    with ExitStack() as stack, suppress(OSError):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))
        return True
    return False
