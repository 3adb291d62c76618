"""A whole bridge on loopback: a simulated JuiceBox on one side, our endpoint on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.bridge.station import Start
from app.bridge.uplink import Rhythm
from app.errors import StoreError
from app.feed import Feed
from app.juicenet.peer import JuicePeer
from app.model.bridge import LineState
from app.model.frame import Frame
from app.ocpp.server import OcppServer
from app.service.runtime import Runtime
from app.service.site import BackendPlan, BoxPlan, SitePlan
from app.sim.juicebox import JuiceBox

PACE = 0.02


class Backend:
    """Our endpoint, with what charge points said to it."""

    def __init__(self, server: OcppServer, frames: Feed[Frame]) -> None:
        self.server = server
        self._heard = frames.subscribe(100_000)
        self.frames: list[Frame] = []

    @property
    def url(self) -> str:
        return self.server.state.url

    def said(self, action: str) -> list[str]:
        self.frames += self._heard.take()
        return [frame.text for frame in self.frames if frame.action == action and frame.direction.value == "in"]


@asynccontextmanager
async def backend() -> AsyncIterator[Backend]:
    frames: Feed[Frame] = Feed()
    async with OcppServer(frames=frames, samples=Feed(), sighted=lambda _: None) as server:
        await server.start("127.0.0.1", 0)
        yield Backend(server, frames)


def plan(folder: Path, url: str, box: JuiceBox, version: str, start: Start) -> SitePlan:
    return SitePlan(
        name="Harbour",
        address="127.0.0.1",
        folder=folder,
        backends=(BackendPlan(name="main", url=url, version=version),),
        boxes=(
            BoxPlan(
                identity="STALL-1", backend="main", box_id=box.serial, circuit_a=24.0, start=start, id_tag="FREE",
            ),
        ),
    )  # fmt: skip


async def until(is_true: Callable[[], Any], *, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_true():  # noqa: ASYNC110 - three parts move, none tells of all
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_box_becomes_a_charge_point_and_its_session_is_told_to_the_wh(tmp_path: Path, version: str) -> None:
    async with backend() as central, JuicePeer("127.0.0.1", (0,)) as peer:
        target = ("127.0.0.1", peer.state.ports[0])
        async with JuiceBox("jb2", target=target, time_scale=PACE, rating_a=40, offline_a=40) as box:
            box.plug_in()  # the first word to the box is then its limit: more after 0 A is told only a minute later
            site = plan(tmp_path, central.url, box, version, Start.TAG)
            async with Runtime(site, peer=peer, rhythm=Rhythm(least_s=0.1)) as runtime:
                await until(lambda: runtime.status.units[0].line is LineState.ONLINE)
                await until(lambda: runtime.status.units[0].state == "Charging" and box.commands)
                began_wh = box.told().lifetime_wh
                await until(lambda: box.told().lifetime_wh > began_wh + 20)
                box.unplug()
                await until(lambda: runtime.status.units[0].state == "Available")
                await until(lambda: not runtime.status.units[0].queued and box.commands[-1].a == 0)
                assert {(order.a, order.m) for order in box.commands} == {(0, 0), (24, 24)}
                assert runtime.status.trouble == ""
    words = central.said("StopTransaction") if version == "1.6" else central.said("TransactionEvent")
    assert str(box.told().lifetime_wh) in words[-1]


async def test_a_unit_whose_state_cannot_be_read_stops_no_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed_log: Callable[[str], None]
) -> None:
    allowed_log("disk I/O error")

    def refuse(*_: object) -> None:
        raise StoreError("disk I/O error", "Check the disk.")

    async with (
        JuicePeer("127.0.0.1", (0,)) as peer,
        JuiceBox("jb2", target=("127.0.0.1", peer.state.ports[0]), time_scale=PACE, rating_a=40, offline_a=40) as box,
        Runtime(plan(tmp_path, "ws://127.0.0.1:9/", box, "1.6", Start.FREE), peer=peer) as runtime,
    ):
        (unit,) = runtime.units.values()
        with monkeypatch.context() as worn:
            worn.setattr(unit.outlet, "heard", refuse)
            await until(lambda: "STALL-1: disk I/O error" in runtime.status.trouble)
        await until(lambda: not runtime.status.trouble and runtime.status.units[0].is_present)
