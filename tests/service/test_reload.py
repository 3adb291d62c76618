"""A plan that changes while the bridge runs, units that fail, and a backend that is the `ocpp` package."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ocpp.v16
import ocpp.v201
import pytest
from ocpp.routing import on
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from app.bridge.station import Start
from app.bridge.uplink import Rhythm
from app.errors import SiteError
from app.feed import Feed
from app.juicenet.peer import JuicePeer
from app.model.bridge import LineState, UnitStatus
from app.model.frame import Frame
from app.ocpp.server import OcppServer
from app.service.runtime import Runtime
from app.service.site import BackendPlan, BoxPlan, SitePlan
from app.sim.juicebox import JuiceBox

PACE = 0.02
QUICK = Rhythm(first_s=0.0, least_s=0.1, most_s=0.3, restart_s=0.1)


async def until(is_true: Callable[[], Any], *, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_true():  # noqa: ASYNC110 - several parts move, none tells of all
            await asyncio.sleep(0.02)


class Site:
    """Boxes before one peer."""

    def __init__(self, peer: JuicePeer, boxes: list[JuiceBox]) -> None:
        self.peer = peer
        self.boxes = boxes

    def plan(self, folder: Path, url: str, version: str = "1.6", **more: Any) -> SitePlan:
        told = {"backend": "main", "circuit_a": 24.0, "start": Start.FREE, "id_tag": "FREE", **more}
        return SitePlan(
            name="Harbour",
            address="127.0.0.1",
            folder=folder,
            backends=(BackendPlan(name="main", url=url, version=version),),
            boxes=tuple(
                BoxPlan(identity=f"STALL-{number}", box_id=box.serial, **told)
                for number, box in enumerate(self.boxes, 1)
            ),
        )


@asynccontextmanager
async def site(count: int = 1, *, plugged: bool = True) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(JuicePeer("127.0.0.1", (0,)))
        boxes = []
        for number in range(count):
            box = JuiceBox(
                "jb2",
                serial=f"09100420012605134761226{number:05d}",
                target=("127.0.0.1", peer.state.ports[0]),
                time_scale=PACE,
                rating_a=40,
                offline_a=40,
            )
            if plugged:
                box.plug_in()
            boxes.append(await stack.enter_async_context(box))
        yield Site(peer, boxes)


@asynccontextmanager
async def backend() -> AsyncIterator[tuple[OcppServer, Callable[[str], list[Frame]]]]:
    frames: Feed[Frame] = Feed()
    heard, kept = frames.subscribe(100_000), list[Frame]()

    def said(action: str) -> list[Frame]:
        kept.extend(heard.take())
        return [frame for frame in kept if frame.action == action and frame.direction.value == "in"]

    async with OcppServer(frames=frames, samples=Feed(), sighted=lambda _: None) as server:
        await server.start("127.0.0.1", 0)
        yield server, said


def unit(runtime: Runtime, identity: str) -> UnitStatus:
    return next(one for one in runtime.status.units if one.identity == identity)


async def test_a_lower_circuit_is_obeyed_while_the_same_session_goes_on(tmp_path: Path) -> None:
    async with backend() as (server, said), site() as garage:
        plan = garage.plan(tmp_path, server.state.url)
        (box,) = garage.boxes
        async with Runtime(plan, peer=garage.peer, rhythm=QUICK) as runtime:
            await until(lambda: said("StartTransaction") and box.commands and box.commands[-1].a == 24)
            lower = replace(plan, boxes=(replace(plan.boxes[0], circuit_a=16.0),))
            await runtime.reload(lower)
            await until(lambda: box.commands[-1].a == 16)
            await until(lambda: unit(runtime, "STALL-1").line is LineState.ONLINE)
            assert 0 not in {command.a for command in box.commands}, "the car is not interrupted"
            box.unplug()
            await until(lambda: said("StopTransaction"))
        assert len(said("StartTransaction")) == 1


async def test_an_unchanged_unit_keeps_its_line_and_another_comes_and_goes(tmp_path: Path) -> None:
    async with backend() as (server, said), site(2, plugged=False) as garage:
        both = garage.plan(tmp_path, server.state.url)
        one = replace(both, boxes=both.boxes[:1])
        async with Runtime(one, peer=garage.peer, rhythm=QUICK) as runtime:
            await until(lambda: unit(runtime, "STALL-1").line is LineState.ONLINE)
            await runtime.reload(both)
            await until(lambda: unit(runtime, "STALL-2").line is LineState.ONLINE)
            await runtime.reload(one)
            await until(lambda: [each.identity for each in runtime.status.units] == ["STALL-1"])
            await until(lambda: "STALL-2" not in server.endpoints)
            assert [frame.identity for frame in said("BootNotification")] == ["STALL-1", "STALL-2"]


async def test_what_waits_for_a_backend_is_delivered_after_its_box_was_taken_out(tmp_path: Path) -> None:
    async with backend() as (server, said), site(2) as garage:
        await server.stop()
        both = garage.plan(tmp_path, server.state.url)
        async with Runtime(both, peer=garage.peer, rhythm=QUICK) as runtime:
            await until(lambda: unit(runtime, "STALL-2").queued)
            garage.boxes[1].unplug()
            await until(lambda: unit(runtime, "STALL-2").state == "Available")
            await runtime.reload(replace(both, boxes=both.boxes[:1]))
            assert "taken out" in unit(runtime, "STALL-2").awaits
            await server.start("127.0.0.1", server.state.port or int(both.backends[0].url.split(":")[2].strip("/")))
            await until(lambda: [frame.identity for frame in said("StopTransaction")] == ["STALL-2"])
            await until(lambda: [each.identity for each in runtime.status.units] == ["STALL-1"])


async def test_what_cant_change_while_it_runs_is_refused_and_all_goes_on(tmp_path: Path) -> None:
    async with backend() as (server, _said), site(plugged=False) as garage:
        plan = garage.plan(tmp_path, server.state.url)
        async with Runtime(plan, peer=garage.peer, rhythm=QUICK) as runtime:
            with pytest.raises(SiteError, match="the address, the relay port"):
                await runtime.reload(replace(plan, address="192.0.2.1", relay_port=9001, boxes=()))
            await until(lambda: unit(runtime, "STALL-1").line is LineState.ONLINE)


@asynccontextmanager
async def hostile() -> AsyncIterator[str]:
    """A backend that upgrades, sends rubbish without end, and answers nothing."""

    async def talk(link: ServerConnection) -> None:
        for text in ("[", "[2]", "[3,null,5]", '[2,"x","Reset",{"type":{}}]', "\0" * 1000, "[" * 5000) * 50:
            await link.send(text)
        await link.wait_closed()

    protocols: Any = ["ocpp1.6"]
    async with serve(talk, "127.0.0.1", 0, subprotocols=protocols, close_timeout=0.2) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_hostile_backend_and_a_closed_port_harm_no_third_unit(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with backend() as (server, said), hostile() as rubbish, site(3) as garage:
            plan = garage.plan(tmp_path, server.state.url)
            nobody = f"ws://127.0.0.1:{closed.getsockname()[1]}/"
            plan = replace(
                plan,
                backends=(*plan.backends, BackendPlan(name="bad", url=rubbish), BackendPlan(name="gone", url=nobody)),
                boxes=(plan.boxes[0], replace(plan.boxes[1], backend="bad"), replace(plan.boxes[2], backend="gone")),
            )
            async with Runtime(plan, peer=garage.peer, rhythm=QUICK) as runtime:
                await until(lambda: said("StartTransaction"))
                await until(lambda: unit(runtime, "STALL-3").trouble)
                await until(lambda: unit(runtime, "STALL-2").line is not LineState.OFF)
                garage.boxes[0].unplug()
                await until(lambda: said("StopTransaction"))
                await until(lambda: unit(runtime, "STALL-2").queued)  # what it was not told waits
                assert runtime.status.trouble == ""


class Central16(ocpp.v16.ChargePoint):
    """The `ocpp` package's central system: it checks each message against its schemas."""

    @on("BootNotification")
    async def boot(self, **_: Any) -> Any:
        return ocpp.v16.call_result.BootNotification(datetime.now(UTC).isoformat(), 60, "Accepted")

    @on("SecurityEventNotification")
    async def security(self, **_: Any) -> Any:
        return ocpp.v16.call_result.SecurityEventNotification()

    @on("StatusNotification")
    async def state(self, **_: Any) -> Any:
        return ocpp.v16.call_result.StatusNotification()

    @on("Authorize")
    async def authorize(self, **_: Any) -> Any:
        return ocpp.v16.call_result.Authorize({"status": "Accepted"})

    @on("MeterValues")
    async def values(self, **_: Any) -> Any:
        return ocpp.v16.call_result.MeterValues()

    @on("StartTransaction")
    async def began(self, **_: Any) -> Any:
        return ocpp.v16.call_result.StartTransaction(7, {"status": "Accepted"})

    @on("StopTransaction")
    async def ended(self, meter_stop: int, transaction_id: int, **_: Any) -> Any:
        assert transaction_id == 7
        STOPS.append(meter_stop)
        return ocpp.v16.call_result.StopTransaction()


