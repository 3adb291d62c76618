"""Modbus TCP over real sockets: reading only, bounded, with every foreign failure as one of ours."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from app.errors import Garbled, LinkLost, NotReachable, NotSupported, TimedOut
from app.links.link import ModbusLink
from app.links.real import RealLinks
from app.links.recording import Recorder
from app.links.replay import ReplayLinks
from app.model.address import NetAddress
from app.sim.fault import Fault
from app.sim.modbus import ModbusServer
from app.sim.modbus_makes import modbus_unit
from tests.conftest import TIME_UNIT_S
from tests.unit.test_links import Serve, tcp_server

SHORT_S = TIME_UNIT_S * 10
IMAGE = {("holding", 100): 0x352E, ("holding", 101): 0x3333, ("input", 100): 7}


@asynccontextmanager
async def linked(address: NetAddress) -> AsyncIterator[ModbusLink]:
    link = await RealLinks().modbus(address)
    try:
        yield link
    finally:
        await link.close()


def answering(*parts: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(12)
        for part in parts:
            writer.write(part)
            await writer.drain()
        await reader.read()

    return serve


def frame(number: int, body: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">HHHB", number, protocol, len(body) + 1 if length is None else length, 1) + body


async def test_registers_of_both_kinds_are_read_and_nothing_is_ever_written():
    async with ModbusServer(dict(IMAGE)) as server, linked(server.address) as link:
        assert await link.holding(100, 2) == (0x352E, 0x3333)
        assert await link.inputs(100, 1, unit=255) == (7,)
        assert server.heard == [(1, 3, 100, 2), (255, 4, 100, 1)]
    assert not any(hasattr(link, name) for name in ("write", "write_register", "write_registers", "write_coil"))


async def test_what_the_unit_refuses_is_not_supported_and_the_link_stays_usable():
    async with ModbusServer(dict(IMAGE)) as server, linked(server.address) as link:
        with pytest.raises(NotSupported, match="no such register"):
            await link.holding(5, 1)
        assert await link.inputs(100, 1) == (7,)


async def test_nobody_there_is_not_reachable(free_port: int):
    with pytest.raises(NotReachable):
        await RealLinks().modbus(NetAddress(host="127.0.0.1", port=free_port, scheme="modbus"))


async def test_silence_times_out_and_a_late_answer_is_not_taken_for_the_next_one():
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(12)
        second = await reader.readexactly(12)
        for question, value in ((first, 1), (second, 2)):
            writer.write(question[:4] + b"\0\x05\x01\x03\x02" + value.to_bytes(2, "big"))
        await reader.read()

    async with tcp_server(serve) as address, linked(address) as link:
        with pytest.raises(TimedOut) as caught:
            await link.holding(1, 1, timeout_s=SHORT_S)
        assert caught.value.advice
        assert await link.holding(2, 1) == (2,)


async def test_a_cancelled_question_leaves_the_link_usable():
    async with ModbusServer(dict(IMAGE), faults={Fault.SILENT}) as server, linked(server.address) as link:
        asked = asyncio.create_task(link.holding(100, 1))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        server.faults.clear()
        assert await link.inputs(100, 1) == (7,)


async def test_two_questions_at_once_are_asked_in_turn():
    async with ModbusServer(dict(IMAGE)) as server, linked(server.address) as link:
        both = await asyncio.gather(link.holding(100, 2), link.inputs(100, 1))
    assert both == [(0x352E, 0x3333), (7,)]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([b"HTTP/1.1 400 Bad Request\r\n\r\n"], id="a web server"),
        pytest.param([frame(1, b"\x03\x02\0\x01", protocol=9)], id="another protocol"),
        pytest.param([frame(1, b"\x03\x02\0\x01", length=60_000)], id="a length nobody may name"),
        pytest.param([frame(1, b"", length=0)], id="an empty frame"),
        pytest.param([frame(1, b"\x03\x04\0\x01\0\x02")], id="more registers than asked for"),
        pytest.param([frame(1, b"\x03\xfe\0\x01")], id="fewer bytes than it says"),
        pytest.param([frame(1, b"\x03\x01\0")], id="half a register"),
        pytest.param([frame(1, b"\x10\0\x01\0\x01")], id="an answer to a write"),
        pytest.param([frame(1, b"\x7f\0")], id="an unknown function"),
        pytest.param([frame(9, b"\x03\x02\0\x01")] * 20, id="answers nobody asked for"),
    ],
)
async def test_what_is_no_answer_is_garbled_and_ends_the_link(parts: list[bytes]):
    async with tcp_server(answering(*parts)) as address, linked(address) as link:
        with pytest.raises(Garbled) as caught:
            await link.holding(1, 1)
        assert caught.value.advice
        with pytest.raises(LinkLost):
            await link.holding(1, 1)


async def test_an_answer_byte_by_byte_is_put_together():
    whole = frame(1, b"\x03\x02\x12\x34")
    drops = [whole[at : at + 1] for at in range(len(whole))]
    async with tcp_server(answering(*drops)) as address, linked(address) as link:
        assert await link.holding(1, 1) == (0x1234,)


async def test_a_hang_up_is_lost():
    async with ModbusServer(dict(IMAGE), closes=True) as server, linked(server.address) as link:
        with pytest.raises(LinkLost):
            await link.holding(5, 1)


async def test_registers_are_recorded_in_plain_sight_and_replayed(tmp_path: Path):
    file = tmp_path / "modbus.jsonl"
    async with modbus_unit("bender-single") as unit:
        with Recorder(file) as recorder:
            link = await RealLinks(recorder=recorder).modbus(unit.address)
            assert await link.holding(122, 1, unit=255) == (3,)
            unit.image["holding", 122] = 1
            assert await link.holding(122, 1, unit=255) == (1,)
            with pytest.raises(NotSupported):
                await link.inputs(1, 1)
            await link.close()
    assert '"read":"holding 122 1 of 255","json":[3]' in file.read_text()
    replay = await ReplayLinks.of(file).modbus(NetAddress(host="x", port=502, scheme="modbus"))
    assert [await replay.holding(122, 1, unit=255) for _ in range(3)] == [(3,), (1,), (1,)]
    with pytest.raises(NotSupported):
        await replay.inputs(1, 1)
    with pytest.raises(NotSupported, match="no answer"):
        await replay.holding(9, 9)
    await replay.close()
    with pytest.raises(LinkLost):
        await replay.holding(122, 1, unit=255)


async def test_a_foreign_server_is_understood(free_port: int):
    device = SimDevice(1, simdata=[SimData(10, values=[11, 12], datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", free_port))
    await server.serve_forever(background=True)
    try:
        async with linked(NetAddress(host="127.0.0.1", port=free_port, scheme="modbus")) as link:
            assert await link.holding(10, 2) == (11, 12)
            assert await link.inputs(11, 1) == (12,)
            with pytest.raises(NotSupported):
                await link.holding(500, 1)
    finally:
        await server.shutdown()


async def test_a_foreign_client_understands_our_simulator():
    async with modbus_unit("charx") as unit:
        client = AsyncModbusTcpClient("127.0.0.1", port=unit.port, retries=0)
        assert await client.connect()
        found = await client.read_holding_registers(100, count=10, device_id=255)
        refused = await client.read_holding_registers(9999, count=1, device_id=255)
        client.close()
    assert struct.pack(">10H", *found.registers).rstrip(b"\0") == b"CHARX SEC-3100"
    assert refused.exception_code == 2
