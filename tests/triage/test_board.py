"""A site's triage stands after a restart, holds no secret, and survives a damaged file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.errors import StoreError
from app.model.backend import Backend, SecurityProfile
from app.model.profile import Verdict
from app.model.secret import Secret
from app.model.triage import Answering, Judgement
from app.settings import Listed, Settings
from app.sim.fault import Fault
from app.workbench import Workbench
from tests.triage.test_desk import LIMIT_S, gateway

WANTED = Backend(
    url="wss://new.example/ocpp",
    identity="",
    security_profile=SecurityProfile.TLS_BASIC,
    secret=Secret("geheim-4711"),
)


def workbench(home: Path, *listed: Listed) -> Workbench:
    settings = Settings(endpoint_on=False, adapter="127.0.0.1", listed=listed)
    return Workbench(settings, home=home, with_discovery=False)


async def test_what_was_asked_stands_after_a_restart(home: Path, free_port: int):
    async with gateway(1, f"ws://127.0.0.1:{free_port}/ocpp") as unit, workbench(home) as bench:
        await bench.finder.add(str(unit.address))
        before = bench.triage.rows(WANTED)
        found = await asyncio.wait_for(bench.triage.assess(list(bench.finder.units.values()), WANTED), LIMIT_S)
    assert [item.is_asked for item in before] == [False]
    assert found[0].answering is Answering.NO
    text = (home / "triage.json").read_text(encoding="utf-8")
    assert "geheim" not in text
    async with workbench(home, Listed(identity="STALL-7")) as bench:
        rows = bench.triage.rows(WANTED)
        assert rows[0] == found[0]
        assert [item.is_missing for item in rows] == [False, True]
        kept = next(iter(bench.finder.units.values()))
        assert bench.triage.of(kept) == found[0]
        bench.finder.forget(kept.unit_id)
        assert [item.is_missing for item in bench.triage.rows(WANTED)] == [True]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"judgements": [{"verdict": 3}, null]}', b"\xff" * 99])
async def test_a_damaged_file_is_as_if_there_were_none(home: Path, content: bytes):
    home.mkdir(exist_ok=True)
    (home / "triage.json").write_bytes(content)
    async with workbench(home) as bench:
        assert bench.triage.rows(None) == []


async def test_what_is_known_before_a_stop_is_kept(home: Path):
    quick, silent = gateway(2, ""), gateway(3, "")
    async with workbench(home) as bench, quick, silent:
        for unit in (quick, silent):
            await bench.finder.add(str(unit.address))
        silent.faults.add(Fault.SILENT)
        first = asyncio.Event()
        heard: list[Judgement] = []

        def told(_done: int, _total: int, item: Judgement) -> None:
            heard.append(item)
            first.set()

        work = asyncio.ensure_future(bench.triage.assess(list(bench.finder.units.values()), None, progress=told))
        await asyncio.wait_for(first.wait(), LIMIT_S)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(work, LIMIT_S)
        asked = [item for item in bench.triage.rows(None) if item.is_asked]
    assert asked == heard[:1]
    assert (home / "triage.json").exists()


async def test_a_full_disk_is_said_and_the_verdict_stands(home: Path):
    async with workbench(home) as bench, gateway(4, "") as unit:
        await bench.finder.add(str(unit.address))
        (home / "triage.new").mkdir()
        with pytest.raises(StoreError, match="can't be kept"):
            await asyncio.wait_for(bench.triage.assess(list(bench.finder.units.values()), None), LIMIT_S)
        assert [(item.is_asked, item.verdict) for item in bench.triage.rows(None)] == [(True, Verdict.NOW)]
