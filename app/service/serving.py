"""The headless bridge from start to end: runtime, status page, stand-ins, watchdog, and its file read again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from app import memory
from app.errors import AppError, ServerError, SiteError
from app.model.garage import Stand
from app.scope import Scope
from app.service.reading import load
from app.service.runtime import Runtime
from app.service.site import SitePlan
from app.service.watchdog import Watchdog

if TYPE_CHECKING:
    from app.bridge.uplink import Rhythm
    from app.standin.desk import GarageDesk

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often the file is looked at: Windows knows no SIGHUP."""
STAND_AGAIN_S = 60.0
"""How often a stand-in that could not be started is tried again [OURS]."""
STALE_S = 30.0
"""A bridge that has not done its round for so long is not alive; the watchdog then is silent."""

Told = Callable[[Mapping[str, object], str], None]
"""Takes an event for programs, and the same in words."""


class Serving:
    """Runs a site's file until it is told to stop.

    ``stop`` and ``reload`` may be called from signal handlers of the loop; from another thread by way of
    ``call_soon_threadsafe``.
    """

    def __init__(
        self,
        config: Path,
        plan: SitePlan,
        told: Told,
        *,
        look_s: float = LOOK_S,
        stand_again_s: float = STAND_AGAIN_S,
        rhythm: Rhythm | None = None,
    ) -> None:
        self.config = config
        self.runtime = Runtime(plan) if rhythm is None else Runtime(plan, rhythm=rhythm)
        self.watchdog = Watchdog()
        self._told = told
        self._look_s = look_s
        self._stand_again_s = stand_again_s
        self._ends = asyncio.Event()
        self._reads = asyncio.Event()

    def stop(self) -> None:
        """End it in order."""
        self._ends.set()

    def reload(self) -> None:
        """Read the file again, changed or not."""
        self._reads.set()

    async def run(self, seconds: float | None = None) -> None:
        """Serve until ``stop``, or for a time. Raises what keeps it from starting, and what ends it."""
        self._listen_to_signals()
        plan, runtime = self.runtime.plan, self.runtime
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(runtime)
            url = await self._open_page(stack, plan)
            desk = self._garage(stack, plan)
            refused = await self._stand_in(desk, _wanted(plan)) if desk is not None else ()
            scope = await stack.enter_async_context(Scope("serving"))
            if desk is not None and refused:
                scope.isolated("stand-ins", self._stand_in_again(desk, refused))
            scope.isolated("watchdog", self.watchdog.run(self._is_alive, self._line))
            scope.isolated("site file", self._follow())
            memory.settle()
            self.watchdog.ready(self._line())
            stack.callback(self.watchdog.stopping)
            units = len(plan.boxes) + len(plan.relays)
            told = {"event": "running", "site": plan.name, "status": url, "units": units}
            self._told(told, f"bridging {units} units of {plan.name}; status at {url}")
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ends.wait()
        self._told({"event": "stopped", "site": plan.name}, "stopped in order; what waits is on disk")

    # Beginning

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError, AttributeError):  # Windows; not the main thread
            loop.add_signal_handler(signal.SIGTERM, self.stop)
            loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def _open_page(self, stack: AsyncExitStack, plan: SitePlan) -> str:
        from app.service.statuspage import StatusPage  # aiohttp takes its time to load

        runtime = self.runtime
        page = StatusPage(lambda: runtime.status, lambda: runtime.beat)
        stack.push_async_callback(page.close)
        await page.open(plan.status_host, plan.status_port)
        return page.url

    def _garage(self, stack: AsyncExitStack, plan: SitePlan) -> GarageDesk | None:
        if not _wanted(plan):
            return None
        from app.discovery.adapters import networks
        from app.standin.desk import GarageDesk

        desk = GarageDesk(networks, lambda: plan.address)
        stack.push_async_callback(desk.close)
        desk.choose(plan.standin.name_sets, forward_to=plan.standin.forward_to)
        return desk

    async def _stand_in(self, desk: GarageDesk, wanted: Sequence[Stand]) -> tuple[Stand, ...]:
        """Start services; returns those that could not be. One that can't holds up no bridge: boxes would stay dark."""
        refused = []
        for stand in wanted:
            try:
                state = await desk.start(stand)
            except ServerError as error:
                if self.runtime.concern(stand.value, f"{stand.value} does not stand in: {error.message}"):
                    log.error("%s does not stand in: %s %s", stand.value, error.message, error.advice)
                refused.append(stand)
            else:
                self.runtime.concern(stand.value, "")
                log.info("%s stands in at %s:%d", stand.value, state.host, state.port)
        return tuple(refused)

    async def _stand_in_again(self, desk: GarageDesk, refused: tuple[Stand, ...]) -> None:
        """Try until all stand in: whoever holds the port may go."""
        while refused:
            await asyncio.sleep(self._stand_again_s)
            refused = await self._stand_in(desk, refused)

    # While it runs

    def _is_alive(self) -> bool:
        return (datetime.now(UTC) - self.runtime.beat).total_seconds() < STALE_S

    def _line(self) -> str:
        status = self.runtime.status
        online = sum(unit.line.value == "online" for unit in status.units)
        queued = sum(unit.queued for unit in status.units)
        line = f"{status.site}: {online} of {len(status.units)} units online, {queued} messages wait"
        return f"{line}; {status.trouble}" if status.trouble else line

    async def _follow(self) -> None:
        """Take up the file whenever it has changed, or somebody asks for it."""
        known = await asyncio.to_thread(_mark, self.config)
        while True:
            is_asked = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    is_asked = await self._reads.wait()
            self._reads.clear()
            mark = await asyncio.to_thread(_mark, self.config)
            if is_asked or (mark != known and mark):
                known = mark
                await self._take_up()

    async def _take_up(self) -> None:
        self.watchdog.reloading()
        try:
            plan = await asyncio.to_thread(load, self.config)
            await self.runtime.reload(plan)
        except AppError as error:
            problems = error.problems if isinstance(error, SiteError) else ()
            log.error("The site file was not taken up: %s %s", error.message, error.advice)
            told = {"event": "refused", "message": error.message, "problems": list(problems)}
            self._told(told, f"{error.message} {error.advice}")
        else:
            units = len(plan.boxes) + len(plan.relays)
            log.info("The site file was taken up: %d units", units)
            self._told({"event": "reloaded", "site": plan.name, "units": units}, f"took up {self.config.name}")
        self.watchdog.ready(self._line())


def _wanted(plan: SitePlan) -> tuple[Stand, ...]:
    chosen = plan.standin
    wanted = {Stand.DNS: chosen.dns, Stand.NTP: chosen.ntp, Stand.WEB: chosen.web}
    return tuple(stand for stand, is_wanted in wanted.items() if is_wanted)


def _mark(path: Path) -> str:
    """Return what tells a file's content from another; empty while it can't be read, as when it is being replaced."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
