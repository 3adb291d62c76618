"""Where acceptance runs are started, followed and kept: the part of the workbench that the face sees."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.acceptance import judging
from app.acceptance.case import Case, cases
from app.acceptance.run import Plan, Run
from app.acceptance.shelf import Shelf
from app.acceptance.suites import Suite, suites
from app.acceptance.tempo import AS_IT_IS, Tempo
from app.acceptance.tools import NO_TOOLS
from app.errors import Busy, NotReachable, StoreError
from app.feed import Feed
from app.model.acceptance import RunResult
from app.scope import Scope, Trouble

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer


class AcceptanceDesk:
    """One run per unit at a time; several units at once."""

    def __init__(
        self,
        *,
        server: OcppServer,
        folder: Path,
        scope: Scope,
        tempo: Tempo = AS_IT_IS,
        report: Callable[[Trouble], None] | None = None,
    ) -> None:
        self.shelf = Shelf(folder)
        self.started: Feed[Run] = Feed()
        self.tempo = tempo
        self.tools = NO_TOOLS
        """What cases may use of this computer; the workbench sets it."""
        self._server = server
        self._scope = scope
        self._report = report
        self._running: dict[str, Run] = {}

    @property
    def suites(self) -> tuple[Suite, ...]:
        """Return the suites, the shortest way to a verdict first."""
        return tuple(suites().values())

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return every case there is."""
        return cases()

    def running(self, identity: str) -> Run | None:
        """Return the run in progress of a unit."""
        run = self._running.get(identity)
        return run if run is not None and not run.is_over else None

    def prepare(
        self, identity: str, suite_id: str, *, skips_prompts: bool = False, only: frozenset[str] = frozenset()
    ) -> Run:
        """Return a run that is ready to ``go``. ``only``: those case ids alone.

        Raises NotReachable (it is not connected), Busy (a run is going on), KeyError (no such suite).
        """
        endpoint = self._server.endpoint(identity)
        if endpoint is None:
            raise NotReachable(
                f"“{identity}” is not connected to this endpoint.", "Point it here first, and wait until it dials."
            )
        if self.running(identity) is not None:
            raise Busy(f"An acceptance run on {identity} is going on.", "Wait for its end, or stop it.")
        suite = suites()[suite_id]
        chosen = [case for case in suite.cases(endpoint.version) if not only or case.id in only]
        result = RunResult(
            id=f"{datetime.now(UTC):%y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            identity=identity,
            suite=suite.id,
            suite_title=suite.title,
            version=endpoint.version,
            started_at=datetime.now(UTC),
            program=__version__,
        )
        plan = Plan(run=result, cases=tuple(chosen), skips_prompts=skips_prompts)
        run = Run(plan, server=self._server, tempo=self.tempo, tools=self.tools, store=self._store, report=self._report)
        self._running[identity] = run
        self.started.publish(run)
        return run

    def start(
        self, identity: str, suite_id: str, *, skips_prompts: bool = False, only: frozenset[str] = frozenset()
    ) -> Run:
        """Start a run in the background and return it. Raises as ``prepare``."""
        run = self.prepare(identity, suite_id, skips_prompts=skips_prompts, only=only)
        self._scope.isolated(f"acceptance {identity}", run.go())
        return run

    def history(self, identity: str = "") -> tuple[RunResult, ...]:
        """Return stored runs, the newest first."""
        return self.shelf.runs(identity)

    async def read_history(self, identity: str, limit: int = 50) -> tuple[RunResult, ...]:
        """Read the newest stored runs of a unit without holding up anything else."""
        return await asyncio.to_thread(self.shelf.runs, identity, limit)

    def latest(self, identity: str) -> RunResult | None:
        """Return the newest run of a unit that is over, for reports."""
        return self.shelf.newest(identity)

    def judge_again(self, run: RunResult) -> RunResult:
        """Judge a stored run by the judges of today."""
        return judging.again(run)

    def _store(self, run: RunResult) -> None:
        try:
            self.shelf.store(run)
        except StoreError as error:
            if self._report is not None:
                self._report(Trouble(name=f"acceptance {run.id}", error=error))
