"""What a person can have searched besides what is watched all the time: the LAN, and chargers' own access points."""

from __future__ import annotations

from app.discovery.finder import Finder
from app.discovery.hotspots import Hotspots
from app.discovery.subnet import LanSearch
from app.driver.registry import Registry
from app.links.link import Links
from app.scope import Scope


class Searches:
    """The searches on request; nothing of it begins by itself. ``stays_here``: a demo asks this computer only."""

    def __init__(
        self, registry: Registry, finder: Finder, links: Links, scope: Scope, *, stays_here: bool = False
    ) -> None:
        self.lan = LanSearch(registry=registry, finder=finder, links=links, scope=scope, asks_loopback=stays_here)
        self.hotspots = Hotspots(registry, finder.sighted)
