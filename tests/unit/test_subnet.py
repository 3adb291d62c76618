"""The search over the local network, against real servers on loopback addresses."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from app.discovery.adapters import Network
from app.discovery.finder import Finder
from app.discovery.ranges import Span, span
from app.discovery.subnet import Door, LanSearch, knock
from app.driver.registry import Broadcast, Registry
from app.links.real import RealLinks
from app.model.frame import Adapter
from app.model.profile import Match
from app.model.unit import SourceKind
from app.scope import Scope
from tests.unit import discovery_garage as garage
from tests.unit.discovery_garage import Charger, until
from ui.models.lan import door_text

LOOP = Network(adapter=Adapter(name="lo", address="127.0.0.1", is_loopback=True), prefix=8, index=1)
LAN = replace(LOOP, adapter=Adapter(name="eth0", address="127.0.0.1", is_loopback=False))


def catalogue(port: int, *, blocks: tuple[str, ...] = ()) -> Registry:
    found = garage.registry()
    http = found.drivers["test-http"]
    lan = replace(http, sources=http.sources | {SourceKind.LAN}, asks=("GET /who",))
    box = replace(found.profiles["box"], match=Match(ports=(port,), mac_prefixes=blocks))
    return Registry([lan], [box])


class Searching:
    """A search with a finder behind it."""

    def __init__(self, port: int, scope: Scope, *, registry: Registry | None = None, **options: object) -> None:
        registry, links = registry or catalogue(port), RealLinks()
        self.finder = Finder(registry=registry, links=links, scope=scope, ours=frozenset)
        self.search = LanSearch(
            registry=registry, finder=self.finder, links=links, scope=scope, asks_loopback=True, **options
        )

    async def over(self, wanted: Span) -> None:
        self.search.start(wanted)
        await self.search.finished()


@asynccontextmanager
async def searching(port: int, **options: object) -> AsyncIterator[Searching]:
    async with Scope("test") as scope:
        yield Searching(port, scope, **options)


def hosts(text: str, network: Network = LOOP) -> Span:
    return span(network, text)


async def test_chargers_are_found_and_strangers_are_told_apart(free_port: int) -> None:
    async with AsyncExitStack() as stack, searching(free_port) as at:
        for place in (3, 9):
            await stack.enter_async_context(Charger(host=f"127.0.7.{place}", port=free_port, serial=f"SN20260{place}"))
        await stack.enter_async_context(Charger(host="127.0.7.20", port=free_port, charger=False))
        await at.over(hosts("127.0.7.1-40"))
        found = {item.host: item.unit_id for item in at.search.answers}
        assert found == {"127.0.7.3": "serial-sn202603", "127.0.7.9": "serial-sn202609", "127.0.7.20": ""}
        assert not any(item.is_open for item in at.search.answers)
        assert (at.search.progress.total, at.search.progress.done, at.search.progress.is_running) == (40, 40, False)
        assert {way.source for unit in at.finder.units.values() for way in unit.ways} == {SourceKind.LAN}


async def test_a_second_search_leaves_known_chargers_alone(free_port: int) -> None:
    async with Charger(host="127.0.7.3", port=free_port, serial="SN202603") as unit, searching(free_port) as at:
        await at.over(hosts("127.0.7.1-5"))
        asked = unit.asked
        await at.over(hosts("127.0.7.1-5"))
        assert unit.asked == asked
        assert (at.search.progress.total, at.search.progress.skipped) == (4, 1)


async def test_nothing_runs_before_it_is_wanted_and_it_ends_when_told(free_port: int) -> None:
    gate = asyncio.Event()
    knocked: list[str] = []

    async def waiting(host: str, port: int, own: str) -> Door:
        knocked.append(host)
        await gate.wait()
        return Door.CLOSED

    async with searching(free_port, connect=waiting) as at:
        assert at.search.asks()[0].calls == ("GET /who",)
        assert at.search.networks()
        assert not knocked
        at.search.start(hosts("127.0.7.0/24"))
        with at.search.changes.subscribe() as changes:
            assert (await anext(aiter(changes))).is_running
            at.search.stop()
            await at.search.finished()
        assert not at.search.progress.is_running
        assert at.search.progress.done < 256


async def test_an_address_with_nobody_behind_costs_one_connection(free_port: int) -> None:
    knocks: list[tuple[str, int]] = []

    async def silent(host: str, port: int, own: str) -> Door:
        knocks.append((host, port))
        return Door.SILENT

    async def table() -> Mapping[str, str]:
        return {"127.0.7.2": "24:0A:C4:00:00:01"}

    async with searching(free_port, connect=silent, table=table) as at:
        at.search._doors = {80: (), 443: ()}
        await at.over(hosts("127.0.7.1-3", LAN))
        assert sorted(knocks) == [("127.0.7.1", 80), ("127.0.7.2", 80), ("127.0.7.2", 443), ("127.0.7.3", 80)]


async def test_the_network_chips_address_comes_along_as_a_hint(free_port: int) -> None:
    async def table() -> Mapping[str, str]:
        return {"127.0.7.3": "24:0A:C4:00:00:01"}

    async with Charger(host="127.0.7.3", port=free_port, serial="SN202603"), searching(free_port, table=table) as at:
        await at.over(hosts("127.0.7.3"))
        assert [item.mac for item in at.search.answers] == ["24:0A:C4:00:00:01"]
        unit = await until(at.finder, lambda units: next(iter(units.values()), None))
        assert not unit.identity.mac  # a hint names nobody


async def test_a_strangers_chip_of_a_charger_maker_is_told(free_port: int) -> None:
    async def table() -> Mapping[str, str]:
        return {"127.0.7.3": "7C:BA:C0:00:00:01"}

    printer = Charger(host="127.0.7.3", port=free_port, charger=False)
    known = catalogue(free_port, blocks=("7C:BA:C0",))
    async with printer, searching(free_port, table=table, registry=known) as at:
        await at.over(hosts("127.0.7.3"))
        assert [item.makers for item in at.search.answers] == [("Test",)]
        assert "perhaps a charger of theirs" in door_text(at.search.answers[0])


async def test_a_udp_port_in_use_is_told_and_costs_no_answer(free_port: int) -> None:
    async with Charger(host="127.0.7.3", port=free_port, serial="SN202603"), searching(free_port) as at:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("", 0))
            at.search._questions = (Broadcast(port=taken.getsockname()[1], question=b"i"),)
            await at.over(hosts("127.0.7.3-4"))
        assert [item.unit_id for item in at.search.answers] == ["serial-sn202603"]
        assert at.search.progress.trouble


async def test_the_rate_is_held(free_port: int) -> None:
    async with searching(free_port, rate=100.0) as at:
        await at.over(hosts("127.0.7.1-30"))
        assert at.search.progress.took_s >= 0.28


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_knock_sends_nothing(free_port: int, is_open: bool) -> None:
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.append(await reader.read())
        except ConnectionResetError:
            heard.append(b"")
        writer.close()
        ended.set()

    async with AsyncExitStack() as stack:
        if is_open:
            await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", free_port))
        assert await knock("127.0.0.1", free_port, "") is (Door.OPEN if is_open else Door.CLOSED)
        if is_open:
            await asyncio.wait_for(ended.wait(), 5)
            assert heard == [b""]


async def test_a_silent_port_does_not_keep_a_typed_address_waiting(free_port: int) -> None:
    async with AsyncExitStack() as stack, Scope("test") as scope:
        mute = await stack.enter_async_context(Charger(host="127.0.7.5", port=free_port))
        mute.gate.clear()
        unit = await stack.enter_async_context(Charger(host="127.0.7.5", serial="SN202605"))
        found = catalogue(free_port)
        both = replace(found.profiles["box"], match=Match(ports=(free_port, unit.address.port)))
        registry = Registry(found.drivers.values(), [both])
        finder = Finder(registry=registry, links=RealLinks(), scope=scope, ours=frozenset)
        async with asyncio.timeout(3):
            assert (await finder.add("127.0.7.5")).identity.serial == "SN202605"
        assert len(finder.units) == 1
