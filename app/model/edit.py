"""One setting written by hand, outside of any job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.model.unit import Claim


class EditState(Enum):
    """What became of an edit."""

    INTENDED = "intended"
    """On disk, and perhaps sent: nobody knows whether the charger holds the old or the new value."""
    DONE = "done"
    REFUSED = "refused"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A change made by hand, as stored: ``before``, ``after`` and ``read_back`` of a secret are masked.

    ``before`` is ``None`` where the charger did not tell its old value, ``read_back`` where it does not tell the new
    one. ``limit`` says why it can't be undone; empty = it can. ``claims`` prove which charger it was, ``driver_id``
    names the interface it was written over. ``is_running`` while this program is writing or undoing it.
    """

    id: str
    unit_id: str
    at: datetime
    key: str
    before: str | None
    after: str
    is_secret: bool = False
    limit: str = ""
    driver_id: str = ""
    claims: frozenset[Claim] = frozenset()
    state: EditState = EditState.INTENDED
    read_back: str | None = None
    note: str = ""
    is_running: bool = False

    @property
    def can_undo(self) -> bool:
        """Say whether the old value can be written back."""
        is_open = self.state in (EditState.INTENDED, EditState.DONE)
        return is_open and not self.limit and not self.is_running
