"""A JuiceBox's console: what it tells, what it may be told, and that strangers are left in peace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from dnslib import QTYPE, RR, A, DNSRecord

import app.drivers
from app import resources
from app.driver.capability import Identifies, ReadsSettings, ReportsStatus, WritesSettings
from app.driver.registry import Registry, load_drivers, load_profiles
from app.driver.session import Session
from app.errors import LinkError, LinkLost, NotReachable, NotSupported, TimedOut, ValueRejected
from app.juicenet import hosts
from app.links.real import RealLinks
from app.model.address import NetAddress
from app.model.setting import Change, Snapshot
from app.model.unit import Identity
from app.sim.juicebox import ENEL, VOLTIE, JuiceBox
from app.sim.juicebox_console import WEB_GREETING, JuiceBoxSerial, JuiceBoxTelnet
from app.sim.juicebox_names import DEFAULT, DIRECTORY
from app.sim.openevse_console import OpenEvseConsoleGateway
from app.sim.rapi import RapiController
from tests.drivers.rigs_juicebox import NOWHERE, PASSKEY, greeting

REGISTRY = Registry(load_drivers(app.drivers), load_profiles(resources.texts("profiles", ".toml")))
PROFILE = REGISTRY.profiles["juicebox-console"]
DRIVER = REGISTRY.driver_of(PROFILE)
SERIAL = REGISTRY.profiles["juicebox-serial"]
ALL_READ = {"ver", "list", ""}
LIMIT_S = 5.0


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait little for who never greets; on loopback a box greets at once."""
    monkeypatch.setattr("app.drivers.juicebox_console.WAIT_S", 0.3)


