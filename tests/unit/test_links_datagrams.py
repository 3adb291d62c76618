"""UDP from one fixed port: shared by all links, sorted by sender, closed with the last, honest when taken."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.errors import LinkLost, NotReachable, PortInUse, TimedOut
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.links.replay import ReplayLinks
from app.model.address import NetAddress
from tests.conftest import TIME_UNIT_S
from tests.ports import free_port


@contextmanager
def plain_socket(host: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((host, port))
        peer.settimeout(2)
        yield peer


def at(peer: socket.socket) -> NetAddress:
    host, port = peer.getsockname()
    return NetAddress(host=host, port=port, scheme="udp")


async def test_answers_go_to_the_link_whose_peer_sent_them():
    ours, links = free_port(), RealLinks()
    with plain_socket("127.0.0.2") as one, plain_socket("127.0.0.3") as other:
        to_one, to_other = [await links.udp(at(peer), local_port=ours) for peer in (one, other)]
        again = await links.udp(at(one), local_port=ours)
        await to_one.send(b"report 1")
        data, sender = await asyncio.to_thread(one.recvfrom, 100)
        assert (data, sender) == (b"report 1", ("127.0.0.1", ours))
        one.sendto(b"from one", sender)
        other.sendto(b"from the other", sender)
        assert await to_one.receive(timeout_s=1) == b"from one"
        assert await again.receive(timeout_s=1) == b"from one"
        assert await to_other.receive(timeout_s=1) == b"from the other"
        with pytest.raises(TimedOut):
            await to_other.receive(timeout_s=TIME_UNIT_S)
        for link in (to_one, to_other, again):
            await link.close()


async def test_the_port_is_free_again_when_the_last_link_has_closed():
    ours, links = free_port(), RealLinks()
    with plain_socket("127.0.0.2") as peer:
        first, second = [await links.udp(at(peer), local_port=ours) for _ in range(2)]
        await first.close()
        await first.close()
        with pytest.raises(OSError, match="in use"), plain_socket(port=ours):
            pass
        await second.send(b"still here")
        assert (await asyncio.to_thread(peer.recvfrom, 100))[0] == b"still here"
        await second.close()
        with plain_socket(port=ours):
            pass
        for action in (second.send(b"x"), second.receive(timeout_s=1)):
            with pytest.raises(LinkLost):
                await action


async def test_a_port_held_by_another_program_is_said_with_advice():
    with plain_socket() as other_program, plain_socket("127.0.0.2") as peer:
        held = other_program.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            await RealLinks().udp(at(peer), local_port=held)
    assert caught.value.port == held
    assert "Close the other program" in caught.value.advice


async def test_links_may_be_opened_and_closed_at_the_same_moment():
    ours, links = free_port(), RealLinks()

    async def use() -> None:
        link = await links.udp(NetAddress(host="127.0.0.2", port=9), local_port=ours)
        await link.close()

    await asyncio.gather(*(use() for _ in range(20)))
    with plain_socket(port=ours):
        pass


async def test_closing_wakes_who_waits():
    with plain_socket("127.0.0.2") as peer:
        link = await RealLinks().udp(at(peer), local_port=free_port())
        waiting = asyncio.gather(link.receive(timeout_s=5), return_exceptions=True)
        await asyncio.sleep(0)
        await link.close()
        assert isinstance((await asyncio.wait_for(waiting, 1))[0], LinkLost)


async def test_a_flood_drops_the_oldest_and_costs_no_more_memory():
    ours = free_port()
    with plain_socket("127.0.0.2") as peer:
        link = await RealLinks().udp(at(peer), local_port=ours)
        for number in range(300):
            peer.sendto(str(number).encode(), ("127.0.0.1", ours))
            await asyncio.sleep(0)
        peer.sendto(b"last", ("127.0.0.1", ours))
        for _ in range(300):
            await asyncio.sleep(0)
        found = [await link.receive(timeout_s=1)]
        while found[-1] != b"last":
            found.append(await link.receive(timeout_s=1))
        assert len(found) == 256
        assert found[0] == b"45"
        await link.close()


async def test_a_name_that_leads_nowhere_is_not_reachable():
    with pytest.raises(NotReachable):
        await RealLinks().udp(NetAddress(host="nowhere.invalid", port=7090), local_port=free_port())


async def test_everybody_hears_the_question_and_each_answer_names_its_sender():
    ours, links = free_port(), RealLinks()
    with plain_socket("127.0.0.2") as peer:
        call = await links.everybody(at(peer), local_port=ours)
        beside = await links.udp(at(peer), local_port=ours)
        await call.send(b"i")
        _, sender = await asyncio.to_thread(peer.recvfrom, 100)
        peer.sendto(b"here", sender)
        assert await call.receive_from(timeout_s=1) == ("127.0.0.2", b"here")
        with plain_socket("127.0.0.9") as stranger:
            stranger.sendto(b"me too", ("127.0.0.1", ours))
            assert await call.receive_from(timeout_s=1) == ("127.0.0.9", b"me too")
        await beside.close()
        await call.close()


async def test_it_is_recorded_and_replayed(tmp_path):
    file = tmp_path / "shared.jsonl"
    with Recorder(file) as recorder, plain_socket("127.0.0.2") as peer:
        link = await RealLinks(recorder=recorder).udp(at(peer), local_port=free_port())
        await link.send(b"report 1")
        _, sender = await asyncio.to_thread(peer.recvfrom, 100)
        peer.sendto(b'{"ID": "1"}', sender)
        await link.receive(timeout_s=1)
        await link.close()
    replayed = await ReplayLinks.of(file).udp(NetAddress(host="recorded"), local_port=7090)
    await replayed.send(b"report 1")
    assert b'"ID"' in await replayed.receive(timeout_s=1)
    await replayed.close()
