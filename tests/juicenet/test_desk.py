"""JuiceNet in the workbench: boxes appear, are adopted with consent, stay adopted."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.driver.capability import Meters, ReadsSettings, ReportsStatus, WritesSettings
from app.errors import DamagedFile, LinkLost, NotReachable, PortInUse, StepBlocked, StoreError, ValueRejected
from app.juicenet.desk import FILE, JuiceDesk
from app.model.address import JuiceAddress
from app.model.proof import Known, LampState, Stage, chain
from app.model.reading import Measurand
from app.model.setting import Change
from app.model.unit import Adoption, SourceKind, Unit
from app.settings import Settings, load
from app.workbench import Workbench
from tests.juicenet.kit import BOX, PlainBox, oldest, plain_box

ADDRESS = JuiceAddress(box_id=BOX)


@asynccontextmanager
async def desk_in(folder: Path) -> AsyncIterator[tuple[JuiceDesk, int]]:
    desk = JuiceDesk(folder, address=lambda: "127.0.0.1")
    try:
        state = await desk.start("127.0.0.1", (0,))
        yield desk, state.ports[0]
    finally:
        await desk.stop()


async def until(desk: JuiceDesk, holds: Callable[[], bool]) -> None:
    with desk.states.subscribe() as states:
        async with asyncio.timeout(5):
            while not holds():
                await anext(states)


@asynccontextmanager
async def bench_in(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Workbench, int]]:
    monkeypatch.setattr(Workbench, "adapter_address", "127.0.0.1")
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        state = await bench.juice.start("127.0.0.1", (0,))
        yield bench, state.ports[0]


async def unit_of(bench: Workbench, box: PlainBox, **fields: int | str | None) -> Unit:
    with bench.finder.changes.subscribe() as changes:
        async with asyncio.timeout(5):
            for _ in range(2):
                box.report(**fields)
            while (unit := bench.finder.at(ADDRESS)) is None or not unit.state:
                await anext(changes)
    return unit


async def adopted(bench: Workbench, unit_id: str, *, is_ours: bool) -> None:
    """Wait until the site shows a box as one of ours, or as one that is only listened to."""
    wanted = Adoption.OURS if is_ours else Adoption.UNKNOWN
    with bench.finder.changes.subscribe() as changes:
        async with asyncio.timeout(5):
            while bench.finder.units[unit_id].adoption is not wanted:
                await anext(changes)


async def test_a_box_that_reports_is_listed_with_its_state_and_metering(home: Path, monkeypatch: pytest.MonkeyPatch):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        unit = await unit_of(bench, box)
        assert (unit.identity.serial, unit.state, unit.adoption) == (
            BOX,
            "Charging",
            Adoption.UNKNOWN,
        )  # only listened to
        assert [way.source for way in unit.ways] == [SourceKind.JUICENET]
        async with bench.open(unit.unit_id) as session:
            status = await session.ask(ReportsStatus).status()
            found = {reading.measurand: reading.value for reading in status.readings}
            assert found[Measurand.ENERGY] == 4_262_804
            assert found[Measurand.POWER] == pytest.approx(241.4 * 16.1 * 0.996, abs=0.1)
            first = await anext(session.ask(Meters).watch())
            assert first is not None
        box.report(mode=0, current=0)
        await until(bench.juice, lambda: bench.finder.units[unit.unit_id].state == "Available")


async def test_nothing_is_sent_before_the_circuits_limit_is_entered_with_consent(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        unit = await unit_of(bench, box)
        async with bench.open(unit.unit_id) as session:
            change = Change(key="CircuitLimit", before="0", after="24")
            with pytest.raises(StepBlocked, match="NEC"):
                await bench.edit(unit.unit_id, session, change)
            assert bench.juice.state.answered == 0
            done = await bench.edit(unit.unit_id, session, change, has_consent=True)
            assert done.read_back == "24"
            box.report()
            assert b"A0024M024C006S001!" in await box.told()
            await bench.edit(
                unit.unit_id, session, Change(key="AllowedLimit", before="24", after="0"), has_consent=True
            )
            box.report()
            assert b"A0000M000C006S002!" in await box.told()
        await adopted(bench, unit.unit_id, is_ours=True)
        (latest, first) = bench.edits(unit.unit_id)
        await bench.undo_edit(latest.id)
        await bench.undo_edit(first.id)
        assert bench.juice.adopted == (), "undoing the adoption ends it"
        await adopted(bench, unit.unit_id, is_ours=False)


async def test_a_limit_above_the_boxs_own_is_refused_with_advice(home: Path, monkeypatch: pytest.MonkeyPatch):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        unit = await unit_of(bench, box)
        async with bench.open(unit.unit_id) as session:
            for after, words in (
                ("50", "rating of 40 A"),
                ("5", "no current"),
                ("nan", "no current"),
                ("x", "no current"),
            ):
                with pytest.raises(ValueRejected, match=words) as caught:
                    await session.ask(WritesSettings).write_setting(Change(key="CircuitLimit", before="0", after=after))
                assert caught.value.advice


async def test_a_box_left_at_0_a_says_so_and_is_revived_by_consent(tmp_path: Path):
    async with desk_in(tmp_path) as (desk, port), plain_box(port) as box:
        box.report(mode=1, offline_a=0, online_a=0)
        await until(desk, lambda: bool(desk.boxes))
        assert desk.boxes[BOX].is_locked
        with pytest.raises(ValueRejected, match="left at 0 A"):
            desk.propose(BOX, 32)
        desk.adopt(desk.propose(BOX, 32, is_revived=True))
        box.report(mode=1, offline_a=0, online_a=0)
        assert b"A0032M032" in await box.told()


async def test_the_oldest_boxes_are_adopted_by_their_label(home: Path, monkeypatch: pytest.MonkeyPatch):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        box.send(oldest())
        box.send(oldest())
        await until(bench.juice, lambda: bench.finder.at(ADDRESS) is not None)
        unit = bench.finder.at(ADDRESS)
        assert unit is not None
        async with bench.open(unit.unit_id) as session:
            write = session.ask(WritesSettings).write_setting
            with pytest.raises(ValueRejected, match="does not tell its rating"):
                await write(Change(key="CircuitLimit", before="0", after="24"))
            await write(Change(key="RatingByLabel", before="0", after="30"))
            await write(Change(key="CircuitLimit", before="0", after="24"))
        box.send(oldest())
        assert b"A24M24C006" in await box.told()


async def test_adoptions_outlast_the_program_and_what_the_box_holds_then_is_ours(tmp_path: Path):
    async with desk_in(tmp_path) as (desk, port), plain_box(port) as box:
        box.report(offline_a=32, online_a=32)
        await until(desk, lambda: bool(desk.boxes))
        desk.adopt(desk.propose(BOX, 32))
        desk.pause(BOX)
        box.report()
        assert b"A0000M000" in await box.told()
    async with desk_in(tmp_path) as (desk, port), plain_box(port) as box:
        box.report(offline_a=0, online_a=0)
        assert b"A0000M000" in await box.told(), "it goes on as it was"
        desk.allow(BOX, 32)
        assert desk.boxes[BOX].wanted_a == 32
        assert desk.ceiling_a(BOX) == 32, "the 0 A it holds is our own word"


async def test_a_damaged_file_sends_nothing_and_stays(tmp_path: Path):
    (tmp_path / FILE).write_text('{"format": 1, "boxes": [{"box_id": 7}]}')
    desk = JuiceDesk(tmp_path, address=lambda: "127.0.0.1")
    with pytest.raises(DamagedFile) as caught:
        await desk.start("127.0.0.1", (0,))
    assert caught.value.advice
    assert not desk.state.is_listening
    assert "7" in (tmp_path / FILE).read_text()


async def test_what_the_disk_does_not_take_is_not_told_to_the_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with desk_in(tmp_path) as (desk, port), plain_box(port) as box:
        box.report()
        await until(desk, lambda: bool(desk.boxes))

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("app.juicenet.adoptions.write_whole", full)
        with pytest.raises(StoreError):
            desk.adopt(desk.propose(BOX, 32))
        assert desk.adopted == ()
        assert desk.boxes[BOX].adoption is None
    assert not (tmp_path / FILE).exists()


async def test_the_file_holds_what_people_said(tmp_path: Path):
    async with desk_in(tmp_path) as (desk, port), plain_box(port) as box:
        box.report()
        await until(desk, lambda: bool(desk.boxes))
        desk.adopt(desk.propose(BOX, 24), allowed_a=16)
    (kept,) = json.loads((tmp_path / FILE).read_text())["boxes"]
    assert (kept["circuit_a"], kept["rating_a"], kept["known_a"], kept["allowed_a"]) == (24, 40, 32, 16)


async def test_it_is_off_until_asked_for_and_the_settings_remember_it(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Workbench, "adapter_address", "127.0.0.1")
    monkeypatch.setattr("app.workbench.PORTS", (0,))
    async with Workbench(Settings(endpoint_on=False), home=home, with_discovery=False) as bench:
        assert not bench.juice.state.is_listening
        assert (await bench.switch_juicenet(is_on=True)).is_listening
        assert load(home / "settings.toml").juicenet_on
    async with Workbench(load(home / "settings.toml"), home=home, with_discovery=False) as bench:
        assert bench.juice.state.is_listening
        assert not (await bench.switch_juicenet(is_on=False)).is_listening
        assert not load(home / "settings.toml").juicenet_on


async def test_a_taken_port_is_told_with_its_owner_and_the_others_serve(tmp_path: Path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        taken = held.getsockname()[1]
        desk = JuiceDesk(tmp_path, address=lambda: "127.0.0.1")
        try:
            state = await desk.start("127.0.0.1", (taken, 0))
            assert len(state.ports) == 1
            (trouble,) = state.troubles
            assert f"UDP port {taken} is already used" in trouble.message
        finally:
            await desk.stop()
        with pytest.raises(PortInUse):
            await desk.start("127.0.0.1", (taken,))


async def test_a_session_ends_when_nobody_listens_any_more(home: Path, monkeypatch: pytest.MonkeyPatch):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        unit = await unit_of(bench, box)
        async with bench.open(unit.unit_id) as session:
            readings = session.ask(Meters).watch()
            with pytest.raises(LinkLost):
                async with asyncio.timeout(5):
                    await anext(readings)
                    await bench.juice.stop()
                    async for _ in readings:
                        pass
            with pytest.raises(LinkLost):
                await session.ask(ReadsSettings).read_settings()
        assert not bench.finder.units[unit.unit_id].is_present
        with pytest.raises((LinkLost, NotReachable)):
            async with bench.open(unit.unit_id):
                pass


async def test_a_box_that_tells_its_software_is_known_by_its_generation(home: Path, monkeypatch: pytest.MonkeyPatch):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        assert (await unit_of(bench, box)).identity.profile_id == "juicebox-wifi"
        box.send(f"{BOX}:DBG,NFO:BOT:EMWERK-JB201-1.0.46, Gecko_OS-STANDARD-4.2.7-11064, WGM160P:".encode())
        await until(bench.juice, lambda: bool(bench.juice.boxes[BOX].software))
        unit = bench.finder.at(ADDRESS)
        assert unit is not None
        identity = unit.identity
        assert (identity.model, identity.firmware, identity.profile_id) == ("JuiceBox JB201", "1.0.46", "juicebox-jb2")


async def test_a_box_that_reports_is_no_lost_charger_and_a_locked_one_says_who_holds_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    async with bench_in(home, monkeypatch) as (bench, port), plain_box(port) as box:
        unit = await unit_of(bench, box, version="v07", mode=1, online_a=0)
        assert unit.state == "SuspendedEVSE"
        lamps = {lamp.stage: lamp.state for lamp in chain(Known(unit=unit))}
        assert lamps[Stage.LINK] is LampState.PROVED
        async with bench.open(unit.unit_id) as session:
            status = await session.ask(ReportsStatus).status()
            assert "Left at 0 A" in status.detail
            setting = (await session.ask(ReadsSettings).read_settings()).get("CircuitLimit")
            assert setting is not None
            assert "you decide that it shall charge again" in setting.caution
