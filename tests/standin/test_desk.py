"""The desk: what the window and the command line see of the services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from dnslib import DNSRecord

from app.errors import AppError, ServerError, ValueRejected
from app.model.garage import Stand
from app.standin import desk as desk_file
from app.standin.dhcp import Rival
from tests.standin.kit import HOST, ask, desk


async def test_nothing_runs_until_it_is_started() -> None:
    async with desk() as garage:
        assert set(garage.states) == set(Stand)
        assert not any(state.is_on for state in garage.states.values())


async def test_states_are_told_and_counts_with_them() -> None:
    async with desk() as garage:
        with garage.changes.subscribe() as changes:
            state = await garage.start(Stand.DNS, port=0)
            await ask(state.port, DNSRecord.question("x.example").pack())
            await garage.stop(Stand.DNS)
            told = [await anext(changes) for _ in range(3)]
        assert [(item.is_on, item.asked) for item in told] in (
            [(True, 0), (False, 1), (False, 1)],
            [(True, 0), (True, 1), (False, 1)],
        )


async def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_file, "KEPT", 3)
    async with desk() as garage:
        state = await garage.start(Stand.DNS, port=0)
        for number in range(5):
            await ask(state.port, DNSRecord.question(f"n{number}.example").pack())
        assert [item.name for item in garage.log] == ["n2.example", "n3.example", "n4.example"]
        assert garage.states[Stand.DNS].asked == 5


async def test_the_demo_takes_free_ports_and_gives_out_no_addresses() -> None:
    async with desk(is_demo=True) as garage:
        for stand in (Stand.DNS, Stand.NTP, Stand.WEB):
            state = await garage.start(stand)
            assert (state.host, state.port > 1023) == (HOST, True)
        with pytest.raises(ServerError, match="demo"):
            await garage.start(Stand.DHCP)


async def test_addresses_are_not_given_out_on_loopback() -> None:
    async with desk() as garage:
        with pytest.raises(ServerError, match="No addresses can be given out"):
            await garage.start(Stand.DHCP, host=HOST)
        assert garage.states[Stand.DHCP].trouble


async def test_addresses_need_a_named_adapter() -> None:
    async with desk() as garage:
        with pytest.raises(ValueRejected, match="Which cable"):
            await garage.start(Stand.DHCP)


class GivesWay:
    """A DHCP server that another one ends, without a cable."""

    tried = 67

    def __init__(self, ground: object, *, gave_way: Callable[[AppError], None], **_: object) -> None:
        self.host, self.port = HOST, 0
        self.gave_way = gave_way
        self.is_closed = False

    async def open(self) -> None:
        self.port = 67

    async def close(self) -> None:
        self.is_closed = True


async def test_a_service_that_gave_way_is_off_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[GivesWay] = []
    monkeypatch.setattr(
        "app.standin.dhcp.DhcpStand", lambda *args, **more: made.append(GivesWay(*args, **more)) or made[0]
    )
    async with desk() as garage:
        with garage.changes.subscribe() as changes:
            assert (await garage.start(Stand.DHCP, host=HOST)).is_on
            made[0].gave_way(Rival("Another DHCP server answers on lo: 10.0.0.1.", "Leave it to it."))
            async with asyncio.timeout(5):
                async for state in changes:
                    if not state.is_on:
                        break
        assert (state.trouble, state.advice) == ("Another DHCP server answers on lo: 10.0.0.1.", "Leave it to it.")
        assert made[0].is_closed
        await garage.stop(Stand.DHCP)
