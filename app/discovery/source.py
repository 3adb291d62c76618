"""What a discovery source is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.model.frame import SourceState
from app.model.unit import Sighting

Report = Callable[[Sighting], None]
Tell = Callable[[SourceState], None]


class Source(Protocol):
    """Watches one kind of place where chargers show up."""

    name: str

    async def run(self, report: Report, state: Tell) -> None:
        """Report sightings and the source's own condition until cancelled.

        Raises AppError or OSError when it can't go on; the finder shows that and starts it again.
        """
        ...
