"""A question to everybody: who answers is sighted, strangers and floods are not, a taken port is said."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from app import drivers, resources
from app.discovery.adapters import Network
from app.discovery.broadcast import SIGHTING_LIMIT, BroadcastSource, broadcast_address
from app.discovery.finder import Finder
from app.driver.registry import Broadcast, Registry, load_drivers, load_profiles
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.frame import Adapter, SourceHealth, SourceState
from app.model.unit import Sighting, SourceKind
from app.scope import Scope
from tests.conftest import TIME_UNIT_S
from tests.drivers.rigs_keba import keba
from tests.ports import free_port

LOOPBACK = Network(adapter=Adapter(name="lo", address="127.0.0.1", is_loopback=True), prefix=8, index=1)
LAN = Network(adapter=Adapter(name="eth0", address="192.168.7.20"), prefix=24, index=2)
EVERYBODY = "127.255.255.255"


class Told:
    """What a source reported, and events for it."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.states: list[SourceState] = []
        self.done = asyncio.Event()

    def state(self, state: SourceState) -> None:
        self.states.append(state)
        if state.health is not SourceHealth.STARTING:
            self.done.set()

    @property
    def hosts(self) -> list[str]:
        return [item.address.host for item in self.sightings if isinstance(item.address, NetAddress)]


def source_of(port: int, *, network: Network = LOOPBACK, links: object = None, **options: object) -> BroadcastSource:
    everybody = links or RealLinks().everybody
    return BroadcastSource(
        [Broadcast(port=port, question=b"i"), None],
        everybody,  # type: ignore[arg-type]
        adapter=lambda: network.adapter.address,
        list_networks=lambda: [LOOPBACK, LAN],
        **{"asks_loopback": True, "round_s": TIME_UNIT_S, **options},  # type: ignore[arg-type]
    )


async def asked(source: BroadcastSource, *, times: int = 1) -> Told:
    told = Told()
    async with Scope("test") as scope:
        scope.isolated("source", source.run(told.sightings.append, told.state))
        for count in range(times):
            if count:
                source.ask_again()
            await asyncio.wait_for(told.done.wait(), 5)
            told.done.clear()
    return told


async def test_everybody_who_answers_is_sighted_once():
    port = free_port()
    async with (
        keba("p30-x", host="127.0.0.21", port=port, broadcast_host=EVERYBODY),
        keba("p20-e", host="127.0.0.22", port=port, broadcast_host=EVERYBODY),
        keba("bmw", host="127.0.0.23", port=port, broadcast_host=EVERYBODY, dip_udp=False),
    ):
        told = await asked(source_of(port))
    assert sorted(told.hosts) == ["127.0.0.21", "127.0.0.22"]
    assert {item.source for item in told.sightings} == {SourceKind.BROADCAST}
    assert all(item.address.scheme == "udp" for item in told.sightings)  # type: ignore[union-attr]
    assert told.states[-1].health is SourceHealth.WORKING
    assert told.states[-1].text.startswith("2 answers")


async def test_it_asks_only_when_it_starts_and_when_it_is_wanted():
    port = free_port()
    async with keba(host="127.0.0.21", port=port, broadcast_host=EVERYBODY) as unit:
        await asked(source_of(port))
        once = len(unit.heard)
        assert set(unit.heard) == {"i"}
        await asked(source_of(port), times=2)
        assert len(unit.heard) == 3 * once


async def test_a_port_held_by_another_program_is_said_and_asking_again_helps():
    port, told = free_port(), Told()
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", port))
    source = source_of(port)
    async with keba(host="127.0.0.21", port=port, broadcast_host=EVERYBODY), Scope("test") as scope:
        scope.isolated("source", source.run(told.sightings.append, told.state))
        await asyncio.wait_for(told.done.wait(), 5)
        assert told.states[-1].health is SourceHealth.FAILED
        assert "energy manager" in told.states[-1].advice
        told.done.clear()
        other.close()
        source.ask_again()
        await asyncio.wait_for(told.done.wait(), 5)
        assert told.states[-1].health is SourceHealth.WORKING
    assert told.hosts == ["127.0.0.21"]


@pytest.mark.parametrize(
    "options",
    [{"asks_loopback": False}, {"network": Network(adapter=Adapter(name="x", address="10.9.9.9"), prefix=8, index=9)}],
)
async def test_without_a_network_nothing_is_sent(options):
    async def never(*_: object, **__: object) -> object:
        raise AssertionError("nothing may be opened")

    told = await asked(source_of(7090, links=never, **options))
    assert told.states[-1].health is SourceHealth.OFF