class Central201(ocpp.v201.ChargePoint):
    """The same for 2.0.1."""

    @on("BootNotification")
    async def boot(self, **_: Any) -> Any:
        return ocpp.v201.call_result.BootNotification(datetime.now(UTC).isoformat(), 60, "Accepted")

    @on("SecurityEventNotification")
    async def security(self, **_: Any) -> Any:
        return ocpp.v201.call_result.SecurityEventNotification()

    @on("StatusNotification")
    async def state(self, **_: Any) -> Any:
        return ocpp.v201.call_result.StatusNotification()

    @on("NotifyEvent")
    async def event(self, **_: Any) -> Any:
        return ocpp.v201.call_result.NotifyEvent()

    @on("TransactionEvent")
    async def told(self, event_type: str, meter_value: Any = (), **_: Any) -> Any:
        if event_type == "Ended":
            STOPS.append(int(meter_value[-1]["sampled_value"][0]["value"]))
        return ocpp.v201.call_result.TransactionEvent()


STOPS: list[int] = []


@pytest.mark.parametrize(("version", "central"), [("1.6", Central16), ("2.0.1", Central201)])
async def test_the_ocpp_packages_central_system_gets_a_session_to_the_wh(
    tmp_path: Path, version: str, central: type[Any]
) -> None:
    STOPS.clear()

    async def talk(link: ServerConnection) -> None:
        assert link.request is not None
        with suppress(ConnectionClosed):
            await central(link.request.path.rpartition("/")[2], link).start()

    protocols: Any = [f"ocpp{version}"]
    async with site() as garage, serve(talk, "127.0.0.1", 0, subprotocols=protocols) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        (box,) = garage.boxes
        async with Runtime(garage.plan(tmp_path, url, version), peer=garage.peer, rhythm=QUICK) as runtime:
            await until(lambda: unit(runtime, "STALL-1").state == "Charging")
            began_wh = box.told().lifetime_wh
            await until(lambda: box.told().lifetime_wh > began_wh + 20)
            box.unplug()
            await until(lambda: STOPS)
    assert [box.told().lifetime_wh] == STOPS
