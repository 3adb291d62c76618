"""A real station in the middle of charging while the bridge moves it, lets it go, or starts anew."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.bridge.relay_book import InMemory
from app.ocpp.endpoint import Endpoint
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.bridge.relay_kit import PATIENT, Bridge, bridge, order, until
from tests.ocpp.endpoint_kit import Site, site


@asynccontextmanager
async def charging(at: Bridge, csms: Site, identity: str = "CP-1") -> AsyncIterator[tuple[OcppStation, Endpoint, str]]:
    """A station with a transaction; gives its number at the backend."""
    async with OcppStation("CP-1", at.url, time_scale=0.01, redial_s=2.0) as station:
        endpoint = await csms.server.arrival(identity, timeout_s=5)
        await asyncio.wait_for(station.booted.wait(), 5)
        station.plug_in()
        station.swipe("CARD-1")
        await until(lambda: station.outlet(1).transaction is not None and at.status.session is not None)
        (number,) = endpoint.ledger.transactions
        yield station, endpoint, str(number)


def ended(csms: Site, identity: str = "CP-1") -> bool:
    endpoint = csms.server.endpoint(identity)
    return endpoint is not None and not running(endpoint)


def running(endpoint: Endpoint) -> list[str]:
    return [str(number) for number, one in endpoint.ledger.transactions.items() if one.is_running]


async def test_a_transaction_stays_at_its_backend_and_then_the_station_moves() -> None:
    async with (
        site() as old,
        site() as new,
        bridge(order(old.url, backend="old"), times=PATIENT) as between,
        charging(between, old) as found,
    ):
        station, endpoint, number = found
        dials, told = station.dials, len(between.frames)
        between.desk.adopt([order(new.url, identity="NEW-1", backend="new")])
        assert between.status.awaits == f"transaction {number} to end; then it moves to new"
        await until(lambda: len(between.frames) >= told + 4)
        assert not new.server.endpoints
        assert running(endpoint), "it goes on at the old one"
        station.unplug()
        moved = await new.server.arrival("NEW-1", timeout_s=5)
        await until(lambda: moved.boot is not None)
        assert moved.boot is not None
        assert moved.boot.serial == station.boot["chargePointSerialNumber"], "the new one was told who it is"
        assert not running(endpoint), "its end was told where it was begun"
        assert between.status.awaits == ""
        assert station.dials == dials, "and the station noticed nothing"
        assert {"BOOT-ADDED", "STATUS-ASKED", "IDENTITY-CHANGED"} <= between.codes
        await until(lambda: new.server.endpoint("NEW-1") is not None and between.status.state == "Available")
        station.plug_in()
        station.swipe("CARD-2")
        await until(lambda: bool(running(moved)))


async def test_a_station_without_a_transaction_moves_at_once() -> None:
    async with (
        site() as old,
        site() as new,
        bridge(order(old.url)) as between,
        OcppStation("CP-1", between.url, time_scale=0.01) as station,
    ):
        await old.server.arrival("CP-1", timeout_s=5)
        await asyncio.wait_for(station.booted.wait(), 5)
        between.desk.adopt([order(new.url)])
        await new.server.arrival("CP-1", timeout_s=5)
        await until(lambda: not old.server.endpoints)


async def test_a_station_let_go_dials_its_backend_and_its_transaction_goes_on_there() -> None:
    async with site() as csms, bridge(order(csms.url), times=PATIENT) as between, charging(between, csms) as found:
        station, endpoint, _ = found
        station.configuration["Cst_BackendUrl"].value = csms.url  # as a job does it
        station._apply()
        between.desk.hand_over("CP-1")
        direct = await csms.server.arrival("CP-1", timeout_s=5, after=endpoint.opened_at)
        assert direct.handshake.remote != endpoint.handshake.remote
        await until(lambda: not between.status.is_present)
        assert "has left the bridge" in between.status.awaits
        station.unplug()
        await until(lambda: ended(csms))
        assert station.outlet(1).transaction is None


async def test_letting_go_may_wait_for_the_transaction() -> None:
    async with site() as csms, bridge(order(csms.url), times=PATIENT) as between, charging(between, csms) as found:
        station, _, number = found
        between.desk.hand_over("CP-1", waits=True)
        assert between.status.awaits == f"transaction {number} to end; then the charger is let go"
        assert between.status.is_present
        station.unplug()
        await until(lambda: "came back to the bridge" in between.status.awaits)
        assert between.status.is_present, "a charger that was not repointed is not stranded"


async def test_the_bridge_starts_anew_while_a_station_charges(free_port: int) -> None:
    memory: dict[str, InMemory] = defaultdict(InMemory)
    async with site() as csms:
        plan = order(csms.url)
        async with bridge(plan, times=PATIENT, memory=memory.__getitem__) as between:
            url, port = between.url, between.desk.port
            async with charging(between, csms) as (station, endpoint, number):
                await between.desk.close()
                await until(lambda: not station.connected.is_set())
                station.unplug()  # while there is no bridge
                async with bridge(plan, times=PATIENT, memory=memory.__getitem__, port=port) as again:
                    assert again.status.session is not None, "it remembers what runs"
                    assert again.status.session.transaction == number
                    await csms.server.arrival("CP-1", timeout_s=5, after=endpoint.opened_at)
                    await until(lambda: ended(csms))
                    await until(lambda: again.status.session is None)
                    stored = csms.server.endpoint("CP-1")
                    assert stored is not None
                    assert len(stored.ledger.transactions) == 1, "and it is still the same"
                    assert "BOOT-ADDED" not in again.codes, "the backend knows the station already"
                assert url


async def test_a_station_of_2_0_1_stays_at_its_backend_until_its_transaction_has_ended() -> None:
    async with site() as old, site() as new:
        plan = order(old.url, "CS-1", version="2.0.1", backend="old")
        async with (
            bridge(plan, times=PATIENT) as between,
            Station2(between.url, "CS-1", time_scale=0.01) as station,
        ):
            await old.server.arrival("CS-1", timeout_s=5)
            await asyncio.wait_for(station.booted.wait(), 5)
            station.swipe("CARD-1")
            station.plug_in()
            await until(lambda: between.status.session is not None)
            between.desk.adopt([order(new.url, "CS-1", version="2.0.1", backend="new")])
            assert "then it moves to new" in between.status.awaits
            station.unplug()
            moved = await new.server.arrival("CS-1", timeout_s=5)
            await until(lambda: moved.boot is not None)
            assert between.status.session is None
