"""The simulators the contract test runs over: one entry per driver. Add yours to ``RIGS``.

A rig opens a charger nobody harms, and two that nobody likes: one that sends garbage and one that says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from app.driver.capability import ReadsSettings
from app.feed import Feed
from app.links.link import Links
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import Address, NetAddress, OcppAddress
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Profile
from app.model.secret import Secret
from app.ocpp.host import Times
from app.ocpp.server import OcppServer
from app.sim.chargepoint import ChargePoint, ConfigKey, standard_keys
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.sim.rapi import RapiController
from tests.conftest import TIME_UNIT_S
from tests.drivers import (
    rigs_alfen,
    rigs_bender,
    rigs_evbox,
    rigs_everest,
    rigs_goe,
    rigs_juicebox,
    rigs_juicenet,
    rigs_keba,
    rigs_microocpp,
    rigs_modbus,
    rigs_modem,
    rigs_nrgkick,
    rigs_openevse_console,
    rigs_openocpp,
    rigs_peblar,
    rigs_smartevse,
    rigs_tesla,
    rigs_warp,
)

OLD_SECRET = "old-secret-4711"
SILENCE_S = 0.5
"""How long the rigs let our own endpoint wait for a silent unit."""

NEW_BACKEND = Backend(
    url="ws://127.0.0.1:9/ocpp",
    identity="CONTRACT-1",
    security_profile=SecurityProfile.BASIC,
    secret=Secret("new-secret-0815"),
)


@dataclass(slots=True)
class Bench:
    """A charger on the bench: where it is, over which links, what must never be seen of it."""

    address: Address
    links: Links
    secrets: tuple[Secret, ...] = ()
    plug_in: Callable[[], None] = lambda: None
    sim: Any = None


@dataclass(frozen=True, slots=True)
class Rig:
    """How to put a driver's unit on the bench: a good one, one that talks garbage, one that is silent."""

    good: Callable[[Profile, Recorder | None], AbstractAsyncContextManager[Bench]]
    garbage: Callable[[], AbstractAsyncContextManager[Bench]]
    silent: Callable[[], AbstractAsyncContextManager[Bench]]
    writable: str = ""
    """A setting that may be written (its own value again)."""
    asked: type | None = None
    """The capability that is first to meet garbage or silence, where opening sends nothing."""
    probes: bool = True
    """Whether an address must be asked to know the unit (one that dials us has told who it is)."""
    speaks: bool = True
    """Whether anything is sent to the unit (one that is known by its announcement alone is left in peace)."""


