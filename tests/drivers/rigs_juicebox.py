"""JuiceBoxes with a console on the bench: over telnet and over a serial line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import NetAddress
from app.model.profile import Profile
from app.model.secret import Secret
from app.sim.fault import Fault
from app.sim.juicebox import JuiceBox
from app.sim.juicebox_console import JuiceBoxSerial, JuiceBoxTelnet

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

PASSKEY = "garage-wifi-password"
WRITABLE = "udp_to"
NOWHERE = ("127.0.0.1", 9)


@asynccontextmanager
async def telnet(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    del profile
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE)) as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), (Secret(PASSKEY),), unit.box.plug_in, unit)


@asynccontextmanager
async def telnet_garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with greeting(b"\x00\xff\x16 220 not a box\r\n> ") as address:
        yield Bench(address, RealLinks())


@asynccontextmanager
async def telnet_silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE), faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def serial(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    del profile
    async with JuiceBoxSerial(JuiceBox("jb2", target=NOWHERE), chatter="[Associating]\r\n") as unit:
        yield Bench(unit.address, RealLinks(recorder=recorder), (Secret(PASSKEY),), unit.box.plug_in, unit)


@asynccontextmanager
async def serial_garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with JuiceBoxSerial(JuiceBox(target=NOWHERE)) as unit:
        unit.instead = b"\xfe\x00$OK 8.2.3 5.2.1^00\r\xff\xff$$$\r\n> "
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def serial_silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with JuiceBoxSerial(JuiceBox(target=NOWHERE), faults={Fault.SILENT}) as unit:
        yield Bench(unit.address, RealLinks())


@asynccontextmanager
async def greeting(words: bytes) -> AsyncIterator[NetAddress]:
    """Serve TCP: say ``words`` to whoever connects, and no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        try:
            await reader.read()
        except OSError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1], scheme="tcp")
    finally:
        server.close()
        await server.wait_closed()
