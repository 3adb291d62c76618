"""The program's parts together: what is remembered, and how it ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from app.model.address import OcppAddress
from app.model.unit import Claim, ClaimKind, Identity, Sighting, SourceKind
from app.settings import Settings
from app.workbench import Workbench


def bench_in(home: Path) -> Workbench:
    return Workbench(Settings(endpoint_on=False), home=home, with_discovery=False)


def see(bench: Workbench, number: int) -> str:
    """Let a charger be seen as if it had dialled in; return its id."""
    serial = f"SERIAL{number:04}"
    identity = Identity(serial=serial, claims=(Claim(ClaimKind.SERIAL, serial),))
    address = OcppAddress(identity=f"CP-{number}")
    at = datetime.now(UTC)
    bench.finder.sighted(Sighting(source=SourceKind.DIAL_IN, address=address, at=at, identity=identity))
    return f"serial-{serial.lower()}"


async def test_what_was_found_a_moment_before_the_end_is_there_at_the_next_start(tmp_path: Path):
    async with bench_in(tmp_path) as bench:
        ids = [see(bench, number) for number in range(300)]
        bench.finder.forget(ids[8])
    async with bench_in(tmp_path) as bench:
        assert set(bench.finder.units) == set(ids) - {ids[8]}


async def test_a_disk_that_takes_nothing_for_a_while_loses_no_unit(tmp_path: Path):
    async with bench_in(tmp_path) as bench:
        with bench.troubles.subscribe() as troubles:
            bench.store._connection.execute("PRAGMA query_only = ON")
            first = see(bench, 1)
            async with asyncio.timeout(5):
                trouble = await anext(troubles)
        assert "remember units" in trouble.name
        bench.store._connection.execute("PRAGMA query_only = OFF")
        second = see(bench, 2)
    async with bench_in(tmp_path) as bench:
        assert set(bench.finder.units) == {first, second}