@asynccontextmanager
async def peer(answer: bytes) -> AsyncIterator[NetAddress]:
    """Serve TCP: to every connection ``answer`` and goodbye, or with no answer silence."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if answer:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def _gateway(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    config = {"ocpp_authkey": OLD_SECRET.encode().hex(), "mqtt_pass": "mqtt-secret-99"}
    async with OpenEvseGateway(time_scale=TIME_UNIT_S, config=config) as unit:
        unit.note(f"[MO] auth Token=old:{OLD_SECRET.encode().hex()}")
        secrets = (Secret(OLD_SECRET), Secret("mqtt-secret-99"), NEW_BACKEND.secret)
        yield Bench(unit.address, RealLinks(recorder=recorder), secrets, unit.plug_in, unit)


@asynccontextmanager
async def _http_garbage() -> AsyncIterator[Bench]:
    async with peer(b"\x00\xff\x16 this is not HTTP\r\n\r\n" * 4) as address:
        yield Bench(address, RealLinks())


@asynccontextmanager
async def _http_silent() -> AsyncIterator[Bench]:
    async with peer(b"") as address:
        yield Bench(address, RealLinks())


@asynccontextmanager
async def _controller(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    async with RapiController(time_scale=TIME_UNIT_S) as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), (), unit.plug_in, unit)


@asynccontextmanager
async def _serial_garbage() -> AsyncIterator[Bench]:
    async with RapiController(faults={Fault.SILENT}) as unit:
        unit.on_line = lambda _line: unit.noise(b"\xfe\x00$OK 8.2.3 5.2.1^00\r\xff\xff$$$")
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def _serial_silent() -> AsyncIterator[Bench]:
    async with RapiController(faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def _announced(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    async with peer(b"") as address:
        yield Bench(address, RealLinks(recorder=recorder))


HELD = {"url": "ws://127.0.0.1:9/old", "identity": "OLD-1", "secret": OLD_SECRET, "host": "127.0.0.1", "path": "/old"}


@asynccontextmanager
async def _on_our_endpoint(unit: Callable[[str], ChargePoint]) -> AsyncIterator[tuple[Bench, ChargePoint]]:
    patience = Times(key_s=SILENCE_S)
    async with OcppServer(frames=Feed(), samples=Feed(), sighted=lambda _sighting: None, times=patience) as server:
        listening = await server.start("127.0.0.1", 0)
        async with unit(f"{listening.url}CONTRACT") as point:
            await server.arrival("CONTRACT", timeout_s=5)
            await asyncio.wait_for(point.booted.wait(), 5)
            bench = Bench(OcppAddress(identity="CONTRACT"), RealLinks(ocpp=server.endpoint), (Secret(OLD_SECRET),))
            yield bench, point


@asynccontextmanager
async def _station(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    """A unit with exactly the address keys its profile names."""
    keys = standard_keys()
    for item in profile.backend_keys:
        keys[item.key] = ConfigKey(HELD.get(item.holds, "true"))

    def unit(url: str) -> ChargePoint:
        return ChargePoint("CONTRACT", url, configuration=keys, time_scale=TIME_UNIT_S, on_reset=lambda _kind: None)

    async with _on_our_endpoint(unit) as (bench, point):
        yield replace(bench, plug_in=point.plug_in, sim=point)


@asynccontextmanager
async def _station_garbage() -> AsyncIterator[Bench]:
    async with _on_our_endpoint(lambda url: ChargePoint("CONTRACT", url)) as (bench, point):
        point.answers["GetConfiguration"] = lambda _point, _payload: {"configurationKey": "\x00", "unknownKey": 7}
        yield bench


@asynccontextmanager
async def _station_silent() -> AsyncIterator[Bench]:
    async with _on_our_endpoint(lambda url: ChargePoint("CONTRACT", url)) as (bench, point):
        point.faults.add(Fault.SILENT)
        yield bench


RIGS: dict[str, Rig] = {
    "announced": Rig(_announced, _http_garbage, _http_silent, speaks=False),
    "nrgkick": Rig(rigs_nrgkick.good, _http_garbage, _http_silent),
    "microocpp": Rig(rigs_microocpp.good, _http_garbage, _http_silent, writable=rigs_microocpp.WRITABLE),
    "openocpp": Rig(rigs_openocpp.good, _http_garbage, _http_silent, writable=rigs_openocpp.WRITABLE),
    "bender": Rig(rigs_bender.good, _http_garbage, _http_silent),
    "tesla": Rig(rigs_tesla.good, _http_garbage, _http_silent),
    "openevse-wifi": Rig(_gateway, _http_garbage, _http_silent, writable="time_zone"),
    "smartevse": Rig(rigs_smartevse.good, _http_garbage, _http_silent, writable=rigs_smartevse.WRITABLE),
    "warp": Rig(rigs_warp.good, _http_garbage, _http_silent, writable=rigs_warp.WRITABLE),
    "alfen": Rig(rigs_alfen.alfen, _http_garbage, _http_silent, writable="2085_0"),
    "peblar": Rig(rigs_peblar.good, rigs_peblar.garbage, rigs_peblar.silent, writable="HmiBuzzerVolume"),
    "openevse-console": Rig(
        rigs_openevse_console.good,
        rigs_openevse_console.garbage,
        rigs_openevse_console.silent,
        writable="ocpp_suspend_evse",
    ),
    "openevse-rapi": Rig(_controller, _serial_garbage, _serial_silent),
    "modem": Rig(rigs_modem.good, rigs_modem.garbage, rigs_modem.silent),
    "modbus-units": Rig(rigs_modbus.good, rigs_modbus.garbage, rigs_modbus.silent),
    "everest": Rig(rigs_everest.good, rigs_everest.garbage, rigs_everest.silent, writable="SecurityCtrlr.Identity"),
    "evbox-ble": Rig(rigs_evbox.good, rigs_evbox.garbage, rigs_evbox.silent, writable="evb_AutoStart"),
    "juicenet": Rig(
        rigs_juicenet.good,
        rigs_juicenet.garbage,
        rigs_juicenet.silent,
        writable=rigs_juicenet.WRITABLE,
        probes=False,
    ),
    "keba": Rig(rigs_keba.good, rigs_keba.garbage, rigs_keba.silent),
    "juicebox-console": Rig(
        rigs_juicebox.telnet,
        rigs_juicebox.telnet_garbage,
        rigs_juicebox.telnet_silent,
        writable=rigs_juicebox.WRITABLE,
    ),
    "juicebox-serial": Rig(
        rigs_juicebox.serial,
        rigs_juicebox.serial_garbage,
        rigs_juicebox.serial_silent,
        writable=rigs_juicebox.WRITABLE,
    ),
    "go-e": Rig(rigs_goe.goe, _http_garbage, _http_silent, writable="fna"),
    "wattpilot": Rig(rigs_goe.wattpilot, _http_garbage, _http_silent, writable="fna"),
    "ocpp-local": Rig(
        _station,
        _station_garbage,
        _station_silent,
        writable="MeterValueSampleInterval",
        asked=ReadsSettings,
        probes=False,
    ),
}
"""Driver id → rig."""
