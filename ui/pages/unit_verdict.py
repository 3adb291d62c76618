"""The verdict on the charger a page shows, with what has changed since it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.model.backend import Backend
from app.model.job import JobState
from app.model.unit import Unit
from app.triage.site import staleness
from ui.models.triage import Row
from ui.pages.unit_known import jobs_of

if TYPE_CHECKING:
    from app.workbench import Workbench


def verdict_of(bench: Workbench, unit: Unit) -> Row:
    """Return the verdict asked for on the Site page, else what is known of the charger without asking."""
    item = bench.triage.of(unit, _moved_to(bench, unit))
    return Row(item=item, stale=staleness(item, unit, item.wanted, bench.now()) if item.is_asked else "")


def _moved_to(bench: Workbench, unit: Unit) -> Backend | None:
    """Return the backend its last job brought it to, so that one that has arrived is not told to be moved."""
    done = [job for job in jobs_of(bench, unit.unit_id) if job.state is JobState.DONE]
    return max(done, key=lambda job: job.created_at).backend if done else None
