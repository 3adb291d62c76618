"""Which addresses may be searched."""

from __future__ import annotations

import pytest

from app.discovery.adapters import Network
from app.discovery.ranges import NotAllowed, searchable, span
from app.model.frame import Adapter


def network(address: str, prefix: int, *, name: str = "eth0", is_loopback: bool = False) -> Network:
    return Network(adapter=Adapter(name=name, address=address, is_loopback=is_loopback), prefix=prefix, index=2)


SITE = network("192.168.1.20", 24)
LARGE = network("10.4.5.6", 16)


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("", "192.168.1.1", "192.168.1.254", 253),
        ("192.168.1.0/24", "192.168.1.1", "192.168.1.254", 253),
        ("192.168.1.16/30", "192.168.1.16", "192.168.1.19", 4),
        ("192.168.1.10-30", "192.168.1.10", "192.168.1.30", 20),
        (" 192.168.1.10 - 192.168.1.12 ", "192.168.1.10", "192.168.1.12", 3),
        ("192.168.1.77", "192.168.1.77", "192.168.1.77", 1),
    ],
)
def test_a_range_leaves_out_our_own_address_and_those_of_nobody(text: str, first: str, last: str, count: int) -> None:
    found = span(SITE, text)
    assert (found.hosts[0], found.hosts[-1], len(found.hosts)) == (first, last, count)
    assert "192.168.1.20" not in found.hosts


def test_a_large_network_is_searched_around_us_unless_a_part_is_named() -> None:
    assert span(network("10.0.0.9", 22), "").hosts[-1] == "10.0.3.254"
    assert (span(LARGE).hosts[0], span(LARGE).hosts[-1]) == ("10.4.5.0", "10.4.5.255")
    assert len(span(LARGE, "10.4.8.0/22").hosts) == 1024
    with pytest.raises(NotAllowed, match="65,536"):
        span(LARGE, "10.4.0.0/16")


@pytest.mark.parametrize(
    "text", ["192.168.2.0/24", "8.8.8.8", "192.168.0.0/16", "10-20", "192.168.1.30-20", "::1", "x", "192.168.1.20", "-"]
)
def test_what_is_not_this_network_is_refused_with_advice(text: str) -> None:
    with pytest.raises(NotAllowed) as raised:
        span(SITE, text)
    assert raised.value.advice


def test_public_networks_and_lone_addresses_are_never_searched() -> None:
    public, lone = network("203.0.114.9", 24), network("10.1.1.1", 32)
    six = network("fe80::1%2", 64)
    cables = network("172.17.0.1", 16, name="docker0")
    home = network("127.0.0.1", 8, name="lo", is_loopback=True)
    assert searchable([cables, public, lone, six, home, SITE]) == [SITE, cables]
    assert home in searchable([home], with_loopback=True)
    with pytest.raises(NotAllowed):
        span(public)
