"""mDNS on loopback with real sockets, against python-zeroconf as the responder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from app.discovery.adapters import Network
from app.discovery.mdns import MdnsSource
from app.model.address import NetAddress
from app.model.frame import Adapter, SourceHealth, SourceState
from app.model.unit import Sighting
from app.scope import Scope
from tests.unit.discovery_garage import KIND, ODD_KINDS, Charger, finder, until

pytestmark = pytest.mark.xdist_group("mdns")
"""One after the other: a flood on loopback's one multicast group drowns what is said there once, in every process."""

LO = "127.0.0.1"
LOOPBACK = Network(adapter=Adapter(name="lo", address=LO, is_loopback=True), prefix=8, index=1)


class Heard:
    """Collects what a source reports and lets tests wait for it."""

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []
        self.states: list[SourceState] = []
        self._news = asyncio.Event()

    def report(self, sighting: Sighting) -> None:
        self.sightings.append(sighting)
        self._news.set()

    def state(self, state: SourceState) -> None:
        self.states.append(state)
        self._news.set()

    async def until(self, wanted: Callable[[], object], limit_s: float = 10) -> None:
        async with asyncio.timeout(limit_s):
            while not wanted():
                self._news.clear()
                await self._news.wait()

    @property
    def health(self) -> SourceHealth | None:
        return self.states[-1].health if self.states else None

    def names(self, *, gone: bool = False) -> set[str]:
        return {item.hints["name"] for item in self.sightings if item.is_gone is gone}


@asynccontextmanager
async def listening(source: MdnsSource) -> AsyncIterator[Heard]:
    heard = Heard()
    async with Scope("test") as scope:
        scope.required("mdns", source.run(heard.report, heard.state))
        yield heard


@asynccontextmanager
async def responder() -> AsyncIterator[AsyncZeroconf]:
    zeroconf = AsyncZeroconf(interfaces=[LO])
    try:
        yield zeroconf
    finally:
        await zeroconf.async_close()


def service(name: str, *, kind: str = KIND, port: int = 80, host: str = LO, **txt: object) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        f"{kind}.local.",
        f"{name}.{kind}.local.",
        port=port,
        properties=txt,
        server=f"{name}.local.",
        addresses=[socket.inet_aton(host)],
    )


async def announce(zeroconf: AsyncZeroconf, services: Iterable[AsyncServiceInfo]) -> None:
    for info in services:
        await zeroconf.async_register_service(info, cooperating_responders=True, strict=False)


async def say_goodbye(
    zeroconf: AsyncZeroconf, info: AsyncServiceInfo, heard: Heard, wanted: Callable[[], object]
) -> None:
    """Take a service back, and say so until it was heard: others may flood loopback's one group just then."""
    await (await zeroconf.async_unregister_service(info))
    async with asyncio.timeout(10):
        while True:
            with suppress(TimeoutError):
                return await heard.until(wanted, limit_s=1)
            zeroconf.zeroconf.async_send(zeroconf.zeroconf.generate_service_broadcast(info, 0))


async def test_a_service_is_seen_with_its_text_and_leaves_with_its_goodbye() -> None:
    source = MdnsSource([KIND], [LO])
    async with listening(source) as heard, responder() as zeroconf:
        info = service("box-1", port=8081, version="v5.1.5", id="240AC411A7D4", empty=None)
        await announce(zeroconf, [info])
        await heard.until(lambda: heard.sightings)
        seen = heard.sightings[0]
        assert seen.address == NetAddress(host=LO, port=8081)
        assert (seen.hints["type"], seen.hints["name"], seen.hints["host"]) == (KIND, "box-1", "box-1.local")
        assert (seen.hints["txt.version"], seen.hints["txt.empty"]) == ("v5.1.5", "")
        await say_goodbye(zeroconf, info, heard, lambda: "box-1" in heard.names(gone=True))
        await announce(zeroconf, [service("box-1", port=8081)])
        await heard.until(lambda: not heard.sightings[-1].is_gone)


async def test_what_was_announced_before_we_came_is_found() -> None:
    async with responder() as zeroconf:
        await announce(zeroconf, [service(f"box-{number}", port=8000 + number) for number in range(20)])
        async with listening(MdnsSource([KIND], [LO])) as heard:
            await heard.until(lambda: len(heard.names()) == 20)
            assert heard.states[0].health is SourceHealth.STARTING
            await heard.until(lambda: heard.health is SourceHealth.WORKING)


@pytest.mark.parametrize("kind", ODD_KINDS, ids=["long", "underscores", "nested"])
async def test_type_names_that_break_the_rfc_are_watched(kind: str) -> None:
    async with listening(MdnsSource([kind, KIND], [LO])) as heard, responder() as zeroconf:
        await announce(zeroconf, [service("odd", kind=kind)])
        await heard.until(lambda: heard.sightings)
        assert (heard.sightings[0].hints["type"], heard.sightings[0].hints["name"]) == (kind, "odd")


async def test_a_changed_text_or_port_is_reported_again() -> None:
    async with listening(MdnsSource([KIND], [LO])) as heard, responder() as zeroconf:
        await announce(zeroconf, [service("box", version="1")])
        await heard.until(lambda: heard.sightings)
        await zeroconf.async_update_service(service("box", version="2"))
        await heard.until(lambda: heard.sightings[-1].hints.get("txt.version") == "2")
        await zeroconf.async_update_service(service("box", version="2", port=81))
        await heard.until(lambda: heard.sightings[-1].address == NetAddress(host=LO, port=81))
        assert any(item.is_gone and item.address == NetAddress(host=LO, port=80) for item in heard.sightings)


