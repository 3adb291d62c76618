"""Old backends we stand in for, and what becomes of the units that land here by their names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from app.jobs.arriving import ArrivalSaver, Bench
from app.jobs.runner import JobDesk
from app.scope import Scope, Trouble
from app.standin.desk import GarageDesk
from app.standin.oldbackend import OldBackendDesk
from app.storage.db import Store
from app.storage.vault import Vault


def _now() -> datetime:
    return datetime.now(UTC)


class LandingDesk:
    """``names``: whom we stand in for, and who landed. ``saver``: saves what lands. Moving it is an ordinary job."""

    def __init__(
        self,
        bench: Bench,
        garage: GarageDesk,
        jobs: JobDesk,
        store: Store,
        vault: Vault,
        *,
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.names = OldBackendDesk(garage, bench.server, listen=bench.listen_somewhere, now=_now)
        self.saver = ArrivalSaver(
            bench=bench, landed=self.names.landed, store=store, vault=vault, jobs=jobs, now=_now, report=report
        )
        self._scope = Scope("workbench/landing", report=report)
        bench.server.old_names = self.names

    def open(self) -> None:
        """Follow who lands from now on."""
        self._scope.isolated("landings", self.names.follow())
        self._scope.isolated("refusals", self.names.follow_refusals())
        self._scope.isolated("save what lands", self.saver.follow())

    async def close(self) -> None:
        """Stop standing in and following. Idempotent."""
        await self.names.stop()
        await self.saver.close()
        await self._scope.close()
