"""How each of the forty failures is brought about, as on a site: by a peer, a backend, an adapter, a setting."""

from __future__ import annotations

from tests.catalogue import acts_door, acts_talk
from tests.catalogue.acts import ALL

__all__ = ["PROVOCATIONS", "acts_door", "acts_talk"]

PROVOCATIONS = tuple(ALL)