class Names(asyncio.DatagramProtocol):
    """A DNS server with these names and no others."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = DNSRecord.parse(data)
        name = str(question.q.qname).rstrip(".")
        answer = question.reply()
        if name in self.known:
            answer.add_answer(RR(name, QTYPE.A, rdata=A(self.known[name])))
        self.transport.sendto(answer.pack(), addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def names(known: dict[str, str]) -> AsyncIterator[tuple[str, int]]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Names(known), local_addr=("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")
    finally:
        transport.abort()


async def probed(address: NetAddress) -> Identity | None:
    found = await DRIVER.probe(address, PROFILE, RealLinks())
    assert found is None or isinstance(found, Identity)
    return found


def session(unit: JuiceBoxTelnet | JuiceBoxSerial) -> Session:
    profile = PROFILE if isinstance(unit, JuiceBoxTelnet) else SERIAL
    return REGISTRY.driver_of(profile).open(unit.address, profile, RealLinks())


def values(snapshot: Snapshot) -> dict[str, str | None]:
    return {item.key: item.value for item in snapshot.settings}


@pytest.mark.parametrize(
    ("make", "profile", "firmware"),
    [("jb1", "juicebox-jb1", "1.4.0.28"), ("jb2", "juicebox-jb2", "1.0.46"), ("eo", "juicebox-eo", "1.0.0.36")],
)
async def test_a_box_is_known_by_its_greeting_and_version_and_named_by_its_serial(
    make: str, profile: str, firmware: str
) -> None:
    async with JuiceBoxTelnet(JuiceBox(make, target=NOWHERE)) as unit:
        found = await probed(unit.address)
    assert found is not None
    assert (found.serial, found.firmware, found.profile_id) == (unit.box.serial, firmware, profile)
    assert unit.terminal.lines == ["ver", "get email.name_address"]


async def test_over_the_cable_it_is_the_same_whatever_the_application_prints_between() -> None:
    async with JuiceBoxSerial(JuiceBox("jb2", target=NOWHERE), chatter="DBG: meter 12\r\n[Associated]\r\n") as unit:
        found = await REGISTRY.driver_of(SERIAL).probe(unit.address, SERIAL, RealLinks())
        assert isinstance(found, Identity)
        assert found.serial == unit.box.serial
        async with session(unit) as opened:
            assert values(await opened.ask(ReadsSettings).read_settings())["dials"] == "127.0.0.1:9"


@pytest.mark.parametrize(
    ("led", "whose"),
    [(ENEL, "Enel X"), (VOLTIE, "Voltie"), (DEFAULT, "its built-in default"), (("127.0.0.2", 8042), None)],
)
async def test_it_says_where_the_box_sends_now_and_whose_host_that_is(led: tuple[str, int], whose: str | None) -> None:
    async with names({led[0]: "127.0.0.1"}) as dns:
        box = JuiceBox(dials=led, dns=dns, ports={led[1]: 9})
        async with JuiceBoxTelnet(box) as unit:
            await asyncio.wait_for(box.booted.wait(), LIMIT_S)
            async with session(unit) as opened:
                told = (await opened.ask(ReportsStatus).status()).detail
    assert f"{led[0]}:{led[1]}" in told
    assert whose is None or f"({whose})" in told


async def test_a_box_without_a_stream_sends_nowhere() -> None:
    async with names({}) as dns, JuiceBoxTelnet(JuiceBox(dns=dns)) as unit, session(unit) as opened:
        assert "nowhere" in (await opened.ask(ReportsStatus).status()).detail


async def test_what_the_box_itself_resolves_proves_the_override() -> None:
    async with names({DEFAULT[0]: "127.0.0.1"}) as dns:
        box = JuiceBox("jb2", dns=dns, ports={8042: 9})
        async with JuiceBoxTelnet(box) as unit, session(unit) as opened:
            await asyncio.wait_for(box.booted.wait(), LIMIT_S)
            shown = values(await opened.ask(ReadsSettings).read_settings())
    assert shown["lookup.default"] == "127.0.0.1"
    assert shown["lookup.directory"] == ""
    assert shown["wlan.network.dns"] == "127.0.0.1"
    assert shown["dials_whose"] == "its built-in default"


async def test_reading_everything_sends_nothing_that_writes_and_never_asks_for_the_password() -> None:
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE)) as unit, session(unit) as opened:
        await opened.ask(Identifies).identify()
        await opened.ask(ReportsStatus).status()
        snapshot = await opened.ask(ReadsSettings).read_settings()
    for line in unit.terminal.lines:
        assert line in ALL_READ or line.startswith(("get ", "network_lookup "))
        assert line not in ("get all", "get wlan")
    assert PASSKEY not in str(values(snapshot))


async def test_the_stream_is_opened_anew_on_request_and_nothing_is_saved() -> None:
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE, time_scale=0.01)) as unit, session(unit) as opened:
        transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        setting = (await opened.ask(ReadsSettings).read_settings()).get("udp_to")
        assert setting is not None
        assert "until the box starts again" in setting.caution
        change = Change(key="udp_to", before="127.0.0.1:9", after=f"127.0.0.1:{port}")
        result = await opened.ask(WritesSettings).write_setting(change)
        assert result.read_back == f"127.0.0.1:{port}"
        assert "next start" in result.note
        await asyncio.wait_for(peer.heard.wait(), LIMIT_S)
        transport.abort()
        assert len(unit.box.streams) == 1
        assert unit.terminal.saves == 0
        assert not [line for line in unit.terminal.lines if line.startswith(("set ", "save"))]


class Ear(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def datagram_received(self, _data: bytes, _addr: object) -> None:
        self.heard.set()


async def test_a_host_that_the_box_can_not_find_changes_nothing() -> None:
    async with names({}) as dns:
        box = JuiceBox(target=NOWHERE, dns=dns)
        async with JuiceBoxTelnet(box) as unit, session(unit) as opened:
            change = Change(key="udp_to", before=None, after="no.such.host:8042")
            with pytest.raises(ValueRejected, match="nothing was changed"):
                await opened.ask(WritesSettings).write_setting(change)
            assert box.dialling == "127.0.0.1:9"


@pytest.mark.parametrize("text", ["", "host", "host:0", "a b:1", "host:1\r\nsave", "host:1;x:2", "-x:1", "x:99999"])
async def test_only_a_host_and_port_ever_reach_the_command_line(text: str) -> None:
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE)) as unit, session(unit) as opened:
        asked = len(unit.terminal.lines)
        with pytest.raises(ValueRejected):
            await opened.ask(WritesSettings).write_setting(Change(key="udp_to", before=None, after=text))
        with pytest.raises(NotSupported):
            await opened.ask(WritesSettings).write_setting(Change(key="wlan.ssid", before=None, after="x"))
        assert len(unit.terminal.lines) == asked


async def test_a_box_that_refuses_the_console_is_told_with_the_way_on() -> None:
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE), refuses=True, port=1) as unit:
        with pytest.raises(NotReachable):
            await probed(unit.address)
    async with greeting(b"") as address:
        with pytest.raises(TimedOut) as caught:
            await probed(address)
    assert "by DNS" in caught.value.advice


async def test_the_locked_down_console_is_known_too() -> None:
    async with JuiceBoxTelnet(JuiceBox("jb2", target=NOWHERE), greeting=WEB_GREETING) as unit:
        assert await probed(unit.address) is not None
        async with session(unit) as opened:
            assert "godaddy_ca.pem" in str(values(await opened.ask(ReadsSettings).read_settings())["streams"])


STRANGERS = {
    "ftp": b"220 ProFTPD Server ready.\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "router": b"login: ",
    "shell": b"BusyBox v1.36\r\n> ",
    "flood": b"x" * 100_000,
}


@pytest.mark.parametrize("kind", STRANGERS)
async def test_nothing_is_sent_to_who_does_not_greet_like_a_box(kind: str) -> None:
    heard: list[bytes] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STRANGERS[kind])
        try:
            heard.append(await reader.read(1000))
        except OSError:
            heard.append(b"")
        writer.close()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = NetAddress(host="127.0.0.1", port=server.sockets[0].getsockname()[1], scheme="tcp")
    try:
        assert await probed(address) is None
        await asyncio.wait_for(gone.wait(), LIMIT_S)
    finally:
        server.close()
        await server.wait_closed()
    assert heard == [b""]


async def test_another_device_on_the_same_system_is_no_box() -> None:
    box = JuiceBox(target=NOWHERE)
    box.make = type(box.make)(version="ACME-THERMO-1.0, Gecko_OS-STANDARD-4.2.7-11064, WGM160P", form=box.form)
    async with JuiceBoxTelnet(box) as unit:
        assert await probed(unit.address) is None
    assert unit.terminal.lines == ["ver"]


async def test_on_a_cable_other_chargers_are_not_taken_for_a_box_nor_changed() -> None:
    driver = REGISTRY.driver_of(SERIAL)
    async with RapiController() as rapi, OpenEvseConsoleGateway() as gateway:
        for unit in (rapi, gateway):
            try:
                assert await driver.probe(unit.address, SERIAL, RealLinks()) is None
            except LinkError:
                continue
        assert not rapi.controller.commands
        assert not [line for line in gateway.lines if "{" in line]


def test_hosts_are_told_apart_by_their_whole_name() -> None:
    assert [hosts.whose(name) and hosts.whose(name).id for name in (DEFAULT[0], ENEL[0], VOLTIE[0])] == [  # type: ignore[union-attr]
        "default",
        "enel",
        "voltie",
    ]
    assert hosts.whose("device-backend-udp-evos.juice.net") is not None
    assert hosts.whose(DIRECTORY) is not None
    for stranger in ("voltie.us.example.org", "192.168.1.2", "", "xjbv1.emotorwerks.com"):
        assert hosts.whose(stranger) is None


async def test_a_box_that_goes_away_is_no_stranger() -> None:
    async with JuiceBoxTelnet(JuiceBox(target=NOWHERE)) as unit, session(unit) as opened:
        unit.hang_up()
        with pytest.raises(LinkLost):
            await opened.ask(ReportsStatus).status()
