"""The demo garage: simulated chargers of several kinds, and a simulated backend to move them to. All on loopback."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from app.juicenet.desk import JuiceDesk
from app.model.juicebox import PeerState
from app.model.secret import Secret
from app.scope import Scope
from app.settings import Preset, Settings
from app.sim.backend import NewBackend
from app.sim.juicebox import JuiceBox
from app.sim.openevse import OpenEvseGateway
from app.sim.rapi import RapiController
from app.sim.station import OLD_BACKEND, URL_KEY, Behaviour, OcppStation
from app.sim.station2 import Station2
from app.workbench import Workbench

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"

DEAD_BACKEND = "ws://127.0.0.1:9/ocpp"
"""Nothing listens on the discard port: the address of a network that has closed."""

PASSWORD = "rehome-demo-2026"
"""What the simulated backend wants; OpenEVSE can hold at most 20 bytes."""

PRESET_NAME = "New backend (simulated)"

STATIONS = (
    ("STALL-02", Behaviour.HEALTHY, 1.0),
    ("STALL-03", Behaviour.REVERTS, 1.0),
    ("STALL-04", Behaviour.REDIALS_SLOWLY, 0.1),
)
"""Identity, habit, and how much faster than the others it lives: 19 minutes are too long for a demo."""

NEWER = "STALL-05"
"""It speaks OCPP 2.0.1 and is moved by a network profile."""
SECURED = "STALL-06"
"""It dials by TLS and, like two clients of six, believes any certificate (charge-points-in-practice, Traps)."""

TLS_BACKEND = "wss://csms.closed-network.example/ocpp"

DAY_S = 86_400.0
START_AFTER_S = 1.0
"""The operator of the new backend presses “start” a moment after a charger has arrived."""


class DemoGarage:
    """Seven chargers and a backend. Use it as an async context manager; then ``dial`` the tool's endpoint.

    Two JuiceBoxes more have nobody to send to until they are led somewhere: one was left at 0 A by its former backend,
    the other charges. A car is plugged into each.

    ``time_scale`` shortens the chargers' own times (restart, redial).
    """

    def __init__(self, *, time_scale: float = 0.2) -> None:
        self.backend = NewBackend()
        mark = secrets.token_hex(3).upper()  # two garages on one computer must not look like one
        self.gateway = OpenEvseGateway(
            name="stall-01",
            serial=f"240AC4{mark}",
            time_scale=time_scale,
            announce=(LOOPBACK,),
            label=f"stall-01-{mark.lower()}",
            config={"ocpp_enabled": True, "ocpp_server": DEAD_BACKEND, "ocpp_chargeBoxId": "STALL-01"},
        )
        self.controller = RapiController(time_scale=time_scale, mcu_id=f"OEVSE1{mark}D4B2")
        self.stations = tuple(
            OcppStation(identity, behaviour=behaviour, time_scale=time_scale * pace)
            for identity, behaviour, pace in STATIONS
        )
        self.secured = OcppStation(SECURED, time_scale=time_scale)
        self.secured.configuration[URL_KEY].value = TLS_BACKEND
        self.newer = Station2(OLD_BACKEND, NEWER, evses=2, time_scale=time_scale, redial_s=10.0)
        self.newer.dial_url = ""  # until somebody leads the old name, looking it up is in vain
        self.juicebox = JuiceBox("jb2", offline_a=0, time_scale=time_scale)
        self.healthy_box = JuiceBox("jb1", rating_a=40, offline_a=32, time_scale=time_scale)
        self.boxes = (self.juicebox, self.healthy_box)
        self.diallers: tuple[OcppStation | Station2, ...] = (*self.stations, self.newer, self.secured)
        self.identities = ("STALL-01", *(station.identity for station in self.diallers))
        for identity in self.identities:
            version = "2.0.1" if identity == NEWER else "1.6"
            self.backend.provision(identity, PASSWORD, version=version)
        for box in self.boxes:  # which a bridge brings there
            self.backend.provision(box.serial, PASSWORD)
        self._time_scale = time_scale
        self._scope = Scope("sim/garage")
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.backend)
            await stack.enter_async_context(self.gateway)
            await stack.enter_async_context(self.controller)
            for box in self.boxes:
                await stack.enter_async_context(box)
            for station in self.diallers:
                await stack.enter_async_context(station)
            await stack.enter_async_context(self._scope)
            self._stack = stack.pop_all()
        self.gateway.plug_in()
        self.controller.plug_in()
        for thing in (*self.diallers, *self.boxes):
            thing.plug_in()
        for identity in (*self.identities, *(box.serial for box in self.boxes)):
            self._scope.isolated(f"operator/{identity}", self._operate(identity))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def preset(self) -> Preset:
        """Return the simulated backend as a preset; its password is ``PASSWORD``."""
        return Preset(name=PRESET_NAME, url=self.backend.url, security_profile=1)

    @property
    def serial_ports(self) -> tuple[str, ...]:
        """List the serial ports its chargers are on."""
        return (self.controller.port,)

    def dial(self, url: str) -> None:
        """Let the OCPP chargers dial a central system, as a site's DNS would make them."""
        for station in self.diallers:
            station.dial(url)

    async def follow(self, desk: JuiceDesk) -> None:
        """Lead the JuiceBoxes to where somebody listens for them, as a site's DNS would, and away when nobody does."""
        with desk.changes.subscribe() as changes:
            await self._lead(desk.state)
            async for state in changes:
                await self._lead(state)

    async def _lead(self, state: PeerState) -> None:
        target = (state.host, state.ports[0]) if state.is_listening and state.ports else None
        for box in self.boxes:
            if target is not None or box.dialling:
                await box.lead(target)

    async def _operate(self, identity: str) -> None:
        """Start a charge on the new backend whenever this charger arrives there, as its operator would."""
        after = None
        while True:
            seen = await self.backend.arrival(identity, timeout_s=DAY_S, after=after)
            after = seen.booted_at
            await asyncio.sleep(START_AFTER_S * self._time_scale)
            try:
                await self.backend.start(identity)
            except (KeyError, TimeoutError, RuntimeError) as error:
                log.info("the operator could not start a charge on %s: %r", identity, error)


@asynccontextmanager
async def demo(settings: Settings, *, home: Path, time_scale: float = 0.2) -> AsyncIterator[Workbench]:
    """Open the workbench amid a demo garage. The endpoint takes a free port where the usual one is taken."""
    # Here, for both load bleak, which takes longer than the window may.
    from app.sim.ether import Ether
    from app.sim.evbox import EvboxUnit

    async with DemoGarage(time_scale=time_scale) as garage, EvboxUnit(Ether(), time_scale=time_scale) as evbox:
        chosen = replace(settings, presets=(garage.preset,), endpoint_on=False)
        bench = Workbench(
            chosen,
            home=home,
            is_demo=True,
            mdns_addresses=(LOOPBACK,),
            # Other demo garages on this computer are heard too.
            mdns_accepts=lambda sighting: sighting.address == garage.gateway.address,
            serial_ports=garage.serial_ports,
            list_ports=tuple,
            radio=evbox.ether.radio,
        )
        async with bench:
            bench.vault.set(f"charger/{evbox.address}/password", Secret(evbox.code))
            bench.vault.set(f"preset/{PRESET_NAME}", Secret(PASSWORD))
            state = await bench.listen_somewhere()
            bench.change_settings(replace(bench.settings, endpoint_on=True))
            garage.dial(state.url)
            async with Scope("sim/names") as names:
                names.isolated("JuiceBoxes", garage.follow(bench.juice))
                yield bench
