"""A JuiceBox led away, sealed and left at 0 A is brought back step by step: our DNS, our peer, its console, our words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

import app.drivers
from app import resources
from app.driver.capability import Identifies, ReadsSettings, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.juicenet.peer import JuicePeer
from app.juicenet.rescue import ConsoleSeen, Known, Step, StepState, console_seen, next_step, steps
from app.links.real import RealLinks
from app.model.garage import Asked
from app.model.juicebox import BoxState
from app.model.setting import Change
from app.sim.juicebox import ENEL, JuiceBox
from app.sim.juicebox_console import JuiceBoxTelnet
from app.sim.juicebox_names import DEFAULT
from app.standin import names
from app.standin.dns import DnsStand

OURS = "127.0.0.1"
LIMIT_S = 10.0
PACE = 0.02
REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))


class Garage:
    """Our DNS and our peer, and what they saw."""

    def __init__(self, peer: JuicePeer, dns: DnsStand, asked: list[Asked]) -> None:
        self.peer = peer
        self.dns = dns
        self.asked = asked
        self.console: ConsoleSeen | None = None

    def known(self, box: JuiceBox) -> Known:
        return Known(
            at=datetime.now(UTC),
            our_address=OURS,
            console=self.console,
            asked=tuple(self.asked),
            box=self.peer.boxes.get(box.serial),
        )

    def next(self, box: JuiceBox) -> Step:
        found = next_step(steps(self.known(box)))
        assert found is not None
        return found

    async def until(self, box: JuiceBox, fits: Callable[[BoxState], bool]) -> BoxState:
        with self.peer.states.subscribe() as states:
            async with asyncio.timeout(LIMIT_S):
                while not ((state := self.peer.boxes.get(box.serial)) is not None and fits(state)):
                    await anext(states)
        return state


@asynccontextmanager
async def garage() -> AsyncIterator[Garage]:
    asked: list[Asked] = []
    sets = tuple(item for item in names.read().sets if item.id == "juicebox-enel-us")
    dns = DnsStand(
        choice=names.Choice(sets=sets),
        is_near=lambda _client: True,
        tell=asked.append,
        knows=lambda _name: "",
        now=lambda: datetime.now(UTC),
    )
    await dns.open(OURS, 0)
    try:
        async with JuicePeer(OURS, (0,)) as peer:
            yield Garage(peer, dns, asked)
    finally:
        await dns.close()


async def console_of(unit: JuiceBoxTelnet) -> ConsoleSeen:
    profile = REGISTRY.profiles["juicebox-console"]
    async with REGISTRY.driver_of(profile).open(unit.address, profile, RealLinks()) as session:
        identity = await session.ask(Identifies).identify()
        return console_seen(identity, await session.ask(ReadsSettings).read_settings())


@pytest.mark.parametrize("make", ["jb1", "jb2"])
async def test_a_sealed_box_at_0_a_is_brought_back_step_by_step(make: str) -> None:
    async with garage() as here:
        port = here.peer.state.ports[0]
        box = JuiceBox(
            make,
            dials=ENEL,
            is_sealed=True,
            offline_a=0,
            dns=(OURS, here.dns.port),
            ports={DEFAULT[1]: port, ENEL[1]: port, 443: 9},
            time_scale=PACE,
        )
        async with JuiceBoxTelnet(box) as unit:
            await here.until(box, lambda state: state.is_encrypted)
            assert (here.next(box).id, here.next(box).state) == ("heard", StepState.PROBLEM)

            here.console = await console_of(unit)
            assert here.console.dials == f"{ENEL[0]}:{ENEL[1]}"
            assert (here.console.default_at, here.console.directory_at) == (OURS, "")

            await box.power_cycle()
            heard = await here.until(box, lambda state: state.report is not None and not state.is_encrypted)
            assert here.next(box).id == "limit"
            assert "confirm" in here.next(box).next
            assert heard.is_locked
            assert not box.commands

            at = datetime.now(UTC)
            here.peer.adopt(here.peer.book.proposal(box.serial, 24, at=at, is_revived=True))
            here.peer.allow(box.serial, 24)
            assert here.next(box).id == "charges"
            box.plug_in()
            charging = await here.until(box, lambda state: bool(state.report and state.report.current_a))
            assert charging.report is not None
            assert charging.report.current_a == 24.0
            assert box.power.eeprom_writes == 1
            assert here.next(box).id == "bridged"


async def test_a_box_whose_stream_was_opened_from_the_console_is_heard_and_does_not_obey() -> None:
    async with garage() as here, JuiceBoxTelnet(JuiceBox("jb2", target=(OURS, 9), time_scale=PACE)) as unit:
        port = here.peer.state.ports[0]
        profile = REGISTRY.profiles["juicebox-console"]
        async with REGISTRY.driver_of(profile).open(unit.address, profile, RealLinks()) as session:
            change = Change(key="udp_to", before=None, after=f"{OURS}:{port}")
            await session.ask(WritesSettings).write_setting(change)
        box = unit.box
        await here.until(box, lambda state: state.report is not None)
        here.peer.adopt(here.peer.book.proposal(box.serial, 16, at=datetime.now(UTC)))
        here.peer.allow(box.serial, 16)
        box.plug_in()
        seen = await here.until(box, lambda state: bool(state.report and state.report.current_a))
        assert seen.report is not None
        assert seen.report.current_a == 40.0
        assert not box.commands
