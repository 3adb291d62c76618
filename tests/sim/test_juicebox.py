"""Simulated JuiceBoxes against a plain UDP peer, a DNS server and a directory of the test's own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from app.sim import juicebox_datagram as datagram
from app.sim.juicebox import ENEL, JuiceBox, Mishaps
from app.sim.juicebox_datagram import Form, checksum
from app.sim.juicebox_fleet import JuiceFleet
from app.sim.juicebox_names import DEFAULT, DIRECTORY
from tests.sim import pki

PAIRS = {
    "CMD62210A20M18C006S006": "31Y",
    "CMD41325A0040M040C006S638": "5N5",
    "CMD31353A0000M010C244S741": "2B3",
    "CMD62207A20M20C008S996": "ZI4",
}
LIMIT_S = 5.0
PACE = 0.01
"""One second of a box takes this many real ones."""


@dataclass
class Backend(asyncio.DatagramProtocol):
    """Hears boxes; answers each report with ``limits`` in fields A and M, where there are any."""

    limits: tuple[int, int] | None = None
    heard: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    raw: list[bytes] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.raw.append(data)
        text = data.decode("latin-1")
        self.heard.put_nowait(text)
        if self.limits is not None and ",V" in text:
            a, m = self.limits
            body = f"CMD62210A{a:04d}M{m:03d}C006S001" if "v09u" in text else f"CMD62210A{a:02d}M{m:02d}C006S001"
            assert self.transport is not None
            self.transport.sendto(f"{body}!{checksum(body)}$".encode(), addr)

    @property
    def port(self) -> int:
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    async def next(self, *parts: str) -> str:
        """Return the next datagram that has all these parts."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                text = await self.heard.get()
                if all(part in text for part in parts):
                    return text


@asynccontextmanager
async def backend(limits: tuple[int, int] | None = None) -> AsyncIterator[Backend]:
    transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Backend(limits), local_addr=("127.0.0.1", 0)
    )
    try:
        yield peer
    finally:
        transport.abort()


