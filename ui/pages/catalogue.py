"""The pages there are: the only list of them. Each is imported when it is first shown."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ui.pages.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page: id, English title, icon, ``module:Class``, and the page the rail marks for it (empty = itself)."""

    page_id: str
    title: str
    icon_name: str
    target: str
    belongs_to: str = ""

    def load(self) -> type[Page]:
        """Import the page's class."""
        module, _, name = self.target.partition(":")
        found: type[Page] = getattr(importlib.import_module(module), name)
        return found


PAGES = (
    Entry(page_id="site", title="Site", icon_name="layout-grid", target="ui.pages.site:SitePage"),
    Entry(page_id="unit", title="Charger", icon_name="ev-charger", target="ui.pages.unit:UnitPage", belongs_to="site"),
    Entry(page_id="endpoint", title="Endpoint", icon_name="radio-tower", target="ui.pages.endpoint:EndpointPage"),
    Entry(page_id="garage", title="Garage", icon_name="warehouse", target="ui.pages.garage:GaragePage"),
    Entry(page_id="traffic", title="Traffic", icon_name="arrow-left-right", target="ui.pages.traffic:TrafficPage"),
    Entry(page_id="jobs", title="Jobs", icon_name="list-checks", target="ui.pages.jobs:JobsPage"),
    Entry(page_id="chargers", title="Chargers", icon_name="library", target="ui.pages.chargers:ChargersPage"),
    Entry(page_id="settings", title="Settings", icon_name="settings", target="ui.pages.settings:SettingsPage"),
)

RAIL = tuple(entry for entry in PAGES if not entry.belongs_to)


def entry(page_id: str) -> Entry:
    """Return a page's entry. Raises KeyError for an id that is none."""
    for item in PAGES:
        if item.page_id == page_id:
            return item
    raise KeyError(page_id)
