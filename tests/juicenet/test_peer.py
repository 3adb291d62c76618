"""The sockets: one adapter, chosen ports, honest boxes among noise."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from app.errors import PortInUse, ServerError, ValueRejected
from app.juicenet.peer import JuicePeer
from app.sim.juicebox import JuiceBox
from app.sim.juicebox_datagram import Form
from tests.juicenet.kit import BOX, plain_box, said


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[JuicePeer, int]]:
    async with JuicePeer("127.0.0.1", (0,)) as peer:
        yield peer, peer.state.ports[0]


async def heard(peer: JuicePeer, box_id: str) -> None:
    with peer.states.subscribe() as states:
        async with asyncio.timeout(5):
            while (state := peer.boxes.get(box_id)) is None or state.report is None:
                await anext(states)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("online_field", ["A", "M"])
async def test_a_simulated_box_of_each_form_obeys_whichever_field_it_takes(
    form: Form, online_field: str, unit_s: float
):
    async with (
        listening() as (peer, port),
        JuiceBox("jb2", form=form, online_field=online_field, target=("127.0.0.1", port), time_scale=unit_s) as box,
    ):
        box.plug_in()
        await heard(peer, box.serial)
        at = peer.boxes[box.serial].last_heard
        peer.adopt(peer.book.proposal(box.serial, 24, at=at, rating_a=40))
        peer.allow(box.serial, 24)
        box.report()
        async with asyncio.timeout(5):
            with peer.states.subscribe() as states:
                while not box.commands:
                    box.report()
                    await anext(states)
        assert (box.power.online_a, box.power.offline_a, box.refused) == (24, 24, 0)


async def test_reports_are_published_as_they_come_and_states_together():
    async with listening() as (peer, port), plain_box(port) as box:
        with peer.reports.subscribe() as reports, peer.states.subscribe() as states:
            box.report()
            box.report()
            async with asyncio.timeout(5):
                assert [(await anext(reports)).box_id for _ in range(2)] == [BOX, BOX]
                assert (await anext(states)).datagrams == 2


async def test_noise_is_counted_and_answered_by_nothing():
    async with listening() as (peer, port), plain_box(port) as box:
        box.send(b"\x00\xff noise")
        box.send(b"x" * 4000)
        box.send(said()[:-4] + b"AAA:")
        box.report()
        await heard(peer, BOX)
        state = peer.state
        assert (state.received, state.nonsense, state.answered) == (4, 3, 0)


async def test_ports_are_free_again_and_what_was_said_stays():
    async with listening() as (peer, port):
        async with plain_box(port) as box:
            box.report()
            await heard(peer, BOX)
        await peer.stop()
        await peer.stop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", port))
        assert not peer.state.is_listening
        assert BOX in peer.boxes


async def test_an_address_that_is_not_ours_is_told():
    with pytest.raises(ServerError) as caught:
        await JuicePeer("192.0.2.7", (0,)).start()
    assert caught.value.advice


async def test_only_one_program_holds_a_port():
    async with listening() as (_, port):
        with pytest.raises(PortInUse, match="UDP port"):
            await JuicePeer("127.0.0.1", (port,)).start()


async def test_a_box_nobody_adopted_can_be_neither_allowed_nor_paused():
    async with listening() as (peer, _):
        with pytest.raises(ValueRejected):
            peer.pause(BOX)
