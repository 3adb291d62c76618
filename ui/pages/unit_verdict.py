"""The verdict on the charger a page shows, with what has changed since it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.model.unit import Unit
from app.triage.site import staleness
from ui.models.triage import Row

if TYPE_CHECKING:
    from app.workbench import Workbench


def verdict_of(bench: Workbench, unit: Unit) -> Row:
    """Return the verdict asked for on the Site page, else what is known of the charger without asking."""
    item = bench.triage.of(unit)
    return Row(item=item, stale=staleness(item, unit, item.wanted, bench.now()) if item.is_asked else "")
