"""The bridge inside the program: a proof on site, before a small box takes over for good."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from app.errors import AppError, ServerError, SiteError, ValueRejected
from app.feed import Feed
from app.juicenet.desk import JuiceDesk
from app.model.bridge import BridgeStatus, UnitKind
from app.model.frame import Frame, ListenState
from app.model.juicebox import Adoption
from app.scope import Scope
from app.service import choosing
from app.service.choosing import OURS, Choice, Grounds
from app.service.site import SitePlan
from app.settings import DEFAULT_PORT, Settings
from app.storage.vault import Vault

if TYPE_CHECKING:
    from app.ocpp.server import OcppServer
    from app.service.installing import Recipe
    from app.service.reading import PlanProblem
    from app.service.runtime import Runtime
    from app.service.writing import SiteFiles
    from app.trust.authority import Authority
    from app.trust.desk import TrustDesk

log = logging.getLogger(__name__)

FILE = "choices.json"
TELL_S = 1.0
"""How often the status is published."""
KEPT = 200
"""Last messages kept of each unit."""
READ = 2000
"""Messages that may wait between two publications; what is on disk has all."""
OPEN_S = 30.0
"""How long the bridge may take to start: opening a disk that is slow [OURS]."""


class Bench(Protocol):
    """What the desk needs of the workbench."""

    home: Path
    settings: Settings
    juice: JuiceDesk
    vault: Vault
    server: OcppServer
    scope: Scope
    trust: TrustDesk

    @property
    def adapter_address(self) -> str:
        """Return the address chargers reach us at."""
        ...

    @property
    def authority(self) -> Authority:
        """Return our own certificate authority."""
        ...

    async def listen_somewhere(self) -> ListenState:
        """Make sure our endpoint listens."""
        ...


class BridgeDesk:
    """Bridges chosen units while the program runs. State and records lie in ``folder``.

    States::

        off ──start──► on ──stop, or it failed──► off
    """

    def __init__(self, bench: Bench) -> None:
        self.folder = bench.home / "bridge"
        self.changes: Feed[BridgeStatus | None] = Feed()
        """How the bridge stands, every second while it runs; ``None`` once it is off."""
        self.trouble = ""
        self.advice = ""
        """Why it ended by itself, in words."""
        self._bench = bench
        self._choices: tuple[Choice, ...] | None = None
        self._runtime: Runtime | None = None
        self._task: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._messages: dict[str, deque[Frame]] = {}

    # What is chosen

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return the units to bridge. Raises StoreError, DamagedFile at the first look."""
        if self._choices is None:
            self._choices = choosing.load(self.folder / FILE)
        return self._choices

    def choose(self, choices: Sequence[Choice]) -> None:
        """Keep what is to be bridged; what runs goes on as it was until ``apply``. Raises StoreError."""
        choosing.save(self.folder / FILE, choices)
        self._choices = tuple(choices)

    @property
    def backends(self) -> tuple[str, ...]:
        """List what units can be bridged to: our own endpoint (``OURS``), and the presets by name."""
        return (OURS, *(preset.name for preset in self._bench.settings.presets))

    def plan(self, choices: Sequence[Choice] | None = None) -> SitePlan:
        """Return the plan of choices (default: those kept), as it would run here. Raises StoreError."""
        bench = self._bench
        settings, ours = bench.settings, bench.server.state
        if not ours.is_listening:  # it will, before anything is bridged to it
            ours = replace(ours, host=bench.adapter_address, port=settings.endpoint_port or DEFAULT_PORT)
        grounds = Grounds(
            site=settings.site_name,
            address=bench.adapter_address,
            folder=self.folder,
            ours=ours,
            root=bench.authority.root.pem if ours.has_tls else "",
            presets=settings.presets,
            adoptions={one.box_id: one for one in self._bench.juice.adopted},
            vault=bench.vault,
        )
        return choosing.plan_of(self.choices if choices is None else choices, grounds)

    def problems(self, choices: Sequence[Choice] | None = None) -> tuple[PlanProblem, ...]:
        """Name what is wrong with choices (default: those kept), by the rules of the site file. Raises StoreError."""
        from app.service.reading import problems_of

        return problems_of(self.plan(choices))

    @property
    def adopted(self) -> Mapping[str, Adoption]:
        """Return the JuiceBoxes that can be bridged: somebody has entered their circuits' limits."""
        return {one.box_id: one for one in self._bench.juice.adopted}

    # The proof on site

    @property
    def is_running(self) -> bool:
        """Say whether units are being bridged."""
        return self._runtime is not None

    @property
    def status(self) -> BridgeStatus | None:
        """Return how the bridge stands; ``None`` while it is off."""
        return self._runtime.status if self._runtime is not None else None

    def messages(self, identity: str) -> tuple[Frame, ...]:
        """Return the last messages of a unit's line, the newest last, ``IN`` is its own word; secrets are masked."""
        return tuple(self._messages.get(identity, ()))

    @property
    def recording(self) -> Path | None:
        """Return the trace that is being written, of all lines; ``None`` while there is none."""
        return self._runtime.recorder.path if self._runtime is not None else None

    async def start(self) -> BridgeStatus:
        """Bridge what is chosen. Running: take up what has changed.

        Raises SiteError (something is wrong with the choices), PortInUse, ServerError, StoreError.
        """
        async with self._lock:
            plan = await self._ready()
            if self._runtime is not None:
                return await self._change(self._runtime, plan)
            self.trouble = self.advice = ""
            return await self._begin(plan)

    async def _change(self, runtime: Runtime, plan: SitePlan) -> BridgeStatus:
        before = set(runtime.units)
        try:
            await runtime.reload(plan)
        finally:
            for box_id in before - set(runtime.units):
                self._bench.juice.restore(box_id)
        return runtime.status

    async def _begin(self, plan: SitePlan) -> BridgeStatus:
        begun: asyncio.Future[BridgeStatus] = asyncio.get_running_loop().create_future()
        self._task = self._bench.scope.isolated("bridge", self._run(plan, begun))
        try:
            async with asyncio.timeout(OPEN_S):
                return await begun
        except TimeoutError as error:
            raise ServerError("The bridge did not start in time.", "Try again, and look at the disk.") from error
        finally:
            if not self.is_running:
                await self._end()

    async def stop(self) -> None:
        """End it in order; boxes get what people allowed them before, with their next reports. Idempotent."""
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def release(self) -> None:
        """Let all bridged boxes charge freely, and end the bridge: it is to be taken away.

        Boxes are told with their next reports, so this listens for them. Raises PortInUse, ServerError, StoreError;
        then everything goes on as it was.
        """
        async with self._lock:
            if any(choice.kind is UnitKind.BOX for choice in self.choices):
                await self._bench.juice.start()
            boxes = [choice.unit for choice in self.choices if choice.unit in self.adopted]
            await self._end()
            for box_id in boxes:
                self._bench.juice.allow(box_id, self.adopted[box_id].ceiling_a)

    def hand_over(self, unit_identity: str, *, waits: bool = True) -> None:
        """Let a relayed unit go that was told to dial its backend by itself. Raises ValueRejected."""
        try:
            if self._runtime is None:
                raise KeyError(unit_identity)
            self._runtime.relays.hand_over(unit_identity, waits=waits)
        except KeyError:
            raise ValueRejected(f"“{unit_identity}” is not relayed now.", "Start the bridge first.") from None

    # The small box

    def _plan_there(self, address: str) -> SitePlan:
        """Return the plan of the small box at ``address``, empty = that of this computer."""
        plan = self.plan()
        return replace(plan, address=address) if address else plan

    def small_box_problems(self, *, address: str = "") -> tuple[str, ...]:
        """Name why the small box would refuse its site file. Raises StoreError."""
        from app.service.reading import problems_of

        return tuple(str(problem) for problem in problems_of(self._plan_there(address)))

    def files(self, *, address: str = "") -> SiteFiles:
        """Return the site file for the small box, as text, with the secrets it needs by name. Raises StoreError."""
        from app.service.writing import files_of

        return files_of(self._plan_there(address))

    def export(self, folder: Path, *, address: str = "", with_secrets: bool = False) -> tuple[Path, ...]:
        """Write the site file and what it points to; returns the files. Raises StoreError, DiskFull."""
        from app.service.writing import save

        return save(self._plan_there(address), folder, with_secrets=with_secrets)

    def recipe(self, kind: str, *, address: str = "") -> Recipe:
        """Return how the small box is made to run it for good: ``systemd``, ``launchd`` or ``windows``."""
        from app.service.installing import small_box

        return small_box(kind, self._plan_there(address))

    async def close(self) -> None:
        """End it. Idempotent."""
        await self.stop()

    # Inside

    async def _ready(self) -> SitePlan:
        """Make sure that what the plan needs runs, and that nothing is wrong with it."""
        choices = self.choices
        if any(choice.backend == OURS for choice in choices):
            await self._bench.listen_somewhere()
        if any(choice.unit in self.adopted for choice in choices):
            await self._bench.juice.start()
        if problems := self.problems():
            raise SiteError(
                f"{problems[0]}." if len(problems) == 1 else f"{len(problems)} things are wrong: {problems[0]} …",
                "Correct what is marked, and start again.",
                problems=tuple(str(problem) for problem in problems),
            )
        return self.plan()

    async def _run(self, plan: SitePlan, begun: asyncio.Future[BridgeStatus]) -> None:
        from app.service.runtime import Runtime

        boxes = {box.box_id for box in plan.boxes}
        runtime = Runtime(plan, peer=self._bench.juice.peer, adopts=False, wardrobe=self._bench.trust.wardrobe)
        try:
            async with runtime:
                self._runtime = runtime
                begun.set_result(runtime.status)
                await self._tell(runtime)
        except AppError as error:
            self._ended_by(error, begun)
        finally:
            self._runtime = None
            if not begun.done():
                begun.set_exception(ServerError("The bridge failed as it started.", "Look at the program's log."))
            for box_id in boxes | set(runtime.units):
                self._bench.juice.restore(box_id)
            self.changes.publish(None)

    def _ended_by(self, error: AppError, begun: asyncio.Future[BridgeStatus]) -> None:
        if not begun.done():
            begun.set_exception(error)
            return
        self.trouble, self.advice = error.message, error.advice
        log.warning("the bridge ended: %s", error.message)

    async def _tell(self, runtime: Runtime) -> None:
        with runtime.frames.subscribe(READ) as frames:
            while True:
                for frame in frames.take():
                    self._messages.setdefault(frame.identity, deque(maxlen=KEPT)).append(frame)
                self.changes.publish(runtime.status)
                await asyncio.sleep(TELL_S)