class Names(asyncio.DatagramProtocol):
    """A DNS server with these names; of others it says that there are none."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        name = str(question.q.qname).rstrip(".")
        self.asked.append(name)
        answer = question.reply()
        if name in self.known:
            answer.add_answer(RR(name, QTYPE.A, rdata=A(self.known[name])))
        else:
            answer.header.rcode = RCODE.NXDOMAIN
        self.transport.sendto(answer.pack(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def names(**known: str) -> AsyncIterator[tuple[Names, tuple[str, int]]]:
    table = {{"default": DEFAULT[0], "directory": DIRECTORY, "enel": ENEL[0]}[key]: to for key, to in known.items()}
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Names(table), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, transport.get_extra_info("sockname")
    finally:
        transport.abort()


@asynccontextmanager
async def directory(folder: Path, *, encrypts: bool) -> AsyncIterator[tuple[int, str, list[str]]]:
    """Serve the directory by TLS; give its port, its root file and what was asked."""
    root = pki.Authority()
    (folder / "root.pem").write_text(root.pem)
    asked: list[str] = []
    body = json.dumps({"device_udp_endpoint": f"{ENEL[0]}:{ENEL[1]}", "encrypt": str(encrypts).lower()})

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).decode().strip())
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    context = root.server(folder, name=DIRECTORY, alternative=DIRECTORY)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], str(folder / "root.pem"), asked
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(("text", "digits"), PAIRS.items())
def test_its_checksum_is_the_published_one(text: str, digits: str) -> None:
    assert checksum(text) == digits


@pytest.mark.parametrize(
    "captured",
    [
        "0910000000000000000000000000:v09u,s627,F10,u01254993,V2414,L00004555804,S01,T08,M0040,C0040,m0040,t29,i75,"
        "e00000,f5999,r61,b000,B0000000!S1H:",
        "0910000000000000000000000000:v07,s0001,u30048,V2400,L0024880114,S2,T62,M40,m40,t09,i78,e-001,f6001,X0,Y0,"
        "E006804,A0394,p0992!KKD:",
    ],
)
def test_its_reports_have_the_fields_of_captured_ones_in_their_order_and_width(captured: str) -> None:
    form = Form.V09U if "v09u" in captured else Form.V07
    box = JuiceBox("jb2" if form is Form.V09U else "jb1", serial=captured.partition(":")[0])
    own = datagram.report(box.serial, form, _told(mode=2 if "S2" in captured else 1)).decode()

    def shape(text: str) -> list[tuple[str, int]]:
        fields = text.partition("!")[0].split(":", 1)[1].split(",")
        return [(item.rstrip("-0123456789"), len(item)) for item in fields]

    assert shape(own) == shape(captured)


def _told(*, mode: int) -> datagram.Told:
    return datagram.Told(
        mode=mode,
        counter=7,
        loop=12345,
        voltage_v=240.0,
        lifetime_wh=24880114,
        session_wh=6804,
        current_a=39.4,
        temperature_c=62,
        online_a=40,
        offline_a=40,
        rating_a=40,
        period_s=9,
        interval=78,
    )


async def test_without_the_directory_it_stays_with_the_built_in_name_and_sends_readable_reports() -> None:
    async with (
        backend() as peer,
        names(default="127.0.0.1") as (server, dns),
        JuiceBox(dns=dns, ports={DEFAULT[1]: peer.port}, time_scale=PACE) as box,
    ):
        assert "BOT:EMWERK-JB_1_1" in await peer.next("DBG,NFO")
        await peer.next("DBG,ERR:DirSvc acq err:")
        first = await peer.next(":v07,", ",S0,")
        assert first.endswith(f"!{checksum(first.partition('!')[0])}:")
        assert server.asked[:2] == [DEFAULT[0], DIRECTORY]
        assert box.dialling == f"{DEFAULT[0]}:{DEFAULT[1]}"
        await peer.next("DirSvc acq err")  # it asks again and again


async def test_the_directory_leads_it_away_and_seals_it_until_a_start_with_the_directory_blocked(
    tmp_path: Path,
) -> None:
    async with (
        backend() as peer,
        directory(tmp_path, encrypts=True) as (port, root, asked),
        names(default="127.0.0.1", directory="127.0.0.1", enel="127.0.0.1") as (server, dns),
    ):
        ports = {DEFAULT[1]: peer.port, ENEL[1]: peer.port, 443: port}
        async with JuiceBox("jb2", dns=dns, ports=ports, ca_file=root, time_scale=PACE) as box:
            await peer.next(f"{box.serial}:v09e")
            assert asked == [f"GET /v1/profiles/juicebox/{box.serial}/ HTTP/1.1"]
            assert box.dialling == f"{ENEL[0]}:{ENEL[1]}"
            del server.known[DIRECTORY]
            await box.power_cycle()
            await peer.next(f"{box.serial}:v09u")
            assert box.dialling == f"{DEFAULT[0]}:{DEFAULT[1]}"


async def test_a_directory_that_its_root_does_not_know_is_no_directory(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(pki.Authority("Another root").pem)
    async with (
        backend() as peer,
        directory(tmp_path, encrypts=True) as (port, _, asked),
        names(default="127.0.0.1", directory="127.0.0.1", enel="127.0.0.1") as (_, dns),
        JuiceBox(dns=dns, ports={DEFAULT[1]: peer.port, 443: port}, ca_file=str(stranger), time_scale=PACE),
    ):
        await peer.next("DirSvc acq err")
        assert not asked


@pytest.mark.parametrize("online_field", ["A", "M"])
async def test_a_command_limits_it_and_only_a_new_offline_value_is_written(online_field: str) -> None:
    limits = (16, 24) if online_field == "A" else (24, 16)
    async with (
        backend(limits) as peer,
        JuiceBox("jb2", target=("127.0.0.1", peer.port), online_field=online_field, time_scale=PACE) as box,
    ):
        box.plug_in()
        assert ",A00160," in await peer.next("S02", "M0016", "C0024")
        await peer.next("S02")
        assert box.power.eeprom_writes == 1
        assert box.power.limit_a == 16


async def test_five_minutes_without_a_command_bring_the_offline_limit_back() -> None:
    async with backend((10, 32)) as peer, JuiceBox(target=("127.0.0.1", peer.port), time_scale=0.002) as box:
        box.plug_in()
        await peer.next("S2", "A0100")
        peer.limits = None
        await peer.next("S2", "A0320")
        assert box.power.offline_a == 32


async def test_a_zero_ampere_site_charges_when_it_is_told_another_limit_in_both_fields() -> None:
    async with backend() as peer, JuiceBox("jb2", target=("127.0.0.1", peer.port), offline_a=0, time_scale=PACE) as box:
        box.plug_in()
        await peer.next("S01", "C0000")
        peer.limits = (24, 24)
        await peer.next("S02", "C0024")
        assert box.power.eeprom_writes == 1


async def test_the_session_falls_to_nothing_when_charging_ends_and_the_register_does_not() -> None:
    async with backend((32, 32)) as peer, JuiceBox(target=("127.0.0.1", peer.port), time_scale=0.001) as box:
        box.plug_in()
        await peer.next("S2")
        for _ in range(5):
            last = await peer.next("S2", "A0320")
        box.want(current=False)
        ended = await peer.next("S1")
        assert box.power.session == 0.0
        assert _number(last, "E") > 0
        assert _number(ended, "L") >= _number(last, "L") > 4_262_804
        box.want(current=True)
        assert _number(await peer.next("S2"), "E") < _number(last, "E")


def _number(text: str, letter: str) -> int:
    return next(int(item[1:]) for item in text.split(",") if item.startswith(letter))


async def test_a_damaged_or_unsigned_command_changes_nothing() -> None:
    async with backend() as peer, JuiceBox(target=("127.0.0.1", peer.port), time_scale=PACE) as box:
        box.plug_in()
        await peer.next("S2")
        local = next(iter(box.streams.values())).local_port
        assert peer.transport is not None
        for text in ("CMD62210A06M06C006S001!AAA$", "CMD62210A06M06C006S001$", "CMD", "\xff\x00"):
            peer.transport.sendto(text.encode("latin-1"), ("127.0.0.1", local))
        await peer.next("S2")
        assert (box.refused, box.power.limit_a) == (4, 40)


async def test_an_eo_mini_pro_tells_and_obeys_nothing() -> None:
    async with backend((6, 6)) as peer, JuiceBox("eo", target=("127.0.0.1", peer.port), time_scale=PACE) as box:
        box.plug_in()
        await peer.next("S2")
        await peer.next("S2", "A0400")
        assert not box.commands


async def test_the_oldest_form_says_what_the_captured_ones_say() -> None:
    async with backend() as peer, JuiceBox("jb1-oldest", target=("127.0.0.1", peer.port), time_scale=PACE) as box:
        box.report()
        assert ":V240,L4262804,S0,T21,E14,i" in await peer.next(",S0,")
        box.plug_in()
        charging = await peer.next(",A400,")
        assert charging.count(",E") == 2
        assert ",S" not in charging
        assert "!" not in charging


def test_mishaps_lose_double_and_swap_what_they_are_told_to() -> None:
    sent = [bytes([number]) for number in range(200)]
    assert not [item for data in sent for item in Mishaps(lost=1.0).arriving(data)]
    doubled = Mishaps(doubled=1.0)
    assert [item for data in sent[:3] for item in doubled.arriving(data)] == [b"\0", b"\0", b"\1", b"\1", b"\2", b"\2"]
    swapped = Mishaps(swapped=1.0)
    assert [item for data in sent[:4] for item in swapped.arriving(data)] == [b"\1", b"\0", b"\3", b"\2"]


async def test_a_fleet_reports_from_as_many_distinct_boxes_without_a_task_of_its_own() -> None:
    async with backend() as peer:
        before = len(asyncio.all_tasks())
        async with JuiceFleet(40, ("127.0.0.1", peer.port), time_scale=0.003) as fleet:
            assert len(asyncio.all_tasks()) == before
            seen: set[str] = set()
            while len(seen) < 40:
                seen.add((await peer.next(",V")).partition(":")[0])
            assert seen == {box.serial for box in fleet.boxes}
