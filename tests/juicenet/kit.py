"""Words of boxes for tests, and a box that is a plain socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.juicenet.message import checksum

BOX = "0910042001260513476122621631"


def said(
    box_id: str = BOX,
    *,
    version: str = "v09u",
    counter: int = 1,
    loop: int = 1000,
    mode: int = 2,
    lifetime_wh: int = 4_262_804,
    rating_a: int | None = 40,
    offline_a: int | None = 32,
    online_a: int | None = 32,
    current: int = 161,
) -> bytes:
    """Word a report with the published fields."""
    limits = [("M", online_a), ("C", None if version == "v07" else offline_a), ("m", rating_a)]
    parts = [
        f"s{counter:03d},u{loop:08d},V2414,L{lifetime_wh:011d},S{mode:02d},T28",
        *(f"{letter}{value:04d}" for letter, value in limits if value is not None),
        f"t09,i23,e-0001,f5990,E0004501,A{current:05d},p0996",
    ]
    text = f"{box_id}:{version},{','.join(parts)}"
    return f"{text}!{checksum(text)}:".encode()


def oldest(box_id: str = BOX, fields: str = "V247,L11156,E13322,A138,T28,t10,E14,i41,e1") -> bytes:
    """Word a report of the oldest form."""
    return f"{box_id}:{fields}:".encode()


class PlainBox:
    """A UDP socket that says what it is told to."""

    def __init__(self, target: tuple[str, int], host: str = "127.0.0.1", box_id: str = BOX) -> None:
        self.box_id = box_id
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.setblocking(False)
        self.link.bind((host, 0))
        self._target = target
        self._loop = 1000

    def send(self, data: bytes) -> None:
        """Send one datagram."""
        self.link.sendto(data, self._target)

    def report(self, **fields: int | str | None) -> None:
        """Send the next report."""
        self._loop += 9
        counter = (self._loop // 9) % 999 + 1
        self.send(said(self.box_id, counter=counter, loop=self._loop, **fields))  # type: ignore[arg-type]

    async def told(self) -> bytes:
        """Return the next command."""
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(self.link, 2000)


@asynccontextmanager
async def plain_box(port: int, host: str = "127.0.0.1", box_id: str = BOX) -> AsyncIterator[PlainBox]:
    """Give a box that sends to a port of this computer."""
    box = PlainBox(("127.0.0.1", port), host, box_id)
    try:
        yield box
    finally:
        box.link.close()
