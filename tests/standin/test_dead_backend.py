"""The whole way: a charger asks for its dead backend, lands here, is backed up and moved for good."""

from __future__ import annotations

from pathlib import Path

from dnslib import DNSRecord

from app.model.address import OcppAddress
from app.model.garage import Stand
from app.model.job import JobState
from app.sim.backend import NewBackend
from app.sim.station import OcppStation
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, wanted
from tests.jobs.test_station_job import QUICK
from tests.standin.kit import ask, desk


async def test_a_charger_of_a_dead_backend_is_moved_for_good(tmp_path: Path) -> None:
    async with (
        NewBackend({"CP-7": PASSWORD}) as new,
        OcppStation("CP-7", time_scale=0.01) as unit,
        MiniBench(tmp_path, timing=QUICK) as bench,
        desk(visitor=bench.server.visitor) as garage,
    ):
        await bench.listen_somewhere()
        garage.choose(names=["csms.dead-cloud.example"])
        dns = await garage.start(Stand.DNS, port=0)
        door = await garage.start(Stand.WEB, port=0, secure_port=0)
        reply = await ask(dns.port, DNSRecord.question("csms.dead-cloud.example").pack())
        assert reply is not None
        unit.dial(f"ws://{DNSRecord.parse(reply).a.rdata}:{door.port}/ocpp/")
        await bench.server.arrival("CP-7", timeout_s=5)
        await unit.booted.wait()
        assert [item.stand for item in garage.log] == [Stand.DNS, Stand.WEB]
        before = unit.configured_url
        await bench.add(OcppAddress(identity="CP-7"))
        job_id = bench.desk.create("u1").id
        job = await drive(bench, job_id, wanted(new.url, "CP-7"))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert unit.configured_url != before
        assert new.url in unit.configured_url
        assert (await new.arrival("CP-7", timeout_s=5)).is_connected
