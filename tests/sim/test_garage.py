"""The demo garage on our own endpoint, and the simulated backend for both versions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from app.settings import Settings
from app.sim.backend import NewBackend
from app.sim.garage import NEWER, SECURED, demo
from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.ocpp.endpoint_kit import site

PASSWORD = "rehome-demo-2026"
SCALE = 0.02


async def test_all_seven_units_are_found_one_by_tls_and_one_over_2_0_1(home: Path):
    async with demo(Settings(site_name="Demo garage"), home=home, time_scale=SCALE) as bench:
        with bench.finder.changes.subscribe() as changes:
            async with asyncio.timeout(15):
                while len([unit for unit in bench.finder.units.values() if unit.identity.profile_id]) < 7:
                    await anext(changes)
        endpoints: dict[str, Any] = dict(bench.server.endpoints)
        assert endpoints[NEWER].version == "2.0.1"
        assert endpoints[SECURED].handshake.tls is not None
        assert len(await endpoints[NEWER].device_model()) > 100


async def test_the_simulated_backend_speaks_2_0_1_with_whom_it_was_told_to():
    async with NewBackend() as target:
        target.provision("CS-1", PASSWORD, version="2.0.1")
        target.provision("CP-1", PASSWORD)
        async with (
            Station2(target.url, "CS-1", password=PASSWORD, time_scale=SCALE) as newer,
            OcppStation("CP-1", target.url, password=PASSWORD, time_scale=SCALE) as older,
        ):
            assert (await target.arrival("CS-1", timeout_s=5)).boot["reason"] == "PowerUp"
            await target.arrival("CP-1", timeout_s=5)
            for station in (newer, older):
                await station.booted.wait()
                station.plug_in()
                assert await target.start(station.identity) == "Accepted"
                seen = await target.charged(station.identity, timeout_s=5)
                assert seen.samples_wh == sorted(seen.samples_wh)
                assert await target.stop(station.identity) == "Accepted"
                await station.until(lambda station=station: not station.queued)  # type: ignore[misc]
                assert target.stations[station.identity].transaction_id is None


async def test_a_station_of_each_version_charges_on_our_endpoint_unharmed():
    for version in ("2.0.1", "2.1"):
        async with site() as here, Station2(here.url, "CS-1", version, evses=2, time_scale=SCALE) as station:
            endpoint = await here.server.arrival("CS-1", timeout_s=5)
            await station.booted.wait()
            station.plug_in(2)
            assert await endpoint.start(2, "CARD-1") == "Accepted"
            await station.until(lambda: any(told.get("seqNo") == 2 for _, told in station.said))
            running = next(item for item in endpoint.transactions.values() if item.is_running)
            assert await endpoint.stop(running.transaction_id) == "Accepted"
            await station.until(lambda: any(told.get("eventType") == "Ended" for _, told in station.said))
            await station.drained()
            assert len(await endpoint.device_model()) > 100
            assert not [found.code for found in here.findings.take()]


async def test_the_juicebox_of_the_garage_comes_when_somebody_listens_for_it_and_is_not_told_a_thing(home: Path):
    async with demo(Settings(site_name="Demo garage"), home=home, time_scale=SCALE) as bench:
        with bench.juice.states.subscribe() as states:
            await bench.juice.start("127.0.0.1", (0,))
            async with asyncio.timeout(10):
                while not (state := await anext(states)).is_locked:
                    continue
        assert state.software.startswith("EMWERK-JB201")
        assert state.allowed_a is None
