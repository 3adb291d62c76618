"""Which generation a box is, by how its software calls itself. Pure.

Sources: juicepassproxy ``test_message.py`` (JB1), issues 131 and 142 (JB2), 149 (EO Mini Pro). What each generation is
stands in its profile.
"""

from __future__ import annotations

STARTS = (("JB_1", "juicebox-jb1"), ("JB2", "juicebox-jb2"), ("JEO", "juicebox-eo"))
"""How the name behind ``EMWERK-`` begins, and whose profile that is."""

ANY = "juicebox-wifi"


def family(software: str, otherwise: str = ANY) -> str:
    """Return the profile of a box that calls itself so (``EMWERK-JB201-1.0.46``); ``otherwise`` where it is unknown."""
    name = software.removeprefix("EMWERK-")
    return next((profile_id for start, profile_id in STARTS if name.startswith(start)), otherwise)
