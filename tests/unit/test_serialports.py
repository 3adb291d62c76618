from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from serial.tools.list_ports_common import ListPortInfo

from app.discovery.serialports import SerialSource, system_ports
from app.model.address import SerialAddress
from app.model.frame import SourceHealth, SourceState
from app.model.unit import Sighting
from app.scope import Scope


def port(device: str, **fields: Any) -> ListPortInfo:
    info = ListPortInfo(device)
    for name, value in fields.items():
        setattr(info, name, value)
    return info


class Heard:
    def __init__(self) -> None:
        self.sightings: asyncio.Queue[Sighting] = asyncio.Queue()
        self.states: asyncio.Queue[SourceState] = asyncio.Queue()

    async def next(self) -> Sighting:
        async with asyncio.timeout(5):
            return await self.sightings.get()

    async def health(self, wanted: SourceHealth) -> SourceState:
        async with asyncio.timeout(5):
            while (state := await self.states.get()).health is not wanted:
                pass
        return state


@asynccontextmanager
async def watching(source: SerialSource) -> AsyncIterator[Heard]:
    heard = Heard()
    async with Scope("test") as scope:
        scope.required("serial", source.run(heard.sightings.put_nowait, heard.states.put_nowait))
        yield heard


async def test_plug_and_unplug_are_reported_with_the_usb_facts(unit_s: float) -> None:
    plugged = [port("COM5", vid=0x10C4, pid=0xEA60, serial_number="0001", product="CP2102 USB to UART")]
    async with watching(SerialSource(lambda: list(plugged), poll_s=unit_s)) as heard:
        seen = await heard.next()
        assert seen.address == SerialAddress(port="COM5")
        assert seen.hints | {"maker": ""} == {
            "vid": "10C4",
            "pid": "EA60",
            "usb_serial": "0001",
            "product": "CP2102 USB to UART",
            "maker": "",
        }
        plugged.clear()
        gone = await heard.next()
        assert (gone.is_gone, gone.address) == (True, seen.address)
        plugged.append(port("COM5", vid=0x10C4, pid=0xEA60, serial_number="0001"))
        assert not (await heard.next()).is_gone


async def test_another_adapter_under_an_old_name_is_a_new_port(unit_s: float) -> None:
    plugged = [port("COM5", vid=0x10C4, pid=0xEA60)]
    async with watching(SerialSource(lambda: list(plugged), poll_s=unit_s)) as heard:
        await heard.next()
        plugged[:] = [port("COM5", vid=0x0403, pid=0x6001)]
        assert (await heard.next()).is_gone
        assert (await heard.next()).hints["vid"] == "0403"


async def test_hostile_usb_texts_are_bounded(unit_s: float) -> None:
    info = port("COM5", vid=1, pid=2, product="<img src=x>\n\x1b[2J" + "A" * 10_000, serial_number="\x00\r")
    async with watching(SerialSource(lambda: [info], poll_s=unit_s)) as heard:
        seen = await heard.next()
    assert all(text.isprintable() and len(text) <= 255 for text in seen.hints.values())


async def test_a_failing_system_call_is_shown_and_recovered_from(unit_s: float) -> None:
    answers: list[Any] = [OSError(5, "Input/output error"), [port("COM5")]]

    def ask() -> list[ListPortInfo]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, OSError):
            raise answer
        return list(answer)

    async with watching(SerialSource(ask, poll_s=unit_s)) as heard:
        state = await heard.health(SourceHealth.FAILED)
        assert "Input/output error" in state.text
        assert state.advice
        assert (await heard.next()).address == SerialAddress(port="COM5")
        await heard.health(SourceHealth.WORKING)


async def test_a_system_that_hangs_is_said_to_and_asked_only_once(unit_s: float) -> None:
    answers, asked = threading.Event(), []

    def ask() -> list[ListPortInfo]:
        asked.append(1)
        answers.wait(20)
        return [port("COM5")]

    async with watching(SerialSource(ask, poll_s=unit_s, patience_s=unit_s)) as heard:
        try:
            state = await heard.health(SourceHealth.FAILED)
            assert "does not answer" in state.text
            await asyncio.sleep(4 * unit_s)
            assert len(asked) == 1
        finally:
            answers.set()
        assert (await heard.next()).address == SerialAddress(port="COM5")
        await heard.health(SourceHealth.WORKING)


async def test_a_pseudo_terminal_given_by_the_user_is_present_while_it_exists(unit_s: float, tmp_path: Path) -> None:
    pytest.importorskip("pty", reason="pseudo terminals are a POSIX matter")
    ours, theirs = os.openpty()
    link = tmp_path / "cable"
    try:
        async with watching(SerialSource(list, extra_ports=[str(link)], poll_s=unit_s)) as heard:
            link.symlink_to(os.ttyname(theirs))
            seen = await heard.next()
            assert (seen.address, seen.hints) == (SerialAddress(port=str(link)), {"chosen": "yes"})
            link.unlink()
            assert (await heard.next()).is_gone
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of device files are a POSIX matter")
async def test_a_denied_permission_is_told_with_advice(
    unit_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "ttyUSB0"
    device.touch(mode=0o000)
    # root may open anything: only the answer to "may I" is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != device)
    async with watching(SerialSource(lambda: [port(str(device))], poll_s=unit_s)) as heard:
        state = await heard.health(SourceHealth.LIMITED)
        assert "no permission to open" in state.text
        assert "group" in state.advice
        assert (await heard.next()).address == SerialAddress(port=str(device))


async def test_the_system_itself_can_be_asked() -> None:
    async with watching(SerialSource(poll_s=60)) as heard:
        await heard.health(SourceHealth.STARTING)
        state = await asyncio.wait_for(heard.states.get(), 5)
        assert state.health in (SourceHealth.WORKING, SourceHealth.LIMITED)
        assert state.text.startswith(f"{len(list(system_ports()))} serial port")
