"""The move for good: the proof comes over the new address and is not fooled by our own name server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.diagnosis.catalogue import explain
from app.jobs.verdicts import Answer
from app.model.address import OcppAddress
from app.model.backend import Backend
from app.model.garage import Stand
from app.model.job import Job, JobState, StepKind, StepState
from app.sim.backend import NewBackend
from app.sim.station import Behaviour, OcppStation
from app.standin.desk import GarageDesk
from app.standin.dns import DnsStand
from app.standin.names import NameBook
from app.standin.oldbackend import OldBackendDesk
from tests.jobs.minibench import MiniBench, facts
from tests.jobs.rigs import PASSWORD, drive, told, wanted
from tests.jobs.test_station_job import QUICK
from tests.ports import free_port
from tests.standin.kit import HOST, Loopback, desk

DEAD, NEW = "ocpp.dead.example", "csms.new.example"
NAME = "CP-7"


class Site:
    """A garage: our stand-in, the site's own resolver, a dead host's unit and a new backend."""

    def __init__(self, bench: MiniBench, garage: GarageDesk, unit: OcppStation, new: NewBackend) -> None:
        self.bench = bench
        self.garage = garage
        self.unit = unit
        self.new = new
        self.names = OldBackendDesk(garage, bench.server, listen=bench.listen_somewhere)
        self.port = int(urlsplit(unit.configured_url).port or 0)
        bench.server.old_names = self.names

    @property
    def new_url(self) -> str:
        """The new backend's address by its name."""
        parts = urlsplit(self.new.url)
        return parts._replace(netloc=f"{NEW}:{parts.port}").geturl()

    async def begin(self) -> str:
        """Stand in, have the unit land, and open a job for it."""
        state = await self.names.start([self.unit.configured_url], dns_port=0)
        assert all(item.is_open for item in state.ports)
        self.unit.resolver = (HOST, state.dns.port)
        self.unit.redial_soon()
        await self.bench.server.arrival(NAME, timeout_s=5)
        await asyncio.wait_for(self.unit.booted.wait(), 5)
        await self.bench.add(OcppAddress(identity=NAME))
        return self.bench.desk.create("u1").id

    async def move(self, job_id: str, backend: Backend) -> Job:
        return await drive(self.bench, job_id, backend)


@asynccontextmanager
async def site(home: Path, behaviour: Behaviour = Behaviour.HEALTHY) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        new = await stack.enter_async_context(NewBackend({NAME: PASSWORD}))
        unit = OcppStation(NAME, f"ws://{DEAD}:{free_port()}/old/", time_scale=0.01, behaviour=behaviour)
        unit.resolver = (HOST, 1)  # nobody answers there
        await stack.enter_async_context(unit)
        bench = await stack.enter_async_context(MiniBench(home, timing=QUICK))
        garage = await stack.enter_async_context(desk(visitor=bench.server.visitor))
        yield Site(bench, garage, unit, new)


@asynccontextmanager
async def resolver(*names: str) -> AsyncIterator[tuple[str, int]]:
    """The name server of the site, without us."""
    ground, book = Loopback(), NameBook((), ())
    made = GarageDesk(lambda: [ground], lambda: HOST)
    made.choose(names=names)
    dns = DnsStand(
        choice=made.choice, is_near=ground.contains, tell=lambda _: None, knows=book.knows, now=lambda: made._now()
    )
    await dns.open(HOST, 0)
    try:
        yield HOST, dns.port
    finally:
        await dns.close()
        await made.close()


async def looked_up_nowhere(url: str, **_more: object) -> Answer:
    """What the check of the backend says on a laptop without internet."""
    return Answer(verdict="unreachable", text=f"{url} can't be reached from this computer.")


async def test_a_moved_unit_reaches_its_backend_with_the_stand_in_switched_off(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        job_id = await here.begin()
        job = await here.move(job_id, wanted(here.new.url, NAME))
        assert job.state is JobState.DONE, facts({job_id: job})
        assert "left this computer" in told(job, StepKind.SWITCH)
        assert DEAD not in here.unit.configured_url
        await here.names.stop()
        await here.bench.server.stop()
        here.unit.resolver = (HOST, 1)
        await here.unit.power_cycle(0.0)
        seen = await here.new.arrival(NAME, timeout_s=5)
        assert seen.is_connected
        assert here.bench.server.endpoint(NAME) is None


async def test_a_new_address_that_our_dns_leads_back_here_is_refused_before_a_word_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.steps.choose.ask", looked_up_nowhere)
    async with site(tmp_path) as here:
        job_id = await here.begin()
        here.garage.choose(names=[DEAD, "*.new.example"])  # somebody took too many names
        before = here.unit.configured_url
        job = await here.move(job_id, wanted(here.new_url, NAME))
        assert job.step(StepKind.SWITCH).state in (StepState.NEEDS_INPUT, StepState.FAILED), facts({job_id: job})
        assert f"answers “{NEW}”" in told(job, StepKind.SWITCH)
        assert not job.writes
        assert here.unit.configured_url == before
        (finding,) = [item for item in job.findings if item.code == "OLD-BACKEND"]
        assert NEW in explain(finding).remedy
        # The name is taken out: the same job goes on and is done.
        here.garage.choose(names=[DEAD])
        async with resolver(NEW) as server:
            job = await here.move(job_id, wanted(here.new_url, NAME))
            assert job.state is JobState.DONE, facts({job_id: job})
            here.unit.resolver = server
            assert (await here.new.arrival(NAME, timeout_s=5)).is_connected


async def test_a_name_server_that_is_not_ours_and_leads_the_new_name_here_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.steps.choose.ask", looked_up_nowhere)
    async with site(tmp_path) as here, resolver(NEW, DEAD) as router:
        job_id = await here.begin()
        here.unit.resolver = router  # a router's own rule for both names leads here
        url = f"ws://{NEW}:{here.port}/new/"
        job = await here.move(job_id, wanted(url, NAME))
        assert job.state is not JobState.DONE, facts({job_id: job})
        assert NEW in here.unit.configured_url
        words = told(job, StepKind.SWITCH)
        assert "connected to this computer" in words
        assert "did not keep" not in job.step(StepKind.SWITCH).note
        assert "NOT-APPLIED" not in [item.code for item in job.findings]


async def test_a_unit_that_goes_back_to_the_dead_name_is_caught_while_our_dns_still_answers(tmp_path: Path) -> None:
    async with site(tmp_path, Behaviour.REVERTS) as here:
        job_id = await here.begin()
        job = await here.move(job_id, wanted(here.new.url, NAME))
        assert job.step(StepKind.SWITCH).state is StepState.FAILED, facts({job_id: job})
        assert "NOT-APPLIED" in [item.code for item in job.findings]
        assert here.garage.states[Stand.DNS].is_on
        assert DEAD in here.unit.configured_url
