"""JuiceBoxes on the bench: plain sockets that send to a desk, as the boxes do."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.juicenet.desk import JuiceDesk
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.model.address import JuiceAddress
from app.model.profile import Profile
from tests.juicenet.kit import PlainBox, plain_box

if TYPE_CHECKING:
    from tests.drivers.rigs import Bench

START = b":DBG,NFO:BOT:EMWERK-JB201-1.0.46, Gecko_OS-STANDARD-4.2.7-11064, WGM160P:"
WRITABLE = "AllowedLimit"


@asynccontextmanager
async def heard() -> AsyncIterator[tuple[JuiceDesk, PlainBox, RealLinks]]:
    """Give a desk that heard a box start."""
    with tempfile.TemporaryDirectory() as folder:
        desk = JuiceDesk(Path(folder), address=lambda: "127.0.0.1")
        try:
            listening = await desk.start("127.0.0.1", (0,))
            with desk.states.subscribe() as states:
                async with plain_box(listening.ports[0]) as box:
                    box.send(box.box_id.encode() + START)
                    await asyncio.wait_for(anext(states), 5)
                    yield desk, box, RealLinks(juicenet=desk.box)
        finally:
            await desk.stop()


@asynccontextmanager
async def good(profile: Profile, recorder: Recorder | None) -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with heard() as (desk, box, links):
        with desk.states.subscribe() as states:
            box.report()
            await asyncio.wait_for(anext(states), 5)
        desk.adopt(desk.propose(box.box_id, 32))
        yield Bench(JuiceAddress(box_id=box.box_id), links, sim=desk)


@asynccontextmanager
async def garbage() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with heard() as (_, box, links):
        asyncio.get_running_loop().call_later(0.2, box.send, box.box_id.encode() + b":v09u,s1!AAA:")
        yield Bench(JuiceAddress(box_id=box.box_id), links)


@asynccontextmanager
async def silent() -> AsyncIterator[Bench]:
    from tests.drivers.rigs import Bench

    async with heard() as (_, box, links):
        yield Bench(JuiceAddress(box_id=box.box_id), links)
