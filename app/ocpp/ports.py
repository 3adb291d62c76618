"""How many connections the system lets us have; why a port can't be opened says ``app.links.ports``."""

from __future__ import annotations

import contextlib

OPEN_FILES = 16_384
"""Open files this program asks for: each charger holds one, and macOS starts programs with 256, Linux with 1,024."""


def allow_many() -> int:
    """Raise the number of files this program may have open, as far as the system lets it; return it (0 = unknown)."""
    try:
        import resource
    except ImportError:  # Windows has no such limit for sockets
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if 0 <= soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
