"""Run the discovery sources: a broken one is shown, started again, and stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from app.discovery.source import Source
from app.errors import AppError
from app.feed import Feed
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting
from app.scope import Scope

RESTART_S = (1.0, 60.0)
"""First and longest pause before a failed source is started again."""


class Supervisor:
    """Keeps sources running in tasks of their own and knows the condition of each."""

    def __init__(self, scope: Scope, report: Callable[[Sighting], None]) -> None:
        self._scope = scope
        self._report = report
        self._states: dict[str, SourceState] = {}
        self.states: Mapping[str, SourceState] = MappingProxyType(self._states)
        self.changes: Feed[SourceState] = Feed()

    def start(self, source: Source) -> None:
        """Watch a source until the scope closes."""
        self._scope.isolated(f"finder/{source.name}", self._keep_running(source))

    async def _keep_running(self, source: Source) -> None:
        loop = asyncio.get_running_loop()
        pause_s = RESTART_S[0]
        while True:
            started = loop.time()
            task = self._scope.isolated(f"source/{source.name}", self._run(source))
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
            if task.cancelled():
                return
            if error := task.exception():
                self._changed(_broken(source.name, f"It stopped by a fault of this program: {error}"))
            elif task.result():
                return
            if loop.time() - started > RESTART_S[1]:
                pause_s = RESTART_S[0]
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_S[1])

    async def _run(self, source: Source) -> bool:
        """Run a source until it ends; returns whether it ended by itself, without an error."""
        try:
            await source.run(self._report, self._changed)
        except AppError as error:
            state = SourceState(source=source.name, health=SourceHealth.FAILED, text=error.message, advice=error.advice)
            self._changed(state)
            return False
        except OSError as error:
            self._changed(_broken(source.name, f"The system refused: {error.strerror or error}."))
            return False
        return True

    def _changed(self, state: SourceState) -> None:
        self._states[state.source] = state
        self.changes.publish(state)


def _broken(name: str, text: str) -> SourceState:
    advice = "The other ways to find chargers go on, and this one is tried again. Meanwhile add chargers by address."
    return SourceState(source=name, health=SourceHealth.FAILED, text=text, advice=advice)
