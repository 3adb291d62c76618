"""A session that goes on while its backend is dead is rescued whole: what the charger's own meter counted, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.sim.station import OcppStation
from app.sim.station2 import Station2
from tests.jobs.minibench import MiniBench

ENDS = {"1.6": "StopTransaction", "2.0.1": "TransactionEvent", "2.1": "TransactionEvent"}
STARTS = {"1.6": "StartTransaction", "2.0.1": "TransactionEvent", "2.1": "TransactionEvent"}


def charger(version: str) -> OcppStation | Station2:
    if version == "1.6":
        return OcppStation("CP-7", time_scale=0.01)
    return Station2("ws://old.example.invalid/ocpp", "CP-7", version, time_scale=0.01, redial_s=10.0)


@pytest.mark.parametrize("version", list(ENDS))
async def test_what_was_charged_offline_is_what_the_meter_says(tmp_path: Path, version: str) -> None:
    async with MiniBench(tmp_path) as bench, charger(version) as unit:
        url = (await bench.listen_somewhere()).url
        port = bench.server.state.port
        unit.dial(url)
        await unit.booted.wait()
        outlet = unit.outlet(1) if isinstance(unit, OcppStation) else unit.evse(1).outlet
        for number in range(3):
            before_wh = outlet.energy_register_wh
            unit.plug_in()
            unit.swipe("CARD-1")
            await unit.until(lambda: any(name == STARTS[version] for name, _ in unit.said))
            await unit.until(lambda: unit.queued == 0)
            await bench.server.stop()
            await unit.until(lambda: not unit.is_connected)
            outlet.energy_register_wh += 4321.0 + number
            unit.unplug()
            counted_wh = outlet.energy_register_wh - before_wh
            assert unit.queued > 0
            await bench.server.start("127.0.0.1", port)
            found = await bench.rescue.empty(bench.server, "CP-7")
            assert found.is_dry
            ledger = await bench.rescue.ledger("CP-7")
            assert len(ledger.sessions) == number + 1
            session = ledger.sessions[-1]
            assert session.energy_wh == pytest.approx(counted_wh, abs=1.0)
            assert (session.state, session.repeats, session.missing) == ("complete", 0, 0)
            unit.said.clear()
