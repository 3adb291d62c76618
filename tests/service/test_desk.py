"""The bridge inside the program: from an adopted JuiceBox to a charge point on our own endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.bridge.station import Start
from app.errors import SiteError
from app.model.bridge import LineState, UnitKind
from app.model.secret import Secret
from app.service.choosing import OURS, Choice
from app.settings import Settings
from app.sim.juicebox import JuiceBox
from app.workbench import Workbench

PACE = 0.02


async def until(is_true: Callable[[], Any], *, timeout_s: float = 20.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not is_true():  # noqa: ASYNC110 - several parts move, none tells of all
            await asyncio.sleep(0.02)


@asynccontextmanager
async def bench_in(home: Path) -> AsyncIterator[Workbench]:
    settings = Settings(endpoint_on=False, endpoint_port=0)
    async with Workbench(settings, home=home, is_demo=True, with_discovery=False) as bench:
        yield bench


@asynccontextmanager
async def adopted_box(bench: Workbench) -> AsyncIterator[JuiceBox]:
    state = await bench.juice.start("127.0.0.1", (0,))
    async with JuiceBox("jb2", target=("127.0.0.1", state.ports[0]), time_scale=PACE, rating_a=40, offline_a=40) as box:
        await until(lambda: bench.juice.boxes.get(box.serial) and bench.juice.boxes[box.serial].report)
        bench.juice.adopt(bench.juice.propose(box.serial, 24.0))
        yield box


def stall(box: JuiceBox, **more: Any) -> Choice:
    told = {"kind": UnitKind.BOX, "unit": box.serial, "identity": "STALL-1", "start": Start.FREE, "id_tag": "FREE"}
    return Choice(**{**told, **more})


async def test_a_box_is_seen_on_our_own_endpoint_like_any_other_unit(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench, adopted_box(bench) as box:
        bench.bridge.choose([stall(box)])
        assert bench.bridge.backends[0] == OURS
        with bench.bridge.changes.subscribe() as told:
            status = await bench.bridge.start()
            assert [unit.identity for unit in status.units] == ["STALL-1"]
            await until(lambda: bench.bridge.status and bench.bridge.status.units[0].line is LineState.ONLINE)
            await until(lambda: "STALL-1" in bench.server.endpoints)
            await until(lambda: any(unit.identity.serial == box.serial for unit in bench.finder.units.values()))
            await until(lambda: "BootNotification" in [frame.action for frame in bench.bridge.messages("STALL-1")])
            await bench.bridge.stop()
            assert told.take()[-1] is None
        assert bench.bridge.status is None
        assert bench.juice.peer is not None, "the window's own listening goes on"
        assert (tmp_path / "bridge" / "bridge.db").is_file()


async def test_after_the_proof_a_box_may_draw_what_people_allowed_before(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench, adopted_box(bench) as box:
        await until(lambda: box.commands and box.commands[-1].a == 24)
        bench.bridge.choose([stall(box, start=Start.REMOTE)])
        await bench.bridge.start()
        await until(lambda: box.commands[-1].a == 0)
        await bench.bridge.stop()
        wanted = bench.juice.box_state(box.serial)
        assert wanted is not None
        assert wanted.wanted_a == 24, "a rise waits its minute"


async def test_a_box_taken_out_of_a_running_proof_is_given_back_at_once(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench, adopted_box(bench) as box:
        relay = Choice(kind=UnitKind.RELAY, unit="OLD-7", identity="NEW-7", without=())
        bench.bridge.choose([stall(box, start=Start.REMOTE), relay])
        await bench.bridge.start()
        await until(lambda: box.commands and box.commands[-1].a == 0)
        bench.bridge.choose([relay])
        await bench.bridge.start()
        wanted = bench.juice.box_state(box.serial)
        assert wanted is not None
        assert wanted.wanted_a == 24, "while the bridge goes on for the others"
        assert bench.bridge.is_running


async def test_what_is_wrong_is_named_at_its_field_and_nothing_starts(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        nobody = Choice(kind=UnitKind.BOX, unit="0910042001260513476122621631", identity="ST ALL", start=Start.TAG)
        bench.bridge.choose([nobody])
        found = {problem.place: problem.text for problem in bench.bridge.problems()}
        assert "characters that backends refuse" in found["box[1].identity"]
        assert "is needed where start is" in found["box[1].id_tag"]
        assert "box[1].circuit_a" in found, "nobody has entered its circuit's limit"
        with pytest.raises(SiteError) as caught:
            await bench.bridge.start()
        assert len(caught.value.problems) == len(found)
        assert not bench.bridge.is_running


async def test_choices_outlive_the_program_and_hold_no_password(tmp_path: Path) -> None:
    choice = Choice(kind=UnitKind.RELAY, unit="OLD-7", identity="NEW-7", watches_only=True, without=("BOOT",))
    async with bench_in(tmp_path) as bench:
        bench.vault.set(choice.password_name, Secret("correct horse battery"))
        bench.bridge.choose([choice])
        assert bench.bridge.plan().relays[0].secret.reveal() == "correct horse battery"
    async with bench_in(tmp_path) as bench:
        assert bench.bridge.choices == (choice,)
    texts = [path.read_bytes() for path in (tmp_path / "bridge").rglob("*") if path.is_file()]
    assert not any(b"correct horse" in text for text in texts)


async def test_the_small_boxs_file_has_its_own_address_and_is_judged_by_it(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        bench.bridge.choose([Choice(kind=UnitKind.RELAY, unit="OLD-7", identity="NEW-7")])
        assert 'address = "192.168.7.5"' in bench.bridge.files(address="192.168.7.5").text
        assert bench.bridge.small_box_problems(address="192.168.7.5") == ()
        assert "site.address" in bench.bridge.small_box_problems(address="the box")[0]
        written = bench.bridge.export(tmp_path / "stick", address="192.168.7.5")
        assert "192.168.7.5" in written[0].read_text()
        assert "192.168.7.5" in " ".join(bench.bridge.recipe("windows", address="192.168.7.5").commands)
        assert bench.bridge.recording is None
