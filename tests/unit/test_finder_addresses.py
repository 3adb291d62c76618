"""Addresses typed by hand, adapters, and the order in which probes are made."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.discovery.adapters import LOOPBACK, Network, adapters, default_adapter, networks
from app.discovery.manual import parse, resolve
from app.discovery.probing import Queue
from app.discovery.services import clean, full_type, reachable
from app.errors import AppError, NotReachable
from app.model.address import Address, NetAddress, OcppAddress, SerialAddress
from app.model.frame import Adapter
from app.model.unit import Sighting, SourceKind
from tests.unit.discovery_garage import Charger, finder, mdns


@pytest.mark.parametrize(
    ("text", "address", "has_port"),
    [
        ("192.168.1.5", NetAddress(host="192.168.1.5", port=80), False),
        (" 192.168.1.5:8080 ", NetAddress(host="192.168.1.5", port=8080), True),
        ("openevse-a7d4.local", NetAddress(host="openevse-a7d4.local", port=80), False),
        ("http://192.168.1.5/", NetAddress(host="192.168.1.5", port=80), False),
        ("https://box:444/settings", NetAddress(host="box", port=444, scheme="https"), True),
        ("https://box", NetAddress(host="box", port=443, scheme="https"), False),
        ("fe80::1%3", NetAddress(host="fe80::1%3", port=80), False),
        ("[fe80::1%3]:8080", NetAddress(host="fe80::1%3", port=8080), True),
        ("[fd00::2]", NetAddress(host="fd00::2", port=80), False),
        ("COM5", SerialAddress(port="COM5"), True),
        ("com12", SerialAddress(port="COM12"), True),
        ("/dev/ttyUSB0", SerialAddress(port="/dev/ttyUSB0"), True),
    ],
)
def test_what_people_type_is_understood(text: str, address: Address, has_port: bool) -> None:
    assert parse(text) == (address, has_port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "192.168.1.400",
        "1.2.3",
        "192.168.1.5:99999",
        "192.168.1.5:abc",
        "192.168.1.5:0",
        "ws://csms.example/ocpp",
        "ftp://box",
        "a b",
        "box\x00",
        "<b>",
        "x" * 400,
        "/dev/../etc/passwd",
        "/etc/passwd",
        "0.0.0.0",
        "224.0.0.1",
        "[fe80::1",
        "::g",
    ],
)
async def test_nonsense_is_refused_with_advice(text: str) -> None:
    async with finder() as found:
        with pytest.raises(AppError) as failure:
            await found.add(text)
        assert failure.value.message
        assert failure.value.advice
        assert not found.units


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_an_error_with_advice(text: str) -> None:
    advice = ""
    address: Address | None = None
    try:
        address, _ = parse(text)
    except AppError as error:
        advice = error.advice
    assert advice or str(address)


async def test_a_name_is_looked_up_ipv4_first() -> None:
    assert (await resolve(NetAddress(host="localhost", port=81))).host in ("127.0.0.1", "::1")
    scoped = NetAddress(host="fe80::1%3")
    assert await resolve(scoped) == scoped
    with pytest.raises(NotReachable) as failure:
        await resolve(NetAddress(host="no-such-name.invalid"))
    assert failure.value.advice


async def test_a_charger_is_added_by_url_and_by_name() -> None:
    async with Charger(serial="AAAA1111") as charger, finder() as found:
        first = await found.add(f"http://127.0.0.1:{charger.address.port}/some/page")
        again = await found.add(f"localhost:{charger.address.port}")
        assert first.unit_id == again.unit_id
        assert first.ways[0].source is SourceKind.MANUAL


def network(name: str, address: str, prefix: int, index: int = 7) -> Network:
    return Network(adapter=Adapter(name=name, address=address), prefix=prefix, index=index)


def test_the_best_address_of_a_host_comes_first_and_strangers_not_at_all() -> None:
    ours = [network("eth0", "192.168.1.2", 24), network("eth0", "fe80::2%7", 64)]
    hosts = ["8.8.8.8", "10.0.0.5", "fe80::5%7", "fe80::6", "0.0.0.0", "127.0.0.1", "224.0.0.1", "192.168.1.9", "x"]
    assert reachable(hosts, ours) == ["192.168.1.9", "fe80::5%7", "10.0.0.5"]
    assert reachable(["127.0.0.1"], [Network(adapter=LOOPBACK, prefix=8, index=1)]) == ["127.0.0.1"]


def test_a_scope_belongs_to_its_adapter() -> None:
    ours = network("eth0", "fe80::2%7", 64, index=7)
    assert ours.contains("fe80::5%7")
    assert ours.contains("fe80::5%eth0")
    assert not ours.contains("fe80::5%8")
    assert not ours.contains("nonsense")


def test_the_endpoint_listens_on_the_real_lan_by_default() -> None:
    lan = Adapter(name="eth0", address="192.168.1.2")
    others = [
        Adapter(name="docker0", address="172.17.0.1"),
        Adapter(name="eth1", address="169.254.7.7"),
        Adapter(name="eth0", address="fd00::2"),
        LOOPBACK,
    ]
    wifi = Adapter(name="wlan0", address="10.0.0.7")
    assert default_adapter([*others, lan], routed="") == lan
    assert default_adapter([*others, lan, wifi], routed="10.0.0.7") == wifi
    assert default_adapter(others[1:], routed="").address == "169.254.7.7"
    assert default_adapter([], routed="") == LOOPBACK


def test_this_computer_has_loopback_marked_and_last() -> None:
    listed = adapters()
    assert listed[-1].is_loopback
    assert any(item.adapter.address == "127.0.0.1" and item.adapter.is_loopback for item in networks())


def at(host: str, port: int = 80) -> Sighting:
    return Sighting(source=SourceKind.MDNS, address=NetAddress(host=host, port=port), at=datetime.now(UTC))


def test_a_noisy_host_does_not_keep_the_others_waiting() -> None:
    queue = Queue(limit=100)
    for port in range(1, 501):
        queue.put(at("noisy", port))
    queue.put(at("good"))
    assert len(queue) == 100
    assert [str(queue.take().address) for _ in range(2)][1] == "good:80"
    queue.discard(NetAddress(host="noisy", port=500))
    queue.discard(OcppAddress(identity="never"))
    left = [queue.take().address for _ in range(len(queue))]
    assert NetAddress(host="noisy", port=500) not in left
    with pytest.raises(IndexError):
        queue.take()


def test_an_address_waits_once_with_its_newest_sighting() -> None:
    queue = Queue()
    queue.put(at("a"))
    newest = at("a")
    queue.put(newest)
    assert len(queue) == 1
    assert queue.take() is newest


def test_texts_and_types() -> None:
    assert clean("a\x00b\u202ec\nd" + "e" * 300, 5) == "a\ufffdb\ufffdc"
    assert full_type("_x._tcp") == full_type("_x._tcp.local.") == full_type("_x._tcp.local") == "_x._tcp.local."


def test_a_web_page_does_not_take_the_place_of_a_makes_name() -> None:
    address = NetAddress(host="192.168.1.2", port=80)
    named, page = mdns(address, kind="_openevse._tcp"), mdns(address, kind="_http._tcp")
    for first, second in ((named, page), (page, named)):
        queue = Queue()
        queue.put(first)
        queue.put(second)
        assert queue.take() is named
        assert len(queue) == 0
