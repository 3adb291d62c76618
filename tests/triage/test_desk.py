"""A site is judged over real sockets: each charger asked once, each backend once, nothing written."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.model.backend import Backend
from app.model.profile import Verdict
from app.model.triage import Answering
from app.settings import Settings
from app.sim.backend import NewBackend
from app.sim.fault import Fault
from app.sim.openevse import OpenEvseGateway
from app.workbench import Workbench
from tests.conftest import TIME_UNIT_S
from tests.e2e.test_headless import rehome

LIMIT_S = 20


def gateway(number: int, url: str, **options: object) -> OpenEvseGateway:
    config = {"ocpp_enabled": True, "ocpp_server": url, "ocpp_chargeBoxId": f"CP-{number}"}
    config |= options.pop("config", {})  # type: ignore[arg-type]
    return OpenEvseGateway(serial=f"240AC411A7{number:02X}", time_scale=TIME_UNIT_S, config=config, **options)  # type: ignore[arg-type]


def workbench(home: Path) -> Workbench:
    """A workbench that searches nothing."""
    return Workbench(Settings(endpoint_on=False, adapter="127.0.0.1"), home=home, with_discovery=False)


async def test_chargers_are_judged_by_what_they_and_their_backends_say(home: Path, free_port: int):
    async with workbench(home) as bench, NewBackend() as old:
        good = gateway(1, f"ws://127.0.0.1:{free_port}/ocpp")
        served = gateway(2, old.url)
        busy = gateway(3, old.url)
        async with good, served, busy:
            busy.plug_in()
            for unit in (good, served, busy):
                await bench.finder.add(str(unit.address))
            before = [dict(unit.config) for unit in (good, served, busy)]
            done: list[tuple[int, int]] = []
            units = [bench.finder.at(unit.address) for unit in (good, served, busy)]
            found = await asyncio.wait_for(
                bench.triage.assess(
                    [unit for unit in units if unit],
                    Backend(url="ws://new.example/ocpp", identity=""),
                    progress=lambda count, total, _item: done.append((count, total)),
                ),
                LIMIT_S,
            )
            assert [dict(unit.config) for unit in (good, served, busy)] == before
    verdicts = [(item.verdict, item.answering) for item in found]
    assert verdicts == [
        (Verdict.NOW, Answering.NO),
        (Verdict.NOW, Answering.YES),
        (Verdict.AFTER, Answering.YES),
    ]
    assert "unplug" in found[2].first[0]
    assert sorted(done) == [(1, 3), (2, 3), (3, 3)]


async def test_a_locked_and_a_silent_charger_do_not_hold_up_the_others(home: Path):
    locked = gateway(4, "", config={"www_username": "me", "www_password": "secret-pass"})
    silent = gateway(5, "")
    async with workbench(home) as bench, locked, silent:
        await bench.finder.add(str(locked.address))
        await bench.finder.add(str(silent.address))
        silent.faults.add(Fault.SILENT)
        units = list(bench.finder.units.values())
        found = await asyncio.wait_for(bench.triage.assess(units, None), LIMIT_S)
    by_lock = {any("login" in text for text in item.first): item for item in found}
    assert by_lock[True].verdict is Verdict.AFTER
    assert by_lock[False].verdict is Verdict.NOW
    assert any("not opened" in text for text in by_lock[False].unknowns)


async def test_cancelling_stops_it(home: Path):
    async with workbench(home) as bench, gateway(6, "") as unit:
        await bench.finder.add(str(unit.address))
        unit.faults.add(Fault.SILENT)
        work = asyncio.ensure_future(bench.triage.assess(list(bench.finder.units.values()), None))
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(work, LIMIT_S)


async def test_the_command_tells_and_writes(tmp_path: Path):
    out = tmp_path / "site.csv"
    async with gateway(7, "ws://127.0.0.1:9/ocpp") as unit:
        words = ["--no-search", "--seconds", "0.2", "--add", str(unit.address), "--port", "0", "--host", "127.0.0.1"]
        async with asyncio.timeout(LIMIT_S):
            code, found, _ = await rehome(
                "triage", *words, "--home", str(tmp_path / "home"), "--json", "--out", str(out)
            )
    assert code == 0
    assert [item["verdict"] for item in found] == ["now"]
    assert "Repoint now" in out.read_text(encoding="utf-8")


async def test_a_command_with_a_wrong_address_says_so(tmp_path: Path):
    code, _, said = await rehome("triage", "--url", "http://x", "--home", str(tmp_path))
    assert code == 2
    assert "--url" in said