async def test_two_services_of_one_address_leave_only_together() -> None:
    other = ODD_KINDS[0]
    source = MdnsSource([KIND, other], [LO])
    async with listening(source) as heard, responder() as zeroconf:
        first, second = service("box"), service("box", kind=other)
        await announce(zeroconf, [first, second])
        await heard.until(lambda: {item.hints["type"] for item in heard.sightings} == {KIND, other})
        await say_goodbye(zeroconf, second, heard, lambda: source.tracked == 1)
        await say_goodbye(zeroconf, first, heard, lambda: any(item.is_gone for item in heard.sightings))
        assert [item.hints["type"] for item in heard.sightings if item.is_gone] == [KIND]


async def test_addresses_outside_the_site_are_never_reported() -> None:
    async with listening(MdnsSource([KIND], [LO])) as heard, responder() as zeroconf:
        strangers = [service(f"far-{number}", host=host) for number, host in enumerate(["8.8.8.8", "224.0.0.9"])]
        await announce(zeroconf, [*strangers, service("near")])
        await heard.until(lambda: heard.sightings)
        assert heard.names() == {"near"}


async def test_services_of_others_can_be_left_out() -> None:
    source = MdnsSource([KIND], [LO], accepts=lambda sighting: sighting.hints["name"] != "neighbour")
    async with listening(source) as heard, responder() as zeroconf:
        await announce(zeroconf, [service("neighbour"), service("mine")])
        await heard.until(lambda: heard.sightings)
        assert heard.names() == {"mine"}


async def test_the_oldest_are_dropped_in_a_flood_and_it_is_said(unit_s: float) -> None:
    source = MdnsSource([KIND], [LO], limit=10, recheck_s=unit_s)
    async with listening(source) as heard, responder() as zeroconf:
        await announce(zeroconf, [service(f"box-{number}", port=8000 + number) for number in range(30)])
        await heard.until(lambda: heard.health is SourceHealth.LIMITED)
        assert source.tracked <= 10
        assert heard.states[-1].advice
        await announce(zeroconf, [service("newcomer")])
        await heard.until(lambda: "newcomer" in heard.names())


async def test_adapters_that_come_and_go_are_followed(unit_s: float) -> None:
    present: list[Network] = []
    source = MdnsSource([KIND], [LO], list_networks=lambda: list(present), recheck_s=unit_s)
    async with listening(source) as heard, responder() as zeroconf:
        await heard.until(lambda: heard.health is SourceHealth.LIMITED)
        assert "cable" in heard.states[-1].advice
        await announce(zeroconf, [service("box")])
        present.append(LOOPBACK)
        await heard.until(lambda: "box" in heard.names())
        present.clear()
        await heard.until(lambda: heard.health is SourceHealth.LIMITED)
        present.append(LOOPBACK)
        await heard.until(lambda: heard.health is SourceHealth.WORKING)
        await announce(zeroconf, [service("later")])
        await heard.until(lambda: "later" in heard.names())


async def test_an_adapter_that_refuses_multicast_does_not_silence_the_others(unit_s: float) -> None:
    gone = Network(adapter=Adapter(name="ghost", address="203.0.113.77"), prefix=24, index=99)
    ghost6 = Network(adapter=Adapter(name="ghost", address="fe80::77%99"), prefix=64, index=99)
    virtual = Network(adapter=Adapter(name="docker0", address="203.0.113.78"), prefix=24, index=98)
    listed = [gone, ghost6, virtual, LOOPBACK]
    ours = [network.adapter.address for network in listed]
    source = MdnsSource([KIND], ours, list_networks=lambda: listed, recheck_s=unit_s)
    async with listening(source) as heard, responder() as zeroconf:
        await announce(zeroconf, [service("box")])
        await heard.until(lambda: heard.sightings)
        await heard.until(lambda: heard.health is SourceHealth.LIMITED)
        assert "ghost" in heard.states[-1].text
        assert "docker0" not in heard.states[-1].text


async def test_what_the_system_refuses_is_told_to_the_finder() -> None:
    def refuse() -> list[Network]:
        raise OSError(1, "Operation not permitted")

    async with finder() as found:
        with found.source_changes.subscribe() as states:
            found.start([MdnsSource([KIND], [LO], list_networks=refuse)])
            async with asyncio.timeout(5):
                async for state in states:
                    if state.health is SourceHealth.FAILED:
                        break
        assert "Operation not permitted" in found.sources["mdns"].text
        assert found.sources["mdns"].advice


async def test_nothing_to_watch_is_off() -> None:
    async with listening(MdnsSource([], [LO])) as heard:
        await heard.until(lambda: heard.health is SourceHealth.OFF)


async def test_from_announcement_to_unit_and_back() -> None:
    async with Charger(name="hall", mac="240AC411A7D4") as charger, finder() as found, responder() as zeroconf:
        found.start([MdnsSource([KIND], [LO])])
        info = service("hall", port=charger.address.port)
        await announce(zeroconf, [info])
        unit = await until(found, lambda units: next((u for u in units.values() if u.state), None))
        assert unit.identity.name == "hall"
        await (await zeroconf.async_unregister_service(info))
        await until(found, lambda units: not units[unit.unit_id].is_present)