class Crowd:
    """A network whose answers a test makes up."""

    def __init__(self, answers: list[tuple[str, bytes]]) -> None:
        self.answers = answers
        self.sent: list[bytes] = []
        self.target: NetAddress | None = None
        self.is_closed = False

    async def __call__(self, address: NetAddress, *, local_port: int) -> Crowd:
        assert local_port == address.port
        self.target = address
        return self

    async def send(self, data: bytes) -> None:
        self.sent.append(data)

    async def receive_from(self, *, timeout_s: float) -> tuple[str, bytes]:
        from app.errors import TimedOut

        if not self.answers:
            raise TimedOut("nobody", "wait")
        return self.answers.pop(0)

    async def close(self) -> None:
        self.is_closed = True


async def test_only_the_adapters_own_network_is_asked_and_believed():
    crowd = Crowd(
        [
            ("192.168.7.31", b'"Firmware":"P30 v 3.10"'),
            ("192.168.7.20", b"i"),
            ("192.168.7.32", b"i"),
            ("10.0.0.66", b"I am elsewhere"),
            ("not an address", b"?"),
            ("192.168.7.33", b"\x1b[2J\xff" * 500),
        ]
    )
    told = await asked(source_of(7090, network=LAN, links=crowd))
    assert crowd.target == NetAddress(host="192.168.7.255", port=7090, scheme="udp")
    assert crowd.sent == [b"i"] * 3
    assert crowd.is_closed
    assert told.hosts == ["192.168.7.31", "192.168.7.33"]
    assert all(item.hints["answer"].isprintable() and len(item.hints["answer"]) <= 120 for item in told.sightings)


async def test_a_flood_of_senders_is_bounded():
    crowd = Crowd([(f"127.1.{number // 250}.{number % 250 + 1}", b"x") for number in range(5000)])
    told = await asked(source_of(7090, links=crowd))
    assert len(told.sightings) == SIGHTING_LIMIT


def test_the_broadcast_address_is_that_of_the_network():
    assert broadcast_address(LAN) == "192.168.7.255"
    assert broadcast_address(LOOPBACK) == EVERYBODY


def registry_at(port: int) -> Registry:
    """All families, with the one asked over UDP at a port of the test's own."""
    profiles = [
        replace(item, match=replace(item.match, ports=(port,))) if item.match.scheme == "udp" else item
        for item in load_profiles(resources.texts("profiles", ".toml"))
    ]
    asked = Broadcast(port=port, question=b"i")
    every = load_drivers(drivers)
    return Registry([replace(item, broadcast=asked) if item.broadcast else item for item in every], profiles)


@pytest.mark.parametrize("typed", ["127.0.0.32", "127.0.0.32:{port}"])
async def test_an_address_that_is_typed_is_asked_over_udp_too(typed: str):
    port = free_port()
    async with keba("p30-c", host="127.0.0.32", port=port, serial="33334444"), Scope("test") as scope:
        finder = Finder(registry=registry_at(port), links=RealLinks(), scope=scope, ours=frozenset)
        unit = await asyncio.wait_for(finder.add(typed.format(port=port)), 15)
        assert (unit.identity.serial, unit.identity.profile_id) == ("33334444", "keba-c")


async def test_a_charger_that_answers_becomes_a_unit():
    port, links = free_port(), RealLinks()
    registry = registry_at(port)
    source = BroadcastSource(
        [driver.broadcast for driver in registry.drivers.values()],
        links.everybody,
        adapter=lambda: "127.0.0.1",
        list_networks=lambda: [LOOPBACK],
        asks_loopback=True,
        round_s=TIME_UNIT_S,
    )
    async with (
        keba("p30-x", host="127.0.0.31", port=port, broadcast_host=EVERYBODY, serial="11112222"),
        Scope("test") as scope,
    ):
        finder = Finder(registry=registry, links=links, scope=scope, ours=frozenset)
        with finder.statuses.subscribe() as statuses:
            finder.start([source])
            await asyncio.wait_for(anext(statuses), 10)
    (unit,) = finder.units.values()
    assert (unit.identity.serial, unit.identity.profile_id) == ("11112222", "keba-x")
