"""What a person can have searched besides what is watched all the time: LAN, access points of chargers, Bluetooth."""

from __future__ import annotations

from app.discovery.bluetooth import BluetoothSource
from app.discovery.finder import Finder
from app.discovery.hotspots import Hotspots
from app.discovery.subnet import LanSearch
from app.driver.registry import Registry
from app.links.ble import OWN_RADIO, Radio
from app.links.link import Links
from app.scope import Scope


class Searches:
    """The searches on request; nothing of it begins by itself. ``stays_here``: a demo asks this computer only.

    ``bluetooth`` is a source of the finder: its condition comes with the finder's ``source_changes``.
    """

    def __init__(
        self,
        registry: Registry,
        finder: Finder,
        links: Links,
        scope: Scope,
        *,
        stays_here: bool = False,
        radio: Radio | None = None,
    ) -> None:
        self.lan = LanSearch(registry=registry, finder=finder, links=links, scope=scope, asks_loopback=stays_here)
        self.hotspots = Hotspots(registry, finder.sighted)
        self.bluetooth = BluetoothSource(registry, radio=radio or OWN_RADIO)
